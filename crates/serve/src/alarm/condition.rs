//! When windows become an alarm: so many of the last ones, or a memory that fills with odd windows
//! and empties with normal ones.

use serde::{Deserialize, Serialize};

/// What one window contributes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Heard {
    /// Judged: whether it alarms, and its p-value.
    Judged {
        /// Whether the window alarms.
        alarms: bool,
        /// Probability that a normal window looks at least this bad.
        p_value: f64,
    },
    /// Nothing can be told of it; it changes nothing.
    Nothing,
}

/// When windows become an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ConditionRule {
    /// `alarms` of the last `windows` windows; over after `calm` windows in a row without alarm.
    Count {
        /// Windows that alarm...
        alarms: usize,
        /// ...among so many.
        windows: usize,
        /// Windows without alarm that end it.
        calm: usize,
    },
    /// A one-sided cumulative sum (Page 1954): each window adds how surprising it is, in powers of ten,
    /// less `drift`. It begins at `level` and is over when the sum is back at zero.
    Memory {
        /// Sum at which the alarm begins.
        level: f64,
        /// What a window has to exceed to add to the sum. Normal windows have a mean of 0.43.
        drift: f64,
    },
}

/// Whether the sound is wrong, and what the rule needs of the past.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    active: bool,
    /// Whether each of the last windows alarmed, oldest first.
    recent: Vec<bool>,
    calm: usize,
    sum: f64,
    /// Windows since the sum left zero.
    rising: usize,
}

/// What changed at a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The sound became wrong; the first odd window lies so many back.
    Began {
        /// Windows back; 0 is this one.
        windows_back: usize,
    },
    /// The sound is normal again.
    Ended,
}

/// Most that one window may add: one bang alone must not be an alarm.
const MOST_SURPRISE: f64 = 3.0;
/// A sum never exceeds its level by more, so that the end of an alarm does not take as long as the fault.
const MOST_ABOVE_LEVEL: f64 = 2.0 * MOST_SURPRISE;

impl Condition {
    /// Whether the sound is wrong.
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// Takes in one window.
    pub fn take(&mut self, rule: &ConditionRule, heard: Heard) -> Option<Turn> {
        let Heard::Judged { alarms, p_value } = heard else { return None };
        match *rule {
            ConditionRule::Count { alarms: enough, windows, calm } => {
                self.count(alarms, enough.max(1), windows.max(1), calm.max(1))
            }
            ConditionRule::Memory { level, drift } => self.remember(p_value, level, drift),
        }
    }

    fn count(&mut self, alarms: bool, enough: usize, windows: usize, calm: usize) -> Option<Turn> {
        self.recent.push(alarms);
        let excess = self.recent.len().saturating_sub(windows);
        self.recent.drain(..excess);
        self.calm = if alarms { 0 } else { self.calm + 1 };
        if self.active {
            if self.calm < calm {
                return None;
            }
            *self = Self::default();
            return Some(Turn::Ended);
        }
        let count = self.recent.iter().filter(|&&alarmed| alarmed).count();
        if !alarms || count < enough {
            return None;
        }
        self.active = true;
        let first = self.recent.iter().position(|&alarmed| alarmed).unwrap_or(0);
        Some(Turn::Began { windows_back: self.recent.len() - 1 - first })
    }

    fn remember(&mut self, p_value: f64, level: f64, drift: f64) -> Option<Turn> {
        let surprise = (-p_value.clamp(f64::MIN_POSITIVE, 1.0).log10()).min(MOST_SURPRISE);
        self.sum = (self.sum + surprise - drift).clamp(0.0, level + MOST_ABOVE_LEVEL);
        self.rising = if self.sum > 0.0 { self.rising + 1 } else { 0 };
        if self.active && self.sum <= 0.0 {
            *self = Self::default();
            return Some(Turn::Ended);
        }
        if self.active || self.sum < level {
            return None;
        }
        self.active = true;
        Some(Turn::Began { windows_back: self.rising.saturating_sub(1) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: ConditionRule = ConditionRule::Count { alarms: 3, windows: 5, calm: 5 };
    const MEMORY: ConditionRule = ConditionRule::Memory { level: 4.0, drift: 1.0 };

    fn turns(rule: ConditionRule, windows: &str) -> Vec<(usize, Turn)> {
        let mut condition = Condition::default();
        let heard = |letter| match letter {
            'A' => Heard::Judged { alarms: true, p_value: 0.001 },
            '?' => Heard::Nothing,
            _ => Heard::Judged { alarms: false, p_value: 0.5 },
        };
        let steps = windows.chars().enumerate();
        steps.filter_map(|(i, letter)| Some((i, condition.take(&rule, heard(letter))?))).collect()
    }

    #[test]
    fn a_lasting_change_is_one_alarm_with_its_first_window() {
        let found = turns(COUNT, "..AAAAAAAA.....");
        assert_eq!(found, [(4, Turn::Began { windows_back: 2 }), (14, Turn::Ended)]);
    }

    #[test]
    fn one_bang_is_none_under_either_rule() {
        for rule in [COUNT, MEMORY] {
            assert_eq!(turns(rule, "....A......A......A....."), []);
        }
    }

    #[test]
    fn memory_adds_up_what_a_count_forgets() {
        let seldom = "A.A.A..A.A.A.A.A.A.A";
        let memory = ConditionRule::Memory { level: 6.0, drift: 0.8 };
        assert!(!turns(memory, seldom).is_empty());
        let strict = ConditionRule::Count { alarms: 4, windows: 5, calm: 5 };
        assert_eq!(turns(strict, seldom), []);
    }

    #[test]
    fn an_alarm_by_memory_ends_soon_after_however_long_the_fault_was() {
        let windows = "A".repeat(10_000) + &".".repeat(20);
        let found = turns(MEMORY, &windows);
        assert_eq!(found.len(), 2);
        assert!(found[1].0 < 10_020, "{found:?}");
    }

    #[test]
    fn windows_of_which_nothing_can_be_told_change_nothing() {
        assert_eq!(turns(COUNT, "A?A?A"), [(4, Turn::Began { windows_back: 2 })]);
        assert_eq!(turns(COUNT, "AAA????????").len(), 1);
    }
}
