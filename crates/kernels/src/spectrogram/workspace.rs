//! Memory of a training step, kept from step to step.

use crate::simd::Lane;
use crate::spectrogram::config::SpectrogramConfig;
use crate::spectrogram::norm::Norm;
use crate::spectrogram::plan::SpectrogramPlan;
use crate::spectrogram::scratch::ScratchPool;
use crate::spectrogram::stem::StemSums;

/// What a forward pass keeps for its backward pass, and the buffers that both work in.
///
/// A workspace grows to the largest batch it has seen and is then reused without a further
/// allocation of its size. It belongs to one forward pass at a time: a second one overwrites what
/// the first kept.
#[derive(Debug, Default)]
pub struct Workspace {
    /// The stem's pooled raw output.
    pub(crate) pooled: Vec<Lane>,
    pub(crate) blocks: Vec<BlockMemory>,
    /// Of the last forward pass.
    pub(crate) forward: Option<Forward>,
    /// What no pass leaves to another. A network of several branches moves one set of them from
    /// workspace to workspace.
    pub buffers: Buffers,
}

/// Memory that a pass needs while it runs and at no other time.
#[derive(Debug, Default)]
pub struct Buffers {
    /// Gradient of the activations of each stage, behind their norm.
    pub(crate) gradients: Vec<Vec<Lane>>,
    /// Gradient between the two convolutions of a block.
    pub(crate) inner_gradient: Vec<Lane>,
    /// Weight gradients of each chunk of clips.
    pub(crate) weight_chunks: Vec<Lane>,
    pub(crate) stem_sums: Vec<StemSums>,
    /// Sums of each clip.
    pub(crate) sums: Vec<f64>,
    pub(crate) scratch: ScratchPool,
}

/// Raw outputs of one block.
#[derive(Debug, Default)]
pub(crate) struct BlockMemory {
    /// Of the first convolution.
    pub(crate) inner: Vec<Lane>,
    /// Of the block, skip connection included.
    pub(crate) output: Vec<Lane>,
}

/// What a forward pass tells its backward pass.
#[derive(Debug)]
pub(crate) struct Forward {
    pub(crate) config: SpectrogramConfig,
    pub(crate) clips: usize,
    pub(crate) norms: Vec<Norm>,
}

impl Workspace {
    /// An empty workspace.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes held at the moment, small buffers aside.
    pub fn bytes(&self) -> usize {
        let blocks = self.blocks.iter().flat_map(|block| [&block.inner, &block.output]);
        self.buffers.bytes() + bytes([&self.pooled].into_iter().chain(blocks))
    }

    /// Makes room for the activations of `clips`.
    pub(crate) fn reserve_forward(&mut self, plan: &SpectrogramPlan, clips: usize) {
        self.forward = None;
        grow(&mut self.pooled, clips * plan.stem.pooled.lanes());
        self.blocks.resize_with(plan.blocks.len(), BlockMemory::default);
        for (memory, block) in self.blocks.iter_mut().zip(&plan.blocks) {
            grow(&mut memory.inner, clips * block.conv1.output.lanes());
            grow(&mut memory.output, clips * block.conv2.output.lanes());
        }
    }
}

impl Buffers {
    /// Bytes held at the moment, small buffers aside.
    pub fn bytes(&self) -> usize {
        bytes([&self.inner_gradient, &self.weight_chunks].into_iter().chain(&self.gradients))
    }

    /// Makes room for the gradients of `clips`; each stage is two blocks.
    pub(crate) fn reserve_backward(&mut self, plan: &SpectrogramPlan, clips: usize) {
        self.gradients.resize_with(plan.blocks.len() / 2, Vec::new);
        for (gradient, blocks) in self.gradients.iter_mut().zip(plan.blocks.chunks(2)) {
            grow(gradient, clips * blocks[0].conv2.output.lanes());
        }
        let inner = plan.blocks.iter().map(|block| block.conv1.output.lanes()).max();
        grow(&mut self.inner_gradient, clips * inner.unwrap_or(0));
    }
}

fn bytes<'a>(buffers: impl Iterator<Item = &'a Vec<Lane>>) -> usize {
    buffers.map(|lanes| lanes.capacity() * size_of::<Lane>()).sum()
}

/// Room for at least `len` vectors; what is there stays.
fn grow(lanes: &mut Vec<Lane>, len: usize) {
    if lanes.len() < len {
        // Reserving first keeps the growth exact: these are the largest buffers of the process.
        lanes.reserve_exact(len - lanes.len());
        lanes.resize(len, Lane::ZERO);
    }
}
