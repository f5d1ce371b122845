//! Samples from bytes as they arrive: WAV with a header, or raw PCM.

use offkey_signal::{ChannelRule, FeatureError, Resampler};
use serde::{Deserialize, Serialize};

/// Form of a byte stream's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PcmFormat {
    /// Samples per second and channel.
    pub rate_hz: u32,
    /// Interleaved channels.
    pub channels: u16,
    /// Kind of one sample.
    pub sample: SampleKind,
}

/// Kind of one sample, little endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SampleKind {
    /// 16-bit integer.
    I16,
    /// 24-bit integer.
    I24,
    /// 32-bit integer.
    I32,
    /// 32-bit float.
    F32,
}

/// Why a byte stream cannot be heard.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// A WAV header of a form that cannot be streamed.
    #[error("the stream's WAV header has {what} {found}, expected {expected}")]
    Header {
        /// Which field.
        what: &'static str,
        /// Its value.
        found: u32,
        /// What would have been understood.
        expected: &'static str,
    },
    /// No sound data within the first bytes.
    #[error("no `data` chunk within the first {searched} bytes of the stream")]
    NoData {
        /// Bytes searched.
        searched: usize,
    },
    /// A compressed form, which cannot be followed byte by byte.
    #[error("the stream is {found}, expected WAV or raw samples")]
    Compressed {
        /// Which form.
        found: &'static str,
    },
    /// The channel asked for does not exist.
    #[error("the stream has {found} channels, no channel {wanted} (counted from 0)")]
    Channel {
        /// Channels there are.
        found: u16,
        /// The one asked for.
        wanted: u16,
    },
    /// The rate cannot be converted.
    #[error("cannot convert the stream's rate")]
    Rate(#[from] FeatureError),
}

/// The format tag of `WAVE_FORMAT_EXTENSIBLE`, which names the real one further down.
const EXTENSIBLE: u16 = 0xFFFE;
/// How compressed files begin.
const COMPRESSED: [(&[u8], &str); 3] = [(b"fLaC", "FLAC"), (b"OggS", "Ogg"), (b"ID3", "MP3")];
/// Header bytes that are searched for the sound data.
const LONGEST_HEADER: usize = 1 << 16;

/// Turns bytes into mono samples of one rate. Any chunking gives the same samples.
pub(crate) struct PcmStream {
    raw: PcmFormat,
    channel: ChannelRule,
    rate_hz: u32,
    /// Whether a WAV header's length is to be believed, as of a file that has stopped growing.
    finished: bool,
    /// Bytes that do not make a whole header or frame yet.
    pending: Vec<u8>,
    decoder: Option<Decoder>,
}

struct Decoder {
    format: PcmFormat,
    /// Bytes of sound still to come, where the header says so and is believed.
    left: Option<u64>,
    resampler: Resampler,
}

/// A WAV header, read.
struct Header {
    format: PcmFormat,
    /// Position of the first sample.
    start: usize,
    /// Bytes of sound, where the writer knew.
    bytes: Option<u64>,
}

/// Sizes from here on are what writers put down that do not know yet.
const SIZE_UNKNOWN: u32 = 0x7FFF_0000;

impl SampleKind {
    fn bytes(self) -> usize {
        match self {
            Self::I16 => 2,
            Self::I24 => 3,
            Self::I32 | Self::F32 => 4,
        }
    }

    fn read(self, bytes: &[u8]) -> f32 {
        let of = |at: usize| bytes[at];
        match self {
            Self::I16 => f32::from(i16::from_le_bytes([of(0), of(1)])) / 32_768.0,
            Self::I24 => (i32::from_le_bytes([0, of(0), of(1), of(2)]) >> 8) as f32 / 8_388_608.0,
            Self::I32 => i32::from_le_bytes([of(0), of(1), of(2), of(3)]) as f32 / 2_147_483_648.0,
            Self::F32 => {
                let value = f32::from_le_bytes([of(0), of(1), of(2), of(3)]);
                if value.is_finite() { value } else { 0.0 }
            }
        }
    }
}

impl PcmStream {
    /// A stream that is raw `raw` samples unless it begins with a WAV header.
    ///
    /// `finished` says that the length in a WAV header is final, so that what follows the sound is
    /// not heard; the header of a file that grows promises nothing.
    pub(crate) fn new(raw: PcmFormat, channel: ChannelRule, rate_hz: u32, finished: bool) -> Self {
        Self { raw, channel, rate_hz, finished, pending: Vec::new(), decoder: None }
    }

    /// The form of the samples, once it is known.
    pub(crate) fn format(&self) -> Option<PcmFormat> {
        self.decoder.as_ref().map(|decoder| decoder.format)
    }

