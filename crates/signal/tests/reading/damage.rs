//! Damage in the middle of a recording loses nothing before it, is named, and stops strict readers.

use crate::kit::{Form, assert_heard, both, chunk, pcm, riff, sound, strict};
use offkey_signal::{
    AudioError, ClipReader, Damage, DecodeConfig, Finding, decode_range, encode_flac, probe,
};

fn floats(samples: &[f32]) -> Vec<u8> {
    let body: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    riff(&[Form::new(3, 1, 32).chunk(), chunk(b"data", &body)])
}

/// Reads a file's bytes leniently: the samples before the damage, and the damage.
fn lenient(bytes: &[u8], config: &DecodeConfig) -> (Vec<f32>, Option<Damage>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip");
    std::fs::write(&path, bytes).unwrap();
    let mut reader = ClipReader::open(&path, config).unwrap();
    let mut samples = Vec::new();
    loop {
        match reader.read_block(&mut samples) {
            Ok(true) => {}
            Ok(false) => break,
            Err(AudioError::Damaged { .. }) => assert!(reader.damage().is_some()),
            Err(other) => panic!("{other}"),
        }
    }
    (samples, reader.damage().cloned())
}

#[test]
fn samples_beyond_sense_are_damage_and_reach_no_transform() {
    let mut samples = sound(100_000);
    let converted = DecodeConfig { rate_hz: Some(16_000), ..DecodeConfig::default() };
    for (bad, damage) in [
        (f32::NAN, Damage::NotFinite { frame: 70_000 }),
        (f32::NEG_INFINITY, Damage::NotFinite { frame: 70_000 }),
        (3e38, Damage::Absurd { frame: 70_000, value: 3e38 }),
    ] {
        samples[70_000] = bad;
        let mut bytes = floats(&samples);
        bytes[24..28].copy_from_slice(&48_000_u32.to_le_bytes());
        let (heard, found) = lenient(&bytes, &DecodeConfig::default());
        assert_eq!(found.as_ref(), Some(&damage));
        assert!(heard == samples[..70_000]);
        let (heard, found) = lenient(&bytes, &converted);
        assert_eq!(found.as_ref(), Some(&damage));
        assert_eq!(heard.len(), 23_333);
        assert!(heard.iter().all(|sample| sample.abs() < 2.0));
        assert!(matches!(strict(&bytes), Err(AudioError::Damaged { .. })));
        both("absurd", &bytes);
    }
}

#[test]
fn a_cut_or_flipped_flac_block_gives_all_blocks_before_it() {
    let samples = sound(40_960);
    let whole = encode_flac(&samples, 16_000);
    let expected = strict(&whole).unwrap();
    let cut = &whole[..whole.len() - 700];
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    for (name, bytes) in [("cut", cut), ("flipped", &flipped[..])] {
        let (heard, damage) = lenient(bytes, &DecodeConfig::default());
        let damage = damage.unwrap();
        assert_eq!(heard.len() as u64, damage.frame(), "{name}");
        assert!(heard.len() >= 4 * 4096 && heard.len() < expected.len(), "{name}");
        assert!(heard == expected[..heard.len()], "{name}");
        assert!(strict(bytes).is_err(), "{name}");
        both(name, bytes);
    }
}

/// Sets the number of frames that a FLAC header announces.
fn with_total(bytes: &[u8], frames: u32) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[8 + 13] &= 0xF0;
    bytes[8 + 14..8 + 18].copy_from_slice(&frames.to_be_bytes());
    bytes
}

#[test]
fn flac_with_tags_behind_it_or_a_wrong_length_in_its_header_is_whole() {
    let samples = sound(10_000);
    let plain = encode_flac(&samples, 16_000);
    let id3v1 = [&b"TAG"[..], &[b'm'; 125]].concat();
    let item = b"\x04\0\0\0\0\0\0\0Year\x002024";
    let end = |flags: u32| {
        let size = item.len() as u32 + 32;
        let numbers = [2000, size, 1, flags].map(u32::to_le_bytes).concat();
        [&b"APETAGEX"[..], &numbers, &[0; 8]].concat()
    };
    let ape = [&end(0xA000_0000)[..], item, &end(0x8000_0000)].concat();
    let id3v2 = [&b"ID3\x03\0\0\0\0\x01\0"[..], &[0; 128]].concat();
    let mut least_zero = plain.clone();
    least_zero[8..10].fill(0);
    for (name, bytes) in [
        ("ID3v1", [&plain[..], &id3v1].concat()),
        ("APE", [&plain[..], &ape].concat()),
        ("APE and ID3v1", [&plain[..], &ape, &id3v1].concat()),
        ("ID3v2 and ID3v1", [&id3v2[..], &plain, &id3v1].concat()),
        ("zeros", [&plain[..], &[0; 4096]].concat()),
        ("twice the length", with_total(&plain, 20_000)),
        ("half the length", with_total(&plain, 5_000)),
        ("no length", with_total(&plain, 0)),
        ("least block zero", least_zero),
    ] {
        assert_heard(name, &bytes, &samples);
    }
}

#[test]
fn what_lies_before_the_damage_can_be_taken_out_and_probing_is_strict() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip");
    let mut bytes = crate::kit::wav16(&sound(1000));
    bytes.truncate(44 + 2 * 600);
    std::fs::write(&path, &bytes).unwrap();
    let config = DecodeConfig::default();
    assert_eq!(decode_range(&path, &config, 100..600).unwrap().samples.len(), 500);
    assert!(matches!(decode_range(&path, &config, 100..700), Err(AudioError::Damaged { .. })));
    assert!(matches!(probe(&path), Err(AudioError::Damaged { .. })));
    assert_eq!(ClipReader::open(&path, &config).unwrap().info().frames, 600);
}

#[test]
fn channels_that_cancel_are_found_in_file_and_stream() {
    let wave = sound(5000);
    let inverted: Vec<f32> = wave.iter().flat_map(|x| [*x, -*x]).collect();
    let bytes = riff(&[Form::new(1, 2, 16).chunk(), chunk(b"data", &pcm(&inverted, 2))]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip");
    std::fs::write(&path, &bytes).unwrap();
    let config = DecodeConfig::default();
    let limits = offkey_signal::InspectConfig::default();
    let findings = offkey_signal::inspect_clip(&path, &config, 10.0, &limits).unwrap().0;
    assert!(matches!(findings[..], [Finding::ChannelsCancel { .. }]), "{findings:?}");
    assert!(findings[0].to_string().contains("pick one"));
    let mut stream = offkey_signal::StreamReader::new(&path, None, &config);
    stream.push(&bytes, &mut Vec::new()).unwrap();
    assert_eq!(stream.channel_finding(), Some(findings[0]));
}
