//! Samples from bytes as they arrive: WAV with a header, or raw 16-bit PCM.

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
/// Header bytes that are searched for the sound data.
const LONGEST_HEADER: usize = 1 << 16;

/// Turns bytes into mono samples of one rate. Any chunking gives the same samples.
pub(crate) struct PcmStream {
    raw: PcmFormat,
    channel: ChannelRule,
    rate_hz: u32,
    /// Bytes that do not make a whole header or frame yet.
    pending: Vec<u8>,
    decoder: Option<Decoder>,
}

struct Decoder {
    format: PcmFormat,
    resampler: Resampler,
}

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
    pub(crate) fn new(raw: PcmFormat, channel: ChannelRule, rate_hz: u32) -> Self {
        Self { raw, channel, rate_hz, pending: Vec::new(), decoder: None }
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
        let whole = self.pending.len() / frame_bytes * frame_bytes;
        let mono: Vec<f32> = self.pending[..whole]
            .chunks_exact(frame_bytes)
            .map(|frame| {
                let sample = |channel: usize| format.sample.read(&frame[channel * width..]);
                match self.channel {
                    ChannelRule::Pick(channel) => sample(usize::from(channel)),
                    ChannelRule::Mix => {
                        let channels = usize::from(format.channels);
                        (0..channels).map(sample).sum::<f32>() / channels as f32
                    }
                }
            })
            .collect();
        self.pending.drain(..whole);
        decoder.resampler.push(&mono, out);
        Ok(())
    }

    /// Finds out the form of the stream; false while more bytes are needed.
    fn begin(&mut self) -> Result<bool, StreamError> {
        if self.pending.len() < 4 {
            return Ok(false);
        }
        let format = if self.pending.starts_with(b"RIFF") || self.pending.starts_with(b"RF64") {
            match wav_header(&self.pending)? {
                Some((format, data)) => {
                    self.pending.drain(..data);
                    format
                }
                None => return Ok(false),
            }
        } else {
            self.raw
        };
        if let ChannelRule::Pick(wanted) = self.channel
            && wanted >= format.channels
        {
            return Err(StreamError::Channel { found: format.channels, wanted });
        }
        let resampler = Resampler::new(format.rate_hz, self.rate_hz)?;
        self.decoder = Some(Decoder { format, resampler });
        Ok(true)
    }
}

/// Form of the samples and position of the first; `None` while the header is not complete.
fn wav_header(bytes: &[u8]) -> Result<Option<(PcmFormat, usize)>, StreamError> {
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
            return Ok(Some((format, at + 8)));
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
        let mut stream = PcmStream::new(RAW, ChannelRule::Mix, 16_000);
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
    fn a_form_that_is_not_understood_is_named() {
        let error = hear(&header(7, 1, 8), 100).expect_err("mu-law");
        assert!(error.to_string().contains("format tag 7"), "{error}");
    }
}
