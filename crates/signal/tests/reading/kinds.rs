//! Headers as recorders, loggers and killed programs write them: file and stream read them alike.

use crate::kit::{
    Form, assert_heard, both, chunk, pcm, riff, riff_sized, sized, sound, swapped, wav16,
};
use offkey_signal::{AudioError, Container, DecodeConfig, decode_bytes};
use std::path::Path;

/// A second of 16-bit sound, and its `fmt ` chunk.
fn second() -> (Vec<f32>, Vec<u8>, Vec<u8>) {
    let samples = sound(16_000);
    let body = pcm(&samples, 2);
    (samples, body, Form::new(1, 1, 16).chunk())
}

#[test]
fn long_and_oddly_filled_headers_are_passed() {
    let (samples, body, fmt) = second();
    let data = chunk(b"data", &body);
    let hello = [&b"LIST"[..], &17_u32.to_le_bytes(), b"INFOICMT\x05\0\0\0hello"].concat();
    let filled_with = |byte: u8| [&hello[..], &[byte]].concat();
    for (name, chunks) in [
        (
            "zeros before the sound",
            vec![fmt.clone(), chunk(b"LIST", &vec![0; 393_164]), data.clone()],
        ),
        ("a long description", vec![chunk(b"bext", &vec![65; 70_000]), fmt.clone(), data.clone()]),
        ("an odd chunk unfilled", vec![hello.clone(), fmt.clone(), data.clone()]),
        ("an odd chunk filled", vec![filled_with(0), fmt.clone(), data.clone()]),
        ("filled with a letter", vec![fmt.clone(), filled_with(b'x'), data.clone()]),
        ("filled with anything", vec![fmt.clone(), filled_with(0xFF), data.clone()]),
        ("a chunk behind", vec![fmt.clone(), data.clone(), chunk(b"LIST", b"INFOICMT")]),
        ("an unknown chunk behind", vec![fmt.clone(), data.clone(), chunk(b"abcd", &[7; 5000])]),
    ] {
        assert_heard(name, &riff(&chunks), &samples);
    }
}

#[test]
fn sizes_that_were_never_corrected_cost_no_sound() {
    let (samples, body, fmt) = second();
    let filler = chunk(b"FLLR", &[0; 4044]);
    let with = |riff_size: u32, size: u32| {
        riff_sized(riff_size, &[fmt.clone(), sized(b"data", size, &body)])
    };
    for (name, bytes) in [
        ("all zero", with(0, 0)),
        ("header alone", with(36, 0)),
        ("size of the file, none of the sound", with(36 + body.len() as u32, 0)),
        ("largest", with(u32::MAX, u32::MAX)),
        ("largest less the header", with(u32::MAX, u32::MAX - 36)),
        ("2 GiB", with(0x8000_0024, 0x8000_0000)),
        ("2 GiB less one", with(0x7FFF_FFFF, 0x7FFF_FFFF)),
        ("sox into a pipe", with(0x7FFF_F024, 0x7FFF_F000)),
        ("the header counted too", with(80 + body.len() as u32, 44 + body.len() as u32)),
        ("any size of the file", with(12_345, body.len() as u32)),
        ("4 GiB more", with(36 + 16_000, 16_000)),
        ("with filling", riff_sized(4088, &[fmt.clone(), filler, sized(b"data", 0, &body)])),
    ] {
        assert_heard(name, &bytes, &samples);
    }
}

#[test]
fn tags_and_filling_behind_the_sound_are_not_heard() {
    let (samples, ..) = second();
    let tag = [&b"TAG"[..], &[b'm'; 125]].concat();
    let ape = [&b"APETAGEX"[..], &[7; 2000]].concat();
    for (name, rest) in [
        ("ID3v1", tag),
        ("APE", ape),
        ("zeros", vec![0; 5000]),
        ("one byte", vec![7]),
        ("a few bytes", vec![7; 40]),
    ] {
        assert_heard(name, &[wav16(&samples), rest].concat(), &samples);
    }
}

#[test]
fn a_size_that_wraps_around_within_silence_loses_nothing_behind_it() {
    let fmt = Form::new(1, 1, 16).chunk();
    let samples = [sound(8000), vec![0.0; 40_001], sound(8000)].concat();
    let body = pcm(&samples, 2);
    let with = |rest: &[u8]| {
        let body = [&body, rest].concat();
        riff_sized(36 + 20_000, &[fmt.clone(), sized(b"data", 20_000, &body)])
    };
    assert_heard("in silence", &with(&[]), &samples);
    // Zeros up to the end, or up to a tag, are filling.
    let half = [sound(8000), vec![0.0; 2000]].concat();
    let filled = |rest: &[u8]| {
        let body = [&pcm(&half, 2), &vec![0; 9001][..], rest].concat();
        riff_sized(36 + 20_000, &[fmt.clone(), sized(b"data", 20_000, &body)])
    };
    assert_heard("filled", &filled(&[]), &half);
    assert_heard("filled up to a tag", &filled(&[&b"TAG"[..], &[b'm'; 3000]].concat()), &half);
}

