//! Files and streams to mono waveforms: any channels, any rate, in bounded memory.
//!
//! A file passes through three stages: a `source` that yields interleaved frames, the
//! [`ChannelRule`] that makes them mono, and the [`crate::Resampler`]. [`ClipReader`] joins them;
//! [`StreamReader`] does the same with bytes as they arrive. Both parse headers and join channels by
//! the same code, so the same bytes give the same samples. No length or count from a header is ever
//! used to reserve memory.

mod adpcm;
mod bytes;
mod caf;
mod chunks;
mod coding;
mod config;
mod flac;
mod flac_end;
mod info;
mod layout;
mod matroska;
mod mono;
mod mp4;
mod packets;
mod part;
mod parts;
mod piece;
mod plain;
mod reader;
mod refusal;
mod sniff;
mod sound;
mod source;
mod stream;
mod traces;
mod unpacked;

use std::{io::Cursor, path::Path};

use crate::{AudioError, LengthPolicy, Waveform, resampled_len};
pub use config::{Cancelled, ChannelRule, DecodeConfig};
pub use info::{AudioInfo, Codec, Container};
pub use parts::decode_range;
pub use reader::ClipReader;
use source::{Source, open};
pub use stream::StreamReader;
pub use unpacked::Unpacked;

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
