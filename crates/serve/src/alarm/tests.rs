//! Laws of the alarm, over any order of windows, ticks and commands.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Window(bool),
    Nothing,
    Tick(u64),
    Command(Command),
}

const WRONG: Step = Step::Window(true);
const RIGHT: Step = Step::Window(false);

fn rule(latch: bool) -> AlarmRule {
    AlarmRule {
        condition: EventRule::Count { alarms: 2, windows: 3, calm_windows: 2 },
        latch,
        cooldown_ms: 50,
        escalate_after_ms: vec![100, 300],
    }
}

fn take(alarm: &mut Alarm, rule: &AlarmRule, step: &Step) -> Vec<Notice> {
    match step {
        Step::Window(alarms) => {
            let (verdict, score) =
                if *alarms { (Verdict::Alarm, 2.0) } else { (Verdict::Normal, -2.0) };
            alarm.window(rule, verdict, Some(score))
        }
        Step::Nothing => alarm.window(rule, Verdict::CannotTell, None),
        Step::Tick(ms) => alarm.tick(rule, *ms),
        Step::Command(command) => alarm.command(rule, command),
    }
}

fn run(alarm: &mut Alarm, rule: &AlarmRule, steps: &[Step]) -> Vec<Happening> {
    steps.iter().flat_map(|step| take(alarm, rule, step)).map(|notice| notice.what).collect()
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<bool>().prop_map(Step::Window),
        1 => Just(Step::Nothing),
        2 => (0u64..200).prop_map(Step::Tick),
        1 => Just(Step::Command(Command::Acknowledge)),
        1 => Just(Step::Command(Command::Reset)),
        1 => (0u64..300).prop_map(|for_ms| Step::Command(Command::Shelve { for_ms })),
        1 => Just(Step::Command(Command::Unshelve)),
        1 => any::<bool>().prop_map(|on| Step::Command(Command::Suppress(on))),
        1 => Just(Step::Command(Command::SwitchedOff)),
    ]
}

proptest! {
    #[test]
    fn an_alarm_that_is_shown_is_active_exactly_while_the_sound_is_wrong(
        steps in prop::collection::vec(any_step(), 0..80), latch in any::<bool>(),
    ) {
        let (rule, mut alarm) = (rule(latch), Alarm::default());
        for step in &steps {
            take(&mut alarm, &rule, step);
            if alarm.hidden().is_none() {
                prop_assert_eq!(alarm.phase().is_active(), alarm.sounds_wrong());
            } else {
                prop_assert_eq!(alarm.phase(), Phase::Normal);
            }
        }
    }

    #[test]
    fn a_hidden_alarm_calls_nobody(
        steps in prop::collection::vec(any_step(), 0..80), latch in any::<bool>(),
    ) {
        let (rule, mut alarm) = (rule(latch), Alarm::default());
        for step in &steps {
            let notices = take(&mut alarm, &rule, step);
            if alarm.hidden().is_some() {
                let calls = [Happening::Began, Happening::Again, Happening::Escalated];
                prop_assert!(notices.iter().all(|notice| !calls.contains(&notice.what)));
            }
        }
    }

    #[test]
    fn every_alarm_begins_once_and_only_when_the_one_before_is_over(
        steps in prop::collection::vec(any_step(), 0..120), latch in any::<bool>(),
    ) {
        let (rule, mut alarm) = (rule(latch), Alarm::default());
        let (mut open, mut last) = (false, 0);
        for step in &steps {
            for notice in take(&mut alarm, &rule, step) {
                match notice.what {
                    Happening::Began => {
                        prop_assert!(!open);
                        prop_assert_eq!(notice.alarm, last + 1);
                        (open, last) = (true, notice.alarm);
                    }
                    Happening::Cleared | Happening::Shelved | Happening::Suppressed => open = false,
                    Happening::Again => open = true,
                    _ => {}
                }
                prop_assert_eq!(notice.alarm, last);
            }
        }
    }

    #[test]
    fn a_restart_at_any_moment_changes_nothing(
        before in prop::collection::vec(any_step(), 0..40),
        after in prop::collection::vec(any_step(), 0..40),
        latch in any::<bool>(),
    ) {
        let (rule, mut alarm) = (rule(latch), Alarm::default());
        run(&mut alarm, &rule, &before);
        let text = serde_json::to_string(&alarm).expect("plain data");
        let mut again: Alarm = serde_json::from_str(&text).expect("as written");
        prop_assert_eq!(run(&mut alarm, &rule, &after), run(&mut again, &rule, &after));
        prop_assert_eq!(alarm, again);
    }

    #[test]
    fn one_late_tick_tells_as_much_as_many_early_ones(
        before in prop::collection::vec(any_step(), 0..40),
        parts in prop::collection::vec(0u64..400, 1..6),
    ) {
        let (rule, mut early) = (rule(false), Alarm::default());
        run(&mut early, &rule, &before);
        let mut late = early.clone();
        let ticks: Vec<Step> = parts.iter().map(|&ms| Step::Tick(ms)).collect();
        let told = run(&mut early, &rule, &ticks);
        prop_assert_eq!(told, run(&mut late, &rule, &[Step::Tick(parts.iter().sum())]));
        prop_assert_eq!(early.phase(), late.phase());
    }

    #[test]
    fn a_second_acknowledgement_does_nothing(
        steps in prop::collection::vec(any_step(), 0..60), latch in any::<bool>(),
    ) {
        let (rule, mut alarm) = (rule(latch), Alarm::default());
        run(&mut alarm, &rule, &steps);
        alarm.command(&rule, &Command::Acknowledge);
        let before = alarm.clone();
        prop_assert_eq!(alarm.command(&rule, &Command::Acknowledge), []);
        prop_assert_eq!(alarm, before);
    }
}