#[test]
fn hours_of_silence_behind_a_wrapped_size_are_neither_lost_nor_held_in_memory() {
    /// Zeros from which on a stream no longer waits to see what comes behind them.
    const HELD_BYTES: usize = 1 << 24;
    let fmt = Form::new(1, 1, 16).chunk();
    let samples = [sound(8000), vec![0.0; HELD_BYTES], sound(8000)].concat();
    let body = pcm(&samples, 2);
    let bytes = riff_sized(36 + 20_000, &[fmt, sized(b"data", 20_000, &body)]);
    let config = DecodeConfig::default();
    let file = crate::kit::as_file(&bytes, &config);
    assert_eq!((file.error, file.samples.len()), (None, samples.len()));
    let mut stream = offkey_signal::StreamReader::new("clip".as_ref(), None, &config);
    let (mut heard, mut most) = (0, 0);
    for piece in bytes.chunks(1 << 16) {
        let mut given = Vec::new();
        stream.push(piece, &mut given).unwrap();
        (heard, most) = (heard + given.len(), most.max(given.len()));
    }
    let mut rest = Vec::new();
    stream.finish(&mut rest).unwrap();
    assert_eq!(heard + rest.len(), samples.len());
    // Twice as much silence came.
    assert!(most <= HELD_BYTES / 2 + (1 << 16), "{most}");
    assert!(file.samples.ends_with(&rest) && rest.iter().any(|sample| *sample != 0.0));
}

#[test]
fn a_file_that_ends_before_its_header_says_gives_what_is_there() {
    let (samples, body, fmt) = second();
    let bytes = riff_sized(36 + 60 * 32_000, &[fmt, sized(b"data", 60 * 32_000, &body)]);
    let reading = both("power cut", &bytes);
    assert_eq!(reading.samples.len(), samples.len());
    let error =
        "`clip` is damaged: it is cut short: 16000 frames of the 960000 its header announces";
    assert_eq!(reading.error.as_deref(), Some(error));
    assert!(matches!(crate::kit::strict(&bytes), Err(AudioError::Damaged { .. })));
    let head_alone = both("header alone", &wav16(&samples)[..44]);
    assert!(head_alone.samples.is_empty());
    assert!(head_alone.error.unwrap().contains("cut short: 0 frames"));
}

#[test]
fn another_recording_behind_the_sound_is_told() {
    let (samples, body, fmt) = second();
    let told = "`clip` is damaged: the header of another recording follows at frame 16000";
    let open = riff_sized(u32::MAX, &[fmt, sized(b"data", u32::MAX, &body)]);
    for (name, first) in [("sized", wav16(&samples)), ("open", open)] {
        let reading = both(name, &[first, wav16(&samples)].concat());
        assert_eq!(reading.samples.len(), samples.len(), "{name}");
        assert_eq!(reading.error.as_deref(), Some(told), "{name}");
    }
}

