//! Days of one machine at full speed, on a clock of its own: how large the store becomes, how much is written,
//! whether memory stays flat.
//!
//!     cargo run --release -p offkey-serve --example days -- DAYS SECONDS_BETWEEN_WINDOWS FOLDER

#![expect(clippy::print_stdout, reason = "the numbers are what this program is for")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, RwLock},
};

use offkey_serve::{
    alarm::{AlarmRule, Command, ConditionRule, OperatingRule, Schedule},
    clock::{Clock, ManualClock},
    config::Keep,
    engine::{Ask, HeardWindow, MachineSetup, Message, Recorder, Shared},
    judge::Judged,
    liveness::LivenessRule,
    machine::MachineRule,
    metrics::Metrics,
    store::{ClipStore, Quota, Retention, Store, WindowAnswer},
};

const START_MS: i64 = 1_800_000_000_000;
const DAY_MS: u64 = 86_400_000;
const RATE_HZ: u32 = 16_000;
const QUOTA_BYTES: u64 = 20 << 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let days: u64 = words.next().unwrap_or_default().parse()?;
    let every_s: u64 = words.next().unwrap_or_default().parse()?;
    let folder = PathBuf::from(words.next().ok_or("no folder")?);
    let clock = Arc::new(ManualClock::new(START_MS));
    let shared = Arc::new(Shared {
        store: Mutex::new(Store::open(&folder)?),
        clips: ClipStore::new(&folder),
        views: RwLock::default(),
        live: tokio::sync::broadcast::channel(16).0,
        metrics: Metrics::default(),
        ears: RwLock::default(),
    });
    let steady: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let retention =
        Retention { windows_days: Some(366), minutes_days: Some(1830), events_days: Some(3660) };
    let mut recorder = Recorder::new(Arc::clone(&shared), steady, 5000, retention);
    recorder.take(Message::Machines(BTreeMap::from([("pump".to_owned(), setup())])));
    println!("day,windows,store_mb,sound_mb,memory_mb,written_mb");
    let windows_per_day = DAY_MS / (1000 * every_s);
    for window in 0..days * windows_per_day {
        clock.pass(1000 * every_s);
        // A fault of a minute every six hours, acknowledged after it.
        let minute = window * every_s / 60 % 360;
        recorder.take(heard(window, every_s, minute == 7));
        if minute == 9 {
            let (machine, who) = ("pump".to_owned(), "simulation".to_owned());
            let ask = Ask::Alarm(Command::Acknowledge);
            recorder.take(Message::Ask { machine, ask, who, answer: None });
        }
        recorder.tick();
        if (window + 1).is_multiple_of(windows_per_day) {
            report((window + 1) / windows_per_day, window + 1, &folder);
        }
    }
    Ok(())
}

fn report(day: u64, windows: u64, folder: &Path) {
    let mb = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let of = |path: PathBuf| fs::metadata(path).map_or(0, |data| data.len());
    let sound: u64 = fs::read_dir(folder.join("clips/pump"))
        .map_or(0, |clips| clips.flatten().map(|clip| of(clip.path())).sum());
    let proc = |file: &str, key: &str| -> u64 {
        let text = fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    let memory = 1024 * proc("status", "VmRSS");
    let (store, written) = (of(folder.join("offkey.db")), proc("io", "write_bytes"));
    println!(
        "{day},{windows},{:.1},{:.1},{:.1},{:.1}",
        mb(store),
        mb(sound),
        mb(memory),
        mb(written)
    );
}

fn heard(window: u64, every_s: u64, odd: bool) -> Message {
    let (answer, p_value) =
        if odd { (WindowAnswer::Alarm, 0.001) } else { (WindowAnswer::Normal, 0.6) };
    let judged = Judged {
        score: Some(if odd { 5.0 } else { 0.5 }),
        p_value: Some(p_value),
        answer,
        reason: "largest change at 3000-3200 Hz, 12 dB above normal".to_owned(),
    };
    let at_ms = START_MS + (1000 * every_s * window).cast_signed();
    let samples = (every_s * u64::from(RATE_HZ)) as usize;
    let heard = HeardWindow {
        judged,
        at_ms,
        ends_ms: at_ms + (1000 * every_s).cast_signed(),
        level_db: -20.0,
        idle: None,
        position: vec![("file".to_owned(), Some(format!("{window} 1:2")))],
        sound: vec![0.01; samples],
        rate_hz: RATE_HZ,
        hop_ms: 1000 * every_s,
    };
    Message::Window { machine: "pump".to_owned(), heard: Box::new(heard) }
}

fn setup() -> MachineSetup {
    MachineSetup {
        rule: MachineRule {
            name: "pump".to_owned(),
            alarm: AlarmRule {
                condition: ConditionRule::Count { alarms: 3, windows: 5, calm: 5 },
                latch: false,
                cooldown_ms: 0,
                escalate_after_ms: Vec::new(),
            },
            operating: OperatingRule { off_below_db: None, windows: 1, grace_ms: 0 },
            schedule: Schedule::new(&[], Some("UTC")).expect("no spans, and UTC is always there"),
            liveness: LivenessRule {
                stalled_after_ms: None,
                silent_after_ms: 3000,
                clipped_share: 0.01,
                clipped_after_ms: 3000,
                unlike_windows: 5,
            },
        },
        title: "Pump".to_owned(),
        sinks: Vec::new(),
        escalate_to: Vec::new(),
        keep: Keep::Sound,
        before_ms: 10_000,
        sound_days: 90,
        quota: Quota { machine_bytes: QUOTA_BYTES, total_bytes: QUOTA_BYTES },
        uploads: None,
    }
}
