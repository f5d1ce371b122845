//! What a model can hear and what it cannot, before any real fault: known faults planted into
//! normal recordings at falling levels.

use std::{cell::Cell, path::PathBuf};

use ndarray::{Array2, ArrayView2, Axis};
use offkey_core::{Seed, counted, with_causes};
use offkey_score::{Detector, Member, References, Rule};
use serde::Serialize;

use crate::{
    HeardWindow, Monitor, MonitorError, Role, Step, Stop, Verdict,
    model::{Detecting, Members},
    stops::Stops,
    windows::{each_window, go_on},
};

/// Plants a fault into a window at a rate in hertz, at a level in decibels relative to the window.
pub type Plant<'a> = &'a dyn Fn(&mut Vec<f32>, u32, f64, Seed);

/// A kind of fault that can be planted into a window.
pub struct PlantedFault<'a> {
    /// Its name.
    pub name: &'a str,
    /// Plants it.
    pub plant: Plant<'a>,
}

/// Detection of each kind of fault at each level.
///
/// A window that alarms, or cannot be judged, without any fault says nothing about faults: it is left
/// out of all shares.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SelfTest {
    /// Normal windows heard.
    pub windows: usize,
    /// Windows of them that alarm without any fault; absent where they are windows learned from, of
    /// which hardly any can.
    pub false_alarms: Option<usize>,
    /// Windows that are judged and do not alarm without a fault: shares are of these.
    pub tested: usize,
    /// Share of normal recordings that alarm, at most, as promised.
    pub promised: Option<f64>,
    /// Levels tried, in decibels of the fault relative to the window.
    pub levels_db: Vec<f64>,
    /// One curve per kind of fault.
    pub faults: Vec<FaultCurve>,
    /// Recordings that could not be heard, in whole or in part, with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// How well one kind of fault is found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultCurve {
    /// The kind.
    pub fault: String,
    /// Share of windows that alarm with the fault and not without it, at each level.
    pub detected: Vec<f64>,
    /// 95 % interval of that share, if windows were independent.
    pub interval: Vec<[f64; 2]>,
    /// Share of windows that cannot be judged with the fault and can without it, at each level, as where
    /// the fault clips: noticed too, though not as a fault.
    pub cannot_tell: Vec<f64>,
    /// Lowest level from which on at least half of the windows alarm; absent where there is none, or the windows
    /// are too few to tell. A window that cannot be judged does not count as found.
    pub found_from_db: Option<f64>,
    /// The same for each member alone.
    pub members: Vec<MemberCurve>,
}

/// How well one member alone finds one kind of fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemberCurve {
    /// The member.
    pub member: String,
    /// Share of windows that would alarm with the fault and not without it, at each level.
    pub detected: Vec<f64>,
    /// Lowest level from which on at least half of them would.
    pub found_from_db: Option<f64>,
}

/// Levels of the fault relative to the window: from clearly louder than the machine to far below.
const LEVELS_DB: [f64; 7] = [10.0, 5.0, 0.0, -5.0, -10.0, -15.0, -20.0];
/// Share of windows that must be noticed for a fault to count as found.
const FOUND: f64 = 0.5;
/// Fewer windows are too few to tell.
const LEAST_WINDOWS: usize = 8;

