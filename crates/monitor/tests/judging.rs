//! What is said of recordings: verdicts that follow from the printed numbers, and what sets a recording
//! apart from those learned from.

mod machine;

use std::{cell::Cell, collections::BTreeSet, fs, path::Path};

use machine::{RATE_HZ, WINDOW, monitor, noise, strange};
use offkey_core::Seed;
use offkey_monitor::{
    Addition, Checked, ClipVerdict, Monitor, MonitorError, PlantedFault, Verdict,
};
use offkey_signal::{encode_wav, resample};
use offkey_testkit::NoiseModel;

fn checked(monitor: &Monitor, path: &Path) -> ClipVerdict {
    monitor.check(path, &mut |_| {}).expect("it is judged")
}

#[test]
fn the_verdict_follows_from_the_number_that_is_printed() {
    let monitor = monitor();
    let alarm = monitor.promise().at_most.expect("forty recordings");
    let mut seen = BTreeSet::new();
    for step in 0..200 {
        // From nothing to a clear tone.
        let tone = 0.01 * step as f32 / 200.0;
        let window: Vec<f32> = noise(step, WINDOW)
            .into_iter()
            .zip(strange(step, WINDOW))
            .map(|(plain, odd)| plain + 10.0 * tone * (odd - plain))
            .collect();
        let judged = monitor.judge(0, &window).expect("it is judged");
        let p = judged.p_value.expect("a number");
        let expected = if p <= alarm + 1e-9 {
            Verdict::Alarm
        } else if p <= 0.1 + 1e-9 {
            Verdict::Suspicious
        } else {
            Verdict::Normal
        };
        assert_eq!(judged.verdict, expected, "{p}");
        seen.insert(expected);
    }
    assert!(seen.contains(&Verdict::Normal) && seen.contains(&Verdict::Alarm), "{seen:?}");
}

#[test]
fn another_coding_and_a_higher_rate_are_judged_and_said_and_a_lower_rate_is_refused() {
    let (monitor, folder) = (monitor(), tempfile::tempdir().expect("a folder"));
    let path = |name: &str| folder.path().join(name);
    let sound = noise(900, 4 * WINDOW);
    fs::write(path("same.wav"), encode_wav(&sound, RATE_HZ)).expect("room");
    let same = checked(&monitor, &path("same.wav"));
    assert!(same.differs.is_none() && same.verdict == Verdict::Normal, "{same:?}");

    fs::write(path("coarse.wav"), eight_bits(&sound)).expect("room");
    let coarse = checked(&monitor, &path("coarse.wav"));
    assert!(coarse.reason.contains("coded as 8-bit, and the normal recordings as 16-bit"));
    assert!(coarse.differs.is_some_and(|differs| coarse.reason.ends_with(&differs)));

    let fast = resample(&sound, RATE_HZ, 3 * RATE_HZ).expect("rates");
    fs::write(path("fast.wav"), encode_wav(&fast, 3 * RATE_HZ)).expect("room");
    let fast = checked(&monitor, &path("fast.wav"));
    assert!(fast.score.is_some() && fast.reason.contains("converted from 48000 Hz"), "{fast:?}");

    fs::write(path("slow.wav"), encode_wav(&sound, RATE_HZ / 2)).expect("room");
    let slow = checked(&monitor, &path("slow.wav"));
    assert_eq!(slow.verdict, Verdict::CannotTell);
    assert!(slow.reason.contains("8000 Hz, it holds nothing above 4000 Hz"), "{slow:?}");
}

#[test]
fn a_stop_within_a_recording_keeps_what_was_judged_and_says_where_it_ends() {
    let (monitor, folder) = (monitor(), tempfile::tempdir().expect("a folder"));
    let path = folder.path().join("long.wav");
    let sound = [noise(900, 2 * WINDOW), strange(901, WINDOW), noise(902, 40 * WINDOW)].concat();
    fs::write(&path, encode_wav(&sound, RATE_HZ)).expect("room");
    let stopped_after = |most: usize| {
        let windows = std::cell::Cell::new(0);
        let mut count = |_: &_| windows.set(windows.get() + 1);
        let stop = || windows.get() >= most;
        let checked = monitor.check_until(&path, &mut count, &stop).expect("no error");
        (checked, windows.get())
    };
    let (part, windows) = stopped_after(5);
    let Checked::Part(verdict) = part else { panic!("{part:?}") };
    assert_eq!((windows, verdict.verdict), (5, Verdict::Alarm));
    assert!(verdict.reason.contains("heard: 5 windows only: stopped at 1 s"), "{}", verdict.reason);
    assert_eq!(stopped_after(0), (Checked::Nothing, 0));
    let whole = checked(&monitor, &path);
    let (all, windows) = stopped_after(usize::MAX);
    assert_eq!((all, windows), (Checked::Whole(whole), 43));
}

