//! What is said of a whole recording, in a file or in memory: the verdict of its worst window.

use std::path::Path;

use offkey_core::{about_it, counted};
use offkey_signal::{AudioError, AudioInfo, Codec, Container, resample};

use crate::{
    ClipVerdict, Heard as MembersHeard, HeardWindow, Monitor, MonitorCard, MonitorError, Stop,
    Verdict, WindowVerdict, Windower,
    finding::Finding,
    stops::Stops,
    windows::{channels_cancel, each_block, go_on},
};

/// The worst window of a recording that the detector was asked about, and what it found.
pub(crate) type Found = (WindowVerdict, Finding);

/// Calls of a caller that wants to know of every window.
type OnWindow<'a> = &'a mut dyn FnMut(&WindowVerdict);

/// What became of a recording that was checked until somebody asked to stop.
#[derive(Debug, Clone, PartialEq)]
pub enum Checked {
    /// All of it was judged.
    Whole(ClipVerdict),
    /// What was heard of it before the stop.
    Part(ClipVerdict),
    /// The stop came before its first window.
    Nothing,
}

/// Windows judged so far.
#[derive(Default)]
struct Judged {
    windows: usize,
    /// The window that decides.
    worst: Option<WindowVerdict>,
    found: Option<Found>,
    stops: Stops,
}

/// What is known of a recording beside its windows.
struct Heard {
    /// Samples that were heard, at the model's rate.
    samples: u64,
    damage: Option<String>,
    differs: Option<String>,
    /// That its channels cancel, where that is why no window can be judged.
    cancelled: Option<String>,
}

impl Monitor {
    /// Judges a recording by its worst window; calls `on_window` with every window's verdict.
    ///
    /// A recording that cannot be judged is an answer, not an error; of one that is damaged somewhere
    /// what lies before is judged.
    ///
    /// # Errors
    /// [`MonitorError`] when a model refuses a window.
    pub fn check(&self, path: &Path, on_window: OnWindow<'_>) -> Result<ClipVerdict, MonitorError> {
        Ok(self.check_closely(path, on_window, &|| false)?.0)
    }

    /// As [`Monitor::check`], until `stop` says so: it is asked before every window and every block of sound. What
    /// was heard until then is judged, and the verdict says where it ends; nothing where no window was.
    ///
    /// # Errors
    /// As [`Monitor::check`].
    pub fn check_until(
        &self,
        path: &Path,
        on_window: OnWindow<'_>,
        stop: Stop<'_>,
    ) -> Result<Checked, MonitorError> {
        let windows = std::cell::Cell::new(0);
        let counting = &mut |window: &WindowVerdict| {
            windows.set(windows.get() + 1);
            on_window(window);
        };
        let stopped = std::cell::Cell::new(false);
        let noted = || {
            stopped.set(stopped.get() || stop());
            stopped.get()
        };
        let verdict = self.check_closely(path, counting, &noted)?.0;
        Ok(match (stopped.get(), windows.get()) {
            (false, _) => Checked::Whole(verdict),
            (true, 0) => Checked::Nothing,
            (true, _) => Checked::Part(verdict),
        })
    }

    /// As [`Monitor::check_until`], with the worst window that was scored.
    pub(crate) fn check_closely(
        &self,
        path: &Path,
        on_window: OnWindow<'_>,
        stop: Stop<'_>,
    ) -> Result<(ClipVerdict, Option<Found>), MonitorError> {
        let info = match self.open_alike(path) {
            Ok(info) => info,
            Err(MonitorError::RecordingRate { refusal, .. }) => {
                return Ok((cannot_tell(path, refusal), None));
            }
            Err(error) => return Ok((cannot_tell(path, about_it(path, &error)), None)),
        };
        let differs = self.listening().difference(&info);
        let rule = self.card.windows;
        let mut judged = Judged::default();
        let mut windower = Windower::new(rule, 0);
        let mut heard = 0;
        let read = each_block(path, rule, stop, |block| {
            windower.push(block, |start, window| {
                go_on(stop)?;
                heard = start + window.len() as u64;
                judged.add(self, start, window, on_window)
            })
        });
        let (damage, samples) = match read {
            Ok(read) => (read.damage.map(|damage| about_it(path, &damage)), read.samples),
            Err(MonitorError::Cancelled) => {
                let end_s = rule.seconds(heard);
                (Some(format!("stopped at {end_s:.0} s, the rest is not judged")), heard)
            }
            Err(MonitorError::Audio(error)) => (Some(about_it(path, &error)), 0),
            Err(error) => return Err(error),
        };
        // Nobody who wishes to stop waits for the reason.
        let untold =
            !stop() && judged.worst.as_ref().is_some_and(|w| w.verdict == Verdict::CannotTell);
        let cancelled = if untold { channels_cancel(path, rule) } else { None };
        Ok(judged.told(path, &self.card, Heard { samples, damage, differs, cancelled }))
    }

    /// Judges mono samples as [`Monitor::check`] judges a file; `name` stands for the recording. How the
    /// samples were coded is not known: it counts as alike.
    ///
    /// # Errors
    /// [`MonitorError`] when the rate cannot be converted or a model refuses a window.
    pub fn check_samples(
        &self,
        name: &Path,
        (samples, rate_hz): (&[f32], u32),
        on_window: OnWindow<'_>,
    ) -> Result<ClipVerdict, MonitorError> {
        let listening = self.listening();
        if let Some(refusal) = listening.refusal(rate_hz) {
            return Ok(cannot_tell(name, refusal));
        }
        let codec = listening.codecs.first().copied().unwrap_or(Codec::Integer(16));
        let frames = samples.len() as u64;
        let info = AudioInfo { rate_hz, channels: 1, frames, container: Container::Raw, codec };
        let differs = listening.difference(&info);
        let samples = self.at_own_rate(name, (samples, rate_hz))?;
        let mut judged = Judged::default();
        Windower::new(self.card.windows, 0)
            .push(&samples, |start, window| judged.add(self, start, window, on_window))?;
        let heard = Heard { samples: samples.len() as u64, damage: None, differs, cancelled: None };
        Ok(judged.told(name, &self.card, heard).0)
    }

