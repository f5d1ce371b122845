//! Days of one machine at full speed, on a clock of its own: how large the store becomes, how much is written, whether
//! memory stays flat and quotas are kept. Sound goes the way it goes in the service, from the source to the store.
//!
//!     cargo run --release -p offkey-serve --example days -- DAYS FOLDER [MODEL WAV]
//!
//! With a model its windows are judged; WAV is normal sound of its machine. Without one, windows of 10 s are answered by
//! their loudness. Every six hours there is a fault of a minute.

#![expect(clippy::print_stdout, reason = "the numbers are what this program is for")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, Ordering},
        mpsc::sync_channel,
    },
    time::Duration,
};

use offkey_monitor::{
    EventRule, Listening, MonitorError, Promise, Verdict, WindowRule,
    watch::{Bookmarks, Clock, ManualClock, Piece, Source, Stretch},
};
use offkey_serve::{
    alarm::{AlarmRule, Command, OperatingRule, Schedule},
    config::Keep,
    ear::Ear,
    engine::{Ask, MachineSetup, Message, Recorder, Shared},
    judge::{Judge, Judged},
    listen::Listener,
    liveness::LivenessRule,
    machine::MachineRule,
    metrics::Metrics,
    models,
    source::Places,
    store::{ClipStore, Quota, Retention, Store},
};
use offkey_signal::ChannelRule;

const START_MS: i64 = 1_800_000_000_000;
const DAY_MS: u64 = 86_400_000;
const RATE_HZ: u32 = 16_000;
const PIECE_MS: u64 = 1000;
/// Small, so that it is full after two days.
const QUOTA_BYTES: u64 = 8 << 20;
/// Within every six hours a fault begins at this minute, lasts one, and is acknowledged two minutes later.
const FAULT_MINUTE: u64 = 7;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let days: u64 = words.next().unwrap_or_default().parse()?;
    let folder = PathBuf::from(words.next().ok_or("no folder")?);
    let (judge, normal) = match (words.next(), words.next()) {
        (Some(model), Some(wav)) => {
            let judge = models::load(Path::new(&model))?;
            let wave = offkey_signal::decode(Path::new(&wav), &judge.windows().decode_config())?;
            (judge, wave.samples)
        }
        (None, _) => (Arc::new(ByLoudness) as Arc<dyn Judge>, vec![0.01; RATE_HZ as usize]),
        (Some(_), None) => return Err("no normal sound of the model's machine".into()),
    };
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
    let mut recorder = Recorder::new(Arc::clone(&shared), Arc::clone(&steady), 5000, retention);
    recorder.take(Message::Machines(BTreeMap::from([("pump".to_owned(), setup())])));
    let stop = Arc::new(AtomicBool::new(false));
    // One message at a time: the clock is never far ahead of the recorder.
    let (to, messages) = sync_channel(1);
    let rate_hz = judge.windows().rate_hz;
    let source = Days {
        clock,
        normal,
        rate_hz,
        begun: false,
        passed_ms: 0,
        last_ms: days * DAY_MS,
        stop: Arc::clone(&stop),
    };
    let listener = Listener {
        machine: "pump".to_owned(),
        source: Box::new(source),
        places: Places::default(),
        judge: Arc::new(RwLock::new(Some(judge))),
        idle: None,
        to,
        clock: Arc::clone(&steady),
        ear: Arc::new(Ear::default()),
        pictures: false,
        stop,
    };
    let listening = std::thread::spawn(move || listener.run());
    println!("day,windows,store_mb,sound_mb,memory_mb,written_mb");
    let (mut windows, mut day, mut acknowledged) = (0, 1, false);
    for message in messages {
        windows += u64::from(matches!(message, Message::Window { .. }));
        recorder.take(message);
        let passed_ms = (steady.now().unix_ms - START_MS).max(0).unsigned_abs();
        let due = minute_of(passed_ms) == FAULT_MINUTE + 3;
        if due && !std::mem::replace(&mut acknowledged, true) {
            let (machine, who) = ("pump".to_owned(), "simulation".to_owned());
            let ask = Ask::Alarm(Command::Acknowledge);
            recorder.take(Message::Ask { machine, ask, who, answer: None });
        }
        acknowledged &= due;
        recorder.tick();
        if passed_ms >= day * DAY_MS {
            report(day, windows, &folder);
            day += 1;
        }
    }
    listening.join().map_err(|_| "the listener broke down")?;
    Ok(())
}

/// The minute within six hours.
fn minute_of(passed_ms: u64) -> u64 {
    passed_ms / 60_000 % 360
}

/// Sound without end; every piece lets its time pass.
struct Days {
    clock: Arc<ManualClock>,
    normal: Vec<f32>,
    rate_hz: u32,
    begun: bool,
    passed_ms: u64,
    last_ms: u64,
    stop: Arc<AtomicBool>,
}

impl Source for Days {
    fn next(&mut self, _: &Bookmarks, _: Duration) -> Piece {
        if !std::mem::replace(&mut self.begun, true) {
            // As of a growing file, how far it was heard is remembered.
            let [place, id, name] = ["days"; 3].map(str::to_owned);
            return Piece::Begin {
                stretch: Stretch { place, id, name, begun: None },
                first_sample: 0,
            };
        }
        if self.passed_ms >= self.last_ms {
            self.stop.store(true, Ordering::Relaxed);
            return Piece::Nothing;
        }
        let rate_hz = u64::from(self.rate_hz);
        let first = self.passed_ms * rate_hz / 1000;
        let odd = minute_of(self.passed_ms) == FAULT_MINUTE;
        let sample = |index: u64| {
            let normal = self.normal[(index % self.normal.len() as u64) as usize];
            let turn = (index * 3100 % rate_hz) as f32 / rate_hz as f32 * std::f32::consts::TAU;
            if odd { normal + 0.3 * turn.sin() } else { normal }
        };
        let samples = (first..first + rate_hz * PIECE_MS / 1000).map(sample).collect();
        self.clock.pass(PIECE_MS);
        self.passed_ms += PIECE_MS;
        Piece::Sound(samples)
    }
}

/// Judges by the loudest sample.
struct ByLoudness;

impl Judge for ByLoudness {
    fn windows(&self) -> WindowRule {
        let samples = 10 * RATE_HZ as usize;
        WindowRule { channel: ChannelRule::Mix, rate_hz: RATE_HZ, samples, hop: samples }
    }

    fn listening(&self) -> Listening {
        Listening { windows: self.windows(), rates_hz: vec![RATE_HZ], codecs: Vec::new() }
    }

    fn promise(&self) -> Option<Promise> {
        None
    }

    fn judge(&self, _start: u64, window: &[f32]) -> Result<Judged, MonitorError> {
        let odd = window.iter().any(|sample| *sample > 0.1);
        let (verdict, p_value, score) =
            if odd { (Verdict::Alarm, 0.001, 5.0) } else { (Verdict::Normal, 0.6, 0.5) };
        let reason = "largest change at 3000-3200 Hz, 12 dB above normal".to_owned();
        Ok(Judged { score: Some(score), p_value: Some(p_value), verdict, reason })
    }
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
fn setup() -> MachineSetup {
    MachineSetup {
        rule: MachineRule {
            name: "pump".to_owned(),
            alarm: AlarmRule {
                condition: EventRule::default(),
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
