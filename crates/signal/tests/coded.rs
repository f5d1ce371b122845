//! Compressed sound, made by `testdata/coded/make.sh`.
#![expect(clippy::unwrap_used, reason = "a failing step of a test is a failed test")]

use std::{
    f64::consts::TAU,
    fs,
    path::{Path, PathBuf},
};

use offkey_signal::{
    ChannelRule, ClipReader, Codec, Container, DecodeConfig, LengthPolicy, StreamReader, Unpacked,
    decode, decode_bytes, decode_fit, decode_range, probe,
};

fn coded(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/coded").join(name)
}

/// Amplitude of a tone in a second half of samples at 16 kHz.
fn amplitude(samples: &[f32], hz: f64) -> f64 {
    let part = &samples[samples.len() / 2..];
    let step = TAU * hz / 16_000.0;
    let (sine, cosine) = part.iter().enumerate().fold((0.0, 0.0), |(s, c), (n, sample)| {
        let phase = n as f64 * step;
        (s + f64::from(*sample) * phase.sin(), c + f64::from(*sample) * phase.cos())
    });
    2.0 * f64::hypot(sine, cosine) / part.len() as f64
}

const LOSSY: [(&str, Container, Codec, u16); 6] = [
    ("mp3.mp3", Container::Mpeg, Codec::Mp3, 1),
    ("mp3_2ch.mp3", Container::Mpeg, Codec::Mp3, 2),
    ("vorbis.ogg", Container::Ogg, Codec::Vorbis, 1),
    ("vorbis_2ch.webm", Container::Matroska, Codec::Vorbis, 2),
    ("aac.m4a", Container::Mp4, Codec::Aac, 1),
    ("aac.aac", Container::Adts, Codec::Aac, 1),
];
const LOSSLESS: [(&str, Container, Codec, u16); 12] = [
    ("flac.ogg", Container::Ogg, Codec::Flac(24), 1),
    ("flac.mkv", Container::Matroska, Codec::Flac(24), 1),
    ("alac.m4a", Container::Mp4, Codec::Alac, 1),
    ("alac.caf", Container::Caf, Codec::Alac, 1),
    ("pcm_24.caf", Container::Caf, Codec::Integer(24), 1),
    ("pcm_16.w64", Container::W64, Codec::Integer(16), 1),
    ("pcm_24_2ch.w64", Container::W64, Codec::Integer(24), 2),
    ("pcm_16.aiff", Container::Aiff, Codec::Integer(16), 1),
    ("pcm_24_2ch.aiff", Container::Aiff, Codec::Integer(24), 2),
    ("pcm_8.aiff", Container::Aiff, Codec::Integer(8), 1),
    ("sowt.aifc", Container::Aiff, Codec::Integer(16), 1),
    ("float.aifc", Container::Aiff, Codec::Float(32), 1),
];
/// Of fewer bits, with what ffmpeg decodes beside each.
const COARSE: [(&str, Container, Codec, u16); 10] = [
    ("alaw.wav", Container::Wav, Codec::ALaw, 1),
    ("mulaw_2ch.wav", Container::Wav, Codec::MuLaw, 2),
    ("alaw.w64", Container::W64, Codec::ALaw, 1),
    ("alaw.aifc", Container::Aiff, Codec::ALaw, 1),
    ("mulaw.aifc", Container::Aiff, Codec::MuLaw, 1),
    ("mulaw.caf", Container::Caf, Codec::MuLaw, 1),
    ("ima.wav", Container::Wav, Codec::Adpcm, 1),
    ("ima_2ch.wav", Container::Wav, Codec::Adpcm, 2),
    ("ms.wav", Container::Wav, Codec::Adpcm, 1),
    ("ms_2ch.wav", Container::Wav, Codec::Adpcm, 2),
];

fn all() -> impl Iterator<Item = (&'static str, Container, Codec, u16)> {
    LOSSY.into_iter().chain(LOSSLESS).chain(COARSE)
}

