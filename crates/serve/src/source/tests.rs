//! Sources follow the monitor's rules for what can be judged, and how it may differ.

use std::fs;

use offkey_signal::{ChannelRule, Codec};

use super::*;

const MODEL_HZ: u32 = 16_000;

fn hears() -> Listening {
    let windows =
        WindowRule { channel: ChannelRule::Mix, rate_hz: MODEL_HZ, samples: 4000, hop: 4000 };
    let codecs = vec![Codec::Integer(16)];
    Listening { windows, rates_hz: vec![MODEL_HZ], codecs }
}

fn second_of_wav(rate_hz: u32) -> Vec<u8> {
    offkey_signal::encode_wav(&vec![0.1; rate_hz as usize], rate_hz)
}

/// What a source gave until it was over, or silent for a second.
struct Said {
    samples: usize,
    /// Everything else.
    words: String,
    info: Option<AudioInfo>,
}

fn said(source: &mut dyn Source) -> Said {
    let (mut said, mut silent) = (Said { samples: 0, words: String::new(), info: None }, 0);
    while silent < 20 {
        let next = source.next(&hears(), Duration::from_millis(50));
        said.info = source.info().or(said.info);
        match next {
            Next::Nothing => silent += 1,
            Next::Sound(samples) => said.samples += samples.len(),
            next => {
                said.words += &format!("{next:?} ");
                if matches!(next, Next::End { .. } | Next::Ended(_)) {
                    break;
                }
            }
        }
    }
    said
}

/// The same bytes as a recording in a folder, as a growing file, and as what a command prints.
fn as_every_source(bytes: &[u8], folder: &std::path::Path, name: &str) -> Vec<Box<dyn Source>> {
    let recordings = folder.join("recordings");
    fs::create_dir_all(&recordings).expect("a folder");
    fs::write(recordings.join(name), bytes).expect("room");
    let raw = offkey_signal::PcmFormat {
        rate_hz: MODEL_HZ,
        channels: 1,
        sample: offkey_signal::SampleKind::I16,
    };
    let path = recordings.join(name).display().to_string();
    let printed = command_opener(vec!["cat".to_owned(), path], raw);
    let nothing = std::collections::BTreeMap::new();
    vec![
        Box::new(FolderSource::of_uploads(&recordings, Duration::from_millis(1), &nothing)),
        Box::new(FileSource::new(&recordings.join(name), raw, &nothing)),
        Box::new(StreamSource::new(printed)),
    ]
}

#[test]
fn a_higher_rate_is_converted_and_a_lower_one_refused_in_the_words_of_the_monitor() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for mut source in as_every_source(&second_of_wav(48_000), folder.path(), "high.wav") {
        let Said { samples, words, info } = said(source.as_mut());
        // Of a file that may grow the last samples are waited for.
        assert!(samples > 14_000, "{samples} samples, {words}");
        assert_eq!(info.map(|info| info.rate_hz), Some(48_000));
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let refusal = hears().refusal(8000).expect("too low");
    for mut source in as_every_source(&second_of_wav(8000), folder.path(), "low.wav") {
        let Said { samples, words, .. } = said(source.as_mut());
        assert_eq!(samples, 0, "{words}");
        assert!(words.contains(&refusal), "{words}");
    }
}

#[test]
fn of_an_mp3_it_is_known_that_it_is_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mp3 = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/coded/mp3.mp3");
    fs::copy(mp3, folder.path().join("a.mp3")).expect("a committed recording");
    let nothing = std::collections::BTreeMap::new();
    let mut source = FolderSource::of_uploads(folder.path(), Duration::from_millis(1), &nothing);
    let Said { samples, words, info } = said(&mut source);
    assert!(samples > 4000, "{samples} samples, {words}");
    let told = hears().difference(&info.expect("an MP3 says what it is"));
    assert!(told.is_some_and(|told| told.contains("coded as MP3")));
}

#[test]
fn of_a_recording_that_was_cut_short_what_is_there_is_heard_and_the_damage_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let whole = second_of_wav(MODEL_HZ);
    fs::write(folder.path().join("cut.wav"), &whole[..whole.len() / 2]).expect("room");
    let nothing = std::collections::BTreeMap::new();
    let mut source = FolderSource::of_uploads(folder.path(), Duration::from_millis(1), &nothing);
    let Said { samples, words, .. } = said(&mut source);
    assert!(samples > 7000, "{samples} samples, {words}");
    assert!(words.contains("LeftOut") && words.contains("heard in part"), "{words}");
}

