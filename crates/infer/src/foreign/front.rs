//! From a clip to what an encoder takes: level, spectrogram, numbers, blocks, order of dimensions.

use std::borrow::Cow;

use ndarray::{Array2, ArrayView2, s};
use offkey_signal::{FeatureError, LogMel};
use serde::{Deserialize, Serialize};

/// What an encoder takes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FrontEnd {
    /// Mono sound, `[batch, samples]`.
    #[default]
    Waveform,
    /// Log-mel spectrograms, `[batch, frames, mels]`.
    LogMel(LogMel),
}

/// Which level a clip is brought to first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// As it was recorded.
    #[default]
    Recorded,
    /// A largest sample of 1, as many training programs do. What loudness tells is lost.
    Peak,
}

/// Order of the dimensions of what an encoder takes, after the batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// `[samples]`, or `[frames, mels]`.
    #[default]
    Plain,
    /// `[mels, frames]`.
    Transposed,
    /// `[1, samples]`, or `[1, frames, mels]`.
    Channel,
    /// `[1, mels, frames]`.
    ChannelTransposed,
}

/// Pieces of a clip that an encoder takes one by one. Each gives a row; what is left at the end gives none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blocks {
    /// Length of a block: frames of a spectrogram, or samples of sound.
    pub size: usize,
    /// From the start of one block to the start of the next.
    pub hop: usize,
}

/// A clip's level below which it is not raised.
const QUIETEST_PEAK: f32 = 1e-12;

impl FrontEnd {
    /// A clip as `[frames, mels]`; sound is `[samples, 1]`.
    pub(super) fn frames(&self, wave: &[f32], level: Level) -> Result<Array2<f32>, FeatureError> {
        let wave = level.of(wave);
        match self {
            Self::Waveform => Ok(Array2::from_shape_vec((wave.len(), 1), wave.into_owned())
                .expect("one column has as many numbers as samples")),
            Self::LogMel(log_mel) => log_mel.log_mel(&wave),
        }
    }

    /// What a block is measured in.
    pub(super) fn unit(&self) -> &'static str {
        match self {
            Self::Waveform => "samples",
            Self::LogMel(_) => "frames",
        }
    }
}

impl Level {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    fn of(self, wave: &[f32]) -> Cow<'_, [f32]> {
        match self {
            Self::Recorded => Cow::Borrowed(wave),
            Self::Peak => {
                let peak = wave.iter().fold(QUIETEST_PEAK, |peak, sample| peak.max(sample.abs()));
                Cow::Owned(wave.iter().map(|sample| sample / peak).collect())
            }
        }
    }
}

impl Layout {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it is one of sound: a spectrogram's two dimensions can change places, sound has one.
    pub(super) fn suits(self, front: &FrontEnd) -> bool {
        match self {
            Self::Plain | Self::Channel => true,
            Self::Transposed | Self::ChannelTransposed => matches!(front, FrontEnd::LogMel(_)),
        }
    }

    /// Shape and numbers of one block as the encoder takes them, with a batch of one.
    pub(super) fn tensor(
        self,
        block: ArrayView2<'_, f32>,
        front: &FrontEnd,
    ) -> (Vec<usize>, Vec<f32>) {
        let (frames, mels) = block.dim();
        let transposed = matches!(self, Self::Transposed | Self::ChannelTransposed);
        let mut shape = match front {
            FrontEnd::Waveform => vec![1, frames],
            FrontEnd::LogMel(_) if transposed => vec![1, mels, frames],
            FrontEnd::LogMel(_) => vec![1, frames, mels],
        };
        if matches!(self, Self::Channel | Self::ChannelTransposed) {
            shape.insert(1, 1);
        }
        let ordered = if transposed { block.reversed_axes() } else { block };
        let values = ordered.iter().copied().collect();
        (shape, values)
    }
}

/// The blocks of a clip, or the whole clip; none where the clip is shorter than one.
pub(super) fn cut(blocks: Option<Blocks>, frames: &Array2<f32>) -> Vec<ArrayView2<'_, f32>> {
    let Some(Blocks { size, hop }) = blocks else { return vec![frames.view()] };
    let last = frames.nrows().checked_sub(size);
    let starts = last.map(|last| (0..=last).step_by(hop.max(1)));
    starts.into_iter().flatten().map(|start| frames.slice(s![start..start + size, ..])).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn blocks_overlap_and_leave_the_rest_out() {
        let frames = Array2::from_shape_fn((10, 2), |(frame, mel)| (10 * frame + mel) as f32);
        let starts = |size, hop| -> Vec<f32> {
            let blocks = cut(Some(Blocks { size, hop }), &frames);
            assert!(blocks.iter().all(|block| block.dim() == (size, 2)));
            blocks.iter().map(|block| block[[0, 0]]).collect()
        };
        assert_eq!(starts(4, 2), [0.0, 20.0, 40.0, 60.0]);
        assert_eq!(starts(4, 5), [0.0, 50.0]);
        assert_eq!(starts(10, 1), [0.0]);
        assert!(starts(11, 1).is_empty());
        assert_eq!(cut(None, &frames).len(), 1);
    }

    #[test]
    fn every_layout_has_the_same_numbers_at_their_places() {
        let front = FrontEnd::LogMel(LogMel::default());
        let block = Array2::from_shape_fn((3, 2), |(frame, mel)| (10 * frame + mel) as f32);
        let tensor = |layout: Layout| layout.tensor(block.view(), &front);
        assert_eq!(tensor(Layout::Plain), (vec![1, 3, 2], vec![0.0, 1.0, 10.0, 11.0, 20.0, 21.0]));
        let turned = vec![0.0, 10.0, 20.0, 1.0, 11.0, 21.0];
        assert_eq!(tensor(Layout::Transposed), (vec![1, 2, 3], turned.clone()));
        assert_eq!(tensor(Layout::ChannelTransposed), (vec![1, 1, 2, 3], turned));
        let sound = Array2::from_shape_fn((4, 1), |(sample, _)| sample as f32);
        let (shape, _) = Layout::Channel.tensor(sound.view(), &FrontEnd::Waveform);
        assert_eq!(shape, [1, 1, 4]);
        assert!(!Layout::Transposed.suits(&FrontEnd::Waveform) && Layout::Channel.suits(&front));
    }

    #[test]
    fn the_peak_level_makes_the_largest_sample_one() {
        let frames = FrontEnd::Waveform.frames(&[0.1, -0.2, 0.05], Level::Peak).unwrap();
        assert_eq!(frames.as_slice().unwrap(), [0.5, -1.0, 0.25]);
        let silence = FrontEnd::Waveform.frames(&[0.0; 3], Level::Peak).unwrap();
        assert_eq!(silence.as_slice().unwrap(), [0.0; 3]);
        let recorded = FrontEnd::Waveform.frames(&[0.1, -0.2], Level::Recorded).unwrap();
        assert_eq!(recorded.as_slice().unwrap(), [0.1, -0.2]);
    }
}
