//! Every dialect of the two containers is heard, and every broken file refused in words.
#![expect(clippy::unwrap_used, reason = "a failing step of a test is a failed test")]
#![expect(clippy::print_stdout, reason = "a skipped test says so")]

use std::{
    f64::consts::TAU,
    fs,
    path::{Path, PathBuf},
};

use offkey_signal::{
    AudioError, ChannelRule, ClipReader, Codec, Container, DecodeConfig, LengthPolicy, decode,
    decode_bytes, decode_fit, decode_range, probe,
};
use proptest::prelude::*;

const FRAMES: usize = 400;

fn sample_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/wav").join(name)
}

fn sample_names() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(sample_path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "make.py")
        .collect();
    names.sort();
    names
}

/// The formula of `testdata/wav/make.py`.
fn expected(channel: u16, frame: usize, rate_hz: u32) -> f64 {
    0.5 * (TAU * 100.0 * f64::from(channel + 1) * frame as f64 / f64::from(rate_hz)).sin()
}

fn pick(channel: u16) -> DecodeConfig {
    DecodeConfig { channel: ChannelRule::Pick(channel), rate_hz: None }
}

#[test]
fn every_dialect_gives_its_samples_in_every_channel() {
    use Codec::{Flac, Float, Integer};
    let cases = [
        ("pcm_u8.wav", Integer(8), 1, 16_000),
        ("pcm_16.wav", Integer(16), 1, 16_000),
        ("pcm_24.wav", Integer(24), 1, 16_000),
        ("pcm_32.wav", Integer(32), 1, 16_000),
        ("float_32.wav", Float(32), 1, 16_000),
        ("float_64.wav", Float(64), 1, 16_000),
        ("extensible_16_2ch.wav", Integer(16), 2, 44_100),
        ("extensible_24_8ch.wav", Integer(24), 8, 48_000),
        ("extensible_float_4ch.wav", Float(32), 4, 96_000),
        ("rf64_16.wav", Integer(16), 1, 16_000),
        ("rf64_float_2ch.wav", Float(32), 2, 16_000),
        ("flac_8.flac", Flac(8), 1, 8_000),
        ("flac_16.flac", Flac(16), 1, 16_000),
        ("flac_24_2ch.flac", Flac(24), 2, 44_100),
        ("flac_16_8ch.flac", Flac(16), 8, 48_000),
    ];
    for (name, format, channels, rate_hz) in cases {
        let info = probe(&sample_path(name)).unwrap();
        assert_eq!(
            (info.codec, info.channels, info.rate_hz),
            (format, channels, rate_hz),
            "{name}"
        );
        let is_flac = matches!(format, Flac(_));
        let container = if is_flac { Container::Flac } else { Container::Wav };
        assert_eq!((info.frames, info.container), (FRAMES as u64, container), "{name}");
        assert!(!info.is_lossy());
        for channel in 0..channels {
            let wave = decode(&sample_path(name), &pick(channel)).unwrap();
            assert_eq!((wave.samples.len(), wave.rate_hz), (FRAMES, rate_hz), "{name}");
            // Half a step of the coarser of sample type and f32, with room for the writer's rule.
            let tolerance = match format {
                Integer(8) | Flac(8) => 1.0 / 127.0,
                Integer(16) | Flac(16) => 1.0 / 32_767.0,
                _ => 2e-7,
            };
            for (frame, sample) in wave.samples.iter().enumerate() {
                let error = (f64::from(*sample) - expected(channel, frame, rate_hz)).abs();
                assert!(
                    error <= tolerance,
                    "{name} channel {channel} frame {frame}: off by {error}"
                );
            }
        }
    }
}

/// Hashes of the bits that ffmpeg 5.1 gives of channel 0 (`ffmpeg -i NAME -f f32le -`).
#[test]
fn samples_are_the_bits_that_another_decoder_gives() {
    let golden = [
        ("extensible_16_2ch.wav", 0x7ab5_1f72_3416_acba),
        ("extensible_24_8ch.wav", 0xf7cc_5891_0709_c8db),
        ("extensible_float_4ch.wav", 0xa235_950f_2d4c_676f),
        ("flac_16.flac", 0xea39_e397_512e_dd74),
        ("flac_16_8ch.flac", 0xd522_87a5_4bf6_87ce),
        ("flac_24_2ch.flac", 0xfbc1_fe9c_666c_7edf),
        ("flac_8.flac", 0x5aba_bf88_b512_5c55),
        ("float_32.wav", 0x2635_1364_6cef_10dc),
        ("float_64.wav", 0x2635_1364_6cef_10dc),
        ("pcm_16.wav", 0x7211_d49a_e7a3_bd04),
        ("pcm_24.wav", 0xc112_01e8_5924_ea68),
        ("pcm_32.wav", 0x2ca6_70b9_82f1_a690),
        ("pcm_u8.wav", 0xebbf_372c_66c0_82b8),
        ("rf64_16.wav", 0x7211_d49a_e7a3_bd04),
        ("rf64_float_2ch.wav", 0x2635_1364_6cef_10dc),
    ];
    for (name, expected) in golden {
        let samples = decode(&sample_path(name), &pick(0)).unwrap().samples;
        let bytes = samples.iter().flat_map(|sample| sample.to_le_bytes());
        // FNV-1a.
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        assert_eq!(hash, expected, "{name}");
    }
}

