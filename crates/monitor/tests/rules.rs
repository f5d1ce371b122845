//! Where alarm rules work and where they break: false events and delays on simulated scores.

use offkey_core::Seed;
use offkey_monitor::{Change, EventRule, EventState, Verdict};

/// A week of windows, one every ten seconds.
const WEEK: usize = 60_480;
/// A window alarms where it lies so many deviations above the mean of normal sound: 1.4 % of normal
/// windows do.
const LINE: f64 = 2.2;

fn normal(seed: Seed) -> f64 {
    let uniform = |name: &str| (seed.child(name).value() as f64 + 0.5) / (u64::MAX as f64 + 1.0);
    (-2.0 * uniform("radius").ln()).sqrt() * (std::f64::consts::TAU * uniform("angle")).cos()
}

/// Scores of windows, of which neighbours correlate by `memory`; above 0 is an alarm.
fn scores(seed: Seed, windows: usize, memory: f64) -> Vec<f64> {
    let mut last = normal(seed.child("first"));
    let fresh = (1.0 - memory * memory).sqrt();
    (0..windows)
        .map(|window| {
            last = memory * last + fresh * normal(seed.child(window));
            last - LINE
        })
        .collect()
}

/// Windows at which an event opens.
fn opened(rule: EventRule, scores: impl IntoIterator<Item = f64>) -> Vec<usize> {
    let mut state = EventState::new(rule);
    let take = |(window, score): (usize, f64)| {
        let verdict = if score > 0.0 { Verdict::Alarm } else { Verdict::Normal };
        matches!(state.take(verdict, Some(score)), Some(Change::Opened { .. })).then_some(window)
    };
    scores.into_iter().enumerate().filter_map(take).collect()
}

fn rules() -> [EventRule; 2] {
    ["3/5", "cusum"].map(|rule| rule.parse().expect("a rule"))
}

/// Median number of windows until a fault of `shift` deviations is an event.
fn delay(rule: EventRule, shift: f64, memory: f64) -> usize {
    let trials = 101;
    let most = 400;
    let mut delays: Vec<usize> = (0..trials)
        .map(|trial| {
            let seed = Seed::new(5).child(trial);
            let shifted = scores(seed, most, memory).into_iter().map(|score| score + shift);
            opened(rule, shifted).first().map_or(most, |window| window + 1)
        })
        .collect();
    delays.sort_unstable();
    delays[trials / 2]
}

#[test]
fn independent_windows_make_few_false_events() {
    let week = scores(Seed::new(1), WEEK, 0.0);
    for rule in rules() {
        let events = opened(rule, week.iter().copied()).len();
        // By simulation of many weeks 0.5 per week for either rule.
        assert!(events <= 5, "{rule}: {events}");
    }
}

/// What holds per window holds for no time: a rate per week must be measured on contiguous sound.
#[test]
fn windows_that_resemble_their_neighbours_make_many_and_drift_makes_more() {
    let week = scores(Seed::new(2), WEEK, 0.8);
    let day = 8640.0;
    let drift = |window: usize| 0.5 * (std::f64::consts::TAU * window as f64 / day).sin();
    for rule in rules() {
        let events = opened(rule, week.iter().copied()).len();
        assert!(events > 30, "{rule}: {events}");
        let drifting = week.iter().enumerate().map(|(window, score)| score + drift(window));
        let with_drift = opened(rule, drifting).len();
        assert!(with_drift > events, "{rule}: {with_drift} and {events}");
    }
}

#[test]
fn a_large_fault_is_found_within_half_a_minute_and_a_small_one_sooner_by_the_sum() {
    let [count, sum] = rules();
    for memory in [0.0, 0.8] {
        for rule in [count, sum] {
            let windows = delay(rule, 4.0, memory);
            assert!(windows <= 4, "{rule}: {windows}");
        }
        assert!(delay(sum, 2.0, memory) <= delay(count, 2.0, memory), "memory {memory}");
    }
    let (slow, fast) = (delay(count, 1.0, 0.0), delay(sum, 1.0, 0.0));
    assert!(4 * fast < 3 * slow, "{fast} and {slow} windows");
}
