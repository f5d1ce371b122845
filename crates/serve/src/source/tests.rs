//! Sources follow the monitor's rules for what can be judged, and how it may differ.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use offkey_monitor::{
    Listening,
    watch::{Folder, GrowingFile, Look, Piece, Source},
};
use offkey_signal::{Codec, PcmFormat, SampleKind};

use super::*;

const MODEL_HZ: u32 = 16_000;

fn listening() -> Listening {
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
}

fn said(source: &mut dyn Source, places: &mut Places) -> Said {
    let (mut said, mut silent) = (Said { samples: 0, words: String::new() }, 0);
    source.listen(&listening());
    while silent < 20 {
        match source.next(places.bookmarks(), Duration::from_millis(50)) {
            Piece::Nothing => silent += 1,
            Piece::Sound(samples) => said.samples += samples.len(),
            piece => {
                said.words += &format!("{piece:?} ");
                match piece {
                    Piece::Begin { stretch, .. } => _ = places.begin(stretch),
                    Piece::Complete { mark } => {
                        places.complete(mark);
                        break;
                    }
                    Piece::Lost { .. } => break,
                    _ => {}
                }
            }
        }
    }
    said
}

fn folder_of(root: &Path, but: Option<PathBuf>) -> Folder {
    let nobody = Listening::of_any(usual_form(None));
    Folder::new(root.to_owned(), but, nobody, Duration::from_millis(1), false)
}

fn raw() -> PcmFormat {
    PcmFormat { rate_hz: MODEL_HZ, channels: 1, sample: SampleKind::I16 }
}

fn growing(path: &Path) -> GrowingFile {
    GrowingFile::new(path.to_owned(), path.display().to_string(), raw(), listening(), false)
}

/// The same bytes as a recording in a folder, as a growing file, and as what a command prints.
fn as_every_source(bytes: &[u8], folder: &Path, name: &str) -> Vec<Box<dyn Source>> {
    let recordings = folder.join("recordings");
    fs::create_dir_all(&recordings).expect("a folder");
    fs::write(recordings.join(name), bytes).expect("room");
    let path = recordings.join(name).display().to_string();
    let printed = command_opener(vec!["cat".to_owned(), path], raw());
    vec![
        Box::new(folder_of(&recordings, None).of_whole_recordings()),
        Box::new(growing(&recordings.join(name))),
        Box::new(StreamSource::new(printed)),
    ]
}

#[test]
fn a_higher_rate_is_converted_and_a_lower_one_refused_in_the_words_of_the_monitor() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for mut source in as_every_source(&second_of_wav(48_000), folder.path(), "high.wav") {
        let Said { samples, words } = said(source.as_mut(), &mut Places::default());
        // Of a file that may grow the last samples are waited for.
        assert!(samples > 14_000, "{samples} samples, {words}");
        assert!(words.contains("converted from 48000 Hz"), "{words}");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let refusal = listening().refusal(8000).expect("too low");
    for mut source in as_every_source(&second_of_wav(8000), folder.path(), "low.wav") {
        let Said { samples, words } = said(source.as_mut(), &mut Places::default());
        assert_eq!(samples, 0, "{words}");
        assert!(words.contains(&refusal), "{words}");
    }
}

#[test]
fn of_an_mp3_it_is_known_that_it_is_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mp3 = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/coded/mp3.mp3");
    fs::copy(mp3, folder.path().join("a.mp3")).expect("a committed recording");
    let Said { samples, words } = said(&mut folder_of(folder.path(), None), &mut Places::default());
    assert!(samples > 4000, "{samples} samples, {words}");
    assert!(words.contains("coded as MP3"), "{words}");
}

