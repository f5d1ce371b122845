//! Files of the tests' own making, and both ways of reading them.

use std::path::Path;

use offkey_signal::{AudioError, DecodeConfig, StreamReader, decode_bytes};

/// A tone with a fixed noise in it, -1 to 1.
pub(crate) fn sound(samples: usize) -> Vec<f32> {
    let mut state = 1_u32;
    (0..samples)
        .map(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
            0.4 * (n as f32 * 0.2).sin() + 0.1 * noise
        })
        .collect()
}

/// Samples as little-endian integers of so many bytes.
pub(crate) fn pcm(samples: &[f32], bytes: usize) -> Vec<u8> {
    let full = 2_f64.powf(8.0 * bytes as f64 - 1.0);
    let level = |sample: &f32| (f64::from(*sample) * full).round().clamp(-full, full - 1.0) as i64;
    samples.iter().flat_map(|sample| level(sample).to_le_bytes()[..bytes].to_vec()).collect()
}

/// Turns the bytes of every sample around.
pub(crate) fn swapped(bytes: &[u8], sample_bytes: usize) -> Vec<u8> {
    bytes.chunks(sample_bytes).flat_map(|word| word.iter().rev().copied()).collect()
}

/// A chunk, its size as it is.
pub(crate) fn chunk(id: &[u8], body: &[u8]) -> Vec<u8> {
    sized(id, body.len() as u32, body)
}

/// A chunk whose size may lie; filled up to an even length.
pub(crate) fn sized(id: &[u8], size: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = [id, &size.to_le_bytes(), body].concat();
    if body.len() % 2 == 1 {
        bytes.push(0);
    }
    bytes
}

/// The fields of a `fmt ` chunk.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    pub(crate) tag: u16,
    pub(crate) channels: u16,
    pub(crate) rate_hz: u32,
    pub(crate) bits: u16,
    pub(crate) frame_bytes: u16,
    pub(crate) bytes_per_s: u32,
}

impl Form {
    /// Consistent fields at 16 kHz.
    pub(crate) fn new(tag: u16, channels: u16, bits: u16) -> Self {
        let frame_bytes = channels * bits.div_ceil(8);
        let bytes_per_s = 16_000 * u32::from(frame_bytes);
        Self { tag, channels, rate_hz: 16_000, bits, frame_bytes, bytes_per_s }
    }

    pub(crate) fn chunk(self) -> Vec<u8> {
        let mut body = self.tag.to_le_bytes().to_vec();
        body.extend(self.channels.to_le_bytes());
        body.extend(self.rate_hz.to_le_bytes());
        body.extend(self.bytes_per_s.to_le_bytes());
        body.extend(self.frame_bytes.to_le_bytes());
        body.extend(self.bits.to_le_bytes());
        chunk(b"fmt ", &body)
    }
}

/// A RIFF file of these chunks.
pub(crate) fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let size = 4 + chunks.iter().map(Vec::len).sum::<usize>() as u32;
    riff_sized(size, chunks)
}

/// A RIFF file whose size may lie.
pub(crate) fn riff_sized(size: u32, chunks: &[Vec<u8>]) -> Vec<u8> {
    [&b"RIFF"[..], &size.to_le_bytes(), b"WAVE", &chunks.concat()].concat()
}

/// 16-bit mono.
pub(crate) fn wav16(samples: &[f32]) -> Vec<u8> {
    riff(&[Form::new(1, 1, 16).chunk(), chunk(b"data", &pcm(samples, 2))])
}

/// What is read of some bytes: the samples, and the error that ended them.
#[derive(Debug, PartialEq)]
pub(crate) struct Reading {
    pub(crate) samples: Vec<f32>,
    pub(crate) error: Option<String>,
}

/// Reads bytes as a file.
pub(crate) fn as_file(bytes: &[u8], config: &DecodeConfig) -> Reading {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("clip");
    std::fs::write(&path, bytes).expect("room for a clip");
    let mut samples = Vec::new();
    let mut read = || -> Result<(), AudioError> {
        let mut reader = offkey_signal::ClipReader::open(&path, config)?;
        while reader.read_block(&mut samples)? {}
        if samples.is_empty() {
            return Err(AudioError::Empty { path: path.clone() });
        }
        Ok(())
    };
    let error = read().err().map(|error| without_name(&error));
    Reading { samples, error }
}

/// Reads bytes as a stream, in pieces.
pub(crate) fn as_stream(bytes: &[u8], piece: usize, config: &DecodeConfig) -> Reading {
    let mut stream = StreamReader::new(Path::new("clip"), None, config);
    let mut samples = Vec::new();
    let mut error = None;
    for part in bytes.chunks(piece) {
        if let Err(found) = stream.push(part, &mut samples) {
            error = error.or(Some(without_name(&found)));
        }
    }
    if let Err(found) = stream.finish(&mut samples) {
        error = error.or(Some(without_name(&found)));
    }
    Reading { samples, error }
}

fn without_name(error: &AudioError) -> String {
    error.to_string().replace(&error.path().display().to_string(), "clip")
}

/// Reads bytes as a file and as streams in pieces of several sizes; all give the same.
pub(crate) fn both(name: &str, bytes: &[u8]) -> Reading {
    let native = DecodeConfig::default();
    for config in [native, DecodeConfig { rate_hz: Some(11_025), ..native }] {
        let file = as_file(bytes, &config);
        for piece in [1 + bytes.len() / 400, 777, 4096, bytes.len().max(1)] {
            let stream = as_stream(bytes, piece, &config);
            assert_eq!(file.error, stream.error, "{name} in pieces of {piece}");
            assert!(
                file.samples == stream.samples,
                "{name} in pieces of {piece}: {} and {} samples",
                file.samples.len(),
                stream.samples.len()
            );
        }
    }
    as_file(bytes, &native)
}

/// The strict reading of bytes.
pub(crate) fn strict(bytes: &[u8]) -> Result<Vec<f32>, AudioError> {
    decode_bytes(Path::new("clip"), bytes.to_vec(), &DecodeConfig::default()).map(|w| w.samples)
}

/// Asserts that bytes are read, by file and stream alike, as these samples in 16 bits, without damage.
pub(crate) fn assert_heard(name: &str, bytes: &[u8], samples: &[f32]) {
    let reading = both(name, bytes);
    assert_eq!(reading.error, None, "{name}");
    let expected: Vec<f32> = pcm(samples, 2)
        .as_chunks()
        .0
        .iter()
        .map(|word| f32::from(i16::from_le_bytes(*word)) / 32_768.0)
        .collect();
    assert_eq!(reading.samples.len(), expected.len(), "{name}");
    assert!(reading.samples == expected, "{name}: other samples");
}
