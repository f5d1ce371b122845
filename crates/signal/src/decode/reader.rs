//! A clip, block by block: mono, at the rate asked for.

use std::path::Path;

use super::{
    config::DecodeConfig,
    info::AudioInfo,
    mono::Mono,
    piece::Piece,
    source::{Source, open},
};
use crate::{AudioError, Damage, Resampler, finding::Finding, resampled_len};

/// Samples that one call converts at most give or take a block of the converter's own, counted at
/// the higher rate: the rate in a header buys no memory.
const MOST_SAMPLES: u64 = 1 << 17;

/// Reads a file of any length in blocks, in bounded memory.
///
/// Damage costs nothing that came before it: [`ClipReader::read_block`] first gives every sample up
/// to there, then [`AudioError::Damaged`].
pub struct ClipReader {
    source: Source,
    mono: Mono,
    resampler: Resampler,
    rate_hz: u32,
    frames: Vec<f32>,
    /// Mono samples, and how many of them have been converted.
    block: Vec<f32>,
    converted: usize,
    state: State,
    damage: Option<Damage>,
}

#[derive(PartialEq)]
enum State {
    Reading,
    /// The source has ended; the converter still holds samples.
    Draining,
    /// All samples have been given; damage has not been told.
    Drained,
    Ended,
}

impl ClipReader {
    /// Opens a file at its beginning. A file that is cut short is opened too, see
    /// [`ClipReader::read_block`].
    ///
    /// # Errors
    /// [`AudioError`] when the file cannot be read, is no audio file, has a damaged header, or lacks
    /// the channel asked for.
    pub fn open(path: &Path, config: &DecodeConfig) -> Result<Self, AudioError> {
        Self::new(open(path)?.count()?, config, 0)
    }

    /// As [`ClipReader::open`], to be read once and forward: compressed sound that does not tell its
    /// length is not decoded to count it, and [`AudioInfo::frames`] is then `u64::MAX`.
    ///
    /// # Errors
    /// As [`ClipReader::open`].
    pub fn open_uncounted(path: &Path, config: &DecodeConfig) -> Result<Self, AudioError> {
        Self::new(open(path)?, config, 0)
    }

    /// A reader whose first sample is number `start` after rate conversion.
    pub(super) fn new(
        mut source: Source,
        config: &DecodeConfig,
        start: u64,
    ) -> Result<Self, AudioError> {
        let info = *source.info();
        config.channel.check(source.path(), info.channels)?;
        let (from_hz, to_hz) = (info.rate_hz, config.rate_hz.unwrap_or(info.rate_hz));
        let start = start.min(resampled_len(info.frames, from_hz, to_hz));
        let (resampler, frame) = Resampler::starting_at(start, from_hz, to_hz)
            .map_err(|_| AudioError::Rate { path: source.path().to_owned(), from_hz, to_hz })?;
        let frame = frame.min(info.frames);
        let mono = Mono::new(config.channel, info.channels, info.rate_hz, frame);
        if mono.frame() > 0 {
            source.seek(mono.frame())?;
        }
        Ok(Self {
            source,
            mono,
            resampler,
            rate_hz: to_hz,
            frames: Vec::new(),
            block: Vec::new(),
            converted: 0,
            state: State::Reading,
            damage: None,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// What the file says of itself; of a file that is cut short, what is there.
    pub fn info(&self) -> &AudioInfo {
        self.source.info()
    }

    /// The rate of the samples that come out.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// What is wrong with the recording, as far as it has been read.
    pub fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// Frames of the file that have been read.
    pub(super) fn frames_read(&self) -> u64 {
        self.mono.frame()
    }

    /// What the channel rule has lost so far: that the channels cancel each other.
    pub fn channel_finding(&self) -> Option<Finding> {
        self.mono.finding()
    }

    /// Appends the next samples to `out`; false when there are no more. A block has at most a few
    /// hundred thousand samples and may have none.
    ///
    /// # Errors
    /// [`AudioError::Damaged`] when all samples before the damage have been given: whoever can use a
    /// part keeps them, whoever needs the whole passes the error on. [`AudioError::Io`] when the file
    /// cannot be read on.
    pub fn read_block(&mut self, out: &mut Vec<f32>) -> Result<bool, AudioError> {
        match self.state {
            State::Reading => self.read_on(out)?,
            State::Draining => {
                self.resampler.finish(out);
                self.state = State::Drained;
            }
            State::Drained => {
                self.state = State::Ended;
                if let Some(damage) = &self.damage {
                    let (path, damage) = (self.path().to_owned(), damage.clone());
                    return Err(AudioError::Damaged { path, damage });
                }
                return Ok(false);
            }
            State::Ended => return Ok(false),
        }
        Ok(true)
    }

    fn read_on(&mut self, out: &mut Vec<f32>) -> Result<(), AudioError> {
        if self.converted == self.block.len() && !self.fill()? {
            self.state = State::Draining;
            return Ok(());
        }
        let from_hz = u64::from(self.source.info().rate_hz);
        let to_hz = u64::from(self.rate_hz);
        let most = (MOST_SAMPLES * from_hz.min(to_hz) / to_hz).max(1) as usize;
        let end = self.block.len().min(self.converted + most);
        self.resampler.push(&self.block[self.converted..end], out);
        self.converted = end;
        Ok(())
    }

    /// Reads the next mono samples; false when there are none.
    fn fill(&mut self) -> Result<bool, AudioError> {
        self.frames.clear();
        self.block.clear();
        self.converted = 0;
        if self.damage.is_some() {
            return Ok(false);
        }
        match self.source.read_block(&mut self.frames)? {
            Piece::Frames => self.damage = self.mono.push(&self.frames, &mut self.block),
            Piece::Damaged(damage) => self.damage = Some(damage),
            Piece::End => {
                self.mono.finish(&mut self.block);
                return Ok(!self.block.is_empty());
            }
        }
        if self.damage.is_some() {
            self.mono.finish(&mut self.block);
        }
        // A far channel is cancelled stretch by stretch: until one is whole, nothing comes out.
        Ok(!self.block.is_empty() || (self.damage.is_none() && !self.frames.is_empty()))
    }
}

impl Iterator for ClipReader {
    type Item = Result<Vec<f32>, AudioError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut block = Vec::new();
            match self.read_block(&mut block) {
                Ok(true) if block.is_empty() => {}
                Ok(true) => return Some(Ok(block)),
                Ok(false) => return None,
                Err(error) => {
                    self.state = State::Ended;
                    return Some(Err(error));
                }
            }
        }
    }
}
