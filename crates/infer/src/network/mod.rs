//! The network ready to embed clips: convolutions, then dense layers with their norms folded in.
//!
//! Every clip is computed alone, so its embedding does not depend on its batch. The convolutions
//! are our fast kernels where these cover the architecture, else plain loops.

#[cfg(test)]
mod golden;

use crate::{
    EncoderConfig, Kernels,
    branch::{BranchNetwork, Build},
    features::BatchFeatures,
    layers::Layers,
    weights::NamedTensors,
};

/// What computes an encoder's embeddings from features.
///
/// [`Network`] does so on the processor; a training framework may do so on another device.
pub trait Forward: std::fmt::Debug + Send + Sync {
    /// Embeddings of a batch, `[clips, dims]`, row-major, not normalised.
    fn forward(&self, features: BatchFeatures) -> Vec<f32>;

    /// One branch's part of the embeddings, `[clips, branch dims]`, from that branch's features.
    fn forward_branch(&self, branch: usize, clips: usize, features: &[f32]) -> Vec<f32>;

    /// The kernels that compute each branch, as in `fast (avx512)` or `reference`.
    fn kernels(&self) -> Vec<String>;
}

/// An encoder's network on the processor, with nothing left to train.
#[derive(Debug)]
pub struct Network {
    branches: Vec<Box<dyn BranchNetwork>>,
}

impl Network {
    /// The network of these weights, which are all of [`EncoderConfig::tensors`].
    pub fn new(config: &EncoderConfig, weights: &NamedTensors, kernels: Kernels) -> Self {
        let branches = config.branches.iter().enumerate().map(|(index, branch)| {
            let layers = Layers { weights, prefix: format!("branches.{index}") };
            let (clip_samples, switches) = (config.clip_samples(), config.switches());
            branch.kind().network(&Build { clip_samples, switches, layers, kernels })
        });
        Self { branches: branches.collect() }
    }
}

impl Forward for Network {
    fn forward(&self, features: BatchFeatures) -> Vec<f32> {
        let clips = features.clips;
        let branches = self.branches.iter().zip(features.branches);
        let parts: Vec<Vec<f32>> =
            branches.map(|(branch, values)| branch.embed(clips, &values)).collect();
        let row = |clip: usize| {
            let part = move |part: &Vec<f32>| {
                let dims = part.len() / clips;
                part[clip * dims..(clip + 1) * dims].to_vec()
            };
            parts.iter().flat_map(part).collect::<Vec<f32>>()
        };
        (0..clips).flat_map(row).collect()
    }

    fn forward_branch(&self, branch: usize, clips: usize, features: &[f32]) -> Vec<f32> {
        self.branches[branch].embed(clips, features)
    }

    fn kernels(&self) -> Vec<String> {
        self.branches.iter().map(|branch| branch.kernels()).collect()
    }
}
