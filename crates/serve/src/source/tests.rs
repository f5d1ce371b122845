//! Sources follow the monitor's rules for what can be judged, and how it may differ.

use std::fs;

use offkey_signal::{ChannelRule, Codec};

use super::*;

const MODEL_HZ: u32 = 16_000;

fn hears() -> Hears {
    let windows =
        WindowRule { channel: ChannelRule::Mix, rate_hz: MODEL_HZ, samples: 4000, hop: 4000 };
    let codecs = vec![Codec::Integer(16)];
    Hears { windows, model: Some(Listening { windows, rates_hz: vec![MODEL_HZ], codecs }) }
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
                if matches!(next, Next::End { .. } | Next::Ended(_) | Next::LeftOut { .. }) {
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
        Box::new(FolderSource::new(&recordings, true, Duration::from_millis(1), &nothing)),
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
    let mut source = FolderSource::new(folder.path(), true, Duration::from_millis(1), &nothing);
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
    let mut source = FolderSource::new(folder.path(), true, Duration::from_millis(1), &nothing);
    let Said { samples, words, .. } = said(&mut source);
    assert!(samples > 7000, "{samples} samples, {words}");
    assert!(words.contains("LeftOut") && words.contains("heard in part"), "{words}");
}
