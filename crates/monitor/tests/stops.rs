//! A machine that falls silent within a recording is told with its time, and raises an alarm where the detector does;
//! silence from beginning to end stays unjudged.

use std::{cell::RefCell, fs};

use offkey_monitor::{ClipVerdict, Monitor, Verdict};
use offkey_signal::encode_wav;
use offkey_testkit::{NoiseModel, RATE_HZ, noise, strange};

const SECOND: usize = RATE_HZ as usize;

/// Twenty recordings of one window of two seconds.
fn monitor() -> Monitor {
    NoiseModel::new(2 * SECOND, 20).learn()
}

/// The room without the machine: far below it, and no digital silence.
fn room(seed: u64, samples: usize) -> Vec<f32> {
    noise(seed, samples).into_iter().map(|x| 0.01 * x).collect()
}

/// The verdict on a recording, and those on its windows.
fn checked(monitor: &Monitor, parts: &[Vec<f32>]) -> (ClipVerdict, Vec<Verdict>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.wav");
    fs::write(&path, encode_wav(&parts.concat(), RATE_HZ)).expect("room");
    let windows = RefCell::new(Vec::new());
    let verdict = monitor.check(&path, &mut |window| windows.borrow_mut().push(window.verdict));
    (verdict.expect("it is judged"), windows.into_inner())
}

#[test]
fn a_machine_that_falls_silent_is_an_alarm_with_its_time() {
    let monitor = monitor();
    for silence in [vec![0.0; SECOND], room(901, SECOND)] {
        let (told, _) = checked(&monitor, &[noise(900, SECOND), silence]);
        assert_eq!(told.verdict, Verdict::Alarm, "{told:?}");
        assert!(told.reason.contains("the machine is heard until 1.0 s, then not"), "{told:?}");
        assert!(told.score.is_some_and(|score| score > 0.0), "{told:?}");
        // It is the detector's alarm: within the bound that is promised.
        assert_eq!(told.p_value, monitor.promise().at_most, "{told:?}");
    }
}

#[test]
fn silence_throughout_is_no_alarm_and_neither_is_a_knock_in_it() {
    let monitor = monitor();
    let mut knocked = room(902, 4 * SECOND);
    knocked[SECOND..SECOND + 300].fill(0.2);
    for silence in [vec![0.0; 4 * SECOND], room(903, 4 * SECOND), knocked] {
        let (told, windows) = checked(&monitor, &[silence]);
        assert_eq!(told.verdict, Verdict::CannotTell, "{told:?}");
        assert!(told.reason.contains("off"), "{told:?}");
        assert!(!told.reason.contains("heard until"), "{told:?}");
        assert_eq!(windows, [Verdict::CannotTell; 2]);
    }
}

#[test]
fn a_stop_between_two_windows_is_an_alarm_and_before_digital_silence_told() {
    let monitor = monitor();
    let (told, windows) = checked(&monitor, &[noise(904, 4 * SECOND), room(905, 4 * SECOND)]);
    assert_eq!((told.verdict, windows[2]), (Verdict::Alarm, Verdict::Alarm), "{told:?}");
    assert!(told.reason.contains("the machine is heard until 4.0 s, then not"), "{told:?}");
    // No detector was asked about windows of nothing, of the normal recordings either.
    let (told, _) = checked(&monitor, &[noise(904, 4 * SECOND), vec![0.0; 4 * SECOND]]);
    assert_eq!(told.verdict, Verdict::CannotTell, "{told:?}");
    assert!(told.reason.contains("the machine is heard until 4.0 s, then not"), "{told:?}");
}

#[test]
fn a_pause_is_told_with_its_end_and_a_start_is_no_stop() {
    let monitor = monitor();
    let half = SECOND / 2;
    let (told, _) = checked(&monitor, &[noise(906, half), room(907, SECOND), noise(908, half)]);
    assert!(told.reason.contains("the machine is not heard from 0.5 s to 1.5 s"), "{told:?}");
    let parts = [noise(906, 2 * SECOND), room(907, 2 * SECOND), noise(908, 4 * SECOND)];
    let (told, windows) = checked(&monitor, &parts);
    assert_eq!(windows[2..], [Verdict::Normal; 2]);
    assert!(told.reason.contains("until 2.0 s, then not"), "{told:?}");
    assert!(told.reason.contains("it is heard again from 4.0 s on"), "{told:?}");
    let (told, windows) = checked(&monitor, &[room(909, SECOND), noise(910, 3 * SECOND)]);
    assert_eq!(told.verdict, Verdict::CannotTell, "{told:?}");
    assert_eq!(windows, [Verdict::CannotTell, Verdict::Normal]);
}

#[test]
fn another_alarm_does_not_hide_the_stop() {
    let (told, _) = checked(&monitor(), &[strange(911, 2 * SECOND), vec![0.0; 2 * SECOND]]);
    assert_eq!(told.verdict, Verdict::Alarm, "{told:?}");
    assert!(told.reason.contains("; the machine is heard until 2.0 s, then not"), "{told:?}");
}
