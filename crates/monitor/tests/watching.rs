//! The watch engine with sources and clocks of the tests: nothing waits, nothing is heard twice.

mod machine;

use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use machine::{RATE_HZ, WINDOW, monitor, noise, strange};
use offkey_monitor::{
    Monitor, MonitorError, Problem, WindowVerdict,
    watch::{
        self, ByteStream, Event, EventKind, Folder, GrowingFile, KeepRule, ManualClock, Memory,
        Observer, PcmFormat, Piece, SampleKind, Settings, Source, Stretch, WatchReport, Watcher,
        counted_by,
    },
};
use offkey_signal::{DecodeConfig, decode, encode_wav, resample};

fn clock() -> ManualClock {
    ManualClock::new(1_000_000_000)
}

/// Remembers all that a watch tells.
#[derive(Default)]
struct Told {
    windows: Vec<(String, f64)>,
    events: Vec<Event>,
    troubles: Vec<String>,
    stop: Cell<bool>,
}

impl Told {
    fn kinds(&self) -> Vec<(EventKind, Option<Problem>)> {
        self.events.iter().map(|event| (event.event, event.problem)).collect()
    }
}

impl Observer for Told {
    fn window(&mut self, source: &str, at_s: f64, _unix_s: f64, _verdict: &WindowVerdict) {
        self.windows.push((source.to_owned(), at_s));
    }

    fn event(&mut self, event: &Event) {
        self.events.push(event.clone());
    }

    fn trouble(&mut self, message: &str) {
        self.troubles.push(message.to_owned());
    }

    fn cancelled(&self) -> bool {
        self.stop.get()
    }
}

fn settings(folder: &Path) -> Settings {
    Settings {
        name: "line".to_owned(),
        rule: "2/3".parse().expect("a rule"),
        log: Some(folder.join("events.jsonl")),
        state: Some(folder.join("state")),
        keep: None,
        stall: Some(Duration::from_mins(1)),
    }
}

fn begin() -> Piece {
    let stretch = Stretch {
        place: "line".to_owned(),
        id: "line#1".to_owned(),
        name: "line".to_owned(),
        begun: None,
    };
    Piece::Begin { stretch, first_sample: 0 }
}

#[test]
fn the_reason_of_an_event_is_that_of_its_loudest_window_and_says_where_it_is() {
    let (monitor, folder) = (monitor(), tempfile::tempdir().expect("a folder"));
    let mild = noise(31, WINDOW).into_iter().zip(strange(31, WINDOW));
    let mild: Vec<f32> = mild.map(|(plain, odd)| plain + 0.2 * (odd - plain)).collect();
    let mut told = Told::default();
    let recording = |name: &str, sound: Vec<f32>| {
        let id = format!("{name}#1");
        let stretch = Stretch { place: name.to_owned(), id, name: name.to_owned(), begun: None };
        [Piece::Begin { stretch, first_sample: 0 }, Piece::Sound(sound)]
    };
    let pieces = [recording("a.wav", mild), recording("b.wav", strange(32, WINDOW))].concat();
    watched(&monitor, &settings(folder.path()), pieces, &mut told).expect("a watch");
    let start = told.events.first().expect("an event");
    assert_eq!((start.event, start.source.as_str()), (EventKind::Start, "a.wav"));
    let second = monitor.judge(0, &strange(32, WINDOW)).expect("judged");
    assert_eq!(start.peak_score, second.score, "{start:?}");
    assert_eq!(start.reason, format!("b.wav at 0 s: {}", second.reason));
}

/// Hands pieces to a watcher and ends.
fn watched(
    monitor: &Monitor,
    settings: &Settings,
    pieces: Vec<Piece>,
    told: &mut Told,
) -> Result<WatchReport, MonitorError> {
    let clock = clock();
    let mut watcher = Watcher::new(monitor, settings, &clock, told)?;
    for piece in pieces {
        watcher.take(piece, told)?;
    }
    watcher.finish(told)
}

