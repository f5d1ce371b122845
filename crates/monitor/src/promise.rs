//! What a model promises about false alarms, and what the wish for fewer would need.
//!
//! A bound holds for any machine if new recordings are exchangeable with those learned from: made on
//! other days, under the same conditions, chosen before they were judged. No rate over time follows
//! from it, since windows of one recording resemble each other; see [`EventEvidence`].

use std::fmt;

use offkey_core::counted;
use offkey_score::{MOST_COMPARED, jackknife_plus_bound};
use serde::Serialize;

use crate::{EventEvidence, FalseAlarmRate};

/// What a model promises about false alarms.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Promise {
    /// Share of normal recordings that alarm, at most, 0 to 1; none: nothing is guaranteed.
    pub at_most: Option<f64>,
    /// The share that calibration suggests where there is no guarantee, 0 to 1.
    pub measured: Option<f64>,
    /// Recordings it rests on.
    pub recordings: usize,
    /// Windows of those recordings.
    pub windows: usize,
    /// Seconds between the starts of windows.
    pub every_s: f64,
    /// What was asked for.
    pub wished: Option<FalseAlarmRate>,
    /// Whether what was asked for is guaranteed; none where nothing was asked for.
    pub wish_kept: Option<bool>,
    /// False events per week, as far as they can be stated.
    pub events: EventEvidence,
}

/// Fewer recordings are too few to promise anything.
pub const LEAST_RECORDINGS: usize = 5;
/// Recordings that make a model useful: at most one in twenty-one normal recordings alarms.
const USEFUL_RECORDINGS: usize = 20;

impl Promise {
    /// Whether a person can rely on it.
    pub fn is_usable(&self) -> bool {
        self.at_most.is_some()
    }

    /// Recordings that the wish would need, at least; more than [`MOST_COMPARED`] bring no stricter bound.
    fn needed(&self) -> Option<usize> {
        let wish = self.wished?.per_window(self.every_s);
        (self.wish_kept == Some(false)).then(|| (1.0 / wish - 1.0 - 1e-9).ceil() as usize)
    }

    /// What to do next, in a sentence.
    pub fn next_step(&self) -> Option<String> {
        let further = |wanted: usize| wanted.saturating_sub(self.recordings);
        if self.at_most.is_none() {
            return Some(format!(
                "record {} more on other days, add them by `update --all-of`: then a bound can be stated",
                further(LEAST_RECORDINGS).max(1)
            ));
        }
        let wanted = match self.needed() {
            Some(needed) if needed <= MOST_COMPARED => needed,
            _ if self.recordings < USEFUL_RECORDINGS => USEFUL_RECORDINGS,
            _ => return None,
        };
        let bound = percent(jackknife_plus_bound(0, wanted));
        Some(format!(
            "record {} more on other days, add them by `update --all-of`: then at most {bound}",
            further(wanted)
        ))
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { recordings, windows, .. } = self;
        match (self.at_most, self.measured) {
            (Some(at_most), _) => write!(
                f,
                "usable: at most {} of normal recordings alarm (bound from {}, {})",
                percent(at_most),
                counted(*recordings, "recording"),
                counted(*windows, "window")
            )?,
            (None, Some(measured)) => write!(
                f,
                "not yet usable: no bound on false alarms from {}, {LEAST_RECORDINGS} are needed; within them about {} of \
                 stretches alarm (measured, not guaranteed)",
                counted(*recordings, "recording"),
                percent(measured)
            )?,
            (None, None) => {
                let recordings = counted(*recordings, "recording");
                write!(f, "not yet usable: no bound on false alarms from {recordings}")?;
            }
        }
        match (self.wished, self.wish_kept) {
            (Some(wish), Some(true)) => write!(f, "; the wish `{wish}` is kept")?,
            (Some(wish), _) => {
                write!(f, "; the wish `{wish}` is not guaranteed")?;
                match self.needed() {
                    Some(needed) if needed <= MOST_COMPARED => {
                        write!(f, ": that needs {}", counted(needed, "recording"))?;
                    }
                    Some(_) => {
                        let strictest = percent(jackknife_plus_bound(0, MOST_COMPARED));
                        write!(
                            f,
                            ": {strictest} is the strictest bound, from {MOST_COMPARED} recordings on"
                        )?;
                    }
                    None => {}
                }
            }
            (None, _) => {}
        }
        write!(f, "; {}", self.events)?;
        match self.next_step() {
            Some(next) => write!(f, "; next: {next}"),
            None => Ok(()),
        }
    }
}

/// A share as a percentage.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promise(at_most: Option<f64>, recordings: usize, wish: Option<&str>) -> Promise {
        let wished = wish.map(|wish| wish.parse::<FalseAlarmRate>().expect("a rate"));
        Promise {
            at_most,
            measured: at_most.is_none().then_some(0.2),
            recordings,
            windows: 2 * recordings,
            every_s: 10.0,
            wish_kept: wished
                .map(|wish| at_most.is_some_and(|share| share <= wish.per_window(10.0))),
            wished,
            events: EventEvidence::default(),
        }
    }

    #[test]
    fn plain_words_come_first_and_say_what_to_do_next() {
        let text = promise(Some(1.0 / 9.0), 8, None).to_string();
        assert!(text.starts_with("usable: at most 11.11 % of normal recordings alarm"), "{text}");
        assert!(
            text.contains(
                "record 12 more on other days, add them by `update --all-of`: then at most 4.76 %"
            ),
            "{text}"
        );
        let text = promise(None, 3, None).to_string();
        assert!(text.starts_with("not yet usable") && text.contains("record 2 more"), "{text}");
        assert!(promise(Some(0.01), 99, None).next_step().is_none());
    }

    #[test]
    fn a_wish_is_kept_only_where_the_bound_lies_below_it() {
        assert!(promise(Some(0.04), 24, Some("5%")).to_string().contains("`5 %` is kept"));
        let text = promise(Some(1.0 / 9.0), 8, Some("5%")).to_string();
        assert!(text.contains("is not guaranteed: that needs 19 recordings"), "{text}");
        let text = promise(Some(1.0 / 9.0), 8, Some("1 per week")).to_string();
        assert!(text.contains("0.99 % is the strictest bound, from 100 recordings on"), "{text}");
        assert!(text.contains("record 12 more"), "{text}");
        let text = promise(Some(1.0 / 101.0), 250, Some("0.5%")).to_string();
        assert!(!text.contains("next:") && text.contains("strictest bound"), "{text}");
    }
}