#[test]
fn on_a_map_strange_sound_stands_apart_and_normal_sound_among_the_normals() {
    let (monitor, folder) = (monitor(), tempfile::tempdir().expect("a folder"));
    let path = folder.path().join("a.wav");
    let sound = [noise(900, 2 * WINDOW), strange(901, WINDOW), vec![0.0; WINDOW]].concat();
    fs::write(&path, encode_wav(&sound, RATE_HZ)).expect("room");
    let map = monitor.map(&path, &|| false).expect("it is read").expect("a map");
    assert_eq!((map.normals.len(), map.windows.len()), (40, 3), "silence has no place");
    let worst_normal = map.normals.iter().map(|point| point.deviations).fold(0.0, f64::max);
    let heights: Vec<f64> = map.windows.iter().map(|point| point.deviations).collect();
    // Unseen normal windows are as unusual as those held out: forty of these bound them loosely.
    assert!(heights[..2].iter().all(|&height| height < 2.0 * worst_normal), "{heights:?}");
    assert!(heights[2] > 2.0 * worst_normal, "{heights:?} {worst_normal}");
    let spread: f64 = map.normals.iter().map(|point| point.along.powi(2)).sum();
    assert!((spread / 40.0 - 1.0).abs() < 1e-6, "{spread}");
    // The reason of the same recording names the same normal window.
    let (nearest, at_s) = map.nearest.expect("one is nearest");
    let reason = checked(&monitor, &path).reason;
    assert!(reason.contains(&format!("nearest normal: {nearest} at {at_s:.0} s")), "{reason}");
    assert!(matches!(monitor.map(&path, &|| true), Err(MonitorError::Cancelled)));
    fs::write(&path, encode_wav(&vec![0.0; WINDOW], RATE_HZ)).expect("room");
    assert_eq!(monitor.map(&path, &|| false).expect("it is read"), None);
}

/// A WAV file of eight bits.
fn eight_bits(samples: &[f32]) -> Vec<u8> {
    let mut bytes = encode_wav(&vec![0.0; samples.len() / 2], RATE_HZ);
    bytes.truncate(44);
    bytes[28..32].copy_from_slice(&RATE_HZ.to_le_bytes());
    bytes[32..36].copy_from_slice(&[1, 0, 8, 0]);
    bytes[40..44].copy_from_slice(&(samples.len() as u32).to_le_bytes());
    bytes.extend(samples.iter().map(|x| (x * 128.0 + 128.0).round().clamp(0.0, 255.0) as u8));
    bytes
}

#[test]
fn a_rest_that_fills_no_window_is_named() {
    let window = 2 * RATE_HZ as usize;
    let monitor = NoiseModel::new(window, 6).learn();
    let folder = tempfile::tempdir().expect("a folder");
    let reason = |samples: usize| {
        let path = folder.path().join("a.wav");
        fs::write(&path, encode_wav(&noise(7, samples), RATE_HZ)).expect("room");
        checked(&monitor, &path).reason
    };
    let told = reason(2 * window - 2);
    assert!(told.contains("its last 2.0 s fill no window and are not judged"), "{told}");
    for samples in [window, 2 * window, 2 * window + window / 4] {
        assert!(!reason(samples).contains("fill no window"), "{}", reason(samples));
    }
}

#[test]
fn a_recording_much_longer_than_those_learned_from_is_said_to_be() {
    let (monitor, folder) = (monitor(), tempfile::tempdir().expect("a folder"));
    let said = |windows: usize| {
        let path = folder.path().join(format!("{windows}.wav"));
        fs::write(&path, encode_wav(&strange(902, windows * WINDOW), RATE_HZ)).expect("room");
        let judged = checked(&monitor, &path);
        assert_eq!(judged.verdict, Verdict::Alarm);
        judged.reason.contains("more chances to alarm")
    };
    assert!(!said(2) && said(9));
}

#[test]
fn of_a_recording_that_is_added_silent_windows_stay_out() {
    let (monitor, folder) = (monitor(), tempfile::tempdir().expect("a folder"));
    let path = |name: &str| folder.path().join(name);
    let mut sound = noise(901, 3 * WINDOW);
    sound[WINDOW..2 * WINDOW].fill(0.0);
    fs::write(path("gap.wav"), encode_wav(&sound, RATE_HZ)).expect("room");
    fs::write(path("silent.wav"), encode_wav(&vec![0.0; 3 * WINDOW], RATE_HZ)).expect("room");
    let known = monitor.references()[0].nrows();
    let offered = [path("gap.wav"), path("silent.wav")];
    let (monitor, report) = monitor.update(&offered, Addition::Forced, &|_, _| true).expect("some");
    assert_eq!((report.windows, report.refused.len()), (2, 1), "{report:?}");
    assert!(report.refused[0].1.contains("silent"), "{report:?}");
    assert_eq!(monitor.references()[0].nrows(), known + 2);
}

