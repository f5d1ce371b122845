//! What a stream without a known beginning is: raw samples, or a recording whose header is damaged.

use std::path::Path;

use offkey_signal::{AudioError, DecodeConfig};

use crate::kit::{pcm, sound, strict};

/// What of a stream is heard where it may be raw samples; nothing where it is refused.
fn as_raw_stream(bytes: &[u8]) -> Option<Vec<f32>> {
    use offkey_signal::{PcmFormat, SampleKind, StreamReader};
    let raw = PcmFormat { rate_hz: 16_000, channels: 1, sample: SampleKind::I16 };
    let config = DecodeConfig::default();
    let mut stream = StreamReader::new(Path::new("x"), Some(raw), &config);
    let mut out = Vec::new();
    let pushed = bytes.chunks(1000).try_for_each(|part| stream.push(part, &mut out));
    let is_damage = |error: &AudioError| matches!(error, AudioError::Damaged { .. });
    match pushed.and_then(|()| stream.finish(&mut out)) {
        Err(error) if !is_damage(&error) => None,
        _ => Some(out),
    }
}

#[test]
fn a_recording_with_a_damaged_header_is_never_raw_samples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    let names = [
        "coded/pcm_16.w64",
        "coded/pcm_16.aiff",
        "coded/sowt.aifc",
        "coded/pcm_24.caf",
        "coded/vorbis.ogg",
        "coded/flac.ogg",
        "coded/flac.mkv",
        "coded/vorbis_2ch.webm",
        "coded/aac.m4a",
        "coded/aac.aac",
        "coded/mp3.mp3",
        "coded/ima.wav",
        "coded/wma.wma",
        "wav/pcm_16.wav",
        "wav/rf64_16.wav",
        "wav/flac_16.flac",
        "wav/extensible_16_2ch.wav",
    ];
    for name in names {
        let whole = std::fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        for at in 0..whole.len().min(160) {
            for damage in [0x01, 0x20, 0x80, 0xFF] {
                let mut bytes = whole.clone();
                bytes[at] ^= damage;
                let (file, pipe) = (strict(&bytes), as_raw_stream(&bytes));
                let alike = match (&file, &pipe) {
                    (Ok(file), Some(pipe)) => file == pipe,
                    (Err(AudioError::Damaged { .. }), Some(_)) | (Err(_), None) => true,
                    (Ok(_), None) | (Err(_), Some(_)) => false,
                };
                let pipe = pipe.map(|heard| heard.len());
                assert!(alike, "{name}, byte {at} ^ {damage}: {:?}, {pipe:?}", file.err());
            }
        }
        // All of the first bytes at once; behind eight, this FLAC has nothing but sizes.
        let is_flac = name == "wav/flac_16.flac";
        for zeros in [4, 8, 12, 16].into_iter().filter(|zeros| *zeros == 4 || !is_flac) {
            let mut bytes = whole.clone();
            bytes[..zeros].fill(0);
            assert!(as_raw_stream(&bytes).is_none(), "{name}, {zeros} zeros");
        }
    }
}

#[test]
fn packed_data_and_models_are_no_raw_samples_and_loud_sound_is() {
    let mut state = 7_u64;
    let mut random = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    let packed: Vec<u8> = (0..20_000).map(|_| (random() * 256.0) as u8).collect();
    assert!(as_raw_stream(&packed).is_none());
    let model = [b"\x40\x1F\0\0\0\0\0\0{\"__metadata__\":".as_slice(), &vec![0; 20_000]].concat();
    assert!(as_raw_stream(&model).is_none());
    // Noise that fills the whole scale, as the sum of two even ones, and a tone.
    let noise: Vec<f32> = (0..20_000).map(|_| random() + random() - 1.0).collect();
    let tone: Vec<f32> = (0..20_000).map(|n| 0.99 * (n as f32 * 0.3).sin()).collect();
    for sound in [noise, tone, sound(20_000), vec![0.0; 20_000]] {
        assert_eq!(as_raw_stream(&pcm(&sound, 2)).map(|heard| heard.len()), Some(20_000));
    }
}
