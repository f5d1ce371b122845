//! Files and streams to mono waveforms: any channels, any rate, in bounded memory.
//!
//! A file passes through three stages: a `source` that yields interleaved frames, the
//! [`ChannelRule`] that makes them mono, and the [`crate::Resampler`]. [`ClipReader`] joins them;
//! [`StreamReader`] does the same with bytes as they arrive. Both parse headers and join channels by
//! the same code, so the same bytes give the same samples. No length or count from a header is ever
//! used to reserve memory.

mod adpcm;
mod bytes;
mod chunks;
mod flac;
mod flac_end;
mod info;
mod layout;
mod mono;
mod packets;
mod part;
mod plain;
mod reader;
mod sniff;
mod sound;
mod source;
mod stream;

use std::{
    fmt,
    fs::{self, File},
    io::{self, Cursor},
    ops::Range,
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{AudioError, LengthPolicy, Waveform, resampled_len};
use bytes::Input;
pub use info::{AudioInfo, Codec, Container};
pub use reader::ClipReader;
use source::Source;
pub use stream::StreamReader;

/// How a file becomes a mono waveform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecodeConfig {
    /// Which channel is heard.
    pub channel: ChannelRule,
    /// The rate to convert to; the file's own where absent.
    pub rate_hz: Option<u32>,
}

/// How several channels become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelRule {
    /// The mean of all channels.
    #[default]
    Mix,
    /// One channel, counted from 0.
    Pick(u16),
    /// A near channel less what a far one hears of the same, over stretches of ten seconds.
    Cancel(Cancelled),
}

/// The channels of a near and a far microphone, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cancelled {
    /// The microphone at the machine.
    pub near: u16,
    /// The microphone away from it.
    pub far: u16,
}

impl Default for Cancelled {
    /// As in the challenge's sets of 2026.
    fn default() -> Self {
        Self { near: 0, far: 1 }
    }
}

impl fmt::Display for ChannelRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mix => f.write_str("the mean of all channels"),
            Self::Pick(channel) => write!(f, "channel {channel} (counted from 0)"),
            Self::Cancel(Cancelled { near, far }) => {
                write!(f, "channel {near} less what channel {far} hears (counted from 0)")
            }
        }
    }
}

/// Reads a file's header and compares it with the file's size. Compressed files that do not tell
/// their length are decoded to count it.
///
/// # Errors
/// [`AudioError`] when the file cannot be read, is no audio file, has a damaged header or is cut
/// short. [`ClipReader::open`] opens what is cut short.
pub fn probe(path: &Path) -> Result<AudioInfo, AudioError> {
    let source = open(path)?.count()?;
    if let Some(damage) = source.known_damage() {
        return Err(AudioError::Damaged { path: path.to_owned(), damage: damage.clone() });
    }
    Ok(*source.info())
}

/// Decodes a whole file.
///
/// # Errors
/// [`AudioError`] when the file cannot be read, is empty or lacks the channel asked for;
/// [`AudioError::Damaged`] when it is damaged, is cut short, or has a sample that is no finite number
/// or beyond all sense.
pub fn decode(path: &Path, config: &DecodeConfig) -> Result<Waveform, AudioError> {
    read_all(ClipReader::open(path, config)?)
}

/// Decodes a file that is already in memory; `name` stands for it in errors.
///
/// # Errors
/// As [`decode`].
pub fn decode_bytes(
    name: &Path,
    bytes: Vec<u8>,
    config: &DecodeConfig,
) -> Result<Waveform, AudioError> {
    let source = Source::open(name, Box::new(Cursor::new(bytes)))?;
    read_all(ClipReader::new(source, config, 0)?)
}

/// Decodes samples `range` of a file, counted after rate conversion; the same bits as cutting them
/// from the whole. A range that reaches past the end is shortened. Damage behind the range is no
/// matter.
///
/// # Errors
/// As [`decode`]; [`AudioError::Empty`] when the range lies behind the end.
pub fn decode_range(
    path: &Path,
    config: &DecodeConfig,
    range: Range<u64>,
) -> Result<Waveform, AudioError> {
    let mut reader = ClipReader::new(open(path)?, config, range.start)?;
    let wanted = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
    let mut samples = Vec::new();
    while samples.len() < wanted && reader.read_block(&mut samples)? {}
    samples.truncate(wanted);
    if samples.is_empty() {
        return Err(AudioError::Empty { path: path.to_owned() });
    }
    Ok(Waveform { samples, rate_hz: reader.rate_hz() })
}

/// Decodes exactly `target` samples by a length policy, reading no more of the file than they
/// need. `random` is any number, see [`LengthPolicy::window`].
///
/// # Errors
/// As [`decode`].
pub fn decode_fit(
    path: &Path,
    config: &DecodeConfig,
    policy: LengthPolicy,
    target: usize,
    random: u64,
) -> Result<Waveform, AudioError> {
    let info = probe(path)?;
    let rate_hz = config.rate_hz.unwrap_or(info.rate_hz);
    let whole = resampled_len(info.frames, info.rate_hz, rate_hz);
    let window = policy.window(usize::try_from(whole).unwrap_or(usize::MAX), target, random);
    let range = window.range.start as u64..window.range.end as u64;
    let wave = decode_range(path, config, range)?;
    let samples =
        window.fill(&wave.samples).map_err(|_| AudioError::Empty { path: path.to_owned() })?;
    Ok(Waveform { samples, rate_hz: wave.rate_hz })
}

fn open(path: &Path) -> Result<Source, AudioError> {
    let io_error = |source| AudioError::Io { path: path.to_owned(), source };
    // A named pipe would block for ever, and a device never end.
    if !fs::metadata(path).map_err(io_error)?.is_file() {
        let found = io::Error::other("found a folder, pipe or device, expected a regular file");
        return Err(io_error(found));
    }
    let file = File::open(path).map_err(io_error)?;
    let input: Box<dyn Input> = Box::new(file);
    Source::open(path, input)
}

/// Room made before decoding: most clips fit, and a header that lies costs 4 MiB.
const RESERVED_SAMPLES: u64 = 1 << 20;

fn read_all(mut reader: ClipReader) -> Result<Waveform, AudioError> {
    let info = reader.info();
    let whole = resampled_len(info.frames, info.rate_hz, reader.rate_hz());
    let mut samples = Vec::with_capacity(whole.min(RESERVED_SAMPLES) as usize);
    while reader.read_block(&mut samples)? {}
    if samples.is_empty() {
        return Err(AudioError::Empty { path: reader.path().to_owned() });
    }
    Ok(Waveform { samples, rate_hz: reader.rate_hz() })
}

fn malformed(path: &Path, what: impl Into<String>) -> AudioError {
    AudioError::Malformed { path: path.to_owned(), what: what.into() }
}

fn unsupported(
    path: &Path,
    what: &'static str,
    found: String,
    expected: &'static str,
) -> AudioError {
    AudioError::Unsupported { path: path.to_owned(), what, found, expected }
}
