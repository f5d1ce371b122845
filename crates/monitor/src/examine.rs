//! Why a recording was judged as it was: what each member says of its worst window.

use std::path::Path;

use offkey_core::paths::printable;
use serde::Serialize;

use crate::{BandChange, ClipVerdict, Monitor, MonitorError, Stop};

/// What one member says of a window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemberSays {
    /// The member.
    pub name: String,
    /// Deviations of held-out normals; none where the member does not count.
    pub deviations: Option<f64>,
}

/// A recording looked into.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Examined {
    /// What is said of the recording, as `check` says it.
    pub clip: ClipVerdict,
    /// Score of its worst window of those that can be scored.
    pub score: f64,
    /// Where that window begins, in seconds.
    pub window_s: f64,
    /// What each member says of that window, in the order of the model file; none for models of the first form.
    pub members: Vec<MemberSays>,
    /// The member that says most.
    pub raised_by: Option<String>,
    /// The band in which the window differs most from normal, by that member.
    pub band: Option<BandChange>,
    /// The nearest normal window by that member: recording, and where in it, in seconds.
    pub nearest: Option<(String, f64)>,
}

impl Monitor {
    /// Judges a recording and looks into its worst window.
    ///
    /// # Errors
    /// [`MonitorError::NothingJudged`] when no window of it can be scored; else as [`Monitor::check`].
    pub fn examine(&self, path: &Path) -> Result<Examined, MonitorError> {
        self.examine_until(path, &|| false)
    }

    /// As [`Monitor::examine`], until `stop` says so: of a part of a recording no worst window is known.
    ///
    /// # Errors
    /// As [`Monitor::examine`], and [`MonitorError::Cancelled`] once `stop` says so.
    pub fn examine_until(&self, path: &Path, stop: Stop<'_>) -> Result<Examined, MonitorError> {
        let stopped = std::cell::Cell::new(false);
        let noted = || {
            stopped.set(stopped.get() || stop());
            stopped.get()
        };
        let (clip, worst) = self.check_closely(path, &mut |_| {}, &noted)?;
        if stopped.get() {
            return Err(MonitorError::Cancelled);
        }
        let Some((worst, finding)) = worst else {
            let (path, reason) = (path.to_owned(), clip.reason);
            return Err(MonitorError::NothingJudged { path, reason });
        };
        let rule = self.card().windows;
        let name = |member: usize| {
            self.card().members.get(member).map_or_else(String::new, |card| card.name.clone())
        };
        let says = |(member, deviations)| MemberSays { name: name(member), deviations };
        Ok(Examined {
            clip,
            score: finding.score,
            window_s: rule.seconds(worst.start),
            members: finding.by_member.into_iter().enumerate().map(says).collect(),
            raised_by: finding.loudest.map(name),
            band: finding.change,
            nearest: finding.nearest.map(|(recording, start)| (recording, rule.seconds(start))),
        })
    }
}

impl Examined {
    /// The same in sentences.
    pub fn words(&self) -> Vec<String> {
        let mut words = vec![format!(
            "{}: {} (worst window at {:.1} s)",
            self.clip.verdict, self.clip.reason, self.window_s
        )];
        for MemberSays { name, deviations } in &self.members {
            words.push(match deviations {
                Some(deviations) => format!(
                    "`{}`: {deviations:.1} deviations from the median of normal windows",
                    printable(name)
                ),
                None => format!("`{}` does not count: it hears no difference", printable(name)),
            });
        }
        words
    }
}
