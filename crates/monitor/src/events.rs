//! From verdicts of single windows to events worth telling a person: one bang is none, a lasting
//! change is one.

use serde::{Deserialize, Serialize};

use super::verdict::Verdict;

/// When windows become an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventRule {
    /// Alarms that open an event...
    pub alarms: usize,
    /// ...among so many windows in a row.
    pub windows: usize,
    /// Windows without alarm, in a row, that close it: hysteresis against flicker.
    pub calm_windows: usize,
}

impl Default for EventRule {
    /// Three of five windows, closed after five calm ones: a fault lasts, a dropped tool does not.
    fn default() -> Self {
        Self { alarms: 3, windows: 5, calm_windows: 5 }
    }
}

/// What happened at a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// An event began: the first of its alarms lies so many windows back.
    Opened {
        /// Windows back to the event's first alarm; 0 is this window.
        windows_back: usize,
    },
    /// The event is over.
    Closed,
}

/// Remembers what the rule needs of the past, and no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventState {
    rule: EventRule,
    /// Whether each of the last windows alarmed, oldest first; at most `rule.windows`.
    recent: Vec<bool>,
    open: bool,
    calm: usize,
}

impl EventState {
    /// A state without a past.
    pub fn new(rule: EventRule) -> Self {
        Self { rule, recent: Vec::new(), open: false, calm: 0 }
    }

    /// Whether an event is going on.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Takes in one window. A window that cannot be judged neither raises nor calms.
    pub fn take(&mut self, verdict: Verdict) -> Option<Change> {
        if verdict == Verdict::CannotTell {
            return None;
        }
        let alarm = verdict == Verdict::Alarm;
        self.recent.push(alarm);
        if self.recent.len() > self.rule.windows.max(1) {
            self.recent.remove(0);
        }
        self.calm = if alarm { 0 } else { self.calm + 1 };
        if self.open {
            if self.calm >= self.rule.calm_windows.max(1) {
                self.open = false;
                self.recent.clear();
                return Some(Change::Closed);
            }
            return None;
        }
        let alarms = self.recent.iter().filter(|&&alarm| alarm).count();
        if alarm && alarms >= self.rule.alarms.max(1) {
            self.open = true;
            let first = self.recent.iter().position(|&alarm| alarm).unwrap_or(0);
            return Some(Change::Opened { windows_back: self.recent.len() - 1 - first });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(windows: &str) -> Vec<(usize, Change)> {
        let mut state = EventState::new(EventRule::default());
        let verdict = |letter| match letter {
            'A' => Verdict::Alarm,
            's' => Verdict::Suspicious,
            '?' => Verdict::CannotTell,
            _ => Verdict::Normal,
        };
        let steps = windows.chars().enumerate();
        steps.filter_map(|(i, letter)| Some((i, state.take(verdict(letter))?))).collect()
    }

    #[test]
    fn one_bang_is_no_event() {
        assert_eq!(changes("....A....A....A....A"), []);
    }

    #[test]
    fn a_lasting_change_is_one_event() {
        assert_eq!(
            changes("..AAAAAAAA....."),
            [(4, Change::Opened { windows_back: 2 }), (14, Change::Closed)]
        );
    }

    #[test]
    fn flicker_does_not_close_an_event() {
        assert_eq!(changes("AAA..A..A..A").len(), 1);
    }

    #[test]
    fn windows_that_cannot_be_judged_change_nothing() {
        assert_eq!(changes("A?A?A"), [(4, Change::Opened { windows_back: 2 })]);
        assert_eq!(changes("AAA?????????").len(), 1);
    }
}
