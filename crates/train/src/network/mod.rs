//! The network itself: a list of branches whose outputs, one after the other, are the embedding.

mod custom;
#[cfg(test)]
mod golden;
mod layers;
mod moments;
mod spectrum;
mod stft;

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use custom::OutsideBranch;
pub(crate) use layers::{BatchNorm, Dense, Maker, Pass};
pub(crate) use moments::Moments;
use offkey_core::Seed;
use offkey_infer::{BranchConfig, Compute, EncoderConfig, features::BatchFeatures};
pub(crate) use spectrum::HiddenLayer;
use spectrum::SpectrumBranch;
use stft::StftBranch;

use crate::engine::{Engine, Idle};

/// Keras's momentum 0.99: this much of a batch enters the running statistics.
pub(crate) const NORM_MOMENTUM: f64 = 0.01;

/// The encoder's layers and weights.
#[derive(Module, Debug)]
pub(crate) struct Network {
    branches: Vec<Branch>,
}

/// One branch. Features come as `[clips, rows, columns]`, of the shape that the branch says.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "a network has a handful of branches")]
enum Branch {
    Spectrum(SpectrumBranch),
    Stft(StftBranch),
    Custom(OutsideBranch),
}

impl Branch {
    fn new(config: &BranchConfig, make: Maker<'_>) -> Self {
        let samples = make.config.clip_samples();
        let shape = config.shape(samples);
        match config {
            BranchConfig::Spectrum(spectrum) => {
                Self::Spectrum(SpectrumBranch::new(spectrum, samples, make))
            }
            BranchConfig::Stft(stft) => Self::Stft(StftBranch::new(stft, shape, make)),
            BranchConfig::Custom(named) => {
                let branch = named.branch().expect("`config` has been validated");
                Self::Custom(OutsideBranch::new(branch, shape, make))
            }
        }
    }

    fn forward(&self, features: Tensor<3>, pass: &mut Pass) -> Tensor<2> {
        match self {
            Self::Spectrum(branch) => branch.forward(features.squeeze_dim(1), pass),
            Self::Stft(branch) => branch.forward(features, pass),
            Self::Custom(branch) => branch.forward(features),
        }
    }

    fn norms_mut(&mut self) -> Vec<&mut BatchNorm> {
        match self {
            Self::Spectrum(branch) => branch.norms_mut(),
            Self::Stft(branch) => branch.norms_mut(),
            Self::Custom(_) => Vec::new(),
        }
    }

    fn engine(&self) -> Option<&Engine> {
        match self {
            Self::Spectrum(branch) => branch.engine(),
            Self::Stft(branch) => branch.engine(),
            Self::Custom(branch) => Some(branch.engine()),
        }
    }
}

/// Moves features onto the device, without a copy on the processor: `[clips, rows, columns]` for
/// each branch.
pub(crate) fn into_inputs(
    features: BatchFeatures,
    config: &EncoderConfig,
    device: &Device,
) -> Vec<Tensor<3>> {
    let clips = features.clips;
    let inputs = config.branches.iter().zip(features.branches).map(|(branch, values)| {
        branch_input(values, clips, branch.shape(config.clip_samples()), device)
    });
    inputs.collect()
}

/// Features of one branch on the device, `[clips, rows, columns]`.
pub(crate) fn branch_input(
    values: Vec<f32>,
    clips: usize,
    (rows, columns): (usize, usize),
    device: &Device,
) -> Tensor<3> {
    Tensor::from_data(TensorData::new(values, [clips, rows, columns]), device)
}

impl Network {
    /// A network with random weights. `config` has been validated.
    pub(crate) fn new(
        config: &EncoderConfig,
        seed: Seed,
        device: &Device,
        compute: Compute,
    ) -> Self {
        let buffers = &Idle::default();
        let make = Maker { config, seed, device, compute, buffers };
        let branches = config
            .branches
            .iter()
            .enumerate()
            .map(|(index, branch)| Branch::new(branch, make.child("branch").child(index)));
        Self { branches: branches.collect() }
    }

    /// Embeddings, `[clips, dims]`, not normalised. One input a branch.
    pub(crate) fn forward(&self, inputs: Vec<Tensor<3>>, pass: &mut Pass) -> Tensor<2> {
        let parts = self.branches.iter().zip(inputs).map(|(branch, x)| branch.forward(x, pass));
        Tensor::cat(parts.collect(), 1)
    }

    /// One branch's part of the embeddings in evaluation, `[clips, branch dims]`.
    #[cfg(feature = "gpu")]
    pub(crate) fn forward_branch(&self, branch: usize, input: Tensor<3>) -> Tensor<2> {
        self.branches[branch].forward(input, &mut Pass::Evaluate)
    }

    /// The kernels that compute each branch.
    pub(crate) fn kernels(&self) -> Vec<String> {
        let name = |branch: &Branch| match branch.engine() {
            Some(engine) => engine.kernels(),
            None => "reference".to_owned(),
        };
        self.branches.iter().map(name).collect()
    }

    /// Moves all running statistics towards those a training pass collected.
    pub(crate) fn update_running(&mut self, pass: Pass, weight: f64) {
        update_running(self.norms_mut().into_iter(), pass, weight);
    }

    /// Replaces all running statistics.
    pub(crate) fn set_running(&mut self, moments: Moments) {
        for (norm, [mean, variance]) in self.norms_mut().into_iter().zip(moments.finish()) {
            norm.set_running(mean, variance);
        }
    }

    /// All norms, in the order a pass visits them.
    fn norms_mut(&mut self) -> Vec<&mut BatchNorm> {
        self.branches.iter_mut().flat_map(Branch::norms_mut).collect()
    }
}

/// Moves running statistics towards those a training pass collected from the same norms:
/// `running + weight (batch - running)`.
pub(crate) fn update_running<'a>(
    norms: impl Iterator<Item = &'a mut BatchNorm>,
    pass: Pass,
    weight: f64,
) {
    let Pass::Train(statistics) = pass else { return };
    let mut statistics = statistics.into_iter();
    for norm in norms {
        let batch = statistics.next().expect("a pass visits every norm once");
        norm.update_running(batch, weight);
    }
}