#[test]
fn mixing_is_the_mean_of_the_channels() {
    let path = sample_path("extensible_24_8ch.wav");
    let mixed = decode(&path, &DecodeConfig::default()).unwrap().samples;
    let channels: Vec<Vec<f32>> =
        (0..8).map(|channel| decode(&path, &pick(channel)).unwrap().samples).collect();
    for (frame, sample) in mixed.iter().enumerate() {
        let mean = channels.iter().map(|channel| channel[frame]).sum::<f32>() / 8.0;
        assert!((mean - sample).abs() < 1e-7);
    }
}

#[test]
fn a_range_gives_the_bits_of_the_whole_at_any_rate() {
    for name in ["pcm_16.wav", "flac_24_2ch.flac", "extensible_float_4ch.wav"] {
        for rate_hz in [None, Some(16_000), Some(22_050)] {
            let config = DecodeConfig { rate_hz, ..DecodeConfig::default() };
            let path = sample_path(name);
            let whole = decode(&path, &config).unwrap().samples;
            for (start, end) in [(0, 10), (7, 60), (50, whole.len()), (whole.len() - 1, 9_999)] {
                let part = decode_range(&path, &config, start as u64..end as u64).unwrap().samples;
                assert_eq!(part, whole[start..end.min(whole.len())], "{name} {rate_hz:?} {start}");
            }
        }
    }
}

#[test]
fn a_range_of_a_long_flac_clip_is_found_by_seeking() {
    let Some(path) = real_flac() else { return };
    for rate_hz in [None, Some(11_025)] {
        let config = DecodeConfig { rate_hz, ..DecodeConfig::default() };
        let whole = decode(&path, &config).unwrap().samples;
        for start in [0, 4_095, 4_096, 50_000, whole.len() - 100] {
            let end = (start + 5_000).min(whole.len());
            let part = decode_range(&path, &config, start as u64..end as u64).unwrap().samples;
            assert_eq!(part, whole[start..end], "{rate_hz:?} {start}");
        }
    }
}

fn real_flac() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("OFFKEY_TEST_DATA").map_or(default, PathBuf::from);
    let folder = folder.join("mimii_samples");
    let mut folders = vec![folder.clone()];
    while let Some(folder) = folders.pop() {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        if let Some(path) = paths.iter().find(|path| path.extension().is_some_and(|e| e == "flac"))
        {
            return Some(path.clone());
        }
        folders.extend(paths.into_iter().filter(|path| path.is_dir()));
    }
    println!("skipped: {} absent", folder.display());
    None
}

#[test]
fn blocks_join_to_the_whole() {
    let config = DecodeConfig { rate_hz: Some(8_000), ..DecodeConfig::default() };
    for name in sample_names().iter().filter(|name| *name != "alaw.wav") {
        let blocks: Vec<f32> = ClipReader::open(&sample_path(name), &config)
            .unwrap()
            .flat_map(Result::unwrap)
            .collect();
        assert_eq!(blocks, decode(&sample_path(name), &config).unwrap().samples, "{name}");
    }
}

#[test]
fn fitting_a_file_equals_fitting_its_samples() {
    let path = sample_path("pcm_16.wav");
    let whole = decode(&path, &DecodeConfig::default()).unwrap().samples;
    for policy in [LengthPolicy::Crop, LengthPolicy::Loop, LengthPolicy::Pad] {
        for target in [100, 400, 950] {
            for random in [0, 33, u64::MAX] {
                let fitted =
                    decode_fit(&path, &DecodeConfig::default(), policy, target, random).unwrap();
                assert_eq!(fitted.samples, policy.fit(&whole, target, random).unwrap());
            }
        }
    }
}