#[test]
fn codings_of_telephones_and_loggers_give_what_another_decoder_gives() {
    for (name, container, codec, channels) in COARSE {
        let info = probe(&coded(name)).unwrap();
        assert_eq!(
            (info.container, info.codec, info.channels),
            (container, codec, channels),
            "{name}"
        );
        assert!(info.is_lossy(), "{name}");
        let golden = fs::read(coded(&format!("{name}.s16"))).unwrap();
        let golden: Vec<i16> =
            golden.as_chunks().0.iter().map(|word| i16::from_le_bytes(*word)).collect();
        assert_eq!(info.frames as usize * usize::from(channels), golden.len(), "{name}");
        for channel in 0..channels {
            let config =
                DecodeConfig { channel: ChannelRule::Pick(channel), ..DecodeConfig::default() };
            let wave = decode(&coded(name), &config).unwrap().samples;
            let expected = golden.iter().skip(channel.into()).step_by(channels.into());
            // ffmpeg rounds IMA's differences at once, and the recommendation part by part.
            let tolerance = if name.starts_with("ima") { 16.0 } else { 0.0 };
            for (n, (sample, expected)) in wave.iter().zip(expected).enumerate() {
                let away = (sample * 32_768.0 - f32::from(*expected)).abs();
                assert!(away <= tolerance, "{name} {channel} {n}: {away}");
            }
        }
    }
}

#[test]
fn a_last_block_that_is_filled_up_ends_where_the_header_says() {
    let whole = fs::read(coded("ima.wav")).unwrap();
    let fact = whole.windows(4).position(|bytes| bytes == b"fact").unwrap() + 8;
    let data = whole.windows(4).position(|bytes| bytes == b"data").unwrap() + 4;
    let frames = |bytes: &[u8]| {
        let config = DecodeConfig::default();
        let file = decode_bytes(Path::new("x"), bytes.to_vec(), &config).unwrap().samples;
        for piece in [1, 100, 256, 777] {
            let mut stream = StreamReader::new(Path::new("x"), None, &config);
            let mut out = Vec::new();
            for part in bytes.chunks(piece) {
                stream.push(part, &mut out).unwrap();
            }
            stream.finish(&mut out).unwrap();
            assert!(out == file, "in pieces of {piece}: {} and {}", out.len(), file.len());
        }
        file.len()
    };
    let stating = |count: u32| {
        let mut bytes = whole.clone();
        bytes[fact..fact + 4].copy_from_slice(&count.to_le_bytes());
        bytes
    };
    // Seven blocks of 505 frames.
    assert_eq!(frames(&whole), 3535);
    assert_eq!(frames(&stating(3200)), 3200);
    // A count that ends in another block says nothing; nor where more sound follows.
    assert_eq!([frames(&stating(0)), frames(&stating(3030)), frames(&stating(9999))], [3535; 3]);
    let mut more = stating(3200);
    let sound = more[data + 4..].to_vec();
    more.extend(sound);
    assert_eq!(frames(&more), 2 * 3535);
    // A block is the least that is heard.
    let mut open = stating(3200);
    open[data..data + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(frames(&open[..open.len() - 1]), 6 * 505);
}

#[test]
fn a_block_that_cannot_be_decoded_costs_nothing_before_it() {
    for (name, block_frames) in [("ima.wav", 505), ("ms.wav", 500)] {
        let mut bytes = fs::read(coded(name)).unwrap();
        let data = bytes.windows(4).position(|bytes| bytes == b"data").unwrap() + 8;
        let third = data + 2 * 256;
        bytes[third..third + 4].fill(0xFF);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, &bytes).unwrap();
        let config = DecodeConfig::default();
        let mut file = Vec::new();
        let mut reader = ClipReader::open(&path, &config).unwrap();
        let damaged = loop {
            match reader.read_block(&mut file) {
                Ok(more) => assert!(more, "{name}: no damage"),
                Err(error) => break error.to_string(),
            }
        };
        assert!(damaged.contains("a block of ADPCM that begins with"), "{damaged}");
        let mut stream = StreamReader::new(&path, None, &config);
        let mut streamed = Vec::new();
        let told = bytes.chunks(300).find_map(|part| stream.push(part, &mut streamed).err());
        assert_eq!(told.unwrap().to_string(), damaged);
        assert!(file == streamed && file.len() == 2 * block_frames, "{name}: {}", file.len());
    }
}

#[test]
fn every_form_is_heard_in_every_channel_and_says_what_it_is() {
    for (name, container, codec, channels) in LOSSY.into_iter().chain(LOSSLESS) {
        let info = probe(&coded(name)).unwrap();
        assert_eq!(
            (info.container, info.codec, info.channels, info.rate_hz),
            (container, codec, channels, 16_000),
            "{name}"
        );
        assert_eq!(info.is_lossy(), LOSSY.iter().any(|(lossy, ..)| *lossy == name), "{name}");
        for channel in 0..channels {
            let config =
                DecodeConfig { channel: ChannelRule::Pick(channel), ..DecodeConfig::default() };
            let wave = decode(&coded(name), &config).unwrap().samples;
            assert_eq!(wave.len() as u64, info.frames, "{name}");
            let expected = if channel == 0 { (440.0, 0.5) } else { (1000.0, 0.25) };
            let found = amplitude(&wave, expected.0);
            // Coders at low rates lose a few per cent, eight bits half a step.
            assert!((found - expected.1).abs() < 0.04, "{name}: {found}");
        }
    }
}