#[test]
fn a_source_that_stalls_is_told_once_and_so_is_its_return() {
    let (monitor, folder) = (monitor(), tempfile::tempdir().expect("a folder"));
    let (settings, clock) = (settings(folder.path()), clock());
    let mut told = Told::default();
    let mut watcher = Watcher::new(&monitor, &settings, &clock, &mut told).expect("a watcher");
    let mut take = |piece, told: &mut Told| watcher.take(piece, told).expect("it is judged");
    take(begin(), &mut told);
    take(Piece::Sound(noise(1, WINDOW)), &mut told);
    clock.pass(59_000);
    take(Piece::Nothing, &mut told);
    assert_eq!(told.kinds(), []);
    clock.pass(2000);
    take(Piece::Nothing, &mut told);
    take(Piece::Nothing, &mut told);
    let stalled = Some(Problem::Stalled);
    assert_eq!(told.kinds(), [(EventKind::Lost, stalled)]);
    take(Piece::Sound(noise(2, WINDOW)), &mut told);
    assert_eq!(told.kinds(), [(EventKind::Lost, stalled), (EventKind::Back, stalled)]);
}

#[test]
fn the_sound_kept_of_an_event_begins_before_its_first_alarm_and_lasts_to_its_end() {
    let (monitor, folder) = (monitor(), tempfile::tempdir().expect("a folder"));
    let mut settings = settings(folder.path());
    let pre_roll = WINDOW + WINDOW / 2;
    settings.keep = Some(KeepRule {
        folder: folder.path().join("kept"),
        pre_roll_s: pre_roll as f64 / f64::from(RATE_HZ),
        most_bytes: 1 << 24,
    });
    let sound = [noise(1, 6 * WINDOW), strange(2, 5 * WINDOW), noise(3, 9 * WINDOW)].concat();
    let mut told = Told::default();
    let mut pieces = vec![begin()];
    pieces.extend(sound.chunks(1000).map(|chunk| Piece::Sound(chunk.to_vec())));
    let report = watched(&monitor, &settings, pieces, &mut told).expect("it is judged");
    assert_eq!(report.events, 1, "{:?}", told.events);
    let [start, end] = &told.events[..] else { panic!("{:?}", told.events) };
    let first_alarm = (start.at_s * f64::from(RATE_HZ)).round() as usize;
    assert_eq!(first_alarm, 6 * WINDOW);
    let path = start.clip.clone().expect("a clip");
    let kept = decode(&path, &DecodeConfig::default()).expect("a WAV file").samples;
    // The window that ended the event was whole when the end was told.
    let told_end = (end.at_s * f64::from(RATE_HZ)).round() as usize + WINDOW;
    let from = first_alarm - pre_roll;
    assert!(kept.len() >= told_end - from, "{} of {}", kept.len(), told_end - from);
    for (index, (kept, sound)) in kept.iter().zip(&sound[from..]).enumerate() {
        assert!((kept - sound).abs() < 1e-4, "sample {index}: {kept} and {sound}");
    }
}

#[test]
fn what_was_judged_before_a_restart_is_neither_judged_nor_told_again() {
    let (monitor, folder) = (monitor(), tempfile::tempdir().expect("a folder"));
    let settings = settings(folder.path());
    let sound = [noise(1, 8 * WINDOW), strange(2, 8 * WINDOW)].concat();
    let pieces = |samples: &[f32]| vec![begin(), Piece::Sound(samples.to_vec())];
    let mut first = Told::default();
    watched(&monitor, &settings, pieces(&sound[..11 * WINDOW]), &mut first).expect("judged");
    let mut second = Told::default();
    watched(&monitor, &settings, pieces(&sound), &mut second).expect("judged");
    assert_eq!((first.windows.len(), second.windows.len()), (11, 5));
    assert_eq!((first.events.len(), second.events.len()), (1, 0));
}

#[test]
fn silence_is_an_event_with_its_cause_and_so_is_its_end() {
    let (monitor, folder) = (monitor(), tempfile::tempdir().expect("a folder"));
    let sound = [noise(1, 3 * WINDOW), vec![0.0; 5 * WINDOW], noise(2, 3 * WINDOW)].concat();
    let mut told = Told::default();
    let pieces = vec![begin(), Piece::Sound(sound)];
    let report = watched(&monitor, &settings(folder.path()), pieces, &mut told).expect("judged");
    let silent = Some(Problem::Silent);
    assert_eq!(told.kinds(), [(EventKind::Lost, silent), (EventKind::Back, silent)]);
    assert_eq!((report.unjudged, report.events), (5, 0));
}