#[test]
fn big_endian_wave64_and_aiff_give_the_same_samples() {
    let (samples, body, fmt) = second();
    let big =
        |id: &[u8; 4], body: &[u8]| [&id[..], &(body.len() as u32).to_be_bytes(), body].concat();
    let be_fields: Vec<u8> =
        [&swapped(&fmt[8..12], 2)[..], &swapped(&fmt[12..20], 4), &swapped(&fmt[20..24], 2)]
            .concat();
    let be_body = swapped(&body, 2);
    let parts = [big(b"fmt ", &be_fields), big(b"data", &be_body)].concat();
    let rifx = [&b"RIFX"[..], &(4 + parts.len() as u32).to_be_bytes(), b"WAVE", &parts].concat();

    let guid =
        |name: &[u8; 4]| [&name[..], b"\xF3\xAC\xD3\x11\x8C\xD1\x00\xC0\x4F\x8E\xDB\x8A"].concat();
    let w64 = |data_size: u64| {
        let mut bytes = b"riff\x2E\x91\xCF\x11\xA5\xD6\x28\xDB\x04\xC1\x00\x00".to_vec();
        bytes.extend((104 + body.len() as u64).to_le_bytes());
        bytes.extend([guid(b"wave"), guid(b"fmt ")].concat());
        bytes.extend(40_u64.to_le_bytes());
        bytes.extend(&fmt[8..24]);
        bytes.extend(guid(b"data"));
        bytes.extend(data_size.to_le_bytes());
        [bytes, body.clone()].concat()
    };

    let mut common = 1_u16.to_be_bytes().to_vec();
    common.extend(16_000_u32.to_be_bytes());
    common.extend(16_u16.to_be_bytes());
    common.extend([0x40, 0x0C, 0xFA, 0, 0, 0, 0, 0, 0, 0]);
    let aiff = |kind: &[u8; 4], common: &[u8], body: &[u8]| {
        let parts = [big(b"COMM", common), big(b"SSND", &[&[0; 8][..], body].concat())].concat();
        [&b"FORM"[..], &(4 + parts.len() as u32).to_be_bytes(), kind, &parts].concat()
    };
    let little = [&common[..], b"sowt\0\0"].concat();

    for (name, container, bytes) in [
        ("RIFX", Container::Wav, rifx),
        ("W64", Container::W64, w64(24 + body.len() as u64)),
        ("W64 unfinished", Container::W64, w64(0)),
        ("AIFF", Container::Aiff, aiff(b"AIFF", &common, &be_body)),
        ("AIFF-C", Container::Aiff, aiff(b"AIFC", &little, &body)),
    ] {
        assert_heard(name, &bytes, &samples);
        let mut stream =
            offkey_signal::StreamReader::new(Path::new("x"), None, &DecodeConfig::default());
        stream.push(&bytes, &mut Vec::new()).unwrap();
        assert_eq!(stream.info().unwrap().container, container, "{name}");
    }
}

#[test]
fn rf64_takes_its_size_from_its_own_chunk() {
    let (samples, body, fmt) = second();
    let sizes =
        [(body.len() as u64 + 72).to_le_bytes(), (body.len() as u64).to_le_bytes()].concat();
    let ds64 = chunk(b"ds64", &[&sizes[..], &[0; 12]].concat());
    let parts = [ds64, fmt, sized(b"data", u32::MAX, &body), chunk(b"LIST", b"INFO")];
    for magic in [b"RF64", b"BW64"] {
        let mut bytes = riff_sized(u32::MAX, &parts);
        bytes[..4].copy_from_slice(magic);
        assert_heard("RF64", &bytes, &samples);
    }
}

#[test]
fn bits_that_do_not_fit_their_frames_are_settled_or_refused() {
    let samples = sound(16_000);
    let levels = pcm(&samples, 2);
    // Sixteen bits of sound, as 24 in the upper and in the lower part of 32.
    let upper: Vec<u8> = levels.chunks(2).flat_map(|w| [0, 0, w[0], w[1]]).collect();
    let lower: Vec<u8> = pcm(&samples, 3)
        .chunks(3)
        .flat_map(|w| [w[0], w[1], w[2], if w[2] & 0x80 == 0 { 0 } else { 0xFF }])
        .collect();
    let wide = Form { frame_bytes: 4, bytes_per_s: 64_000, ..Form::new(1, 1, 24) };
    let file = |form: Form, body: &[u8]| riff(&[form.chunk(), chunk(b"data", body)]);
    assert_heard("upper", &file(wide, &upper), &samples);

    let packed = both("packed", &file(Form::new(1, 1, 24), &pcm(&samples, 3))).samples;
    let silence = vec![0; 80_000];
    for (name, lead) in [("lower", &silence[..0]), ("lower, after silence", &silence)] {
        let reading = both(name, &file(wide, &[lead, &lower].concat()));
        assert_eq!(reading.error, None);
        assert!(reading.samples[lead.len() / 4..] == packed, "{name}");
    }

    // The frame's size is wrong, the byte rate right.
    let narrow = Form { frame_bytes: 4, bytes_per_s: 32_000, ..Form::new(1, 1, 16) };
    assert_heard("narrow", &file(narrow, &levels), &samples);
    let lost = Form { frame_bytes: 4, bytes_per_s: 12_345, ..Form::new(1, 1, 16) };
    let error = both("lost", &file(lost, &levels)).error.unwrap();
    assert!(error.contains("contradicts itself"), "{error}");
}