#[test]
fn lossless_forms_give_the_samples_that_went_in() {
    for (name, _, codec, _) in LOSSLESS {
        let config = DecodeConfig { channel: ChannelRule::Pick(0), ..DecodeConfig::default() };
        let wave = decode(&coded(name), &config).unwrap().samples;
        assert_eq!(wave.len(), 1600, "{name}");
        let tolerance = if codec == Codec::Integer(8) { 1.0 / 128.0 } else { 1.0 / 32_768.0 };
        for (n, sample) in wave.iter().enumerate() {
            let expected = 0.5 * (TAU * 440.0 * n as f64 / 16_000.0).sin();
            assert!((f64::from(*sample) - expected).abs() <= tolerance, "{name} {n}");
        }
    }
}

#[test]
fn parts_blocks_and_streams_give_the_bits_of_the_whole() {
    for (name, ..) in all() {
        for rate_hz in [None, Some(11_025)] {
            let config = DecodeConfig { rate_hz, ..DecodeConfig::default() };
            let whole = decode(&coded(name), &config).unwrap().samples;
            let blocks: Vec<f32> =
                ClipReader::open(&coded(name), &config).unwrap().flat_map(Result::unwrap).collect();
            assert!(blocks == whole, "{name}");
            for start in [0, 1, 999, whole.len() - 10] {
                let range = start as u64..start as u64 + 500;
                let part = decode_range(&coded(name), &config, range).unwrap().samples;
                let end = (start + 500).min(whole.len());
                assert!(part == whole[start..end], "{name} {rate_hz:?} {start}");
            }
            let mut stream = StreamReader::new(Path::new("x"), None, &config);
            let mut out = Vec::new();
            for piece in fs::read(coded(name)).unwrap().chunks(1000) {
                stream.push(piece, &mut out).unwrap();
            }
            stream.finish(&mut out).unwrap();
            assert!(out == whole, "{name}");
            assert_eq!(stream.info().unwrap().codec, probe(&coded(name)).unwrap().codec);
        }
    }
}

#[test]
fn a_name_decides_nothing() {
    for (name, ..) in all() {
        let bytes = fs::read(coded(name)).unwrap();
        let config = DecodeConfig::default();
        let renamed = decode_bytes(Path::new("clip.wav"), bytes, &config).unwrap();
        assert!(renamed == decode(&coded(name), &config).unwrap(), "{name}");
    }
}

#[test]
fn codings_that_are_not_decoded_are_named_with_a_way_out() {
    let mut cases = vec![
        ("wma.wma", "WMA"),
        ("ac3.mkv", "AC-3 in Matroska"),
        ("ms.mka", "Microsoft ADPCM in Matroska"),
        ("alac.mov", "ALAC in MP4"),
        // A fault in the track that is not heard would stay unheard.
        ("two_tracks.mka", "2 tracks of sound"),
        ("two_tracks.mov", "2 tracks of sound"),
    ];
    if !cfg!(feature = "opus") {
        cases.push(("opus.opus", "Opus"));
    }
    for (name, form) in cases {
        let error = probe(&coded(name)).unwrap_err();
        assert!(error.to_string().contains(form), "{error}");
        assert!(error.hint().contains("ffmpeg"), "{}", error.hint());
        assert!(!error.to_string().contains("damaged"), "{error}");
    }
}