/// A WAV file from its parts; sizes may lie.
fn wav(riff_size: u32, chunks: &[(&[u8; 4], u32, &[u8])]) -> Vec<u8> {
    let mut bytes = b"RIFF".to_vec();
    bytes.extend(riff_size.to_le_bytes());
    bytes.extend(b"WAVE");
    for (id, size, body) in chunks {
        bytes.extend(*id);
        bytes.extend(size.to_le_bytes());
        bytes.extend(*body);
    }
    bytes
}

fn layout(tag: u16, channels: u16, rate_hz: u32, bits: u16) -> Vec<u8> {
    let frame_bytes = channels * bits.div_ceil(8);
    let mut bytes = tag.to_le_bytes().to_vec();
    bytes.extend(channels.to_le_bytes());
    bytes.extend(rate_hz.to_le_bytes());
    bytes.extend((rate_hz * u32::from(frame_bytes)).to_le_bytes());
    bytes.extend(frame_bytes.to_le_bytes());
    bytes.extend(bits.to_le_bytes());
    bytes
}

fn heard(bytes: Vec<u8>) -> Result<Vec<f32>, AudioError> {
    decode_bytes(Path::new("clip.wav"), bytes, &DecodeConfig::default()).map(|wave| wave.samples)
}

#[test]
fn chunks_in_the_way_and_unfinished_headers_are_no_obstacle() {
    let format = layout(1, 1, 16_000, 16);
    let fmt: (&[u8; 4], u32, &[u8]) = (b"fmt ", 16, &format);
    let body: &[u8] = &[0, 64, 0, 192];
    let cases = [
        ("list first", wav(60, &[(b"LIST", 4, b"INFO"), fmt, (b"data", 4, body)])),
        ("padded odd chunk", wav(60, &[(b"junk", 3, b"abc\0"), fmt, (b"data", 4, body)])),
        ("unpadded odd chunk", wav(60, &[(b"junk", 3, b"abc"), fmt, (b"data", 4, body)])),
        ("chunk after data", wav(60, &[fmt, (b"data", 4, body), (b"LIST", 4, b"INFO")])),
        ("size unknown", wav(u32::MAX, &[fmt, (b"data", u32::MAX, body)])),
        ("size never written", wav(0, &[fmt, (b"data", 0, body)])),
        ("half a frame at the end", wav(0, &[fmt, (b"data", 5, &[0, 64, 0, 192, 1])])),
    ];
    for (name, bytes) in cases {
        assert_eq!(heard(bytes).unwrap(), [0.5, -0.5], "{name}");
    }
}

#[test]
fn broken_files_are_refused_in_words() {
    let format = layout(1, 1, 16_000, 16);
    let fmt: (&[u8; 4], u32, &[u8]) = (b"fmt ", 16, &format);
    let nan = layout(3, 1, 16_000, 32);
    let with = |format: &[u8]| wav(60, &[(b"fmt ", 16, format), (b"data", 4, &[0; 4])]);
    let cases = [
        (Vec::new(), "`clip.wav` holds no samples"),
        (b"hello, world".to_vec(), "`clip.wav` is text, which is not decoded here"),
        (
            b"\x01\x02\x03\x04rest of it".to_vec(),
            "`clip.wav` is no audio file known here: it begins with \\x01\\x02\\x03\\x04rest of ",
        ),
        (b"RIFF\0\0\0\0WAVE".to_vec(), "`clip.wav` is damaged: it has no `data` chunk"),
        (wav(60, &[fmt]), "`clip.wav` is damaged: it has no `data` chunk"),
        (
            wav(60, &[(b"data", 4, &[0; 4])]),
            "`clip.wav` is damaged: its `data` chunk comes before `fmt `",
        ),
        (wav(60, &[fmt, (b"data", 0, &[])]), "`clip.wav` holds no samples"),
        (
            wav(60, &[fmt, (b"data", 4_000_000_000, &[0; 100])]),
            "`clip.wav` is damaged: it is cut short: 50 frames of the 2000000000 its header announces",
        ),
        (
            with(&layout(1, 0, 16_000, 16)),
            "`clip.wav` is damaged: its header says 0 channels at 16000 Hz",
        ),
        (
            with(&layout(1, 1, 0, 16)),
            "`clip.wav` has a rate of 0 Hz, expected between 1 kHz and 768 kHz",
        ),
        (
            with(&layout(1, 1, 4_000_000_000, 8)),
            "`clip.wav` has a rate of 4000000000 Hz, expected between 1 kHz and 768 kHz",
        ),
        (
            with(&layout(0x31, 1, 16_000, 8)),
            "`clip.wav` has the coding GSM, expected PCM, floating point, A-law, mu-law, or IMA or Microsoft ADPCM",
        ),
        (
            with(&layout(2, 1, 16_000, 8)),
            "`clip.wav` is damaged: its header contradicts itself: ADPCM with 1 channel(s), 1 byte(s) per block and 0 \
             frame(s) per block",
        ),
        (
            with(&layout(3, 1, 16_000, 16)),
            "`clip.wav` has samples of 16 bits, expected 8, 16, 24, 32 or float 32, 64",
        ),
        (
            wav(60, &[(b"fmt ", 16, &nan), (b"data", 8, &[0, 0, 0, 0, 0, 0, 0xC0, 0x7F])]),
            "`clip.wav` is damaged: a sample that is no finite number at frame 1",
        ),
        (b"fLaC\x00\x00".to_vec(), "`clip.wav` is damaged: its header has no end"),
        (
            b"fLaC\x84\x00\x00\x00 and then".to_vec(),
            "`clip.wav` is damaged: it has no stream information",
        ),
    ];
    for (bytes, sentence) in cases {
        let error = heard(bytes).unwrap_err();
        assert_eq!(error.to_string(), sentence);
        assert!(!error.hint().is_empty());
        assert_eq!(error.path(), Path::new("clip.wav"));
    }
}

