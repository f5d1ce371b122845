//! From verdicts of single windows to events worth telling a person: one bang is none, a lasting
//! change is one.

use std::{fmt, str::FromStr};

use offkey_core::counted;
use serde::{Deserialize, Serialize};

use crate::Verdict;

/// When windows become an event.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventRule {
    /// So many alarms among so many windows in a row.
    Count {
        /// Alarms that open an event...
        alarms: usize,
        /// ...among so many judged windows in a row.
        windows: usize,
        /// Judged windows without alarm, in a row, that close it: hysteresis against flicker.
        calm_windows: usize,
    },
    /// A sum of scores: finds small changes that last, and single large ones.
    ///
    /// Every window adds its score and the allowance; the sum is never below 0. Normal scores lie
    /// below the allowance on average, so that the sum returns to 0 by itself.
    Cusum {
        /// What is added to every score.
        allowance: f64,
        /// The sum that opens an event; it closes when the sum is back at 0.
        limit: f64,
    },
}

impl Default for EventRule {
    /// Three of five windows, closed after five calm ones: a fault lasts, a dropped tool does not.
    fn default() -> Self {
        Self::Count { alarms: 3, windows: 5, calm_windows: 5 }
    }
}

/// An alarm rule that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot read alarm rule `{found}`, expected k/n as in `3/5`, or `cusum`, or `cusum:ALLOWANCE:LIMIT`"
)]
pub struct EventRuleError {
    /// As written.
    pub found: String,
}

/// Windows that an event may take at most: a rule that never opens one is a mistake.
const MOST_WINDOWS: usize = 100_000;

impl FromStr for EventRule {
    type Err = EventRuleError;

    fn from_str(text: &str) -> Result<Self, EventRuleError> {
        let error = || EventRuleError { found: text.to_owned() };
        let number = |text: &str| text.parse::<f64>().ok().filter(|x| x.is_finite() && *x >= 0.0);
        if let Some(rest) = text.strip_prefix("cusum") {
            let (allowance, limit) = match rest.strip_prefix(':') {
                None if rest.is_empty() => (DEFAULT_ALLOWANCE, DEFAULT_LIMIT),
                None => return Err(error()),
                Some(numbers) => {
                    let (allowance, limit) = numbers.split_once(':').ok_or_else(error)?;
                    (number(allowance).ok_or_else(error)?, number(limit).ok_or_else(error)?)
                }
            };
            return if limit > 0.0 { Ok(Self::Cusum { allowance, limit }) } else { Err(error()) };
        }
        match text.split_once('/').map(|(k, n)| (k.parse(), n.parse())) {
            Some((Ok(alarms), Ok(windows)))
                if 1 <= alarms && alarms <= windows && windows <= MOST_WINDOWS =>
            {
                Ok(Self::Count { alarms, windows, calm_windows: windows })
            }
            _ => Err(error()),
        }
    }
}

/// Deviations that a lasting change must lift the score above its alarm line, less this, to be found.
const DEFAULT_ALLOWANCE: f64 = 1.0;
/// Chosen by the simulation in `tests/rules.rs`.
const DEFAULT_LIMIT: f64 = 4.0;

impl fmt::Display for EventRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { alarms, windows, .. } => {
                write!(f, "{alarms} of {}", counted(*windows, "window"))
            }
            Self::Cusum { allowance, limit } => {
                write!(f, "a sum of scores above {limit} (allowance {allowance})")
            }
        }
    }
}

impl EventRule {
    /// Windows that an event takes at least to open.
    pub fn windows(&self) -> usize {
        match self {
            Self::Count { windows, .. } => *windows,
            Self::Cusum { .. } => 1,
        }
    }
}

/// What happened at a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// An event began: the first of its alarms lies so many windows back.
    Opened {
        /// Windows back to the event's first alarm, those that could not be judged counted; 0 is
        /// this window.
        windows_back: u64,
    },
    /// The event is over.
    Closed,
}

/// Remembers what the rule needs of the past, and no more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventState {
    rule: EventRule,
    /// Windows taken in.
    taken: u64,
    /// The last judged windows, oldest first: place among those taken in, and whether it alarmed.
    recent: Vec<(u64, bool)>,
    open: bool,
    calm: usize,
    /// The sum of scores, and where it last was 0.
    sum: f64,
    rising_since: u64,
}

impl EventState {
    /// A state without a past.
    pub fn new(rule: EventRule) -> Self {
        let (taken, sum, rising_since) = (0, 0.0, 0);
        Self { rule, taken, recent: Vec::new(), open: false, calm: 0, sum, rising_since }
    }