/// A folder source, asked until it has nothing new in three looks.
fn drained(source: &mut Folder, watcher: &mut Watcher<'_>, told: &mut Told) {
    let mut quiet = 0;
    while quiet < 40 {
        let piece = source.next(watcher.memory().bookmarks(), Duration::from_millis(5));
        quiet = if piece == Piece::Nothing { quiet + 1 } else { 0 };
        watcher.take(piece, told).expect("it is judged");
    }
}

#[test]
fn a_recording_that_is_written_slowly_is_heard_once_and_to_its_end() {
    let (monitor, folder) = (monitor(), tempfile::tempdir().expect("a folder"));
    let (settings, clock) = (settings(folder.path()), clock());
    let inbox = folder.path().join("inbox");
    fs::create_dir_all(inbox.join("monday")).expect("a folder");
    let path: PathBuf = inbox.join("monday/a.wav");
    let whole = encode_wav(&noise(1, 30 * WINDOW), RATE_HZ);
    let mut told = Told::default();
    let mut watcher = Watcher::new(&monitor, &settings, &clock, &mut told).expect("a watcher");
    let mut source = Folder::new(inbox, None, monitor.listening(), Duration::ZERO, false);
    for part in [50_000, 51_000, 120_000, whole.len()] {
        fs::write(&path, &whole[..part]).expect("room");
        drained(&mut source, &mut watcher, &mut told);
    }
    let starts: Vec<f64> = told.windows.iter().map(|(_, at_s)| *at_s).collect();
    let expected: Vec<f64> =
        (0..30).map(|index| (index * WINDOW) as f64 / f64::from(RATE_HZ)).collect();
    assert_eq!(starts, expected, "{:?}", told.troubles);
    // A copy under the same name, made later, is not another recording; other sound is.
    fs::write(&path, &whole).expect("room");
    drained(&mut source, &mut watcher, &mut told);
    assert_eq!(told.windows.len(), 30);
    fs::write(&path, encode_wav(&noise(2, 2 * WINDOW), RATE_HZ)).expect("room");
    drained(&mut source, &mut watcher, &mut told);
    assert_eq!(told.windows.len(), 32);
}

#[test]
fn memory_is_what_a_source_may_ask() {
    let (monitor, folder) = (monitor(), tempfile::tempdir().expect("a folder"));
    let (settings, clock) = (settings(folder.path()), clock());
    let mut told = Told::default();
    let mut watcher = Watcher::new(&monitor, &settings, &clock, &mut told).expect("a watcher");
    watcher.take(begin(), &mut told).expect("a stretch");
    watcher.take(Piece::Sound(noise(1, 2 * WINDOW + 7)), &mut told).expect("it is judged");
    let memory: &Memory = watcher.memory();
    let bookmark = memory.bookmarks().get("line").expect("it was heard");
    assert_eq!((bookmark.id.as_str(), bookmark.next_sample), ("line#1", 2 * WINDOW as u64));
    assert_eq!(memory.bookmarks().keys().collect::<Vec<_>>(), ["line"]);
}

#[test]
fn an_event_that_has_not_ended_is_reported_as_open() {
    let (monitor, folder) = (monitor(), tempfile::tempdir().expect("a folder"));
    let settings = settings(folder.path());
    let watch = |sound: Vec<f32>, told: &mut Told| {
        let begin_at = |first_sample| match begin() {
            Piece::Begin { stretch, .. } => Piece::Begin { stretch, first_sample },
            other => other,
        };
        let first = told.windows.len() * WINDOW;
        watched(&monitor, &settings, vec![begin_at(first as u64), Piece::Sound(sound)], told)
            .expect("it is judged")
    };
    let mut told = Told::default();
    let report = watch(strange(1, 4 * WINDOW), &mut told);
    assert!(report.open && report.events == 1, "{report:?}");
    // The next watch goes on with it.
    let report = watch(noise(3, 4 * WINDOW), &mut told);
    assert!(!report.open && report.events == 0, "{report:?}");
    let kinds: Vec<EventKind> = told.events.iter().map(|event| event.event).collect();
    assert_eq!(kinds, [EventKind::Start, EventKind::End]);
}

