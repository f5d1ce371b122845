//! What a model can hear and what it cannot, before any real fault: known faults planted into
//! normal recordings at falling levels.

use std::path::PathBuf;

use ndarray::{Array2, ArrayView2, Axis};
use offkey_core::Seed;
use offkey_score::{Detector, Member, References, Rule};
use serde::Serialize;

use crate::{
    HeardWindow, Monitor, MonitorError, Role, Step, Verdict,
    model::{Detecting, Members},
    windows::each_window,
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
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SelfTest {
    /// Normal windows the faults were planted into.
    pub windows: usize,
    /// Windows of them that alarm without any fault; absent where they are windows learned from, of
    /// which hardly any can.
    pub false_alarms: Option<usize>,
    /// Share of normal recordings that alarm, at most, as promised.
    pub promised: Option<f64>,
    /// Levels tried, in decibels of the fault relative to the window.
    pub levels_db: Vec<f64>,
    /// One curve per kind of fault.
    pub faults: Vec<FaultCurve>,
}

/// How well one kind of fault is found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultCurve {
    /// The kind.
    pub fault: String,
    /// Share of windows that alarm, at each level.
    pub detected: Vec<f64>,
    /// Share of windows that cannot be judged, at each level, as where the fault clips: noticed too,
    /// though not as a fault.
    pub cannot_tell: Vec<f64>,
    /// Lowest level from which on at least half of the windows are no longer taken as sound that could
    /// be normal: they alarm, or cannot be judged; absent where there is none, or the windows are too
    /// few to tell.
    pub found_from_db: Option<f64>,
    /// The same for each member alone.
    pub members: Vec<MemberCurve>,
}

/// How well one member alone finds one kind of fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemberCurve {
    /// The member.
    pub member: String,
    /// Share of windows that would alarm, at each level.
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
        let windows = self.normal_windows(recordings)?;
        if windows.is_empty() {
            return Err(self.all_too_short(recordings));
        }
        let false_alarms = if recordings.is_empty() { None } else { Some(self.count(&windows)?.0) };
        let alone = self.each_alone()?;
        let total = planted.len() * LEVELS_DB.len();
        let mut faults = Vec::new();
        for (index, fault) in planted.iter().enumerate() {
            let mut curve = Curve::new(alone.len());
            for (level_index, level_db) in LEVELS_DB.into_iter().enumerate() {
                let planted = self.with_fault(&windows, fault, level_db);
                curve.add(self.count(&planted)?, self.alarms_alone(&alone, &planted)?);
                if !step(index * LEVELS_DB.len() + level_index + 1, total) {
                    return Err(MonitorError::Cancelled);
                }
            }
            let names = self.card.members.iter().map(|member| member.name.as_str());
            faults.push(curve.finished(fault.name, windows.len(), names));
        }
        Ok(SelfTest {
            windows: windows.len(),
            false_alarms,
            promised: self.promise().at_most,
            levels_db: LEVELS_DB.to_vec(),
            faults,
        })
    }

    /// Windows that alarm, and windows that cannot be judged.
    fn count(&self, windows: &[Vec<f32>]) -> Result<(usize, usize), MonitorError> {
        let (mut alarms, mut unjudged) = (0, 0);
        for window in windows {
            match self.judge(0, window)?.verdict {
                Verdict::Alarm => alarms += 1,
                Verdict::CannotTell => unjudged += 1,
                Verdict::Normal | Verdict::Suspicious => {}
            }
        }
        Ok((alarms, unjudged))
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

    /// For each member the windows that it alone would alarm at.
    fn alarms_alone(
        &self,
        alone: &[Detector],
        windows: &[Vec<f32>],
    ) -> Result<Vec<usize>, MonitorError> {
        let mut alarms = vec![0; alone.len()];
        if alone.is_empty() {
            return Ok(alarms);
        }
        let failed = |source| MonitorError::Score { name: self.card.name.clone(), source };
        for window in windows {
            let heard = HeardWindow::of(self.models(), self.card.windows, window)?;
            for ((count, detector), vector) in alarms.iter_mut().zip(alone).zip(&heard.vectors) {
                let row = ArrayView2::from_shape((1, vector.len()), vector)
                    .expect("a vector is one row of its length");
                let judged = detector.judge_all(&[row]).map_err(failed)?;
                *count += usize::from(judged[0].alarm());
            }
        }
        Ok(alarms)
    }

    fn normal_windows(&self, recordings: &[PathBuf]) -> Result<Vec<Vec<f32>>, MonitorError> {
        if recordings.is_empty() {
            let rows: &Array2<f32> = &self.sounds;
            return Ok(rows.axis_iter(Axis(0)).map(|row| row.to_vec()).collect());
        }
        let mut windows = Vec::new();
        for path in recordings {
            self.probe_alike(path)?;
            each_window(path, self.card.windows, |_, window| {
                windows.push(window.to_vec());
                Ok::<(), MonitorError>(())
            })?;
        }
        Ok(windows)
    }

    fn with_fault(
        &self,
        windows: &[Vec<f32>],
        fault: &PlantedFault<'_>,
        level_db: f64,
    ) -> Vec<Vec<f32>> {
        let rate_hz = self.card.windows.rate_hz;
        let seed = Seed::new(self.card.seed).child("self-test").child(fault.name);
        windows
            .iter()
            .enumerate()
            .map(|(index, window)| {
                let mut window = window.clone();
                (fault.plant)(&mut window, rate_hz, level_db, seed.child(index));
                window
            })
            .collect()
    }
}

