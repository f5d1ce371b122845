//! What every branch is asked.

use offkey_kernels::simd::Level;
use rayon::prelude::*;

use crate::{
    ConfigError, FoldedDense, Kernels, Switches,
    layers::{Cost, Layers, TensorList},
};

/// What the rows and columns of a branch's features stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axes {
    /// One row: magnitudes of the whole clip, from 0 Hz to half the sampling rate.
    Spectrum,
    /// A row per frame, a column per frequency from 0 Hz to half the sampling rate.
    Spectrogram {
        /// Whether each column's mean over time is taken out before the layers.
        centred: bool,
    },
    /// Something else, which is neither masked nor explained.
    Other,
}

/// A kind of branch.
pub(crate) trait Branch {
    /// Length of its part of the embedding.
    fn dims(&self) -> usize;

    /// Rows and columns of the features of a clip of so many samples.
    fn shape(&self, clip_samples: usize) -> (usize, usize);

    /// What they stand for.
    fn axes(&self) -> Axes;

    /// Refuses settings that no branch can have; `place` is its position in the encoder.
    fn check(&self, place: usize, clip_samples: usize) -> Result<(), ConfigError>;

    /// Writes the features of one clip, row-major.
    fn features(&self, wave: &[f32], out: &mut [f32]);

    /// Brings features to the form in which the layers take them.
    fn condition(&self, values: &mut [f32], shape: (usize, usize));

    /// Adds its tensors, in the order of the layers.
    fn tensors(&self, list: &mut TensorList, shape: (usize, usize));

    /// Adds what one clip costs.
    fn cost(&self, cost: &mut Cost, shape: (usize, usize));

    /// Its layers, ready to embed.
    fn network(&self, build: &Build<'_>) -> Box<dyn BranchNetwork>;
}

/// What the layers of a branch are made with.
pub(crate) struct Build<'a> {
    /// Samples of a clip.
    pub(crate) clip_samples: usize,
    /// What all layers have or lack.
    pub(crate) switches: Switches,
    /// The branch's weights.
    pub(crate) layers: Layers<'a>,
    /// Which kernels are wanted.
    pub(crate) kernels: Kernels,
}

impl Build<'_> {
    /// Whether the fast kernels are wanted and have all that is needed.
    pub(crate) fn takes_kernels(&self) -> bool {
        self.kernels == Kernels::Auto && self.switches.suit_kernels()
    }
}

/// The layers of one branch, with nothing left to train.
pub(crate) trait BranchNetwork: std::fmt::Debug + Send + Sync {
    /// `[clips, ..]` to `[clips, dims]`, row-major. Every clip is computed alone.
    fn embed(&self, clips: usize, features: &[f32]) -> Vec<f32>;

    /// The kernels that compute it, as in `fast (avx512)` or `reference`.
    fn kernels(&self) -> String;
}

/// What each clip of a batch gives, one after the other.
pub(crate) fn clip_by_clip(
    clip_values: usize,
    batch: &[f32],
    of_clip: impl Fn(&[f32]) -> Vec<f32> + Sync + Send,
) -> Vec<f32> {
    batch.par_chunks_exact(clip_values.max(1)).flat_map_iter(of_clip).collect()
}

/// Dense layers over the maps of a batch of clips.
pub(crate) fn through_dense(dense: &[FoldedDense], clips: usize, maps: &[f32]) -> Vec<f32> {
    let of_clip = |map: &[f32]| dense.iter().fold(map.to_vec(), |x, layer| layer.forward(&x));
    clip_by_clip(maps.len() / clips.max(1), maps, of_clip)
}

/// What computes a branch on the fast kernels of that level.
pub(crate) fn fast(level: Level) -> String {
    format!("fast ({})", level.name())
}

/// What computes a branch in plain loops.
pub(crate) fn reference() -> String {
    "reference".to_owned()
}
