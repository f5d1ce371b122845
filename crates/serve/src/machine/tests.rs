//! Laws of a machine: what windows, time and people lead to.

use super::*;
use offkey_monitor::EventRule;

fn rule() -> MachineRule {
    MachineRule {
        name: "pump".to_owned(),
        alarm: AlarmRule {
            condition: EventRule::Count { alarms: 2, windows: 3, calm_windows: 2 },
            latch: false,
            cooldown_ms: 0,
            escalate_after_ms: vec![1000],
        },
        operating: OperatingRule { off_below_db: Some(-70.0), windows: 2, grace_ms: 500 },
        schedule: Schedule::new(&["sun".to_owned()], Some("UTC")).expect("a schedule"),
        liveness: LivenessRule {
            stalled_after_ms: Some(5000),
            silent_after_ms: 1000,
            clipped_share: 0.01,
            clipped_after_ms: 1000,
            unlike_windows: 2,
        },
    }
}

/// A Thursday.
const NOW_MS: i64 = 1_000_000;

fn window(machine: &mut Machine, odd: bool, level_db: f64) -> Vec<String> {
    let (verdict, p_value) = if odd { (Verdict::Alarm, 0.001) } else { (Verdict::Normal, 0.6) };
    let reason = if odd { "louder at 2000 Hz" } else { "like normal" };
    let judged = Judged {
        score: Some(1.0 / p_value),
        p_value: Some(p_value),
        verdict,
        reason: reason.to_owned(),
    };
    let at = Moment { at_ms: NOW_MS, now_ms: NOW_MS, level_db, idle: None };
    kinds(machine.window(&rule(), &judged, at).1)
}

fn kinds(news: Vec<News>) -> Vec<String> {
    news.into_iter().map(|news| news.event.kind).collect()
}

#[test]
fn an_alarm_tells_its_reason_and_its_score() {
    let mut machine = Machine::new(NOW_MS);
    window(&mut machine, true, -20.0);
    assert_eq!(window(&mut machine, true, -20.0), ["alarm.began"]);
    let view = machine.view("pump");
    assert_eq!(view.phase, Phase::ActiveUnacknowledged);
    assert_eq!(view.reason.as_deref(), Some("louder at 2000 Hz"));
    let news = machine.command(&rule(), &Command::Acknowledge, "anna", NOW_MS);
    assert_eq!(news[0].event.who.as_deref(), Some("anna"));
    assert_eq!(news[0].event.alarm, Some(1));
}

#[test]
fn a_machine_that_is_off_is_not_judged_and_its_alarm_returns() {
    let mut machine = Machine::new(NOW_MS);
    window(&mut machine, true, -20.0);
    window(&mut machine, true, -20.0);
    window(&mut machine, true, -90.0);
    assert_eq!(window(&mut machine, true, -90.0), ["alarm.returned", "machine.off"]);
    assert_eq!(window(&mut machine, true, -90.0), Vec::<String>::new());
    window(&mut machine, true, -20.0);
    assert_eq!(window(&mut machine, true, -20.0), ["machine.running"]);
    assert!(!machine.is_judged(), "grace");
    machine.tick(&rule(), 500, NOW_MS);
    assert!(machine.is_judged());
}

#[test]
fn no_two_events_have_the_same_name_over_a_restart() {
    let mut machine = Machine::new(NOW_MS);
    let mut names = std::collections::BTreeSet::new();
    for round in 0..20 {
        let text = serde_json::to_string(&machine).expect("plain data");
        machine = serde_json::from_str(&text).expect("as written");
        let shelve = Command::Shelve { for_ms: 1000 };
        let command = if round % 2 == 0 { shelve } else { Command::Unshelve };
        for news in machine.command(&rule(), &command, "anna", NOW_MS) {
            assert!(names.insert(news.event.id.clone()), "{}", news.event.id);
        }
    }
    assert_eq!(names.len(), 20);
}

#[test]
fn jumps_of_the_wall_clock_neither_stall_nor_escalate() {
    const HOURS_MS: i64 = 5 * 3_600_000;
    let mut machine = Machine::new(NOW_MS);
    window(&mut machine, true, -20.0);
    window(&mut machine, true, -20.0);
    for now_ms in [NOW_MS + HOURS_MS, NOW_MS - HOURS_MS, NOW_MS] {
        assert_eq!(kinds(machine.tick(&rule(), 100, now_ms)), Vec::<String>::new());
    }
    assert_eq!(kinds(machine.tick(&rule(), 700, NOW_MS)), ["alarm.escalated"]);
}

#[test]
fn a_shelf_runs_out_while_the_service_does_not_run() {
    let mut machine = Machine::new(NOW_MS);
    machine.command(&rule(), &Command::Shelve { for_ms: 60_000 }, "anna", NOW_MS);
    machine.slept(59_000);
    assert_eq!(kinds(machine.tick(&rule(), 0, NOW_MS)), Vec::<String>::new());
    assert_eq!(kinds(machine.tick(&rule(), 1000, NOW_MS)), ["alarm.unshelved"]);
}

#[test]
fn the_schedule_suppresses_and_gives_back_what_is_still_wrong() {
    let mut machine = Machine::new(NOW_MS);
    window(&mut machine, true, -20.0);
    window(&mut machine, true, -20.0);
    let sunday = NOW_MS + 3 * 86_400_000;
    assert_eq!(kinds(machine.tick(&rule(), 1, sunday)), ["alarm.suppressed"]);
    let monday = NOW_MS + 4 * 86_400_000;
    let news = machine.tick(&rule(), 1, monday);
    assert_eq!(news.last().map(|told| told.event.reason.as_str()), Some("louder at 2000 Hz"));
    assert_eq!(kinds(news), ["alarm.unsuppressed", "alarm.began"]);
}