/// Counts of one kind of fault, level by level.
struct Curve {
    alarms: Vec<usize>,
    unjudged: Vec<usize>,
    members: Vec<Vec<usize>>,
}

impl Curve {
    fn new(members: usize) -> Self {
        Self { alarms: Vec::new(), unjudged: Vec::new(), members: vec![Vec::new(); members] }
    }

    fn add(&mut self, (alarms, unjudged): (usize, usize), members: Vec<usize>) {
        self.alarms.push(alarms);
        self.unjudged.push(unjudged);
        for (curve, count) in self.members.iter_mut().zip(members) {
            curve.push(count);
        }
    }

    fn finished<'a>(
        self,
        fault: &str,
        windows: usize,
        names: impl Iterator<Item = &'a str>,
    ) -> FaultCurve {
        let shares = |counts: &[usize]| -> Vec<f64> {
            counts.iter().map(|&count| count as f64 / windows as f64).collect()
        };
        let found = |counts: &[usize]| {
            if windows < LEAST_WINDOWS { None } else { found_from(&shares(counts)) }
        };
        let noticed: Vec<usize> = self
            .alarms
            .iter()
            .zip(&self.unjudged)
            .map(|(alarm, unjudged)| alarm + unjudged)
            .collect();
        let members = names.zip(&self.members).map(|(member, counts)| MemberCurve {
            member: member.to_owned(),
            detected: shares(counts),
            found_from_db: found(counts),
        });
        FaultCurve {
            fault: fault.to_owned(),
            detected: shares(&self.alarms),
            cannot_tell: shares(&self.unjudged),
            found_from_db: found(&noticed),
            members: members.collect(),
        }
    }
}

impl SelfTest {
    /// What the numbers say, in sentences.
    pub fn words(&self) -> String {
        let Self { windows, .. } = self;
        let mut words = format!(
            "percent of {windows} normal windows that alarm with a fault of that level relative to the window; +n?: n percent \
             more cannot be judged\n"
        );
        if *windows < LEAST_WINDOWS {
            words += &format!(
                "{windows} windows are too few to tell from which level on a fault is found: give more normal recordings with --data\n"
            );
        }
        words += &match self.false_alarms {
            None => "false alarms were not tested: these windows were learned from; give other normal recordings with --data".to_owned(),
            Some(alarms) => {
                let (low, high) = interval(alarms, *windows);
                let found = format!(
                    "without a fault {alarms} of {windows} windows alarm: {:.1} % (95 % interval {:.1} to {:.1} %, if windows were independent)",
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

/// Wilson's 95 % interval of a share.
fn interval(count: usize, of: usize) -> (f64, f64) {
    let (n, share, z) = (of as f64, count as f64 / of as f64, 1.96_f64);
    let centre = share + z * z / (2.0 * n);
    let spread = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    (((centre - spread) / scale).max(0.0), ((centre + spread) / scale).min(1.0))
}

/// Lowest level of the unbroken run, from the loudest down, at which faults are noticed.
fn found_from(noticed: &[f64]) -> Option<f64> {
    let found = noticed.iter().take_while(|&&share| share >= FOUND - 1e-9).count();
    found.checked_sub(1).map(|last| LEVELS_DB[last])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_found_from_the_end_of_the_unbroken_run() {
        let cases: [(&[f64], Option<f64>); 3] = [
            (&[1.0, 1.0, 0.6, 0.4, 0.6, 0.0, 0.0], Some(0.0)),
            (&[0.2, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0], None),
            (&[1.0; 7], Some(-20.0)),
        ];
        for (detected, expected) in cases {
            assert_eq!(found_from(detected), expected, "{detected:?}");
        }
    }

    #[test]
    fn words_follow_from_the_numbers() {
        let test = |windows, alarms, promised| SelfTest {
            windows,
            false_alarms: alarms,
            promised,
            levels_db: LEVELS_DB.to_vec(),
            faults: Vec::new(),
        };
        for (windows, alarms, promised, word) in [
            (40, Some(40), Some(0.05), "more than the bound of 5.0 %"),
            (400, Some(2), Some(0.05), ": within the bound of 5.0 %"),
            (10, Some(0), Some(0.05), "too few windows to tell whether"),
            (40, Some(3), None, "no bound was promised"),
            (40, None, Some(0.05), "false alarms were not tested"),
            (2, Some(0), Some(0.05), "2 windows are too few to tell"),
        ] {
            let words = test(windows, alarms, promised).words();
            assert!(words.contains(word), "{word}: {words}");
        }
    }
}