impl Monitor {
    /// Plants faults into normal windows and judges them. The windows are those the model keeps, or
    /// those of `recordings` where there are any.
    ///
    /// # Errors
    /// [`MonitorError::Audio`] when a recording cannot be read, [`MonitorError::RecordingRate`] for one of
    /// another rate, [`MonitorError::AllTooShort`] when there is no window, [`MonitorError::Cancelled`]
    /// when the caller asks to stop.
    pub fn self_test(
        &self,
        recordings: &[PathBuf],
        planted: &[PlantedFault<'_>],
        step: Step<'_>,
    ) -> Result<SelfTest, MonitorError> {
        let total = planted.len() * LEVELS_DB.len();
        let done = Cell::new(0);
        let stop = || !step(done.get(), total);
        let (windows, left_out) = self.normal_windows(recordings, &stop)?;
        if windows.is_empty() {
            return Err(self.all_too_short(recordings));
        }
        let heard = windows.len();
        let alone = self.each_alone()?;
        let before = self.hear(&alone, windows.iter().cloned(), &stop)?;
        let alarms = before.iter().filter(|window| window.verdict == Verdict::Alarm).count();
        let false_alarms = (!recordings.is_empty()).then_some(alarms);
        let quiet =
            |window: &Reaction| matches!(window.verdict, Verdict::Normal | Verdict::Suspicious);
        let (windows, before): (Vec<_>, Vec<_>) =
            windows.into_iter().zip(before).filter(|(_, before)| quiet(before)).unzip();
        let mut faults = Vec::new();
        for fault in planted {
            let mut curve = Curve::new(&before);
            for level_db in LEVELS_DB {
                let planted = self.with_fault(&windows, fault, level_db);
                curve.add(&before, &self.hear(&alone, planted, &stop)?);
                done.set(done.get() + 1);
                go_on(&stop)?;
            }
            let names = self.card.members.iter().map(|member| member.name.as_str());
            faults.push(curve.finished(fault.name, names));
        }
        Ok(SelfTest {
            windows: heard,
            false_alarms,
            tested: windows.len(),
            promised: self.promise().at_most,
            levels_db: LEVELS_DB.to_vec(),
            faults,
            left_out,
        })
    }

    /// What is said of windows, and which members alone would alarm.
    fn hear(
        &self,
        alone: &[Detector],
        windows: impl Iterator<Item = Vec<f32>>,
        stop: Stop<'_>,
    ) -> Result<Vec<Reaction>, MonitorError> {
        let each = windows.map(|window| {
            go_on(stop)?;
            // As `check` would answer about a recording of this window.
            let (verdict, finding) = self.judge_closely(0, &window)?;
            let stops = &mut Stops::default();
            let told = stops.with_what_came_before(&self.card, verdict, &window, finding.as_ref());
            let verdict = told.verdict;
            Ok(Reaction { verdict, members: self.alarms_alone(alone, &window)? })
        });
        each.collect()
    }

    /// A detector of each member alone.
    fn each_alone(&self) -> Result<Vec<Detector>, MonitorError> {
        let Detecting::Members(members) = &self.detecting else { return Ok(Vec::new()) };
        (0..self.card.members.len()).map(|member| self.alone(members, member)).collect()
    }

    fn alone(&self, members: &Members, member: usize) -> Result<Detector, MonitorError> {
        let groups: Vec<String> = self.card.rows().map(|(row, _)| row.group.clone()).collect();
        let stand_by: Vec<bool> =
            self.card.rows().map(|(row, _)| row.role == Role::Reference).collect();
        let domains = vec![None; groups.len()];
        let failed = |source| MonitorError::Score { name: self.card.name.clone(), source };
        let seed = Seed::new(self.card.seed).child("monitor");
        let rows = members.heard.embeddings[member].view();
        let references = References::new(rows, &domains, &groups, seed)
            .and_then(|references| references.with_bystanders(&stand_by))
            .map_err(failed)?;
        let card = &self.card.members[member];
        let (name, backend) = (card.name.clone(), card.backend.clone());
        Detector::fit(&[Member { name, backend, references }], Rule::Max).map_err(failed)
    }

    /// Whether each member alone would alarm at a window.
    fn alarms_alone(&self, alone: &[Detector], window: &[f32]) -> Result<Vec<bool>, MonitorError> {
        if alone.is_empty() {
            return Ok(Vec::new());
        }
        let failed = |source| MonitorError::Score { name: self.card.name.clone(), source };
        let heard = HeardWindow::of(self.models(), self.card.windows, window)?;
        let each = alone.iter().zip(&heard.vectors).map(|(detector, vector)| {
            let row = ArrayView2::from_shape((1, vector.len()), vector)
                .expect("a vector is one row of its length");
            Ok(detector.judge_all(&[row]).map_err(failed)?[0].alarm())
        });
        each.collect()
    }

    /// Windows to plant faults into, and what could not be heard of the recordings.
    fn normal_windows(
        &self,
        recordings: &[PathBuf],
        stop: Stop<'_>,
    ) -> Result<(Vec<Vec<f32>>, Vec<String>), MonitorError> {
        if recordings.is_empty() {
            let rows: &Array2<f32> = &self.sounds;
            return Ok((rows.axis_iter(Axis(0)).map(|row| row.to_vec()).collect(), Vec::new()));
        }
        let (mut windows, mut left_out, mut refused) = (Vec::new(), Vec::new(), None);
        for path in recordings {
            let heard = self.open_alike(path).and_then(|_| {
                each_window(path, self.card.windows, stop, |_, window| {
                    windows.push(window.to_vec());
                    Ok(())
                })
            });
            match heard {
                Ok(read) => left_out.extend(
                    read.damage.map(|damage| format!("what comes after the damage: {damage}")),
                ),
                Err(error @ MonitorError::Cancelled) => return Err(error),
                Err(error) => {
                    left_out.push(with_causes(&error));
                    refused.get_or_insert(error);
                }
            }
        }
        match refused {
            Some(error) if windows.is_empty() => Err(error),
            _ => Ok((windows, left_out)),
        }
    }

    /// The windows with a fault in each, one at a time.
    fn with_fault<'a>(
        &self,
        windows: &'a [Vec<f32>],
        fault: &'a PlantedFault<'_>,
        level_db: f64,
    ) -> impl Iterator<Item = Vec<f32>> + 'a {
        let rate_hz = self.card.windows.rate_hz;
        let seed = Seed::new(self.card.seed).child("self-test").child(fault.name);
        windows.iter().enumerate().map(move |(index, window)| {
            let mut window = window.clone();
            (fault.plant)(&mut window, rate_hz, level_db, seed.child(index));
            window
        })
    }
}

