//! The spectrogram branch: a small residual network over time and frequency.

use burn::{
    module::Module,
    tensor::{Tensor, activation::relu},
};
use offkey_infer::{STEM_KERNEL, StftConfig};

use super::layers::{
    BatchNorm, BatchStatistics, Conv2d, Dense, Maker, Pass, SqueezeExcitation, flat, pool_halves,
    pool_valid,
};
use crate::engine::Engine;

/// `[clips, frames, bins]`, temporal means subtracted, to `[clips, dims]`.
#[derive(Module, Debug)]
pub(crate) struct StftBranch {
    pub(crate) bin_norm: BatchNorm,
    pub(crate) stem: Conv2d,
    pub(crate) stem_norm: BatchNorm,
    pub(crate) blocks: Vec<Block>,
    pub(crate) head_norm: BatchNorm,
    pub(crate) head: Dense,
    #[module(skip)]
    engine: Option<Engine>,
}

/// One residual block: two 3x3 convolutions beside a shortcut.
#[derive(Module, Debug)]
pub(crate) struct Block {
    pub(crate) input_norm: Option<BatchNorm>,
    pub(crate) conv1: Conv2d,
    pub(crate) norm: BatchNorm,
    pub(crate) conv2: Conv2d,
    squeeze: Option<SqueezeExcitation>,
    /// 1x1 convolution of the pooled input, where the block halves the resolution.
    pub(crate) shortcut: Option<Conv2d>,
    /// The second block of the first stage has `ReLU` before its inner norm, all others after.
    relu_before_norm: bool,
}

impl StftBranch {
    /// `shape`: frames and bins of a clip.
    pub(crate) fn new(config: &StftConfig, shape: (usize, usize), make: Maker<'_>) -> Self {
        let bins = shape.1;
        let stem_channels = config.stage_channels[0];
        let mut blocks = Vec::new();
        let mut channels = stem_channels;
        let mut frequencies = (bins.div_ceil(config.stem_stride) - 3) / 2 + 1;
        for (stage, &outputs) in config.stage_channels.iter().enumerate() {
            let make = make.child("stage").child(stage);
            blocks.push(Block::first(channels, outputs, stage, make.child("a")));
            blocks.push(Block::second(outputs, stage, make.child("b")));
            channels = outputs;
            if stage > 0 {
                frequencies = frequencies.div_ceil(2);
            }
        }
        Self {
            bin_norm: make.norm(bins),
            stem: make.child("stem").conv2d(1, stem_channels, STEM_KERNEL, config.stem_stride),
            stem_norm: make.norm(stem_channels),
            blocks,
            head_norm: make.norm(channels * frequencies),
            head: make.child("head").dense(channels * frequencies, config.dims),
            engine: Engine::stft(config, shape, make.config, make.compute, make.buffers),
        }
    }

    pub(crate) fn forward(&self, features: Tensor<3>, pass: &mut Pass) -> Tensor<2> {
        let x = match (&self.engine, &mut *pass) {
            (Some(engine), Pass::Train(statistics)) => {
                let (x, batch) = self.convolve_fast(engine, features);
                statistics.extend(batch);
                x
            }
            _ => self.convolve(features, pass),
        };
        self.head.forward(self.head_norm.forward(x, pass))
    }

    /// Everything up to the pooling over time on plain layers, flat.
    fn convolve(&self, features: Tensor<3>, pass: &mut Pass) -> Tensor<2> {
        // One norm per frequency bin: bins stand where batch norm expects channels.
        let bins_first = self.bin_norm.forward(features.swap_dims(1, 2), pass);
        let x: Tensor<4> = bins_first.swap_dims(1, 2).unsqueeze_dim(1);
        let x = relu(self.stem_norm.forward(self.stem.forward(x), pass));
        let mut x = pool_valid(x, [3, 3], [2, 2]);
        for block in &self.blocks {
            x = block.forward(x, pass);
        }
        let frames = x.dims()[2];
        pool_valid(x, [frames, 1], [frames, 1]).flatten(1, 3)
    }