    /// Takes bytes and appends the samples they complete.
    ///
    /// # Errors
    /// [`StreamError`] when the header cannot be understood.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<f32>) -> Result<(), StreamError> {
        self.pending.extend_from_slice(bytes);
        if self.decoder.is_none() && !self.begin()? {
            return Ok(());
        }
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        let format = decoder.format;
        let width = format.sample.bytes();
        let frame_bytes = width * usize::from(format.channels);
        let sound = decoder.left.map_or(self.pending.len(), |left| {
            usize::try_from(left).unwrap_or(usize::MAX).min(self.pending.len())
        });
        let whole = sound / frame_bytes * frame_bytes;
        let scale = 1.0 / f32::from(format.channels);
        let mono: Vec<f32> = self.pending[..whole]
            .chunks_exact(frame_bytes)
            .map(|frame| {
                let sample = |channel: usize| format.sample.read(&frame[channel * width..]);
                match self.channel {
                    ChannelRule::Pick(channel) => sample(usize::from(channel)),
                    ChannelRule::Mix => {
                        (0..usize::from(format.channels)).map(sample).sum::<f32>() * scale
                    }
                }
            })
            .collect();
        self.pending.drain(..whole);
        if let Some(left) = &mut decoder.left {
            *left -= whole as u64;
            if *left < frame_bytes as u64 {
                self.pending.clear();
            }
        }
        decoder.resampler.push(&mono, out);
        Ok(())
    }

    /// Appends the samples that rate conversion holds back, when no more bytes come.
    pub(crate) fn finish(&mut self, out: &mut Vec<f32>) {
        if let Some(decoder) = &mut self.decoder {
            decoder.resampler.finish(out);
        }
    }

    /// Finds out the form of the stream; false while more bytes are needed.
    fn begin(&mut self) -> Result<bool, StreamError> {
        if self.pending.len() < 4 {
            return Ok(false);
        }
        for (magic, found) in COMPRESSED {
            if self.pending.starts_with(magic) {
                return Err(StreamError::Compressed { found });
            }
        }
        let mut left = None;
        let format = if self.pending.starts_with(b"RIFF") || self.pending.starts_with(b"RF64") {
            let Some(header) = wav_header(&self.pending)? else { return Ok(false) };
            self.pending.drain(..header.start);
            left = header.bytes.filter(|_| self.finished);
            header.format
        } else {
            self.raw
        };
        if let ChannelRule::Pick(wanted) = self.channel
            && wanted >= format.channels
        {
            return Err(StreamError::Channel { found: format.channels, wanted });
        }
        let resampler = Resampler::new(format.rate_hz, self.rate_hz)?;
        self.decoder = Some(Decoder { format, left, resampler });
        Ok(true)
    }
}

/// The header at the beginning of `bytes`; `None` while it is not complete.
fn wav_header(bytes: &[u8]) -> Result<Option<Header>, StreamError> {
    let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let u32_at =
        |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let mut at = 12;
    let mut format = None;
    loop {
        if at + 8 > bytes.len() {
            let searched = bytes.len();
            return if searched > LONGEST_HEADER {
                Err(StreamError::NoData { searched })
            } else {
                Ok(None)
            };
        }
        let (id, size) = (&bytes[at..at + 4], u32_at(at + 4) as usize);
        if id == b"data" {
            let format = format.ok_or(StreamError::NoData { searched: at })?;
            let known = 0 < size && size < SIZE_UNKNOWN as usize;
            let bytes = known.then_some(size as u64);
            return Ok(Some(Header { format, start: at + 8, bytes }));
        }
        if id == b"fmt " {
            if at + 8 + size.clamp(16, 40) > bytes.len() {
                return Ok(None);
            }
            let body = at + 8;
            let tag = match u16_at(body) {
                EXTENSIBLE if size >= 40 => u16_at(body + 24),
                tag => tag,
            };
            format = Some(PcmFormat {
                channels: positive("channels", u32::from(u16_at(body + 2)))? as u16,
                rate_hz: positive("rate", u32_at(body + 4))?,
                sample: sample_kind(tag, u16_at(body + 14))?,
            });
        }
        at = at.saturating_add(8 + size + size % 2);
        if at > LONGEST_HEADER {
            return Err(StreamError::NoData { searched: at });
        }
    }
}

fn positive(what: &'static str, found: u32) -> Result<u32, StreamError> {
    if found > 0 {
        Ok(found)
    } else {
        Err(StreamError::Header { what, found, expected: "at least 1" })
    }
}