/// What a window is taken for.
struct Reaction {
    verdict: Verdict,
    /// Whether each member alone would alarm.
    members: Vec<bool>,
}

/// Counts of one kind of fault, level by level.
struct Curve {
    tested: usize,
    alarms: Vec<usize>,
    unjudged: Vec<usize>,
    /// Of each member the windows at which it alone does not alarm without the fault, and those of them
    /// at which it does with it, level by level.
    members: Vec<(usize, Vec<usize>)>,
}

impl Curve {
    /// A curve over windows that do not alarm as they are.
    fn new(before: &[Reaction]) -> Self {
        let members = before.first().map_or(0, |window| window.members.len());
        let calm = |member: usize| before.iter().filter(|window| !window.members[member]).count();
        let members = (0..members).map(|member| (calm(member), Vec::new())).collect();
        Self { tested: before.len(), alarms: Vec::new(), unjudged: Vec::new(), members }
    }

    /// Adds a level: the same windows with the fault.
    fn add(&mut self, before: &[Reaction], with_fault: &[Reaction]) {
        let count = |verdict: Verdict| with_fault.iter().filter(|w| w.verdict == verdict).count();
        self.alarms.push(count(Verdict::Alarm));
        self.unjudged.push(count(Verdict::CannotTell));
        for (member, (_, counts)) in self.members.iter_mut().enumerate() {
            let pairs = before.iter().zip(with_fault);
            let found = pairs.filter(|(b, w)| w.members[member] && !b.members[member]).count();
            counts.push(found);
        }
    }

    fn finished<'a>(self, fault: &str, names: impl Iterator<Item = &'a str>) -> FaultCurve {
        let Self { tested, alarms, unjudged, members } = self;
        let members = names.zip(&members).map(|(member, (calm, counts))| MemberCurve {
            member: member.to_owned(),
            detected: shares(counts, *calm),
            found_from_db: found_from(counts, *calm),
        });
        FaultCurve {
            fault: fault.to_owned(),
            detected: shares(&alarms, tested),
            interval: alarms.iter().map(|&count| interval(count, tested).into()).collect(),
            cannot_tell: shares(&unjudged, tested),
            found_from_db: found_from(&alarms, tested),
            members: members.collect(),
        }
    }
}

/// Counts as shares; of nothing there are none.
fn shares(counts: &[usize], of: usize) -> Vec<f64> {
    counts.iter().map(|&count| count as f64 / of.max(1) as f64).collect()
}

impl SelfTest {
    /// What the numbers say, in sentences.
    pub fn words(&self) -> String {
        let Self { windows, tested, .. } = self;
        let mut words = format!(
            "percent of {} that alarm with a fault of that level relative to the window and not without it; +n?: n percent \
             more cannot be judged\n",
            counted(*tested, "normal window")
        );
        if tested < windows {
            words += &format!(
                "{} of {windows} not tested: alarms, or cannot be judged, without any fault\n",
                counted(windows - tested, "window")
            );
        }
        if *tested < LEAST_WINDOWS {
            words += &format!(
                "too few windows to tell from which level on a fault is found, {tested} of the {LEAST_WINDOWS} needed: give more \
                 normal recordings with --data\n"
            );
        } else {
            let (low, high) = interval(tested / 2, *tested);
            words += &format!(
                "a share of 50 % of so many windows has a 95 % interval of {:.0} to {:.0} %, if windows were independent\n",
                100.0 * low,
                100.0 * high
            );
            if self.faults.iter().all(|fault| fault.found_from_db.is_none()) {
                words += "no fault counts as found: at no level and all above it do half of the windows alarm\n";
            }
        }
        for left_out in &self.left_out {
            words += &format!("left out: {left_out}\n");
        }
        words += &match self.false_alarms {
            None => "false alarms were not tested: these windows were learned from; give other normal recordings with --data".to_owned(),
            Some(alarms) => {
                let (low, high) = interval(alarms, *windows);
                let found = format!(
                    "without a fault {alarms} of {} alarm: {:.1} % (95 % interval {:.1} to {:.1} %, if windows were independent)",
                    counted(*windows, "window"),
                    100.0 * alarms as f64 / *windows as f64,
                    100.0 * low,
                    100.0 * high
                );
                match self.promised {
                    None => format!("{found}; no bound was promised"),
                    Some(promised) if low > promised => format!(
                        "{found}: more than the bound of {:.1} %. These recordings are not like those learned from",
                        100.0 * promised
                    ),
                    Some(promised) if high <= promised => {
                        format!("{found}: within the bound of {:.1} %", 100.0 * promised)
                    }
                    Some(promised) => format!(
                        "{found}: too few windows to tell whether that is within the bound of {:.1} %",
                        100.0 * promised
                    ),
                }
            }
        };
        words
    }
}

