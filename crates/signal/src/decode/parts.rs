//! A part of a recording, as if it were cut from the whole.

use std::{ops::Range, path::Path};

use super::{config::DecodeConfig, reader::ClipReader, source::open};
use crate::{AudioError, Waveform};

/// Decodes samples `range` of a file, counted after rate conversion; the same bits as cutting them
/// from the whole. A range that reaches past the end is shortened. Damage behind the range is no
/// matter.
///
/// # Errors
/// As [`decode`](fn@crate::decode); [`AudioError::Empty`] when the range lies behind the end.
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