    /// What every member hears of each window of mono samples, in the order of the card; `name` stands for the
    /// recording. Of models of the first form, which have no members, nothing.
    ///
    /// # Errors
    /// As [`Monitor::check_samples`]; [`MonitorError::RecordingRate`] at a rate that cannot be judged.
    pub fn embed_samples(
        &self,
        name: &Path,
        sound: (&[f32], u32),
    ) -> Result<MembersHeard, MonitorError> {
        if let Some(refusal) = self.listening().refusal(sound.1) {
            return Err(MonitorError::RecordingRate { path: name.to_owned(), refusal });
        }
        let samples = self.at_own_rate(name, sound)?;
        let rule = self.card.windows;
        let mut heard = MembersHeard::default();
        Windower::new(rule, 0).push(&samples, |_, window| {
            heard.push(HeardWindow::of(self.models(), rule, window)?);
            Ok::<_, MonitorError>(())
        })?;
        Ok(heard)
    }

    fn at_own_rate(
        &self,
        name: &Path,
        (samples, rate_hz): (&[f32], u32),
    ) -> Result<Vec<f32>, MonitorError> {
        let to_hz = self.card.windows.rate_hz;
        let refused = |_| {
            MonitorError::Audio(AudioError::Rate { path: name.to_owned(), from_hz: rate_hz, to_hz })
        };
        resample(samples, rate_hz, to_hz).map_err(refused)
    }
}

impl Judged {
    fn add(
        &mut self,
        monitor: &Monitor,
        start: u64,
        window: &[f32],
        on_window: OnWindow<'_>,
    ) -> Result<(), MonitorError> {
        let (next, finding) = monitor.judge_closely(start, window)?;
        let next = self.stops.with_what_came_before(&monitor.card, next, window, finding.as_ref());
        on_window(&next);
        self.windows += 1;
        let key = |v: &WindowVerdict| (v.verdict, v.score.unwrap_or(f64::NEG_INFINITY));
        let worse =
            |worst: Option<&WindowVerdict>| worst.is_none_or(|worst| key(&next) > key(worst));
        if let Some(finding) = finding
            && worse(self.found.as_ref().map(|(worst, _)| worst))
        {
            self.found = Some((next.clone(), finding));
        }
        if worse(self.worst.as_ref()) {
            self.worst = Some(next);
        }
        Ok(())
    }

    /// The verdict on the recording, and the worst window that was scored.
    fn told(self, path: &Path, card: &MonitorCard, heard: Heard) -> (ClipVerdict, Option<Found>) {
        let Heard { samples, damage, differs, cancelled } = heard;
        let rule = card.windows;
        let Some(worst) = self.worst else {
            let too_short = || rule.too_short(samples);
            return (cannot_tell(path, damage.unwrap_or_else(too_short)), None);
        };
        let mut reason = worst.reason;
        if self.windows > 1 {
            reason = format!("at {:.0} s: {reason}", rule.seconds(worst.start));
        }
        if let Some(stop) = self.stops.beside(&reason, rule) {
            reason += &format!("; {stop}");
        }
        let is_whole = cancelled.is_none() && damage.is_none();
        reason = cancelled.unwrap_or(reason);
        if let Some(damage) = &damage {
            reason += &format!("; heard: {} only: {damage}", counted(self.windows, "window"));
        }
        let rest_s = rule.seconds(rule.rest(samples));
        if rest_s >= LEAST_REST_S && is_whole {
            reason += &format!("; its last {rest_s:.1} s fill no window and are not judged");
        }
        if let (Verdict::Alarm | Verdict::Suspicious, Some(longer)) =
            (worst.verdict, longer(self.windows, card))
        {
            reason += &format!("; {longer}");
        }
        if let Some(differs) = &differs {
            reason += &format!("; {differs}");
        }
        let verdict = ClipVerdict {
            path: path.to_owned(),
            score: worst.score,
            p_value: worst.p_value,
            p_kind: worst.p_kind,
            verdict: worst.verdict,
            reason,
            damage,
            differs,
        };
        (verdict, self.found)
    }
}

/// What is left at a recording's end is told from this length on.
const LEAST_REST_S: f64 = 1.0;

/// That a recording has many more windows than those learned from, in words, where it has.
fn longer(windows: usize, card: &MonitorCard) -> Option<String> {
    let longest = card.recordings.iter().map(|recording| recording.starts.len()).max()?;
    (windows > 2 * longest).then(|| {
        format!(
            "it has {windows} windows, and the recordings learned from have {longest} at most: it has more chances to \
             alarm than the bound is for"
        )
    })
}

/// The verdict on a recording of which no window was judged.
fn cannot_tell(path: &Path, reason: String) -> ClipVerdict {
    ClipVerdict {
        path: path.to_owned(),
        score: None,
        p_value: None,
        p_kind: None,
        verdict: Verdict::CannotTell,
        reason,
        damage: None,
        differs: None,
    }
}