/// Wilson's 95 % interval of a share; of nothing, anything.
fn interval(count: usize, of: usize) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let (n, share, z) = (of as f64, count as f64 / of as f64, 1.96_f64);
    let centre = share + z * z / (2.0 * n);
    let spread = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    (((centre - spread) / scale).max(0.0), ((centre + spread) / scale).min(1.0))
}

/// Lowest level of the unbroken run, from the loudest down, at which faults are noticed in enough of
/// `of` windows; none where these are too few to tell.
fn found_from(noticed: &[usize], of: usize) -> Option<f64> {
    if of < LEAST_WINDOWS {
        return None;
    }
    let enough = |share: &f64| *share >= FOUND - 1e-9;
    let found = shares(noticed, of).into_iter().take_while(enough).count();
    found.checked_sub(1).map(|last| LEVELS_DB[last])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_found_from_the_end_of_the_unbroken_run() {
        let cases: [(&[usize], usize, Option<f64>); 4] = [
            (&[10, 10, 6, 4, 6, 0, 0], 10, Some(0.0)),
            (&[2, 10, 0, 0, 0, 0, 0], 10, None),
            (&[10; 7], 10, Some(-20.0)),
            (&[2; 7], 2, None),
        ];
        for (noticed, of, expected) in cases {
            assert_eq!(found_from(noticed, of), expected, "{noticed:?}");
        }
    }

    #[test]
    fn an_alarm_that_comes_without_the_fault_is_not_the_faults() {
        let reaction = |alarm: bool, member: bool| {
            let verdict = if alarm { Verdict::Alarm } else { Verdict::Normal };
            Reaction { verdict, members: vec![member] }
        };
        // Ten windows that do not alarm; at half of them the member alone always does.
        let before: Vec<Reaction> = (0..10).map(|i| reaction(false, i % 2 == 0)).collect();
        let with: Vec<Reaction> = (0..10).map(|i| reaction(i < 3, i % 2 == 0 || i == 1)).collect();
        let mut curve = Curve::new(&before);
        for _ in LEVELS_DB {
            curve.add(&before, &with);
        }
        let curve = curve.finished("knock", ["spectrum"].into_iter());
        assert_eq!(curve.detected, [0.3; 7]);
        assert!(curve.interval[0][0] > 0.1 && curve.interval[0][1] < 0.61, "{:?}", curve.interval);
        assert_eq!(curve.members[0].detected, [0.2; 7], "one of the five at which it was calm");
        assert_eq!((curve.found_from_db, curve.members[0].found_from_db), (None, None));
    }

    #[test]
    fn a_window_that_cannot_be_judged_is_not_found() {
        let reaction = |verdict| Reaction { verdict, members: Vec::new() };
        let before: Vec<Reaction> = (0..10).map(|_| reaction(Verdict::Normal)).collect();
        let with: Vec<Reaction> = (0..10).map(|_| reaction(Verdict::CannotTell)).collect();
        let mut curve = Curve::new(&before);
        for _ in LEVELS_DB {
            curve.add(&before, &with);
        }
        let curve = curve.finished("knock", std::iter::empty());
        assert_eq!((curve.cannot_tell[0], curve.detected[0]), (1.0, 0.0));
        assert_eq!(curve.found_from_db, None);
    }

    #[test]
    fn words_follow_from_the_numbers() {
        let test = |windows, alarms: Option<usize>, promised| SelfTest {
            windows,
            false_alarms: alarms,
            tested: windows - alarms.unwrap_or(0),
            promised,
            levels_db: LEVELS_DB.to_vec(),
            faults: Vec::new(),
            left_out: Vec::new(),
        };
        for (windows, alarms, promised, word) in [
            (40, Some(40), Some(0.05), "more than the bound of 5.0 %"),
            (40, Some(40), Some(0.05), "percent of 0 normal windows"),
            (40, Some(1), Some(0.05), "1 window of 40 not tested"),
            (40, Some(40), Some(0.05), "0 of the 8 needed"),
            (400, Some(2), Some(0.05), ": within the bound of 5.0 %"),
            (10, Some(0), Some(0.05), "too few windows to tell whether"),
            (10, Some(0), Some(0.05), "24 to 76 %"),
            (40, Some(3), None, "no bound was promised"),
            (40, None, Some(0.05), "false alarms were not tested"),
            (1, Some(0), Some(0.05), "percent of 1 normal window that"),
        ] {
            let words = test(windows, alarms, promised).words();
            assert!(words.contains(word), "{word}: {words}");
        }
    }
}
