//! Containers whose end is not where they say: cut, with a wrong length, or with more behind them.
#![expect(clippy::unwrap_used, reason = "a failing step of a test is a failed test")]

use std::{fs, path::Path};

use offkey_signal::{AudioError, Damage, DecodeConfig, StreamReader, decode_bytes};

fn coded(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/coded").join(name)).unwrap()
}

fn streamed(bytes: &[u8]) -> (Vec<f32>, Result<(), AudioError>) {
    let mut samples = Vec::new();
    let mut reader = StreamReader::new(Path::new("a"), None, &DecodeConfig::default());
    let pushed = bytes.chunks(1000).try_for_each(|block| reader.push(block, &mut samples));
    let done = pushed.and_then(|()| reader.finish(&mut samples));
    (samples, done)
}

/// All samples of a recording without fault; a file and a pipe give the same.
fn whole(bytes: &[u8]) -> Vec<f32> {
    let (samples, done) = streamed(bytes);
    done.unwrap();
    let file = decode_bytes(Path::new("a"), bytes.to_vec(), &DecodeConfig::default()).unwrap();
    assert_eq!(file.samples, samples);
    samples
}

/// What is heard of a damaged recording, and the words for what is wrong; by file and pipe alike.
fn damaged(bytes: &[u8]) -> (Vec<f32>, String) {
    let (samples, done) = streamed(bytes);
    let told = done.unwrap_err().to_string();
    let file = decode_bytes(Path::new("a"), bytes.to_vec(), &DecodeConfig::default());
    assert_eq!(file.unwrap_err().to_string(), told);
    (samples, told)
}

/// Where a mark lies.
fn place(bytes: &[u8], mark: &[u8]) -> usize {
    bytes.windows(mark.len()).position(|window| window == mark).unwrap()
}

/// Halves the number of `width` bytes at a place.
fn halve(bytes: &mut [u8], at: usize, width: usize) {
    let field = &mut bytes[at..at + width];
    let half = field.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)) / 2;
    field.copy_from_slice(&half.to_be_bytes()[8 - width..]);
}

#[test]
fn samples_of_caf_behind_a_length_that_is_too_small_are_heard() {
    let mut bytes = coded("pcm_24.caf");
    let all = whole(&bytes);
    let at = place(&bytes, b"data") + 4;
    halve(&mut bytes, at, 8);
    assert_eq!(whole(&bytes), all);
}

#[test]
fn blocks_of_mp4_that_the_table_of_times_leaves_out_are_heard() {
    let mut bytes = coded("aac.m4a");
    let all = whole(&bytes);
    let at = place(&bytes, b"stts") + 12;
    halve(&mut bytes, at, 4);
    assert_eq!(whole(&bytes), all);
}

#[test]
fn a_recording_behind_another_is_told_in_every_container() {
    for name in ["pcm_24.caf", "alac.caf", "vorbis_2ch.webm", "flac.mkv", "aac.m4a", "alac.m4a"] {
        let one = coded(name);
        let (samples, told) = damaged(&[one.clone(), one.clone()].concat());
        assert_eq!(samples, whole(&one), "{name}");
        assert!(told.contains("another recording follows"), "{name}: {told}");
    }
}

#[test]
fn what_belongs_to_nothing_behind_a_recording_is_told_and_filling_is_not() {
    let rest: Vec<u8> =
        (0..4000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for name in ["alac.caf", "vorbis_2ch.webm", "aac.m4a"] {
        let one = coded(name);
        let (samples, told) = damaged(&[&one[..], &rest].concat());
        assert_eq!(samples, whole(&one), "{name}");
        assert!(told.contains("more follows behind its end"), "{name}: {told}");
        assert_eq!(whole(&[&one[..], &[0; 4000]].concat()), samples, "{name}");
    }
}

#[test]
fn matroska_cut_anywhere_gives_what_is_there_and_says_so() {
    let one = coded("vorbis_2ch.webm");
    let all = whole(&one);
    for cut in [5, 700, 1500] {
        let (samples, told) = damaged(&one[..one.len() - cut]);
        assert!(told.contains("cut short"), "{cut}: {told}");
        assert!(all.starts_with(&samples) && !samples.is_empty(), "{cut}");
    }
    let (_, done) = streamed(&one[..one.len() - 700]);
    let Err(AudioError::Damaged { damage, .. }) = done else { unreachable!("it is damaged") };
    assert!(matches!(damage, Damage::BadBlock { .. }), "{damage}");
    let told = damaged(&coded("flac.mkv")[..300]).1;
    assert!(told.contains("cut short") && !told.contains("mkv:"), "{told}");
}

#[test]
fn mp4_cut_before_its_table_says_so_in_words() {
    for name in ["aac.m4a", "alac.m4a"] {
        let one = coded(name);
        let (samples, told) = damaged(&one[..one.len() - 5]);
        assert!(samples.is_empty(), "{name}");
        assert!(told.contains("cut short") && told.contains("table"), "{name}: {told}");
    }
}

#[test]
fn matroska_whose_writer_did_not_know_its_end_is_whole() {
    let mut bytes = coded("vorbis_2ch.webm");
    let all = whole(&bytes);
    let segment = place(&bytes, b"\x18\x53\x80\x67") + 4;
    assert_eq!(bytes[segment], 1, "a size of eight bytes");
    bytes[segment + 1..segment + 8].fill(0xFF);
    assert_eq!(whole(&bytes), all);
    let told = damaged(&bytes[..bytes.len() - 700]).1;
    assert!(told.contains("cut short"), "{told}");
    let told = damaged(&[bytes.clone(), bytes].concat()).1;
    assert!(told.contains("another recording follows"), "{told}");
}
