//! Recordings that hold the same sound count as one, where a model is learned and where it is updated.

#![expect(clippy::unwrap_used, reason = "a failing step of a test is a failed test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use offkey_core::Silent;
use offkey_infer::Compute;
use offkey_learn::{LearnReport, LearnRequest, learn};
use offkey_monitor::{Addition, Monitor, UpdateReport};
use offkey_signal::{encode_wav, resample};
use offkey_synth::{SynthConfig, generate};

const RATE_HZ: u32 = 16_000;

/// A machine that hums, in noise.
fn sound(seed: u32, seconds: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    let hum = |index: usize| {
        let time = index as f32 / RATE_HZ as f32;
        (std::f32::consts::TAU * (440.0 * time).fract()).sin()
    };
    (0..seconds * RATE_HZ as usize).map(|index| 0.1 * next() + 0.05 * hum(index)).collect()
}

fn write(folder: &Path, name: &str, samples: &[f32], rate_hz: u32) -> PathBuf {
    fs::create_dir_all(folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, encode_wav(samples, rate_hz)).unwrap();
    path
}

fn quieter(samples: &[f32]) -> Vec<f32> {
    samples.iter().map(|sample| 0.1 * sample).collect()
}

fn learned(folder: &Path) -> (Monitor, LearnReport) {
    let request =
        LearnRequest { window_s: Some(2.0), ..LearnRequest::new(vec![folder.to_owned()], "pump") };
    learn(&request, &Silent).unwrap()
}

/// Six recordings of four seconds.
fn six(folder: &Path) {
    for seed in 0..6 {
        write(folder, &format!("{seed}.wav"), &sound(seed, 4), RATE_HZ);
    }
}

#[test]
fn copies_in_another_form_count_as_the_recording_they_are_copies_of() {
    let folder = tempfile::tempdir().unwrap();
    six(folder.path());
    let (alone, report) = learned(folder.path());
    assert_eq!(alone.promise().recordings, 6);
    assert!(!report.warnings.join("\n").contains("same sound"), "{:?}", report.warnings);
    for seed in 0..6 {
        let own = sound(seed, 4);
        write(folder.path(), &format!("{seed} quiet.wav"), &quieter(&own), RATE_HZ);
        let other_rate = resample(&own[777..], RATE_HZ, 44_100).unwrap();
        write(folder.path(), &format!("{seed} cut.wav"), &other_rate, 44_100);
    }
    let (monitor, report) = learned(folder.path());
    assert_eq!(monitor.card().recordings.len(), 18);
    let (promise, warnings) = (monitor.promise(), report.warnings.join("\n"));
    assert_eq!((promise.recordings, promise.at_most), (6, alone.promise().at_most));
    assert!(warnings.contains("hold the same sound (4.0 of 4.0 s): they count as one recording"));
    assert!(warnings.contains("18 files share sound and count as 6 recordings"), "{warnings}");
}

#[test]
fn recordings_that_overlap_are_one_recording_in_a_chain() {
    let folder = tempfile::tempdir().unwrap();
    let long = sound(1, 24);
    let rate = RATE_HZ as usize;
    // A recorder that writes six seconds every three.
    for begin in 0..7 {
        let part = &long[3 * begin * rate..(3 * begin + 6) * rate];
        write(folder.path(), &format!("{begin}.wav"), part, RATE_HZ);
    }
    let (monitor, report) = learned(folder.path());
    let promise = monitor.promise();
    assert_eq!((promise.recordings, promise.at_most), (1, None));
    let warnings = report.warnings.join("\n");
    // Three seconds, as far as frames an eighth of a second apart tell.
    let measured = ["2.9", "3.0", "3.1"].map(|s| format!("same sound ({s} of 6.0 s)"));
    assert!(measured.iter().any(|words| warnings.contains(words)), "{warnings}");
    assert!(warnings.contains("7 files share sound and count as 1 recording:"), "{warnings}");
}

#[test]
fn different_recordings_of_synthetic_machines_hold_no_same_sound() {
    let folder = tempfile::tempdir().unwrap();
    for snr_db in [-6.0, 60.0] {
        let data = folder.path().join(snr_db.to_string());
        let config =
            SynthConfig { machines: 3, clips: 8, clip_s: 4.0, snr_db, ..SynthConfig::default() };
        generate(&config, &data, &|_| true).unwrap();
        let (monitor, report) = learned(&data);
        assert_eq!(monitor.promise().recordings, 24, "{snr_db}: {:?}", report.warnings);
    }
}

