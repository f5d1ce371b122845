//! The data set's layout, counts, names and reproducibility.
#![expect(clippy::unwrap_used, reason = "a failing step of a test is a failed test")]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use offkey_core::{Condition, Dataset, Domain, Split};
use offkey_signal::{DecodeConfig, InspectConfig, decode, inspect_samples, probe};
use offkey_synth::{SynthConfig, SynthError, generate};

fn small() -> SynthConfig {
    SynthConfig { machines: 2, sections: 2, clips: 10, clip_s: 1.0, ..SynthConfig::default() }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn names_and_counts_are_the_challenges() {
    let folder = tempfile::tempdir().unwrap();
    let report = generate(&small(), folder.path(), &|_| true).unwrap();
    assert_eq!((report.train_clips, report.test_clips, report.anomalies), (40, 20, 8));
    assert_eq!(small().total_clips(), 60);
    let data = Dataset::read(folder.path()).unwrap();
    let count = |keep: &dyn Fn(&offkey_core::Clip) -> bool| {
        data.clips.iter().filter(|clip| keep(clip)).count()
    };
    assert_eq!(data.clips.len(), 60);
    assert_eq!(count(&|clip| clip.machine == "gearbox" && clip.section == "01"), 15);
    assert_eq!(count(&|clip| clip.split == Split::Train && clip.domain == Some(Domain::Target)), 4);
    assert_eq!(
        count(&|clip| clip.split == Split::Train && clip.condition == Some(Condition::Anomaly)),
        0
    );
    for domain in [Domain::Source, Domain::Target] {
        for condition in [Condition::Normal, Condition::Anomaly] {
            assert!(
                count(&|clip| clip.split == Split::Test
                    && clip.domain == Some(domain)
                    && clip.condition == Some(condition))
                    >= 4
            );
        }
    }
    assert!(data.clips.iter().all(|clip| clip.attributes.starts_with("rpm_")));
    let clip = &data.clips[0];
    let info = probe(&clip.path).unwrap();
    assert_eq!((info.rate_hz, info.channels, info.frames), (16_000, 1, 16_000));
    let wave = decode(&clip.path, &DecodeConfig::default()).unwrap();
    assert_eq!(inspect_samples(&wave, &InspectConfig::default()), []);
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let write = |threads: usize, seed: u64| {
        let folder = tempfile::tempdir().unwrap();
        let config = SynthConfig { clips: 4, seed, ..small() };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| generate(&config, folder.path(), &|_| true)).unwrap();
        files(folder.path())
    };
    let once = write(1, 7);
    assert_eq!(once, write(3, 7));
    let other = write(1, 8);
    assert!(
        once.iter()
            .filter(|(name, _)| name.contains("/section_"))
            .all(|(name, bytes)| other.get(name) != Some(bytes))
    );
}

#[test]
fn every_anomaly_is_explained_in_the_table_of_faults() {
    let folder = tempfile::tempdir().unwrap();
    generate(&small(), folder.path(), &|_| true).unwrap();
    let files = files(folder.path());
    for (machine, section) in [("fan", "00"), ("fan", "01"), ("gearbox", "00")] {
        let table = |kind: &str| {
            String::from_utf8(files[&format!("{machine}/{kind}_{section}.csv")].clone()).unwrap()
        };
        let anomalies: Vec<&String> = files
            .keys()
            .filter(|name| {
                name.contains("_anomaly_")
                    && name.starts_with(&format!("{machine}/test/section_{section}"))
            })
            .collect();
        assert_eq!(table("faults").lines().count(), anomalies.len() + 1);
        assert!(anomalies.iter().all(|name| table("faults").contains(name.as_str())));
        assert_eq!(table("attributes").lines().count(), 16);
        assert!(table("attributes").starts_with("file_name,d1p,d1v,d2p,d2v,d3p,d3v\n"));
    }
}

#[test]
fn two_data_sets_never_share_a_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = SynthConfig { machines: 1, clips: 4, clip_s: 1.0, ..SynthConfig::default() };
    let make = |config: &SynthConfig| generate(config, folder.path(), &|_| true);
    make(&config).expect("made");
    make(&config).expect("the same once more");
    let other = SynthConfig { clips: 2, ..config };
    assert!(matches!(make(&other), Err(SynthError::Strangers { .. })));
}

#[test]
fn hours_stand_for_training_audio_altogether() {
    let config =
        SynthConfig { hours: Some(2.0), machines: 4, sections: 2, ..SynthConfig::default() };
    assert_eq!((config.train_clips(), config.test_clips()), (90, 45));
}

#[test]
fn work_stops_on_request_and_refuses_what_makes_no_sense() {
    let folder = tempfile::tempdir().unwrap();
    let heard = AtomicUsize::new(0);
    let stopped = generate(&small(), folder.path(), &|_| heard.fetch_add(1, Ordering::Relaxed) < 3);
    assert!(matches!(stopped, Err(SynthError::Cancelled { total: 60, .. })));
    let wrong = [
        SynthConfig { machines: 0, ..small() },
        SynthConfig { sections: 0, ..small() },
        SynthConfig { clips: 0, ..small() },
        SynthConfig { clip_s: 0.1, ..small() },
        SynthConfig { clip_s: f64::NAN, ..small() },
        SynthConfig { snr_db: f64::INFINITY, ..small() },
        SynthConfig { hours: Some(-1.0), ..small() },
        SynthConfig { severity: (0.5, 1.5), ..small() },
    ];
    for config in wrong {
        let refused = generate(&config, folder.path(), &|_| true);
        assert!(matches!(refused, Err(SynthError::Setting { .. })), "{config:?}");
    }
    let blocked = folder.path().join("file");
    fs::write(&blocked, "").unwrap();
    assert!(matches!(generate(&small(), &blocked, &|_| true), Err(SynthError::Io { .. })));
}
