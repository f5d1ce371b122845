//! Laws of the recorder: nothing lost, nothing twice, whatever the moment of a crash.

use std::{path::Path, sync::Mutex};

use offkey_monitor::{EventRule, Verdict, watch::ManualClock};
use proptest::prelude::*;
use tokio::sync::broadcast;

use super::*;
use crate::{
    alarm::{AlarmRule, Command, OperatingRule, Schedule},
    config::Keep,
    judge::Judged,
    liveness::LivenessRule,
    machine::MachineRule,
    metrics::Metrics,
    store::{ClipStore, EventRow, Quota, Store},
};

const START_MS: i64 = 1_800_000_000_000;
const RATE_HZ: u32 = 1000;
const NO_LIMIT: Retention = Retention { windows_days: None, minutes_days: None, events_days: None };

struct Service {
    recorder: Recorder,
    shared: Arc<Shared>,
    clock: Arc<ManualClock>,
    /// The first window that has to be heard.
    next: usize,
}

fn setup() -> MachineSetup {
    MachineSetup {
        rule: MachineRule {
            name: "pump".to_owned(),
            alarm: AlarmRule {
                condition: EventRule::Count { alarms: 2, windows: 3, calm_windows: 2 },
                latch: false,
                cooldown_ms: 0,
                escalate_after_ms: vec![3_600_000],
            },
            operating: OperatingRule { off_below_db: None, windows: 1, grace_ms: 0 },
            schedule: Schedule::new(&[], Some("UTC")).expect("a schedule"),
            liveness: LivenessRule {
                stalled_after_ms: None,
                silent_after_ms: 3000,
                clipped_share: 0.01,
                clipped_after_ms: 3000,
                unlike_windows: 5,
            },
        },
        title: "Pump".to_owned(),
        sinks: vec!["plant".to_owned()],
        escalate_to: vec!["boss".to_owned()],
        keep: Keep::Sound,
        before_ms: 2000,
        sound_days: 10,
        quota: Quota { machine_bytes: 40_000, total_bytes: 80_000 },
        uploads: None,
    }
}

fn service(folder: &Path, clock: Arc<ManualClock>) -> Service {
    let shared = Arc::new(Shared {
        store: Mutex::new(Store::open(folder).expect("a store")),
        clips: ClipStore::new(folder),
        views: std::sync::RwLock::default(),
        live: broadcast::channel(16).0,
        metrics: Metrics::default(),
        ears: std::sync::RwLock::default(),
    });
    let steady: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let mut recorder = Recorder::new(Arc::clone(&shared), steady, 5000, NO_LIMIT);
    recorder.take(Message::Machines([("pump".to_owned(), setup())].into()));
    let store = shared.store.lock().expect("the store");
    let position = store.position_of("pump").expect("a position");
    drop(store);
    let next = position.get("file").map_or(0, |next| next.parse().expect("a number"));
    Service { recorder, shared, clock, next }
}

/// Window `index` of a recording that can be heard again, as files can.
fn window(index: usize, odd: bool) -> Message {
    let (verdict, p_value) = if odd { (Verdict::Alarm, 0.001) } else { (Verdict::Normal, 0.6) };
    let judged = Judged {
        score: Some(if odd { 5.0 } else { 0.5 }),
        p_value: Some(p_value),
        verdict,
        reason: "as told".to_owned(),
    };
    let at_ms = START_MS + 1000 * index.cast_signed() as i64;
    let heard = HeardWindow {
        beside: None,
        judged,
        at_ms,
        ends_ms: at_ms + 1000,
        level_db: -20.0,
        idle: None,
        position: vec![("file".to_owned(), Some(format!("{}", index + 1)))],
        sound: vec![index as f32 / 1000.0; RATE_HZ as usize],
        rate_hz: RATE_HZ,
        hop_ms: 1000,
    };
    Message::Window { machine: "pump".to_owned(), heard: Box::new(heard) }
}

impl Service {
    fn events(&self) -> Vec<EventRow> {
        let store = self.shared.store.lock().expect("the store");
        let mut events = store
            .reader()
            .and_then(|reader| reader.events(None, i64::MAX, 10_000))
            .expect("events");
        events.sort_by_key(|event| event.id.rsplit('.').next().and_then(|n| n.parse::<u64>().ok()));
        events
    }

    fn sql(&self, question: &str) -> String {
        let store = self.shared.store.lock().expect("the store");
        store.reader().and_then(|reader| reader.sql(question)).expect("an answer").rows[0][0]
            .clone()
    }

    fn outbox(&self) -> Vec<(String, String)> {
        let store = self.shared.store.lock().expect("the store");
        let due = |sink: &str| store.due(sink, 10_000).expect("the outbox");
        ["plant", "boss"].iter().flat_map(|sink| due(sink)).map(|row| (row.sink, row.id)).collect()
    }

    fn hear(&mut self, odd: &[bool], until: usize) {
        for (index, &odd) in odd.iter().enumerate().take(until).skip(self.next) {
            self.clock.pass(1000);
            self.recorder.take(window(index, odd));
            self.recorder.tick();
        }
        self.next = self.next.max(until);
    }
}

