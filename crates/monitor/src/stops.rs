//! A machine that falls silent within a recording: what is told of it, and when it is an alarm.
//!
//! A window in which the machine is not heard cannot be judged: it may be off, or the microphone another one. Where
//! the same recording holds the running machine before, that explains little: then the detector's answer stands.
//! The bound on false alarms is that of the detector, which was asked about every window of the normal recordings
//! as well; a machine that pauses in its normal recordings is heard with its pauses.

use crate::{
    MonitorCard, Problem, Profile, Verdict, WindowRule, WindowVerdict, finding::Finding,
    member::profile_spectrum,
};

/// Length of the pieces of a window that are asked whether the machine is heard in them, in seconds.
const PIECE_S: f64 = 0.25;
/// Silence shorter than this, in seconds, is no stop; in short windows half of the window is enough.
const LEAST_SILENT_S: f64 = 0.5;
/// Sound shorter than this, in seconds, is not taken for the machine: a knock against the microphone is not.
const LEAST_RUNNING_S: f64 = 0.5;

/// Follows through the windows of one recording whether the machine is heard.
#[derive(Debug, Default)]
pub(crate) struct Stops {
    /// Whether the machine was heard by now.
    heard: bool,
    /// Where it fell silent first, and where it was heard again.
    first: Option<Stop>,
    /// Where it fell silent last, as long as it has not been heard again.
    open: Option<u64>,
}

/// A stretch without the machine, in samples of the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stop {
    from: u64,
    until: Option<u64>,
}

impl Stops {
    /// What is said of the next window when it is known what came before it.
    pub(crate) fn with_what_came_before(
        &mut self,
        card: &MonitorCard,
        judged: WindowVerdict,
        window: &[f32],
        finding: Option<&Finding>,
    ) -> WindowVerdict {
        match judged.problem {
            None => {
                self.heard = true;
                self.is_back(judged.start);
                judged
            }
            Some(
                Problem::Silent
                | Problem::Quieter
                | Problem::Absent
                | Problem::BandMissing
                | Problem::Unlike,
            ) => match self.stop_within(card, judged.start, window) {
                Some(stop) => told(stop, card.windows, judged, finding),
                None => judged,
            },
            Some(_) => judged,
        }
    }

    /// That the machine falls silent in the recording, in words, where `reason` does not tell it.
    pub(crate) fn beside(&self, reason: &str, rule: WindowRule) -> Option<String> {
        let stop = self.first?;
        let begun = Stop { until: None, ..stop }.words(rule);
        match stop.until {
            Some(until) if reason.contains(&begun) => {
                Some(format!("it is heard again from {:.1} s on", rule.seconds(until)))
            }
            _ if reason.contains(&begun) || reason.contains(&stop.words(rule)) => None,
            _ => Some(stop.words(rule)),
        }
    }

    /// Where the machine falls silent in a window that was not judged because it is not heard, or goes on being
    /// silent; nothing where it was never heard.
    fn stop_within(&mut self, card: &MonitorCard, start: u64, window: &[f32]) -> Option<Stop> {
        let rule = card.windows;
        let (from, until) = longest_silence(&card.profile, rule, window)?;
        let is_running = |part: &[f32]| is_machine(&card.profile, rule, part);
        let was_running = self.heard || is_running(&window[..from]);
        self.heard = was_running || is_running(&window[until..]);
        if !was_running {
            return None;
        }
        let place = |at: usize| start + at as u64;
        let stop = Stop {
            from: self.open.unwrap_or_else(|| place(from)),
            until: (until < window.len()).then(|| place(until)),
        };
        self.first.get_or_insert(Stop { until: None, ..stop });
        self.open = Some(stop.from);
        if let Some(until) = stop.until {
            self.is_back(until);
        }
        Some(stop)
    }

    fn is_back(&mut self, at: u64) {
        let Some(from) = self.open.take() else { return };
        if let Some(first) = self.first.as_mut().filter(|first| first.from == from) {
            first.until = Some(at.max(from));
        }
    }
}

impl Stop {
    fn words(self, rule: WindowRule) -> String {
        let from = rule.seconds(self.from);
        match self.until {
            None => format!("the machine is heard until {from:.1} s, then not"),
            Some(until) => {
                format!("the machine is not heard from {from:.1} s to {:.1} s", rule.seconds(until))
            }
        }
    }
}

/// The verdict on a window in which the machine falls silent, or stays so.
fn told(
    stop: Stop,
    rule: WindowRule,
    judged: WindowVerdict,
    finding: Option<&Finding>,
) -> WindowVerdict {
    let stop = stop.words(rule);
    match finding {
        Some(finding) if finding.verdict == Verdict::Alarm => WindowVerdict {
            verdict: Verdict::Alarm,
            problem: None,
            reason: format!(
                "{stop}: did it stop, or was the microphone cut off? {}",
                finding.words
            ),
            ..judged
        },
        _ => WindowVerdict { reason: format!("{stop}; {}", judged.reason), ..judged },
    }
}

/// The longest stretch of a window, from its first sample to the one behind its last, in which the machine is not
/// heard; nothing where it is heard, but for a moment, everywhere.
fn longest_silence(profile: &Profile, rule: WindowRule, window: &[f32]) -> Option<(usize, usize)> {
    let length = (PIECE_S * f64::from(rule.rate_hz)) as usize;
    let pieces = (window.len() / length.max(1)).max(1);
    let edge = |piece: usize| if piece == pieces { window.len() } else { piece * length };
    let (mut longest, mut begun) = ((0, 0), None);
    for piece in 0..pieces {
        if is_absent(profile, rule, &window[edge(piece)..edge(piece + 1)]) {
            let from = *begun.get_or_insert(edge(piece));
            if edge(piece + 1) - from > longest.1 - longest.0 {
                longest = (from, edge(piece + 1));
            }
        } else {
            begun = None;
        }
    }
    let least = (LEAST_SILENT_S * f64::from(rule.rate_hz)).min(window.len() as f64 / 2.0);
    let length = longest.1 - longest.0;
    (length > 0 && length as f64 >= least).then_some(longest)
}

/// Whether the machine is not heard in a piece of sound.
fn is_absent(profile: &Profile, rule: WindowRule, sound: &[f32]) -> bool {
    profile.unusable(sound).is_some_and(|(problem, _)| problem == Problem::Silent)
        || spectrum(rule, sound).is_some_and(|bands| profile.is_absent(&bands))
}

/// Whether a piece of sound is of the machine, running.
fn is_machine(profile: &Profile, rule: WindowRule, sound: &[f32]) -> bool {
    sound.len() as f64 >= LEAST_RUNNING_S * f64::from(rule.rate_hz)
        && profile.unusable(sound).is_none()
        && spectrum(rule, sound)
            .is_some_and(|bands| profile.cannot_tell(sound, &bands, true).is_none())
}

/// The mean level of each mel band, of sound that is long enough to have one.
fn spectrum(rule: WindowRule, sound: &[f32]) -> Option<Vec<f32>> {
    let rows = profile_spectrum(rule.rate_hz).embed(&[sound.to_vec()]).ok()?;
    Some(rows.into_raw_vec_and_offset().0)
}