#[cfg(unix)]
#[test]
fn pipes_and_loops_in_a_folder_hold_nobody_up_and_a_share_that_comes_back_is_not_heard_again() {
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().expect("a temporary folder");
    let (inbox, share) = (folder.path().join("in"), folder.path().join("share"));
    for made in [&inbox, &share] {
        fs::create_dir(made).expect("a folder");
    }
    let pipe = inbox.join("pipe.wav");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is there");
    assert!(made.success());
    symlink(&inbox, inbox.join("loop")).expect("a link");
    symlink(&share, inbox.join("share")).expect("a link");
    fs::write(share.join("a.wav"), second_of_wav(MODEL_HZ)).expect("room");
    let nothing = std::collections::BTreeMap::new();
    let mut source = FolderSource::new(&inbox, None, Duration::from_millis(1), &nothing);
    let mut ends = || {
        let (mut ends, mut silent) = (0, 0);
        while silent < 20 {
            match source.next(&hears(), Duration::from_millis(5)) {
                Next::Nothing => silent += 1,
                Next::End { .. } => ends += 1,
                _ => silent = 0,
            }
        }
        ends
    };
    assert_eq!(ends(), 1, "one recording, once");
    let away = folder.path().join("away");
    fs::rename(&share, &away).expect("the share goes away");
    assert_eq!(ends(), 0);
    fs::rename(&away, &share).expect("the share is back");
    assert_eq!(ends(), 0, "it was heard before");
    // Sound that is kept in a store inside the folder is no recording.
    let store = inbox.join("store");
    fs::create_dir_all(store.join("clips")).expect("a folder");
    fs::write(store.join("clips/b.wav"), second_of_wav(MODEL_HZ)).expect("room");
    let mut source = FolderSource::new(&inbox, Some(store), Duration::from_millis(1), &nothing);
    assert!(said(&mut source).words.contains("End"), "the recording of the share");
    assert_eq!(said(&mut source).words, "", "and no other");
    // As a growing file a pipe is refused, since opening it could last for ever.
    let raw = offkey_signal::PcmFormat {
        rate_hz: MODEL_HZ,
        channels: 1,
        sample: offkey_signal::SampleKind::I16,
    };
    let Said { words, .. } = said(&mut FileSource::new(&pipe, raw, &nothing));
    assert!(words.contains("no regular file"), "{words}");
}

/// Samples that a folder gives beyond where each recording was judged to, as a listener takes them.
fn judged(source: &mut FolderSource) -> (u64, std::collections::BTreeMap<String, String>) {
    let (mut judged, mut from, mut at, mut silent) = (0, 0, 0, 0);
    let mut stored = std::collections::BTreeMap::new();
    while silent < 20 {
        let position = match source.next(&hears(), Duration::from_millis(5)) {
            Next::Begin { from: left, .. } => {
                (from, at) = (left, 0);
                Vec::new()
            }
            Next::Sound(samples) => {
                at += samples.len() as u64;
                let mut position = Vec::new();
                while at >= from + 4000 {
                    from += 4000;
                    judged += 4000;
                    position = source.position(from);
                }
                position
            }
            Next::End { position } => position,
            Next::Nothing => {
                silent += 1;
                continue;
            }
            _ => Vec::new(),
        };
        silent = 0;
        for (key, value) in position {
            match value {
                Some(value) => stored.insert(key, value),
                None => stored.remove(&key),
            };
        }
    }
    (judged, stored)
}

#[test]
fn a_recording_that_has_grown_goes_on_where_it_stood_over_a_restart_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("long.wav");
    let whole = offkey_signal::encode_wav(&vec![0.1; 40_000], MODEL_HZ);
    let poll = Duration::from_millis(1);
    fs::write(&path, &whole[..44 + 2 * 17_000]).expect("room");
    let mut source = FolderSource::new(folder.path(), None, poll, &Default::default());
    let (first, stored) = judged(&mut source);
    assert_eq!(first, 16_000);
    fs::write(&path, &whole[..44 + 2 * 30_000]).expect("room");
    assert_eq!(judged(&mut source).0, 12_000, "the same source");
    let mut source = FolderSource::new(folder.path(), None, poll, &stored);
    assert_eq!(judged(&mut source).0, 12_000, "after a restart from before that");
    fs::write(&path, &whole).expect("room");
    assert_eq!(judged(&mut source).0, 12_000);
    assert_eq!(judged(&mut source).0, 0);
}

#[test]
fn what_an_earlier_version_remembered_of_a_folder_is_not_heard_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["heard.wav", "left.wav", "new.wav"] {
        fs::write(folder.path().join(name), second_of_wav(MODEL_HZ)).expect("room");
    }
    let look = |name| offkey_monitor::watch::Look::at(&folder.path().join(name)).expect("a file");
    let (heard, left) = (look("heard.wav"), look("left.wav"));
    let stored = [
        ("heard/heard.wav", format!("{} {}", heard.bytes, heard.modified_ms)),
        ("hearing", format!("8000 {} {} left.wav", left.bytes, left.modified_ms)),
    ];
    let stored = stored.map(|(key, text)| (key.to_owned(), text)).into();
    let mut source = FolderSource::new(folder.path(), None, Duration::from_millis(1), &stored);
    let (samples, stored) = judged(&mut source);
    assert_eq!(samples, 8000 + 16_000, "half of one, and the new one");
    assert_eq!(stored.keys().collect::<Vec<_>>(), ["heard/left.wav", "heard/new.wav"]);
}
