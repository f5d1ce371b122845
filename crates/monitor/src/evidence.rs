//! False events per week: what contiguous sound without a fault says about them.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{Change, EventRule, EventState, MonitorCard, Role, Verdict};

/// Contiguous normal sound and the events that an alarm rule made of it.
///
/// With `T` hours and no event, fewer than `3 * 168 / T` events per week happen, with 95 % confidence.
/// That is no guarantee: events of one stretch depend on each other, and sound changes over weeks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct EventEvidence {
    /// Hours of sound in stretches that are long enough for the alarm rule.
    pub hours: f64,
    /// False events in them.
    pub events: usize,
    /// Upper 95 % limit of false events per week; none: there is too little sound to state one.
    pub per_week_at_most: Option<f64>,
}

/// Hours in a week.
const WEEK_HOURS: f64 = 168.0;
/// Seconds in an hour.
const HOUR_S: f64 = 3600.0;
/// A limit above one event per day is not worth stating.
const WORTH_STATING_PER_WEEK: f64 = 7.0;

impl EventEvidence {
    /// What so many hours with so many events say.
    pub fn of(hours: f64, events: usize) -> Self {
        let limit = upper_limit(events) * WEEK_HOURS / hours;
        let per_week_at_most = (limit <= WORTH_STATING_PER_WEEK).then_some(limit);
        Self { hours, events, per_week_at_most }
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::of(self.hours + other.hours, self.events + other.events)
    }

    /// The same without events that a person confirmed as faults, which lasted so many hours together: neither they
    /// nor their sound says anything about false events.
    #[must_use]
    pub fn without_faults(self, faults: usize, hours: f64) -> Self {
        Self::of((self.hours - hours).max(0.0), self.events.saturating_sub(faults))
    }

    /// Hours needed, with as many events as by now, before a limit can be stated.
    pub fn needed_hours(&self) -> f64 {
        upper_limit(self.events) * WEEK_HOURS / WORTH_STATING_PER_WEEK
    }
}

impl fmt::Display for EventEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hours, events, .. } = self;
        match self.per_week_at_most {
            Some(limit) => write!(
                f,
                "false events: at most {limit:.1} per week (95 % limit from {events} in {hours:.0} hours of normal sound)"
            ),
            None => write!(
                f,
                "false events per week cannot be stated yet: {hours:.1} hours of contiguous sound heard, {:.0} needed",
                self.needed_hours()
            ),
        }
    }
}

/// The mean above which so many events or fewer come in fewer than 5 % of cases (Poisson). Without
/// events it is -ln 0.05, about 3.
fn upper_limit(events: usize) -> f64 {
    let at_most = |mean: f64| {
        let mut term = (-mean).exp();
        let mut sum = term;
        for count in 1..=events {
            term *= mean / count as f64;
            sum += term;
        }
        sum
    };
    let (mut low, mut high) = (0.0, 10.0 + 3.0 * events as f64);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if at_most(middle) > 0.05 { low = middle } else { high = middle }
    }
    high
}

/// False events of an alarm rule over the calibration recordings, where a window alarms that looks
/// worse, without its own recording, than all other recordings but `allowed`.
pub(crate) fn events(
    card: &MonitorCard,
    held_out: &[f64],
    allowed: usize,
    rule: EventRule,
) -> EventEvidence {
    let mut worst: BTreeMap<&str, f64> = BTreeMap::new();
    for ((recording, _), &score) in card.rows().zip(held_out) {
        if recording.role == Role::Calibration {
            let entry = worst.entry(&recording.group).or_insert(f64::NEG_INFINITY);
            *entry = entry.max(score);
        }
    }
    let line_without = |group: &str| {
        let others = worst.iter().filter(|(other, _)| **other != group);
        let mut scores: Vec<f64> = others.map(|(_, &score)| score).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        scores.get(allowed).copied()
    };
    let (mut windows, mut events, mut row) = (0, 0, 0);
    for recording in &card.recordings {
        let scores = &held_out[row..row + recording.starts.len()];
        row += recording.starts.len();
        if recording.role != Role::Calibration || scores.len() < rule.windows() {
            continue;
        }
        let Some(line) = line_without(&recording.group) else { continue };
        windows += scores.len();
        let mut state = EventState::new(rule);
        for score in scores {
            let verdict = if *score > line { Verdict::Alarm } else { Verdict::Normal };
            let opened = state.take(verdict, Some(score - line));
            events += usize::from(matches!(opened, Some(Change::Opened { .. })));
        }
    }
    EventEvidence::of(windows as f64 * card.every_s() / HOUR_S, events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_poisson_tables() {
        for (events, limit) in [(0, 2.996), (1, 4.744), (3, 7.754), (10, 16.962)] {
            assert!(
                (upper_limit(events) - limit).abs() < 1e-3,
                "{events}: {}",
                upper_limit(events)
            );
        }
    }

    #[test]
    fn a_rate_is_stated_only_where_there_is_enough_sound() {
        let little = EventEvidence::of(2.0, 0);
        assert_eq!(little.per_week_at_most, None);
        assert!(
            little
                .to_string()
                .contains("cannot be stated yet: 2.0 hours of contiguous sound heard, 72 needed")
        );
        let much = EventEvidence::of(504.0, 0);
        assert!(much.per_week_at_most.is_some_and(|limit| (limit - 1.0).abs() < 0.01));
        assert_eq!(
            EventEvidence::of(500.0, 1).and(EventEvidence::of(4.0, 0)),
            EventEvidence::of(504.0, 1)
        );
        assert_eq!(EventEvidence::of(0.0, 0).per_week_at_most, None);
        let faults = EventEvidence::of(500.0, 3).without_faults(2, 4.0);
        assert_eq!(faults, EventEvidence::of(496.0, 1));
        assert_eq!(EventEvidence::of(1.0, 1).without_faults(2, 4.0), EventEvidence::of(0.0, 0));
    }
}