fn sample_kind(tag: u16, bits: u16) -> Result<SampleKind, StreamError> {
    match (tag, bits) {
        (1, 16) => Ok(SampleKind::I16),
        (1, 24) => Ok(SampleKind::I24),
        (1, 32) => Ok(SampleKind::I32),
        (3, 32) => Ok(SampleKind::F32),
        (1 | 3, _) => Err(StreamError::Header {
            what: "bits",
            found: bits.into(),
            expected: "16, 24 or 32 (integer) or 32 (float)",
        }),
        _ => Err(StreamError::Header {
            what: "format tag",
            found: tag.into(),
            expected: "1 (integer PCM) or 3 (float)",
        }),
    }
}

#[cfg(test)]
mod tests {
    use offkey_signal::{DecodeConfig, decode};
    use proptest::prelude::*;

    use super::*;

    const RAW: PcmFormat = PcmFormat { rate_hz: 16_000, channels: 1, sample: SampleKind::I16 };

    fn header(tag: u16, channels: u16, bits: u16) -> Vec<u8> {
        let mut bytes = b"RIFF\xff\xff\xff\xffWAVELIST\x04\0\0\0abcdfmt \x10\0\0\0".to_vec();
        bytes.extend(tag.to_le_bytes());
        bytes.extend(channels.to_le_bytes());
        bytes.extend(16_000_u32.to_le_bytes());
        bytes.extend([0; 6]);
        bytes.extend(bits.to_le_bytes());
        bytes.extend(b"data\xff\xff\xff\xff");
        bytes
    }

    fn hear(bytes: &[u8], chunk: usize) -> Result<Vec<f32>, StreamError> {
        let mut stream = PcmStream::new(RAW, ChannelRule::Mix, 16_000, true);
        let mut out = Vec::new();
        for part in bytes.chunks(chunk) {
            stream.push(part, &mut out)?;
        }
        Ok(out)
    }

    proptest! {
        #[test]
        fn samples_do_not_depend_on_how_bytes_arrive(
            samples in proptest::collection::vec(any::<i16>(), 1..200), chunk in 1usize..64,
        ) {
            let body: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
            let whole: Vec<f32> = samples.iter().map(|&s| f32::from(s) / 32_768.0).collect();
            prop_assert_eq!(hear(&[header(1, 1, 16), body.clone()].concat(), chunk), Ok(whole));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = hear(&[b"RIFF".to_vec(), bytes].concat(), 7);
        }
    }

    #[test]
    fn channels_are_averaged() {
        let frame = [16_384_i16.to_le_bytes(), 0_i16.to_le_bytes()].concat();
        assert_eq!(hear(&[header(1, 2, 16), frame].concat(), 5), Ok(vec![0.25]));
    }

    #[test]
    fn what_follows_the_sound_of_a_finished_file_is_not_heard() {
        let mut bytes = header(1, 1, 16);
        let size = bytes.len() - 4;
        bytes[size..].copy_from_slice(&4_u32.to_le_bytes());
        bytes.extend([0, 64, 0, 64]);
        bytes.extend(b"LIST\x04\0\0\0abcd");
        for chunk in [1, 3, 100] {
            assert_eq!(hear(&bytes, chunk), Ok(vec![0.5, 0.5]));
        }
    }

    #[test]
    fn a_stream_gives_the_samples_that_decoding_the_file_does() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/wav");
        for (name, rate_hz) in [
            ("pcm_16.wav", 16_000),
            ("pcm_24.wav", 11_025),
            ("pcm_32.wav", 8_000),
            ("float_32.wav", 44_100),
            ("extensible_16_2ch.wav", 10_000),
            ("extensible_24_8ch.wav", 16_000),
            ("extensible_float_4ch.wav", 12_000),
        ] {
            let path = folder.join(name);
            let bytes = std::fs::read(&path).expect(name);
            for channel in [ChannelRule::Mix, ChannelRule::Pick(0)] {
                let config = DecodeConfig { channel, rate_hz: Some(rate_hz) };
                let whole = decode(&path, &config).expect(name).samples;
                let mut stream = PcmStream::new(RAW, channel, rate_hz, true);
                let mut out = Vec::new();
                for part in bytes.chunks(777) {
                    stream.push(part, &mut out).expect(name);
                }
                stream.finish(&mut out);
                assert!(out == whole, "{name} {channel:?}: {} of {}", out.len(), whole.len());
            }
        }
    }

    #[test]
    fn compressed_streams_are_refused_by_name() {
        let error = hear(b"fLaC\0\0\0\x22", 3).expect_err("FLAC");
        assert!(error.to_string().contains("FLAC"), "{error}");
    }

    #[test]
    fn a_form_that_is_not_understood_is_named() {
        let error = hear(&header(7, 1, 8), 100).expect_err("mu-law");
        assert!(error.to_string().contains("format tag 7"), "{error}");
    }
}