/// What matters of events: what happened, in which order, about which alarm.
fn story(events: &[EventRow]) -> Vec<(String, Option<u64>)> {
    events.iter().map(|event| (event.kind.clone(), event.alarm)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn crashes_at_any_moment_lose_nothing_and_double_nothing(
        odd in prop::collection::vec(prop::bool::weighted(0.4), 20..60),
        crashes in prop::collection::vec(0usize..60, 0..6),
    ) {
        let told = |crashes: &[usize]| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let clock = Arc::new(ManualClock::new(START_MS));
            let mut crashes = crashes.to_vec();
            crashes.sort_unstable();
            for crash in crashes {
                // The end of the process takes everything that was not committed.
                service(folder.path(), Arc::clone(&clock)).hear(&odd, crash);
            }
            let mut last = service(folder.path(), clock);
            last.hear(&odd, odd.len());
            last.recorder.commit();
            let ids: std::collections::BTreeSet<_> =
                last.events().into_iter().map(|event| event.id).collect();
            let events = last.events();
            assert_eq!(ids.len(), events.len());
            let sent = last.outbox().len();
            (story(&events), sent, last.sql("SELECT count(*) FROM score"))
        };
        prop_assert_eq!(told(&crashes), told(&[]));
    }
}

#[test]
fn an_alarm_is_stored_sent_and_has_its_sound() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut service = service(folder.path(), Arc::new(ManualClock::new(START_MS)));
    service.hear(&[false, false, false, true, true], 5);
    let events = service.events();
    assert_eq!(story(&events), [("alarm.began".to_owned(), Some(1))]);
    assert_eq!(service.outbox(), [("plant".to_owned(), events[0].id.clone())]);
    let clip = events[0].clip.clone().expect("a sound");
    let path = service.shared.clips.path(&clip);
    let sound =
        offkey_signal::decode(&path, &offkey_signal::DecodeConfig::default()).expect("a sound");
    // Two seconds before the first odd window, and two odd ones.
    assert_eq!(sound.samples.len(), 4 * RATE_HZ as usize);
    assert!((sound.samples[0] - 0.001).abs() < 1e-4, "{}", sound.samples[0]);
}

#[test]
fn an_alarm_is_still_open_after_a_crash_and_escalates_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let clock = Arc::new(ManualClock::new(START_MS));
    service(folder.path(), Arc::clone(&clock)).hear(&[true, true], 2);
    clock.pass(2_400_000);
    let mut second = service(folder.path(), Arc::clone(&clock));
    assert!(second.shared.views.read().expect("views")["pump"].phase.is_active());
    clock.pass(1_260_000);
    second.recorder.tick();
    clock.pass(5_000_000);
    second.recorder.tick();
    let kinds: Vec<String> = second.events().into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["alarm.began", "alarm.escalated"]);
    assert_eq!(second.outbox().last().map(|(sink, _)| sink.as_str()), Some("boss"));
}

#[test]
fn the_quota_of_sound_is_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut service = service(folder.path(), Arc::new(ManualClock::new(START_MS)));
    let odd: Vec<bool> = (0..400).map(|index| index % 8 < 3).collect();
    for index in 0..odd.len() {
        service.hear(&odd, index + 1);
        let command = Ask::Alarm(Command::Acknowledge);
        let (machine, who) = ("pump".to_owned(), "anna".to_owned());
        service.recorder.take(Message::Ask { machine, ask: command, who, answer: None });
    }
    service.recorder.commit();
    let held: u64 = std::fs::read_dir(folder.path().join("clips/pump"))
        .expect("the sounds")
        .map(|entry| entry.expect("a sound").metadata().expect("its size").len())
        .sum();
    assert!(0 < held && held <= 40_000, "{held}");
    assert_eq!(service.sql("SELECT sum(bytes) FROM clip"), held.to_string());
}

#[test]
fn a_delivered_message_leaves_the_outbox_and_is_counted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut service = service(folder.path(), Arc::new(ManualClock::new(START_MS)));
    service.hear(&[true, true], 2);
    let (sink, id) = service.outbox().remove(0);
    service.recorder.take(Message::Delivered { sink, id, outcome: "delivered" });
    service.recorder.tick();
    assert_eq!(service.outbox(), []);
    assert_eq!(service.sql("SELECT value FROM counter WHERE name = 'delivered/plant'"), "1");
}

#[test]
fn a_full_disk_for_an_hour_loses_no_alarm_and_no_window() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut service = service(folder.path(), Arc::new(ManualClock::new(START_MS)));
    let odd: Vec<bool> = (0..3700).map(|index| index % 100 < 5).collect();
    service.hear(&odd, 50);
    service.shared.store.lock().expect("the store").fill_disk();
    service.hear(&odd, odd.len());
    let health = service.shared.health();
    assert!(health.trouble.is_some() && health.waiting > 3600, "{health:?}");
    // Alarms are delivered all the same, from memory.
    let waiting = service.outbox();
    assert!(waiting.len() > 30, "{}", waiting.len());
    let (sink, id) = waiting[10].clone();
    service.recorder.take(Message::Delivered { sink, id, outcome: "delivered" });
    assert_eq!(service.outbox().len(), waiting.len() - 1);
    service.shared.store.lock().expect("the store").free_disk();
    service.clock.pass(5000);
    service.recorder.tick();
    let health = service.shared.health();
    assert_eq!((health.trouble, health.waiting, health.scores_dropped), (None, 0, 0));
    assert_eq!(service.sql("SELECT count(*) FROM score"), odd.len().to_string());
    assert_eq!(service.outbox().len(), waiting.len() - 1);
    assert_eq!(service.sql("SELECT count(*) - count(DISTINCT id) FROM event"), "0");
}

#[test]
fn a_clock_set_back_and_forth_loses_no_window_and_begins_no_alarm() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut service = service(folder.path(), Arc::new(ManualClock::new(START_MS)));
    let odd = [false; 60];
    service.hear(&odd, 20);
    service.clock.jump(-5 * 3_600_000);
    service.hear(&odd, 40);
    service.clock.jump(9 * 3_600_000);
    service.hear(&odd, 60);
    service.recorder.commit();
    assert_eq!(service.sql("SELECT count(*) FROM score"), "60");
    assert_eq!(service.events(), []);
}