#[test]
fn the_life_of_an_alarm() {
    use Happening::{Acknowledged, Began, Cleared, Returned};
    let (rule, mut alarm) = (rule(false), Alarm::default());
    assert_eq!(run(&mut alarm, &rule, &[WRONG, WRONG]), [Began]);
    assert_eq!(alarm.phase(), Phase::ActiveUnacknowledged);
    let acknowledge = Step::Command(Command::Acknowledge);
    assert_eq!(run(&mut alarm, &rule, &[acknowledge]), [Acknowledged]);
    assert_eq!(run(&mut alarm, &rule, &[RIGHT, RIGHT]), [Returned, Cleared]);
    assert_eq!(alarm.phase(), Phase::Normal);
}

#[test]
fn an_alarm_that_went_away_unseen_waits_for_somebody() {
    let (rule, mut alarm) = (rule(false), Alarm::default());
    run(&mut alarm, &rule, &[WRONG, WRONG, RIGHT, RIGHT]);
    assert_eq!(alarm.phase(), Phase::ReturnedUnacknowledged);
    let told = run(&mut alarm, &rule, &[Step::Tick(1000)]);
    assert_eq!(told, [Happening::Escalated, Happening::Escalated]);
    let told = run(&mut alarm, &rule, &[Step::Command(Command::Acknowledge)]);
    assert_eq!(told, [Happening::Acknowledged, Happening::Cleared]);
}

#[test]
fn a_latched_alarm_takes_an_acknowledgement_and_a_reset() {
    let (rule, mut alarm) = (rule(true), Alarm::default());
    run(&mut alarm, &rule, &[WRONG, WRONG, RIGHT, RIGHT]);
    assert_eq!(alarm.phase(), Phase::LatchedUnacknowledged);
    assert_eq!(run(&mut alarm, &rule, &[Step::Command(Command::Reset)]), []);
    run(&mut alarm, &rule, &[Step::Command(Command::Acknowledge)]);
    assert_eq!(alarm.phase(), Phase::LatchedAcknowledged);
    assert_eq!(run(&mut alarm, &rule, &[Step::Command(Command::Reset)]), [Happening::Cleared]);
}