#[test]
fn what_is_no_header_is_refused_soon() {
    let fmt = Form::new(1, 1, 16).chunk();
    let zeros = [&b"RIFF\0\0\0\0WAVE"[..], &vec![0; 1 << 20]].concat();
    let skipping = riff(&[fmt, sized(b"LIST", 0xFFFF_FF00, &[0; 100])]);
    for (bytes, what) in [
        (zeros, "no `data` chunk among the first 1024 chunks or 16 MiB"),
        (skipping, "no `data` chunk among the first 1024 chunks or 16 MiB"),
        (b"RIFF\0\0\0\0WAVE".to_vec(), "it has no `data` chunk"),
        (b"RIF".to_vec(), "is no audio file known here: it begins with RIF"),
        (Vec::new(), "holds no samples"),
    ] {
        let error = both(what, &bytes).error.unwrap();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn rates_that_no_recording_has_are_refused_before_they_cost_anything() {
    for (rate_hz, fine) in
        [(1, false), (999, false), (1000, true), (768_000, true), (768_001, false)]
    {
        let form = Form { rate_hz, bytes_per_s: rate_hz, ..Form::new(1, 1, 8) };
        let bytes = riff(&[form.chunk(), chunk(b"data", &vec![130; 40_000])]);
        let config = DecodeConfig { rate_hz: Some(16_000), ..DecodeConfig::default() };
        let decoded = decode_bytes(Path::new("x"), bytes.clone(), &config);
        assert_eq!(decoded.is_ok(), fine, "{rate_hz}");
        let stream = crate::kit::as_stream(&bytes, 1000, &config);
        assert_eq!(stream.error.is_none(), fine, "{rate_hz}");
    }
}

#[test]
fn clips_of_one_and_two_samples_are_clips() {
    for samples in [&[0.5][..], &[0.5, -0.25]] {
        assert_heard("short", &wav16(samples), samples);
    }
}

#[test]
fn other_forms_are_named() {
    let forms: [(&[u8], &str); 17] = [
        (b".snd\0\0\0\x18", "AU"),
        (b"#!AMR\n", "AMR"),
        (b"\x30\x26\xB2\x75\x8E\x66\xCF\x11\xA6\xD9", "WMA (ASF)"),
        (b"wvpk", "WavPack"),
        (b"\x64\xA3\x03\0\0\0\x7A\x46", "IRCAM"),
        (b" paf\0\0\0\0", "Ensoniq PARIS"),
        (b"2BIT\0\0\0\0", "AVR"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\x89PNG\r\n", "a PNG picture"),
        (b"\x89HDF\r\n", "an HDF5 file"),
        (b"<!DOCTYPE html><html><body>404", "a web page"),
        (b"<HTML><head>", "a web page"),
        (b"time,level\n0.0,1.5\n", "text"),
        (b"RIFF\x10\0\0\0AVI LIST", "AVI video"),
        (b"RIFF\x10\0\0\0sfbkLIST", "a RIFF file that is no WAV"),
        (b"FORM\0\0\0\x108SVXVHDR", "an IFF file other than AIFF"),
    ];
    for (head, name) in forms {
        let fill = if matches!(head[0], b'<' | b't') { b' ' } else { 0 };
        let bytes = [head, &[fill; 3000]].concat();
        let error = both(name, &bytes).error.unwrap();
        assert_eq!(error, format!("`clip` is {name}, which is not decoded here"));
        // Not even where the user said that the stream is raw samples.
        let raw = offkey_signal::PcmFormat {
            rate_hz: 16_000,
            channels: 1,
            sample: offkey_signal::SampleKind::I16,
        };
        let config = DecodeConfig::default();
        let mut stream = offkey_signal::StreamReader::new(Path::new("x"), Some(raw), &config);
        assert!(stream.push(&bytes, &mut Vec::new()).is_err(), "{name}");
    }
    let hint = |head: &[u8]| crate::kit::strict(&[head, &[0; 600]].concat()).unwrap_err().hint();
    assert!(hint(b".snd").contains("ffmpeg"));
    assert!(!hint(b"%PDF").contains("ffmpeg"));
}

#[test]
fn raw_samples_are_heard_in_every_kind_and_impossible_ones_refused() {
    use offkey_signal::{PcmFormat, SampleKind, StreamReader};
    let samples = sound(4000);
    let config = DecodeConfig::default();
    let hear = |raw: PcmFormat, bytes: &[u8]| {
        let mut stream = StreamReader::new(Path::new("x"), Some(raw), &config);
        let mut out = Vec::new();
        for part in bytes.chunks(333) {
            stream.push(part, &mut out)?;
        }
        stream.finish(&mut out).map(|()| out)
    };
    let raw = PcmFormat { rate_hz: 16_000, channels: 2, sample: SampleKind::I24 };
    let heard = hear(raw, &pcm(&samples, 3)).unwrap();
    assert_eq!(heard.len(), 2000);
    assert!((heard[7] - f32::midpoint(samples[14], samples[15])).abs() < 1e-6);
    for impossible in [PcmFormat { channels: 0, ..raw }, PcmFormat { rate_hz: 1, ..raw }] {
        assert!(hear(impossible, &pcm(&samples, 3)).is_err(), "{impossible:?}");
    }
}
