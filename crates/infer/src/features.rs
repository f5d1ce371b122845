//! Waveforms to the numbers each branch looks at, one clip or a batch at a time.

use ndarray::Array2;
use rayon::prelude::*;

use crate::EncoderConfig;

/// Features of one clip, one entry a branch.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipFeatures {
    /// In the order of the encoder's branches, each of the [shape](crate::BranchConfig::shape) that
    /// the branch says: before logarithm and subtraction of the mean.
    pub branches: Vec<Array2<f32>>,
}

/// Features of a batch as the network takes them: row-major `[clips, ..]`, one entry a branch,
/// conditioned as each branch asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchFeatures {
    /// Clips of the batch.
    pub clips: usize,
    /// In the order of the encoder's branches.
    pub branches: Vec<Vec<f32>>,
}

/// Features of one clip of `config.clip_samples()` samples.
pub(crate) fn of_clip(config: &EncoderConfig, wave: &[f32]) -> ClipFeatures {
    let branches = config.branches.iter().map(|branch| {
        let (rows, columns) = branch.shape(wave.len());
        let mut values = vec![0.0; rows * columns];
        branch.kind().features(wave, &mut values);
        Array2::from_shape_vec((rows, columns), values).expect("rows x columns values")
    });
    ClipFeatures { branches: branches.collect() }
}

/// Features of a batch of clips of `config.clip_samples()` samples each.
pub fn of_batch(config: &EncoderConfig, waves: &[Vec<f32>]) -> BatchFeatures {
    let branches = config.branches.iter().map(|branch| {
        let shape = branch.shape(config.clip_samples());
        let mut values = vec![0.0; waves.len() * shape.0 * shape.1];
        values.par_chunks_exact_mut(shape.0 * shape.1).zip(waves).for_each(|(out, wave)| {
            branch.kind().features(wave, out);
            branch.kind().condition(out, shape);
        });
        values
    });
    BatchFeatures { clips: waves.len(), branches: branches.collect() }
}

/// Mean over the frames of one clip's spectrogram `[frames, bins]`, one value per bin.
pub fn means_over_time(clip: &[f32], bins: usize) -> Vec<f32> {
    let mut sums = vec![0.0_f64; bins];
    for frame in clip.chunks_exact(bins) {
        sums.iter_mut().zip(frame).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    let frames = (clip.len() / bins.max(1)).max(1) as f64;
    sums.into_iter().map(|sum| (sum / frames) as f32).collect()
}

/// Gathers the features of single clips, whose shapes have been checked.
pub(crate) fn gather(config: &EncoderConfig, clips: &[ClipFeatures]) -> BatchFeatures {
    let branches = config.branches.iter().enumerate().map(|(index, branch)| {
        let shape = branch.shape(config.clip_samples());
        let mut values = Vec::with_capacity(clips.len() * shape.0 * shape.1);
        for clip in clips {
            let start = values.len();
            values.extend(clip.branches[index].iter());
            branch.kind().condition(&mut values[start..], shape);
        }
        values
    });
    BatchFeatures { clips: clips.len(), branches: branches.collect() }
}