#[test]
fn unknown_coding_missing_channel_and_missing_file_name_the_file() {
    let mut gsm = fs::read(sample_path("alaw.wav")).unwrap();
    assert_eq!(gsm[20], 6, "the tag of A-law");
    gsm[20] = 0x31;
    let gsm = heard(gsm).unwrap_err();
    assert!(gsm.to_string().contains("the coding GSM"), "{gsm}");
    assert!(gsm.hint().contains("ffmpeg"), "{}", gsm.hint());
    let channel = decode(&sample_path("extensible_16_2ch.wav"), &pick(2)).unwrap_err();
    assert!(channel.to_string().contains("2 channels, no channel 2"), "{channel}");
    let absent = decode(Path::new("nowhere.wav"), &DecodeConfig::default()).unwrap_err();
    assert!(matches!(absent, AudioError::Io { .. }) && absent.to_string().contains("nowhere.wav"));
}

#[test]
fn a_flac_file_cut_short_or_with_a_flipped_bit_is_refused() {
    let bytes = fs::read(sample_path("flac_16_8ch.flac")).unwrap();
    let cut = heard(bytes[..bytes.len() - 200].to_vec()).unwrap_err();
    assert!(matches!(cut, AudioError::Damaged { .. }), "{cut}");
    let mut flipped = bytes;
    let place = flipped.len() - 300;
    flipped[place] ^= 4;
    let flipped = heard(flipped).unwrap_err();
    assert!(matches!(flipped, AudioError::Damaged { .. }), "{flipped}");
}

#[test]
fn a_flac_file_of_unknown_length_is_counted() {
    let mut bytes = fs::read(sample_path("flac_16.flac")).unwrap();
    // The 36 bits of the frame count end the first 18 bytes of the stream information.
    bytes[4 + 4 + 13] &= 0xF0;
    bytes[4 + 4 + 14..4 + 4 + 18].fill(0);
    assert_eq!(heard(bytes).unwrap().len(), FRAMES);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Whatever a few wrong bytes make of a file, it is an error or audio, never a panic, and
    /// never more audio than the file has bytes for.
    #[test]
    fn mutated_files_never_panic(
        file in 0_usize..16,
        edits in prop::collection::vec((0_usize..512, any::<u8>()), 1..6),
        cut in prop::option::of(0_usize..900),
        rate_hz in prop::option::of(prop::sample::select(vec![8_000_u32, 16_000])),
    ) {
        let names = sample_names();
        let mut bytes = fs::read(sample_path(&names[file % names.len()])).unwrap();
        for (place, value) in edits {
            let place = place % bytes.len();
            bytes[place] = value;
        }
        bytes.truncate(cut.unwrap_or(bytes.len()));
        let size = bytes.len();
        let config = DecodeConfig { rate_hz, ..DecodeConfig::default() };
        let unconverted = DecodeConfig::default();
        if let Ok(wave) = decode_bytes(Path::new("clip"), bytes.clone(), &unconverted) {
            // A FLAC block of constant samples takes about ten bytes for 65,535 of them.
            prop_assert!(wave.samples.len() <= size * 65_535);
        }
        let _ = decode_bytes(Path::new("clip"), bytes, &config);
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_and_never_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.wav");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    let pipe = made.is_ok_and(|status| status.success()).then_some(pipe);
    let zero = std::path::PathBuf::from("/dev/zero");
    for path in pipe.into_iter().chain([zero, folder.path().to_owned()]) {
        let error = offkey_signal::probe(&path).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("expected a regular file"), "{}: {cause}", path.display());
    }
}