#[test]
fn of_a_recording_that_was_cut_short_what_is_there_is_heard_and_the_damage_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let whole = second_of_wav(MODEL_HZ);
    fs::write(folder.path().join("cut.wav"), &whole[..whole.len() / 2]).expect("room");
    let mut source = folder_of(folder.path(), None).of_whole_recordings();
    let Said { samples, words } = said(&mut source, &mut Places::default());
    assert!(samples > 7000, "{samples} samples, {words}");
    assert!(words.contains("Unread") && words.contains("heard in part"), "{words}");
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
    let (mut source, mut places) = (folder_of(&inbox, None), Places::default());
    let mut ends = || {
        let (mut ends, mut silent) = (0, 0);
        while silent < 20 {
            match source.next(places.bookmarks(), Duration::from_millis(5)) {
                Piece::Nothing => silent += 1,
                Piece::Begin { stretch, .. } => _ = places.begin(stretch),
                Piece::Complete { mark } => {
                    places.complete(mark);
                    ends += 1;
                }
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
    let (mut source, mut places) = (folder_of(&inbox, Some(store)), Places::default());
    let first = said(&mut source, &mut places).words;
    assert!(first.contains("Complete"), "the recording of the share: {first}");
    assert_eq!(said(&mut source, &mut places).words, "", "and no other");
    // As a growing file a pipe is refused, since opening it could last for ever.
    let Said { words, .. } = said(&mut growing(&pipe), &mut Places::default());
    assert!(words.contains("no regular file"), "{words}");
}

/// Samples that are judged of a source, as a listener takes them, and what the store then holds.
fn judged(source: &mut dyn Source, places: &mut Places) -> (u64, BTreeMap<String, String>) {
    let (mut judged, mut from, mut at, mut silent) = (0, 0, 0, 0);
    let mut stored = BTreeMap::new();
    source.listen(&listening());
    while silent < 20 {
        let position = match source.next(places.bookmarks(), Duration::from_millis(5)) {
            Piece::Begin { stretch, .. } => {
                (from, at) = (places.begin(stretch), 0);
                Vec::new()
            }
            Piece::Sound(samples) => {
                at += samples.len() as u64;
                let mut position = Vec::new();
                while at >= from + 4000 {
                    from += 4000;
                    judged += 4000;
                    position = places.judged(from);
                }
                position
            }
            Piece::Complete { mark } => places.complete(mark),
            Piece::Nothing => {
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
    fs::write(&path, &whole[..44 + 2 * 17_000]).expect("room");
    let (mut source, mut places) = (folder_of(folder.path(), None), Places::default());
    let (first, stored) = judged(&mut source, &mut places);
    assert_eq!(first, 16_000);
    fs::write(&path, &whole[..44 + 2 * 30_000]).expect("room");
    assert_eq!(judged(&mut source, &mut places).0, 12_000, "the same source");
    let (mut source, mut places) = (folder_of(folder.path(), None), Places::new(&stored, None));
    assert_eq!(judged(&mut source, &mut places).0, 12_000, "after a restart from before that");
    fs::write(&path, &whole).expect("room");
    assert_eq!(judged(&mut source, &mut places).0, 12_000);
    assert_eq!(judged(&mut source, &mut places).0, 0);
}

#[test]
fn what_an_earlier_version_remembered_is_not_heard_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["heard.wav", "left.wav", "new.wav"] {
        fs::write(folder.path().join(name), second_of_wav(MODEL_HZ)).expect("room");
    }
    let look = |name| Look::at(&folder.path().join(name)).expect("a file");
    let (heard, left) = (look("heard.wav"), look("left.wav"));
    let stored = [
        ("heard/heard.wav", format!("{} {}", heard.bytes, heard.modified_ms)),
        ("hearing", format!("8000 {} {} left.wav", left.bytes, left.modified_ms)),
    ];
    let stored = stored.map(|(key, text)| (key.to_owned(), text)).into();
    let mut places = Places::new(&stored, None);
    let (samples, stored) = judged(&mut folder_of(folder.path(), None), &mut places);
    assert_eq!(samples, 8000 + 16_000, "half of one, and the new one");
    assert_eq!(stored.keys().collect::<Vec<_>>(), ["heard/left.wav", "heard/new.wav"]);
    // A growing file by its identity.
    let path = folder.path().join("left.wav");
    let (device, number) = left.identity();
    for (identity, samples) in
        [(format!("{device}:{number}"), 8000), (format!("{device}:{}", number + 1), 16_000)]
    {
        let stored = [("file".to_owned(), format!("8000 {identity}"))].into();
        let mut places = Places::new(&stored, Some(&path));
        assert_eq!(judged(&mut growing(&path), &mut places).0, samples);
    }
}

#[test]
fn another_model_goes_on_where_this_one_had_judged_to() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.wav");
    fs::write(&path, second_of_wav(MODEL_HZ)).expect("room");
    let sources: [Box<dyn Source>; 2] =
        [Box::new(folder_of(folder.path(), None).of_whole_recordings()), Box::new(growing(&path))];
    for mut source in sources {
        let mut places = Places::default();
        source.listen(&listening());
        let mut begun = false;
        while !begun {
            if let Piece::Begin { stretch, .. } = source.next(places.bookmarks(), Duration::ZERO) {
                places.begin(stretch);
                begun = true;
            }
        }
        places.judged(8000);
        let mut other = listening();
        (other.windows.rate_hz, other.windows.samples, other.windows.hop) = (8000, 2000, 2000);
        other.rates_hz = vec![8000, MODEL_HZ];
        places.go_on(MODEL_HZ, 8000);
        source.listen(&other);
        let mut from = None;
        for _ in 0..10 {
            if let Piece::Begin { stretch, .. } = source.next(places.bookmarks(), Duration::ZERO) {
                from = Some(places.begin(stretch));
            }
        }
        assert_eq!(from, Some(4000), "half a second, at the other rate");
    }
}

/// Hears until half a second was judged, and gives what the store then holds.
fn half_heard(source: &mut dyn Source, places: &mut Places) -> BTreeMap<String, String> {
    source.listen(&listening());
    let mut heard = 0;
    while heard < 8000 {
        match source.next(places.bookmarks(), Duration::ZERO) {
            Piece::Begin { stretch, .. } => _ = places.begin(stretch),
            Piece::Sound(samples) => heard += samples.len(),
            _ => {}
        }
    }
    let position = places.judged(8000).into_iter();
    position.filter_map(|(key, value)| Some((key, value?))).collect()
}

#[test]
fn a_recording_that_takes_the_place_of_one_being_heard_is_heard_whole() {
    let whole = offkey_signal::encode_wav(&vec![0.1; 80_000], MODEL_HZ);
    let other = offkey_signal::encode_wav(&vec![0.2; 80_000], MODEL_HZ);
    let setup = || {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("x.wav"), &whole).expect("room");
        (folder_of(folder.path(), None).of_whole_recordings(), Places::default(), folder)
    };
    let replace = |folder: &Path| {
        fs::write(folder.join("new.part"), &other).expect("room");
        fs::rename(folder.join("new.part"), folder.join("x.wav")).expect("it takes its place");
    };
    // While the service is stopped.
    let (mut source, mut places, folder) = setup();
    let stored = half_heard(&mut source, &mut places);
    replace(folder.path());
    let (mut source, mut places) = (folder_of(folder.path(), None), Places::new(&stored, None));
    assert_eq!(judged(&mut source, &mut places).0, 80_000);
    // While it is being heard: what was begun is heard to its end, then the other one.
    let (mut source, mut places, folder) = setup();
    half_heard(&mut source, &mut places);
    replace(folder.path());
    let after = judged(&mut source, &mut places).0;
    assert!(after >= 80_000, "{after} samples of the new one and of the rest");
    assert_eq!(judged(&mut source, &mut places).0, 0);
}

#[test]
fn a_share_that_is_away_for_a_while_is_not_heard_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (inbox, away) = (folder.path().join("in"), folder.path().join("away"));
    fs::create_dir(&inbox).expect("a folder");
    fs::write(inbox.join("a.wav"), second_of_wav(MODEL_HZ)).expect("room");
    let (mut source, mut places) = (folder_of(&inbox, None), Places::default());
    assert_eq!(judged(&mut source, &mut places).0, 16_000);
    fs::rename(&inbox, &away).expect("the share goes away");
    fs::create_dir(&inbox).expect("its mount point stays");
    assert_eq!(judged(&mut source, &mut places).0, 0);
    fs::remove_dir(&inbox).expect("empty");
    fs::rename(&away, &inbox).expect("the share is back");
    assert_eq!(judged(&mut source, &mut places).0, 0, "it was heard before");
}
