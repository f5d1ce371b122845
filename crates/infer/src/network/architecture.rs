//! Every tensor of an encoder, by name and shape: what a file of weights must hold.
//!
//! The order is that of the layers, from sound to embedding, and the same in training.

use crate::{BranchConfig, EncoderConfig, SpectrumConfig, StftConfig, features};

/// Channels per hidden unit of a squeeze-and-excitation layer.
pub const SQUEEZE_RATIO: usize = 16;
/// Side of the first convolution's kernel over a spectrogram.
pub const STEM_KERNEL: usize = 7;

impl EncoderConfig {
    /// Name and shape of every tensor of the encoder. Kernels are `[out, in, taps..]`, dense layers
    /// `[out, in]`; `running_mean` and `running_variance` are statistics, all others are trained.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let mut list = List { config: self, prefix: String::new(), tensors: Vec::new() };
        for (index, branch) in self.branches.iter().enumerate() {
            list.prefix = format!("branches.{index}");
            let (_, columns) = features::shape(branch, self.clip_samples());
            match branch {
                BranchConfig::Spectrum(config) => list.spectrum(config, columns),
                BranchConfig::Stft(config) => list.stft(config, columns),
            }
        }
        list.tensors
    }

    /// Trained numbers of the encoder, without the loss's own.
    pub fn parameters(&self) -> usize {
        let trained = |(name, _): &&(String, Vec<usize>)| !name.contains(".running_");
        let counts = self.tensors();
        counts.iter().filter(trained).map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }
}

struct List<'a> {
    config: &'a EncoderConfig,
    prefix: String,
    tensors: Vec<(String, Vec<usize>)>,
}

impl List<'_> {
    fn add(&mut self, name: &str, shape: &[usize]) {
        self.tensors.push((format!("{}.{name}", self.prefix), shape.to_vec()));
    }

    /// A convolution or dense layer.
    fn kernel(&mut self, name: &str, shape: &[usize]) {
        self.add(&format!("{name}.weight"), shape);
        if self.config.bias {
            self.add(&format!("{name}.bias"), &shape[..1]);
        }
    }

    fn norm(&mut self, name: &str, features: usize) {
        let affine: &[&str] = if self.config.batch_norm_affine { &["gamma", "beta"] } else { &[] };
        for part in affine.iter().chain(&["running_mean", "running_variance"]) {
            self.add(&format!("{name}.{part}"), &[features]);
        }
    }

    fn squeeze(&mut self, name: &str, channels: usize) {
        if self.config.squeeze_excitation {
            let hidden = channels.div_ceil(SQUEEZE_RATIO);
            self.kernel(&format!("{name}.reduce"), &[hidden, channels]);
            self.kernel(&format!("{name}.expand"), &[channels, hidden]);
        }
    }

    fn spectrum(&mut self, config: &SpectrumConfig, bins: usize) {
        let (mut inputs, mut positions) = (1, bins);
        for (layer, (&kernel, &stride)) in config.kernels.iter().zip(&config.strides).enumerate() {
            self.kernel(&format!("convolutions.{layer}"), &[config.filters, inputs, kernel]);
            inputs = config.filters;
            positions = positions.div_ceil(stride);
        }
        for layer in 0..config.kernels.len() {
            self.squeeze(&format!("squeezes.{layer}"), config.filters);
        }
        let mut inputs = config.filters * positions;
        for layer in 0..config.dense_layers {
            self.kernel(&format!("hidden.{layer}.dense"), &[config.dims, inputs]);
            self.norm(&format!("hidden.{layer}.norm"), config.dims);
            inputs = config.dims;
        }
        self.kernel("last", &[config.dims, inputs]);
    }

    fn stft(&mut self, config: &StftConfig, bins: usize) {
        let mut channels = config.stage_channels[0];
        let mut frequencies = (bins.div_ceil(config.stem_stride) - 3) / 2 + 1;
        self.norm("bin_norm", bins);
        self.kernel("stem", &[channels, 1, STEM_KERNEL, STEM_KERNEL]);
        self.norm("stem_norm", channels);
        for (stage, &outputs) in config.stage_channels.iter().enumerate() {
            let halves = stage > 0;
            self.block(2 * stage, channels, outputs, halves, halves);
            self.block(2 * stage + 1, outputs, outputs, true, false);
            channels = outputs;
            if halves {
                frequencies = frequencies.div_ceil(2);
            }
        }
        self.norm("head_norm", channels * frequencies);
        self.kernel("head", &[config.dims, channels * frequencies]);
    }

    fn block(&mut self, index: usize, inputs: usize, outputs: usize, norms: bool, halves: bool) {
        let name = |part: &str| format!("blocks.{index}.{part}");
        if norms {
            self.norm(&name("input_norm"), inputs);
        }
        self.kernel(&name("conv1"), &[outputs, inputs, 3, 3]);
        self.norm(&name("norm"), outputs);
        self.kernel(&name("conv2"), &[outputs, outputs, 3, 3]);
        self.squeeze(&name("squeeze"), outputs);
        if halves {
            self.kernel(&name("shortcut"), &[outputs, inputs, 1, 1]);
        }
    }
}