    /// The same on the fast kernels, with the statistics of the norms.
    fn convolve_fast(
        &self,
        engine: &Engine,
        features: Tensor<3>,
    ) -> (Tensor<2>, impl Iterator<Item = BatchStatistics>) {
        let clips = features.dims()[0];
        let (x, batch) = engine.train(self.parameters(), features.flatten(0, 2), clips);
        (x, batch.into_iter().map(|(mean, variance)| BatchStatistics { mean, variance }))
    }

    /// Parameters up to the pooling over time, in the order of the fields, in one row.
    fn parameters(&self) -> Tensor<1> {
        let mut parameters: Vec<Tensor<1>> = self.bin_norm.affine().collect();
        parameters.push(flat(&self.stem.weight));
        parameters.extend(self.stem_norm.affine());
        for block in &self.blocks {
            parameters.extend(block.parameters());
        }
        Tensor::cat(parameters, 0)
    }

    pub(crate) fn engine(&self) -> Option<&Engine> {
        self.engine.as_ref()
    }

    pub(crate) fn norms_mut(&mut self) -> Vec<&mut BatchNorm> {
        let mut norms = vec![&mut self.bin_norm, &mut self.stem_norm];
        for block in &mut self.blocks {
            norms.extend(&mut block.input_norm);
            norms.push(&mut block.norm);
        }
        norms.push(&mut self.head_norm);
        norms
    }
}

impl Block {
    fn first(inputs: usize, outputs: usize, stage: usize, make: Maker<'_>) -> Self {
        let halves = stage > 0;
        Self {
            input_norm: halves.then(|| make.norm(inputs)),
            conv1: make.child("conv1").conv2d(inputs, outputs, 3, if halves { 2 } else { 1 }),
            norm: make.norm(outputs),
            conv2: make.child("conv2").conv2d(outputs, outputs, 3, 1),
            squeeze: make.child("squeeze").squeeze(outputs),
            shortcut: halves.then(|| make.child("shortcut").conv2d(inputs, outputs, 1, 1)),
            relu_before_norm: false,
        }
    }

    fn second(channels: usize, stage: usize, make: Maker<'_>) -> Self {
        Self {
            input_norm: Some(make.norm(channels)),
            conv1: make.child("conv1").conv2d(channels, channels, 3, 1),
            norm: make.norm(channels),
            conv2: make.child("conv2").conv2d(channels, channels, 3, 1),
            squeeze: make.child("squeeze").squeeze(channels),
            shortcut: None,
            relu_before_norm: stage == 0,
        }
    }

    /// Parameters in the order of the fields, each in one row.
    fn parameters(&self) -> Vec<Tensor<1>> {
        let input_norm = self.input_norm.iter().flat_map(BatchNorm::affine);
        let mut parameters: Vec<Tensor<1>> = input_norm.collect();
        parameters.push(flat(&self.conv1.weight));
        parameters.extend(self.norm.affine());
        parameters.push(flat(&self.conv2.weight));
        parameters.extend(self.shortcut.iter().map(|shortcut| flat(&shortcut.weight)));
        parameters
    }

    fn forward(&self, x: Tensor<4>, pass: &mut Pass) -> Tensor<4> {
        let x = match &self.input_norm {
            Some(norm) => norm.forward(x, pass),
            None => x,
        };
        let r = self.conv1.forward(relu(x.clone()));
        let r = if self.relu_before_norm {
            self.norm.forward(relu(r), pass)
        } else {
            relu(self.norm.forward(r, pass))
        };
        let mut r = self.conv2.forward(r);
        if let Some(squeeze) = &self.squeeze {
            let [clips, channels, frames, bins] = r.dims();
            r = squeeze.forward(r.flatten(2, 3)).reshape([clips, channels, frames, bins]);
        }
        match &self.shortcut {
            Some(shortcut) => shortcut.forward(pool_halves(x)) + r,
            None => x + r,
        }
    }
}
