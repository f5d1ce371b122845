//! Long compressed recordings, each decoded once: a part of one is then read, not decoded from its beginning.

use std::{
    collections::HashMap,
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{config::DecodeConfig, parts::decode_range, reader::ClipReader, source::open};
use crate::{AudioError, Damage, LengthPolicy, Waveform};

/// Compressed recordings as samples in temporary files without a name, up to a bound. They go when this goes.
///
/// Of compressed sound no frame can be decoded but behind all those before it. Whoever asks for many parts of a
/// recording asks here; the bits are those of [`decode_range`](crate::decode_range). Where there is no room the part is
/// decoded as it would be without this.
#[derive(Debug)]
pub struct Unpacked {
    limit_bytes: u64,
    slots: Mutex<HashMap<(PathBuf, DecodeConfig), Shared>>,
    used_bytes: Mutex<u64>,
}

/// A recording's slot: whoever unpacks it keeps only those waiting who want the same.
type Shared = Arc<Mutex<Slot>>;

#[derive(Debug, Default)]
enum Slot {
    /// Nobody asked yet.
    #[default]
    New,
    /// Uncompressed, or too large: parts are decoded.
    Direct,
    Kept(Kept),
}

/// A recording's samples.
#[derive(Debug)]
struct Kept {
    file: File,
    samples: u64,
    rate_hz: u32,
    /// What is wrong behind the last sample.
    damage: Option<Damage>,
}

impl Default for Unpacked {
    /// Room for 4 GiB of samples: 19 hours at 16 kHz.
    fn default() -> Self {
        Self::new(1 << 32)
    }
}

impl Unpacked {
    /// Files of at most so many bytes together: four for each sample.
    pub fn new(limit_bytes: u64) -> Self {
        Self { limit_bytes, slots: Mutex::default(), used_bytes: Mutex::default() }
    }

    /// As [`decode_range`](crate::decode_range).
    ///
    /// # Errors
    /// As [`decode_range`](crate::decode_range).
    pub fn range(
        &self,
        path: &Path,
        config: &DecodeConfig,
        range: Range<u64>,
    ) -> Result<Waveform, AudioError> {
        let slot = self.filled(path, config)?;
        let mut slot = locked(&slot);
        match &mut *slot {
            Slot::Kept(kept) => kept.range(path, range),
            Slot::New | Slot::Direct => {
                drop(slot);
                decode_range(path, config, range)
            }
        }
    }

    /// Unpacks a recording, where it is compressed and there is room.
    ///
    /// # Errors
    /// [`AudioError`] when it cannot be opened or read on.
    pub fn keep(&self, path: &Path, config: &DecodeConfig) -> Result<(), AudioError> {
        self.filled(path, config).map(|_| ())
    }

    /// As [`decode_fit`](crate::decode_fit), of a recording that is kept; `None` of any other.
    ///
    /// # Errors
    /// As [`decode_fit`](crate::decode_fit).
    pub fn fit_kept(
        &self,
        path: &Path,
        config: &DecodeConfig,
        (policy, target): (LengthPolicy, usize),
        random: u64,
    ) -> Result<Option<Waveform>, AudioError> {
        let slot = self.slot(path, config);
        let mut slot = locked(&slot);
        let Slot::Kept(kept) = &mut *slot else { return Ok(None) };
        let whole = usize::try_from(kept.samples).unwrap_or(usize::MAX);
        let window = policy.window(whole, target, random);
        let wave = kept.range(path, window.range.start as u64..window.range.end as u64)?;
        let empty = |_| AudioError::Empty { path: path.to_owned() };
        let samples = window.fill(&wave.samples).map_err(empty)?;
        Ok(Some(Waveform { samples, rate_hz: wave.rate_hz }))
    }

    /// The recording's slot, looked at once at least.
    fn filled(&self, path: &Path, config: &DecodeConfig) -> Result<Shared, AudioError> {
        let shared = self.slot(path, config);
        let mut slot = locked(&shared);
        if matches!(*slot, Slot::New) {
            *slot = self.unpack(path, config)?;
        }
        drop(slot);
        Ok(shared)
    }

    fn slot(&self, path: &Path, config: &DecodeConfig) -> Shared {
        let mut slots = locked(&self.slots);
        Arc::clone(slots.entry((path.to_owned(), *config)).or_default())
    }

    /// Decodes a compressed recording into a file, as far as there is room.
    fn unpack(&self, path: &Path, config: &DecodeConfig) -> Result<Slot, AudioError> {
        let source = open(path)?;
        if !source.is_packed() {
            return Ok(Slot::Direct);
        }
        let Ok(mut file) = tempfile::tempfile() else { return Ok(Slot::Direct) };
        let mut reader = ClipReader::new(source, config, 0)?;
        let (mut samples, mut block, mut damage) = (0, Vec::new(), None);
        loop {
            block.clear();
            let more = match reader.read_block(&mut block) {
                Ok(more) => more,
                Err(AudioError::Damaged { damage: found, .. }) => {
                    damage = Some(found);
                    false
                }
                Err(error) => return Err(error),
            };
            let bytes: Vec<u8> = block.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            samples += block.len() as u64;
            let has_room =
                4 * samples <= self.limit_bytes.saturating_sub(*locked(&self.used_bytes));
            // Where nothing more can be written there is no room either.
            if !has_room || file.write_all(&bytes).is_err() {
                return Ok(Slot::Direct);
            }
            if !more {
                break;
            }
        }
        *locked(&self.used_bytes) += 4 * samples;
        Ok(Slot::Kept(Kept { file, samples, rate_hz: reader.rate_hz(), damage }))
    }
}

impl Kept {
    fn range(&mut self, path: &Path, range: Range<u64>) -> Result<Waveform, AudioError> {
        let end = range.end.min(self.samples);
        if range.end > self.samples
            && let Some(damage) = &self.damage
        {
            return Err(AudioError::Damaged { path: path.to_owned(), damage: damage.clone() });
        }
        if range.start >= end {
            return Err(AudioError::Empty { path: path.to_owned() });
        }
        let io_error = |source| AudioError::Io { path: path.to_owned(), source };
        let mut bytes = vec![0; 4 * (end - range.start) as usize];
        self.file.seek(SeekFrom::Start(4 * range.start)).map_err(io_error)?;
        self.file.read_exact(&mut bytes).map_err(io_error)?;
        let samples = bytes.as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word));
        Ok(Waveform { samples: samples.collect(), rate_hz: self.rate_hz })
    }
}

/// What a thread that panicked left is whole: files are kept only once they are.
fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