#[test]
fn a_self_test_does_not_find_what_alarms_without_a_fault() {
    let (monitor, folder) = (monitor(), tempfile::tempdir().expect("a folder"));
    // Half of these recordings alarm as they are; nothing is planted.
    let mut paths = Vec::new();
    for number in 0..24 {
        let wave =
            if number % 2 == 0 { noise(700 + number, WINDOW) } else { strange(number, WINDOW) };
        paths.push(folder.path().join(format!("{number}.wav")));
        fs::write(paths.last().expect("a path"), encode_wav(&wave, RATE_HZ)).expect("room");
    }
    let nothing = |_: &mut Vec<f32>, _: u32, _: f64, _: Seed| {};
    let planted = [PlantedFault { name: "nothing", plant: &nothing }];
    let test = monitor.self_test(&paths, &planted, &|_, _| true).expect("it is tested");
    let alarms = test.false_alarms.expect("new recordings");
    assert!(alarms >= 12 && test.tested == 24 - alarms, "{test:?}");
    assert_eq!(test.faults[0].detected, [0.0; 7], "nothing was planted");
    assert_eq!(test.faults[0].found_from_db, None);
    assert!(
        test.words().contains(&format!("{alarms} windows of 24 not tested")),
        "{}",
        test.words()
    );

    // One that cannot be heard does not stop the others; what is left of a damaged one counts.
    let whole = encode_wav(&noise(1, 2 * WINDOW), RATE_HZ);
    fs::write(&paths[0], &whole[..whole.len() - 100]).expect("room");
    fs::write(&paths[1], b"garbage").expect("room");
    let test = monitor.self_test(&paths, &planted, &|_, _| true).expect("it is tested");
    assert_eq!((test.windows, test.left_out.len()), (23, 2), "{:?}", test.left_out);
}

#[test]
fn a_period_taken_in_whole_says_what_of_it_was_not_judged_normal() {
    let (monitor, folder) = (monitor(), tempfile::tempdir().expect("a folder"));
    let normal = (90..98).map(|seed| noise(seed, 2 * WINDOW));
    let sounds: Vec<Vec<f32>> = normal.chain([strange(99, 2 * WINDOW)]).collect();
    let write = |(number, sound): (usize, &Vec<f32>)| {
        let path = folder.path().join(format!("{number}.wav"));
        fs::write(&path, encode_wav(sound, RATE_HZ)).expect("room");
        path
    };
    let paths: Vec<_> = sounds.iter().enumerate().map(write).collect();
    let mut windows = 0;
    let mut unlike = paths.clone();
    unlike.retain(|path| {
        let mut count = |window: &offkey_monitor::WindowVerdict| {
            windows += usize::from(window.verdict != Verdict::Normal);
        };
        monitor.check(path, &mut count).expect("judged").verdict != Verdict::Normal
    });
    assert!(unlike.contains(&paths[8]) && unlike.len() < 9, "{unlike:?}");
    let (_, report) =
        monitor.update(&paths, Addition::WholePeriod, &|_, _| true).expect("it is taken in");
    assert_eq!((report.added.len(), report.windows), (9, 18));
    assert_eq!((report.unlike, report.unlike_windows), (unlike, windows));
}

#[test]
fn whatever_listens_to_a_long_recording_stops_within_it() {
    let (monitor, folder) = (monitor(), tempfile::tempdir().expect("a folder"));
    let path = folder.path().join("long.wav");
    fs::write(&path, encode_wav(&noise(900, 400 * WINDOW), RATE_HZ)).expect("room");
    let paths = [path.clone()];
    // A few answers in, as by Ctrl-C within the recording.
    let asked = Cell::new(0);
    let go_on = || asked.replace(asked.get() + 1) < 5;
    let is_stopped = |error: Option<MonitorError>| {
        assert!(matches!(error, Some(MonitorError::Cancelled)), "{error:?}");
        assert!(asked.replace(0) < 10, "it listened on");
    };
    is_stopped(monitor.examine_until(&path, &|| !go_on()).err());
    let planted = Cell::new(false);
    let plant = |_: &mut Vec<f32>, _: u32, _: f64, _: Seed| planted.set(true);
    let fault = [PlantedFault { name: "any", plant: &plant }];
    is_stopped(monitor.self_test(&paths, &fault, &|_, _| go_on()).err());
    assert!(!planted.get(), "it was heard to its end");
    is_stopped(monitor.update(&paths, Addition::Forced, &|_, _| go_on()).err());
}

#[test]
fn what_was_forced_in_is_judged_again_by_the_updated_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |number: usize| {
        let path = folder.path().join(format!("{number}.wav"));
        let sound = strange(number as u64, (1 + number) * WINDOW);
        fs::write(&path, encode_wav(&sound, RATE_HZ)).expect("room");
        path
    };
    let paths: Vec<_> = (0..4).map(write).collect();
    let (updated, report) =
        monitor().update(&paths, Addition::Forced, &|_, _| true).expect("it is taken in");
    assert_eq!(report.unlike, paths);
    let mut alarming = paths;
    alarming.retain(|path| checked(&updated, path).verdict == Verdict::Alarm);
    assert_eq!(report.still_alarm, alarming);
}
