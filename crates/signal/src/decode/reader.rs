//! A clip, block by block: mono, at the rate asked for.

use std::path::Path;

use super::{AudioFormat, AudioInfo, ChannelRule, DecodeConfig, open, source::Source};
use crate::{AudioError, Resampler, resampled_len};

/// Reads a file of any length in blocks, in bounded memory.
pub struct ClipReader {
    source: Source,
    channel: ChannelRule,
    resampler: Resampler,
    rate_hz: u32,
    /// Position in the file, in frames.
    frame: u64,
    frames: Vec<f32>,
    mono: Vec<f32>,
    ended: bool,
}

impl ClipReader {
    /// Opens a file at its beginning.
    ///
    /// # Errors
    /// [`AudioError`] when the file cannot be read, is no audio file, is damaged or cut short, or
    /// lacks the channel asked for.
    pub fn open(path: &Path, config: &DecodeConfig) -> Result<Self, AudioError> {
        Self::new(open(path)?, config, 0)
    }

    /// A reader whose first sample is number `start` after rate conversion.
    pub(super) fn new(
        mut source: Source,
        config: &DecodeConfig,
        start: u64,
    ) -> Result<Self, AudioError> {
        let info = *source.info();
        let path = || source.path().to_owned();
        if let ChannelRule::Pick(wanted) = config.channel
            && wanted >= info.channels
        {
            return Err(AudioError::Channel { path: path(), found: info.channels, wanted });
        }
        let (from_hz, to_hz) = (info.rate_hz, config.rate_hz.unwrap_or(info.rate_hz));
        let start = start.min(resampled_len(info.frames, from_hz, to_hz));
        let (resampler, frame) = Resampler::starting_at(start, from_hz, to_hz)
            .map_err(|_| AudioError::Rate { path: path(), from_hz, to_hz })?;
        let frame = frame.min(info.frames);
        if frame > 0 {
            source.seek(frame)?;
        }
        Ok(Self {
            source,
            channel: config.channel,
            resampler,
            rate_hz: to_hz,
            frame,
            frames: Vec::new(),
            mono: Vec::new(),
            ended: false,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// What the file says of itself.
    pub fn info(&self) -> &AudioInfo {
        self.source.info()
    }

    /// The rate of the samples that come out.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Appends the next samples to `out`; false when there are no more. A block has at most a few
    /// ten thousand samples and may have none.
    ///
    /// # Errors
    /// [`AudioError`] when the file is damaged or cut short from here on, or has a sample that is
    /// no finite number.
    pub fn read_block(&mut self, out: &mut Vec<f32>) -> Result<bool, AudioError> {
        if self.ended {
            return Ok(false);
        }
        self.frames.clear();
        if self.source.read_block(&mut self.frames)? == 0 {
            self.ended = true;
            self.resampler.finish(out);
            return Ok(true);
        }
        let channels = usize::from(self.source.info().channels);
        let may_be_undefined = matches!(self.source.info().format, AudioFormat::WavFloat(_));
        if may_be_undefined
            && let Some(sample) = self.frames.iter().position(|sample| !sample.is_finite())
        {
            let frame = self.frame + (sample / channels) as u64;
            return Err(AudioError::NonFinite { path: self.path().to_owned(), frame });
        }
        self.frame += (self.frames.len() / channels) as u64;
        let mono = if channels == 1 {
            &self.frames
        } else {
            self.mono.clear();
            self.channel.apply(&self.frames, channels, &mut self.mono);
            &self.mono
        };
        self.resampler.push(mono, out);
        Ok(true)
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
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl ChannelRule {
    fn apply(self, frames: &[f32], channels: usize, mono: &mut Vec<f32>) {
        let frames = frames.chunks_exact(channels);
        match self {
            Self::Mix => {
                let scale = 1.0 / channels as f32;
                mono.extend(frames.map(|frame| frame.iter().sum::<f32>() * scale));
            }
            Self::Pick(channel) => mono.extend(frames.map(|frame| frame[usize::from(channel)])),
        }
    }
}
