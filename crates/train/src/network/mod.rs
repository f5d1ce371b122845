//! The network itself: a list of branches whose outputs, one after the other, are the embedding.

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
pub(crate) use layers::{BatchNorm, Dense, Maker, Pass};
pub(crate) use moments::Moments;
use offkey_core::Seed;
use offkey_infer::{
    BranchConfig, Compute, EncoderConfig,
    features::{self, BatchFeatures},
};
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

/// One branch.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "a network has a handful of branches")]
enum Branch {
    Spectrum(SpectrumBranch),
    Stft(StftBranch),
}

impl Branch {
    fn forward(&self, input: BranchInput, pass: &mut Pass) -> Tensor<2> {
        match (self, input) {
            (Self::Spectrum(branch), BranchInput::Spectrum(x)) => branch.forward(x, pass),
            (Self::Stft(branch), BranchInput::Stft(x)) => branch.forward(x, pass),
            (branch, input) => unreachable!("features {input:?} for branch {branch:?}"),
        }
    }

    fn norms_mut(&mut self) -> Vec<&mut BatchNorm> {
        match self {
            Self::Spectrum(branch) => branch.norms_mut(),
            Self::Stft(branch) => branch.norms_mut(),
        }
    }

    fn engine(&self) -> Option<&Engine> {
        match self {
            Self::Spectrum(branch) => branch.engine(),
            Self::Stft(branch) => branch.engine(),
        }
    }
}

/// Features of a batch, as one branch takes them.
#[derive(Debug, Clone)]
pub(crate) enum BranchInput {
    /// `[clips, bins]`.
    Spectrum(Tensor<2>),
    /// `[clips, frames, bins]`, temporal means subtracted.
    Stft(Tensor<3>),
}

/// Moves features onto the device, without a copy on the processor.
pub(crate) fn into_inputs(
    features: BatchFeatures,
    config: &EncoderConfig,
    device: &Device,
) -> Vec<BranchInput> {
    let clips = features.clips;
    let inputs = config.branches.iter().zip(features.branches).map(|(branch, values)| {
        let (rows, columns) = features::shape(branch, config.clip_samples());
        match branch {
            BranchConfig::Spectrum(_) => {
                let data = TensorData::new(values, [clips, columns]);
                BranchInput::Spectrum(Tensor::from_data(data, device))
            }
            BranchConfig::Stft(_) => {
                let data = TensorData::new(values, [clips, rows, columns]);
                BranchInput::Stft(Tensor::from_data(data, device))
            }
        }
    });
    inputs.collect()
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
        let branches = config.branches.iter().enumerate().map(|(index, branch)| {
            let make = make.child("branch").child(index);
            match branch {
                BranchConfig::Spectrum(spectrum) => {
                    Branch::Spectrum(SpectrumBranch::new(spectrum, config.clip_samples(), make))
                }
                BranchConfig::Stft(stft) => {
                    let shape = features::shape(branch, config.clip_samples());
                    Branch::Stft(StftBranch::new(stft, shape, make))
                }
            }
        });
        Self { branches: branches.collect() }
    }

    /// Embeddings, `[clips, dims]`, not normalised. One input a branch.
    pub(crate) fn forward(&self, inputs: Vec<BranchInput>, pass: &mut Pass) -> Tensor<2> {
        let parts = self.branches.iter().zip(inputs).map(|(branch, x)| branch.forward(x, pass));
        Tensor::cat(parts.collect(), 1)
    }

    /// One branch's part of the embeddings in evaluation, `[clips, branch dims]`.
    #[cfg(feature = "gpu")]
    pub(crate) fn forward_branch(&self, branch: usize, input: BranchInput) -> Tensor<2> {
        self.branches[branch].forward(input, &mut Pass::Evaluate)
    }

    /// The kernels that compute each branch.
    pub(crate) fn kernels(&self) -> Vec<String> {
        let name = |branch: &Branch| match branch.engine() {
            Some(engine) => format!("fast ({})", engine.instructions()),
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