#[test]
fn within_the_cooldown_nobody_is_called_twice() {
    let (rule, mut alarm) = (rule(false), Alarm::default());
    run(&mut alarm, &rule, &[WRONG, WRONG, Step::Command(Command::Acknowledge), RIGHT, RIGHT]);
    let told = run(&mut alarm, &rule, &[Step::Tick(49), WRONG, WRONG]);
    assert_eq!((told.as_slice(), alarm.number()), (&[Happening::Again][..], 1));
    run(&mut alarm, &rule, &[RIGHT, RIGHT, Step::Tick(50)]);
    assert_eq!(run(&mut alarm, &rule, &[WRONG, WRONG]), [Happening::Began]);
    assert_eq!(alarm.number(), 2);
}

#[test]
fn a_shelf_that_runs_out_brings_back_what_is_still_wrong() {
    let (rule, mut alarm) = (rule(false), Alarm::default());
    let shelve = Step::Command(Command::Shelve { for_ms: 100 });
    run(&mut alarm, &rule, &[WRONG, WRONG, shelve]);
    assert_eq!((alarm.hidden(), alarm.phase()), (Some(Hidden::Shelved), Phase::Normal));
    let told = run(&mut alarm, &rule, &[Step::Tick(100)]);
    assert_eq!(told, [Happening::Unshelved, Happening::Began]);
}

#[test]
fn a_machine_that_is_switched_off_ends_its_alarm() {
    let (rule, mut alarm) = (rule(false), Alarm::default());
    run(&mut alarm, &rule, &[WRONG, WRONG]);
    let told = run(&mut alarm, &rule, &[Step::Command(Command::SwitchedOff)]);
    assert_eq!(told, [Happening::Returned]);
    assert_eq!(run(&mut alarm, &rule, &[WRONG]), [], "the past is forgotten");
}

#[test]
fn another_rule_leaves_an_alarm_on_until_that_rule_ends_it() {
    let (counting, mut alarm) = (rule(false), Alarm::default());
    assert_eq!(run(&mut alarm, &counting, &[WRONG, WRONG]), [Happening::Began]);
    let calmer = EventRule::Count { alarms: 3, windows: 4, calm_windows: 4 };
    let summing = EventRule::Cusum { allowance: 1.0, limit: 4.0 };
    for (condition, quiet) in [(calmer, 4), (summing, 1)] {
        let other = AlarmRule { condition, ..counting.clone() };
        let mut alarm = alarm.clone();
        assert_eq!(run(&mut alarm, &other, &vec![RIGHT; quiet - 1]), []);
        assert_eq!(run(&mut alarm, &other, &[RIGHT]), [Happening::Returned]);
    }
}

#[test]
fn a_sum_of_scores_alarms_as_it_does_in_a_watch() {
    let condition = EventRule::Cusum { allowance: 1.0, limit: 4.0 };
    let (rule, mut alarm) = (AlarmRule { condition, ..rule(false) }, Alarm::default());
    let mut take = |score| alarm.window(&rule, Verdict::Normal, Some(score));
    let small: Vec<Notice> = [-2.0, 0.5, 0.5, 0.5].into_iter().flat_map(&mut take).collect();
    let begins = small.iter().map(|notice| (notice.what, notice.windows_back));
    assert_eq!(begins.collect::<Vec<_>>(), [(Happening::Began, 2)]);
}

#[test]
fn a_state_of_the_past_keeps_its_alarm() {
    let mut alarm = Alarm::default();
    run(&mut alarm, &rule(false), &[WRONG, WRONG]);
    let mut past = serde_json::to_value(&alarm).expect("plain data");
    past["condition"] = serde_json::json!({
        "active": true, "recent": [true, true], "calm": 0, "sum": 0.0, "rising": 0
    });
    let mut alarm: Alarm = serde_json::from_value(past).expect("a state of the past");
    assert!(alarm.sounds_wrong());
    assert_eq!(run(&mut alarm, &rule(false), &[WRONG, RIGHT, RIGHT]), [Happening::Returned]);
}