fn updated(model: &Path, offered: &[PathBuf], addition: Addition) -> (Monitor, UpdateReport) {
    let monitor = Monitor::load(model, Compute::default()).unwrap();
    monitor.update(offered, addition, &|_, _| true).unwrap()
}

const WAYS: [Addition; 3] = [Addition::Normal, Addition::Forced, Addition::WholePeriod];

#[test]
fn an_update_with_a_copy_or_an_overlap_changes_nothing_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    six(&folder.path().join("normal"));
    let model = folder.path().join("pump.offkey");
    let (monitor, _) = learned(&folder.path().join("normal"));
    monitor.save(&model).unwrap();
    assert_eq!(Monitor::load(&model, Compute::default()).unwrap().card(), monitor.card());
    let again = folder.path().join("again.offkey");
    learned(&folder.path().join("normal")).0.save(&again).unwrap();
    assert_eq!(fs::read(&again).unwrap(), fs::read(&model).unwrap());
    let own = sound(2, 4);
    let mut overlap = own[2 * RATE_HZ as usize..].to_vec();
    overlap.extend(sound(9, 2));
    let offered = [
        write(folder.path(), "quiet.wav", &quieter(&own), RATE_HZ),
        write(folder.path(), "48.wav", &resample(&own, RATE_HZ, 48_000).unwrap(), 48_000),
        write(folder.path(), "overlap.wav", &overlap, RATE_HZ),
    ];
    for addition in WAYS {
        let (after, report) = updated(&model, &offered, addition);
        assert_eq!(report.known, offered, "{addition:?}: {report:?}");
        assert!(report.added.is_empty() && report.refused.is_empty());
        assert_eq!(after.card(), monitor.card());
        assert_eq!(report.shared.len(), 3);
        assert!(report.shared.iter().all(|told| {
            told.contains("hold the same sound") && told.ends_with("and changes nothing")
        }));
    }
}

#[test]
fn of_a_period_that_overlaps_all_is_taken_in_and_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    six(&folder.path().join("normal"));
    let model = folder.path().join("pump.offkey");
    learned(&folder.path().join("normal")).0.save(&model).unwrap();
    let (long, rate) = (sound(20, 12), RATE_HZ as usize);
    // Overlaps; an eighth of the last is known.
    let mut known_in_part = sound(3, 4)[2 * rate..].to_vec();
    known_in_part.extend(sound(30, 14));
    let offered = [
        write(folder.path(), "a.wav", &long[..6 * rate], RATE_HZ),
        write(folder.path(), "b.wav", &long[3 * rate..9 * rate], RATE_HZ),
        write(folder.path(), "c.wav", &long[6 * rate..], RATE_HZ),
        write(folder.path(), "d.wav", &known_in_part, RATE_HZ),
    ];
    let (after, report) = updated(&model, &offered, Addition::WholePeriod);
    assert_eq!(report.added, offered, "{report:?}");
    // Six were known, a to c are a seventh, and d belongs to the fourth of them.
    assert_eq!(after.promise().recordings, 7);
    assert_eq!(report.shared.len(), 3, "{:?}", report.shared);
    assert!(report.shared.iter().all(|told| told.ends_with("they count as one recording")));
    let groups: Vec<&str> =
        after.card().recordings.iter().map(|recording| recording.group.as_str()).collect();
    assert!(groups[6] == groups[7] && groups[7] == groups[8] && groups[9] == groups[3]);
    // What was taken in is known from then on, until it is taken out again.
    after.save(&model).unwrap();
    let copy = [write(folder.path(), "copy.wav", &quieter(&long[..6 * rate]), RATE_HZ)];
    assert_eq!(updated(&model, &copy, Addition::Forced).1.known, copy);
    let (before, _) = Monitor::load(&model, Compute::default()).unwrap().undo().unwrap();
    before.save(&model).unwrap();
    assert_eq!(updated(&model, &copy, Addition::Forced).1.added, copy);
}