    /// A state without a past, but for whether an event is going on.
    pub fn going_on(rule: EventRule, open: bool) -> Self {
        Self { open, ..Self::new(rule) }
    }

    /// Goes on under this rule: where it is another one, counting begins anew, and an open event stays
    /// open until the new rule ends it.
    pub fn obey(&mut self, rule: EventRule) {
        if rule != self.rule {
            *self = Self::going_on(rule, self.open);
        }
    }

    /// Whether an event is going on.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// The rule.
    pub fn rule(&self) -> EventRule {
        self.rule
    }

    /// Takes in one window. A window that cannot be judged neither raises nor calms.
    pub fn take(&mut self, verdict: Verdict, score: Option<f64>) -> Option<Change> {
        let place = self.taken;
        self.taken += 1;
        if verdict == Verdict::CannotTell {
            return None;
        }
        match self.rule {
            EventRule::Count { alarms, windows, calm_windows } => {
                self.count(place, verdict == Verdict::Alarm, alarms, windows, calm_windows)
            }
            EventRule::Cusum { allowance, limit } => {
                self.add(place, score.unwrap_or(0.0) + allowance, limit)
            }
        }
    }

    fn count(
        &mut self,
        place: u64,
        alarm: bool,
        wanted: usize,
        windows: usize,
        calm_windows: usize,
    ) -> Option<Change> {
        self.recent.push((place, alarm));
        if self.recent.len() > windows.max(1) {
            self.recent.remove(0);
        }
        self.calm = if alarm { 0 } else { self.calm + 1 };
        if self.open {
            if self.calm >= calm_windows.max(1) {
                self.open = false;
                self.recent.clear();
                return Some(Change::Closed);
            }
            return None;
        }
        let mut alarms = self.recent.iter().filter(|(_, alarm)| *alarm);
        let first = alarms.next().map_or(place, |(place, _)| *place);
        if alarm && 1 + alarms.count() >= wanted.max(1) {
            self.open = true;
            return Some(Change::Opened { windows_back: place - first });
        }
        None
    }

    fn add(&mut self, place: u64, step: f64, limit: f64) -> Option<Change> {
        if self.sum <= 0.0 {
            self.rising_since = place;
        }
        // Bounded, so that an event ends soon after its cause however long it lasted.
        self.sum = (self.sum + step).clamp(0.0, 2.0 * limit);
        if !self.open && self.sum >= limit {
            self.open = true;
            return Some(Change::Opened { windows_back: place - self.rising_since });
        }
        if self.open && self.sum <= 0.0 {
            self.open = false;
            return Some(Change::Closed);
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
        steps.filter_map(|(i, letter)| Some((i, state.take(verdict(letter), None)?))).collect()
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
    fn windows_that_cannot_be_judged_neither_raise_nor_calm_and_take_their_time() {
        assert_eq!(changes("A?A?A"), [(4, Change::Opened { windows_back: 4 })]);
        assert_eq!(changes("AAA?????????").len(), 1);
    }

    #[test]
    fn a_sum_opens_at_its_limit_and_closes_at_zero() {
        let mut state = EventState::new(EventRule::Cusum { allowance: 1.0, limit: 4.0 });
        let mut changes = Vec::new();
        for (i, score) in
            [-2.0, -2.0, 0.5, 0.5, 0.5, -2.0, -2.0, -2.0, -2.0, -2.0].into_iter().enumerate()
        {
            changes.extend(state.take(Verdict::Normal, Some(score)).map(|change| (i, change)));
        }
        assert_eq!(changes, [(4, Change::Opened { windows_back: 2 }), (9, Change::Closed)]);
    }

    #[test]
    fn an_event_by_a_sum_ends_soon_after_however_long_the_fault_was() {
        let mut state = EventState::new(EventRule::Cusum { allowance: 1.0, limit: 4.0 });
        let scores = std::iter::repeat_n(9.0, 10_000).chain(std::iter::repeat_n(-2.0, 8));
        let changes = scores.filter_map(|score| state.take(Verdict::Alarm, Some(score)));
        assert_eq!(
            changes.collect::<Vec<_>>(),
            [Change::Opened { windows_back: 0 }, Change::Closed]
        );
    }

    #[test]
    fn rules_are_read_as_people_write_them() {
        let read = |text: &str| text.parse::<EventRule>().ok();
        assert_eq!(read("3/5"), Some(EventRule::default()));
        assert_eq!(read("cusum:0.5:6"), Some(EventRule::Cusum { allowance: 0.5, limit: 6.0 }));
        assert!(read("cusum").is_some());
        for text in
            ["5/3", "0/3", "3", "cusum:1", "cusum:1:0", "cusum:nan:4", "cusumx", "1/9999999"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