#[test]
fn an_event_that_another_rule_began_ends_with_that_rule() {
    let (monitor, folder) = (monitor(), tempfile::tempdir().expect("a folder"));
    let mut settings = settings(folder.path());
    let mut told = Told::default();
    let pieces = || vec![begin(), Piece::Sound(strange(1, 4 * WINDOW))];
    let report = watched(&monitor, &settings, pieces(), &mut told).expect("it is judged");
    assert!(report.open, "{report:?}");
    settings.rule = "3/4".parse().expect("a rule");
    let end_of_source = Piece::Sound(Vec::new());
    let report = watched(&monitor, &settings, vec![begin(), end_of_source], &mut told);
    assert!(!report.expect("it is judged").open);
    let ends: Vec<_> = told.events.iter().filter(|event| event.event == EventKind::End).collect();
    assert_eq!(ends.len(), 1, "{:?}", told.events);
    assert!(ends[0].reason.contains("the alarm rule was changed"), "{}", ends[0].reason);
}

#[test]
fn hours_without_an_event_add_up_over_watches_of_one_model_and_rule() {
    let (monitor, folder) = (monitor(), tempfile::tempdir().expect("a folder"));
    let mut settings = settings(folder.path());
    let windows_s = |windows: usize| windows as f64 * WINDOW as f64 / f64::from(RATE_HZ);
    let heard = |settings: &Settings, first: usize, windows: usize| {
        let stretch = Stretch {
            place: "line".to_owned(),
            id: "line#1".to_owned(),
            name: "line".to_owned(),
            begun: None,
        };
        let begin = Piece::Begin { stretch, first_sample: (first * WINDOW) as u64 };
        let sound = Piece::Sound(noise(7 + first as u64, windows * WINDOW));
        let report = watched(&monitor, settings, vec![begin, sound], &mut Told::default());
        report.expect("it is judged").evidence.hours * 3600.0
    };
    let near = |found: f64, windows: usize| (found - windows_s(windows)).abs() < 1e-6;
    assert!(near(heard(&settings, 0, 10), 10));
    assert!(near(heard(&settings, 10, 5), 15), "the first ten count still");
    let state = folder.path().join("state");
    let counted = counted_by(&monitor, &state).expect("the state").expect("of this model");
    assert!(near(counted.hours * 3600.0, 15), "{counted:?}");
    // Another rule makes other events of the same sound.
    settings.rule = "3/4".parse().expect("a rule");
    assert!(near(heard(&settings, 15, 5), 5));
}

#[test]
fn what_sets_a_recording_apart_is_said_once_and_in_its_alarms() {
    let (monitor, folder) = (monitor(), tempfile::tempdir().expect("a folder"));
    let inbox = folder.path().join("inbox");
    fs::create_dir(&inbox).expect("a folder");
    // Three times the rate: all that the model hears is there.
    let slow = strange(1, 3 * WINDOW);
    let fast = resample(&slow, RATE_HZ, 3 * RATE_HZ).expect("rates");
    fs::write(inbox.join("a.wav"), encode_wav(&fast, 3 * RATE_HZ)).expect("room");
    fs::write(inbox.join("b.wav"), encode_wav(&fast, 3 * RATE_HZ)).expect("room");
    fs::write(inbox.join("c.wav"), encode_wav(&slow, RATE_HZ / 2)).expect("room");
    let (settings, clock) = (settings(folder.path()), clock());
    let mut told = Told::default();
    let mut watcher = Watcher::new(&monitor, &settings, &clock, &mut told).expect("a watcher");
    let mut source = Folder::new(inbox, None, monitor.listening(), Duration::ZERO, true);
    loop {
        let piece = source.next(watcher.memory().bookmarks(), Duration::ZERO);
        if !watcher.take(piece, &mut told).expect("it is judged") {
            break;
        }
    }
    assert_eq!(told.windows.len(), 6, "{:?}", told.troubles);
    let said = told.troubles.iter().filter(|said| said.contains("converted from 48000 Hz"));
    assert_eq!(said.count(), 1, "{:?}", told.troubles);
    assert!(told.events[0].reason.contains("converted from 48000 Hz"), "{:?}", told.events);
    let refused = told.troubles.iter().any(|said| said.contains("nothing above 4000 Hz"));
    assert!(refused, "{:?}", told.troubles);
}