#[test]
fn a_caf_file_that_is_cut_gives_what_is_there_and_says_so() {
    let config = DecodeConfig::default();
    for (name, bytes_of_a_frame) in [("pcm_24.caf", 3), ("mulaw.caf", 1)] {
        let bytes = fs::read(coded(name)).unwrap();
        let whole = decode(&coded(name), &config).unwrap().samples;
        let start = bytes.len() - whole.len() * bytes_of_a_frame;
        for lost in [1, 100, bytes.len() / 3, whole.len() * bytes_of_a_frame - 8] {
            let mut stream = StreamReader::new(Path::new("cut"), None, &config);
            let mut heard = Vec::new();
            stream.push(&bytes[..bytes.len() - lost], &mut heard).unwrap();
            let error = stream.finish(&mut heard).unwrap_err().to_string();
            let expected = (bytes.len() - lost - start) / bytes_of_a_frame;
            assert!(
                heard == whole[..expected],
                "{name} less {lost}: {} of {expected}",
                heard.len()
            );
            assert!(error.contains("is damaged"), "{error}");
        }
        // Sizes that a header must not be trusted with.
        for at in 8..start.min(160) {
            for byte in [0x7F, 0x80, 0xFF] {
                let mut bytes = bytes.clone();
                bytes[at] = byte;
                let _ = decode_bytes(Path::new("x"), bytes, &config);
            }
        }
    }
    // ffmpeg writes the table of packets last: without it nothing can be told apart.
    let bytes = fs::read(coded("alac.caf")).unwrap();
    let cut = decode_bytes(Path::new("cut"), bytes[..bytes.len() / 2].to_vec(), &config);
    assert!(cut.unwrap_err().to_string().contains("table of its packets is missing"));
}

#[cfg(feature = "opus")]
#[test]
fn opus_is_heard_where_it_was_asked_for() {
    let info = probe(&coded("opus.opus")).unwrap();
    assert_eq!((info.codec, info.rate_hz), (Codec::Opus, 48_000));
    let config = DecodeConfig { rate_hz: Some(16_000), ..DecodeConfig::default() };
    let wave = decode(&coded("opus.opus"), &config).unwrap().samples;
    assert!((amplitude(&wave, 440.0) - 0.5).abs() < 0.04);
}

#[test]
fn a_file_that_is_cut_gives_what_is_there_or_an_error_and_never_panics() {
    for (name, ..) in all() {
        let bytes = fs::read(coded(name)).unwrap();
        for tenth in 1..10 {
            let cut = bytes[..bytes.len() * tenth / 10].to_vec();
            let _ = decode_bytes(Path::new("cut"), cut, &DecodeConfig::default());
        }
    }
}

#[test]
fn a_compressed_recording_is_decoded_once_for_all_of_its_parts() {
    let folder = tempfile::tempdir().unwrap();
    for (name, ..) in all() {
        let config = DecodeConfig { rate_hz: Some(11_025), ..DecodeConfig::default() };
        let path = folder.path().join(name);
        fs::copy(coded(name), &path).unwrap();
        let unpacked = Unpacked::new(1 << 20);
        let crop = (LengthPolicy::Loop, 500);
        assert_eq!(unpacked.fit_kept(&path, &config, crop, 7).unwrap(), None, "nobody asked yet");
        for range in [0..200, 300..900, 1000..u64::MAX] {
            let expected = decode_range(&path, &config, range.clone());
            let found = unpacked.range(&path, &config, range);
            assert_eq!(found.ok(), expected.ok(), "{name}");
        }
        let expected = decode_fit(&path, &config, crop.0, crop.1, 7).unwrap();
        fs::remove_file(&path).unwrap();
        // What is not compressed is read where it is needed, and is gone with its file.
        let is_packed = !["wav", "w64", "aiff", "aifc"].iter().any(|form| name.ends_with(form));
        let found = unpacked.range(&path, &config, 10..20);
        assert_eq!(found.is_ok(), is_packed, "{name}");
        let fitted = unpacked.fit_kept(&path, &config, crop, 7).unwrap();
        assert_eq!(fitted, is_packed.then_some(expected), "{name}");
    }
}

#[test]
fn without_room_and_behind_damage_parts_are_as_they_would_be() {
    let config = DecodeConfig::default();
    let small = Unpacked::new(1000);
    let expected = decode_range(&coded("mp3.mp3"), &config, 500..900).unwrap();
    assert_eq!(small.range(&coded("mp3.mp3"), &config, 500..900).unwrap(), expected);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.m4a");
    let bytes = fs::read(coded("flac.mkv")).unwrap();
    fs::write(&path, &bytes[..bytes.len() * 2 / 3]).unwrap();
    let unpacked = Unpacked::new(1 << 20);
    for range in [0..100, 0..u64::MAX] {
        let said = |found: Result<offkey_signal::Waveform, offkey_signal::AudioError>| {
            found.map_err(|error| error.to_string())
        };
        let expected = said(decode_range(&path, &config, range.clone()));
        assert_eq!(said(unpacked.range(&path, &config, range)), expected);
    }
}