#[test]
fn sound_that_fills_no_window_is_told_whatever_it_comes_from() {
    let (monitor, folder) = (monitor(), tempfile::tempdir().expect("a folder"));
    let inbox = folder.path().join("inbox");
    fs::create_dir(&inbox).expect("a folder");
    let raw = PcmFormat { rate_hz: RATE_HZ, channels: 1, sample: SampleKind::I16 };
    for (samples, unread) in [(WINDOW - 1, 1), (WINDOW, 0), (0, 1)] {
        let file = inbox.join("a.wav");
        let bytes = encode_wav(&noise(1, samples), RATE_HZ);
        fs::write(&file, &bytes).expect("room");
        let listening = || monitor.listening();
        let stream =
            ByteStream::new(Box::new(std::io::Cursor::new(bytes)), "-", 0, raw, listening());
        let sources: [(&str, Box<dyn Source>); 3] = [
            ("pipe", Box::new(stream.ending(true))),
            ("file", Box::new(GrowingFile::new(file, "a".to_owned(), raw, listening(), true))),
            (
                "folder",
                Box::new(Folder::new(inbox.clone(), None, listening(), Duration::ZERO, true)),
            ),
        ];
        for (name, mut source) in sources {
            let settings = Settings { log: None, state: None, ..settings(folder.path()) };
            let (clock, mut told) = (clock(), Told::default());
            let report = watch::watch(&monitor, source.as_mut(), &settings, &clock, &mut told);
            let report = report.expect("a watch");
            let left_out = report.unread + u64::from(report.lost);
            assert_eq!(left_out, unread, "{name}, {samples}: {:?}", told.troubles);
            assert_eq!((told.troubles.len() + told.events.len()) as u64, unread, "{name}");
        }
    }
}

#[test]
fn a_growing_file_named_as_a_recording_is_never_raw_samples() {
    let (monitor, folder) = (monitor(), tempfile::tempdir().expect("a folder"));
    let raw = PcmFormat { rate_hz: RATE_HZ, channels: 1, sample: SampleKind::I16 };
    let samples = &encode_wav(&noise(1, 4 * WINDOW), RATE_HZ)[44..];
    for (name, windows, unread) in [("a.raw", 4, 0), ("a.wav", 0, 1), ("A.FLAC", 0, 1)] {
        let path = folder.path().join(name);
        fs::write(&path, samples).expect("room");
        let mut source = GrowingFile::new(path, name.to_owned(), raw, monitor.listening(), true);
        let settings = Settings { log: None, state: None, ..settings(folder.path()) };
        let (clock, mut told) = (clock(), Told::default());
        let report = watch::watch(&monitor, &mut source, &settings, &clock, &mut told);
        let report = report.expect("a watch");
        assert_eq!((report.windows, report.unread), (windows, unread), "{:?}", told.troubles);
    }
}

#[test]
fn a_growing_file_that_is_heard_only_whole_is_told_at_once() {
    let (monitor, folder) = (monitor(), tempfile::tempdir().expect("a folder"));
    let raw = PcmFormat { rate_hz: RATE_HZ, channels: 1, sample: SampleKind::I16 };
    let path = folder.path().join("a.wav");
    let flac = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/coded/flac.mkv");
    fs::copy(flac, &path).expect("a committed recording");
    let (settings, clock, mut told) = (settings(folder.path()), clock(), Told::default());
    let watcher = Watcher::new(&monitor, &settings, &clock, &mut told).expect("a watcher");
    let mut source =
        GrowingFile::new(path.clone(), "a".to_owned(), raw, monitor.listening(), false);
    let pieces: Vec<Piece> =
        (0..4).map(|_| source.next(watcher.memory().bookmarks(), Duration::ZERO)).collect();
    let lost = |piece: &Piece| matches!(piece, Piece::Lost { reason, .. } if reason.starts_with("Matroska is heard only"));
    assert_eq!(pieces.iter().filter(|piece| lost(piece)).count(), 1, "{pieces:?}");
    let refused = watch::can_grow(&path).expect_err("heard only whole");
    assert!(refused.hint().is_some_and(|hint| hint.contains("its folder")), "{refused}");
}
