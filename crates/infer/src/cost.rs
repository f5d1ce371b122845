//! What an architecture costs: multiply-adds per clip.

use crate::{
    BranchConfig, EncoderConfig, SpectrumConfig, StftConfig, features, network::SQUEEZE_RATIO,
};

/// Adds up layers. Norms, pooling and element-wise work do not count, as is usual.
struct Cost<'a> {
    config: &'a EncoderConfig,
    multiply_adds: usize,
}

impl EncoderConfig {
    /// Whether the fast kernels have all that this encoder needs: they lack biases and
    /// squeeze-and-excitation, for which the plain layers are taken.
    pub fn suits_kernels(&self) -> bool {
        !self.bias && !self.squeeze_excitation
    }

    /// Multiply-adds of convolutions and dense layers for one clip, forward only.
    pub fn multiply_adds(&self) -> usize {
        let mut cost = Cost { config: self, multiply_adds: 0 };
        for branch in &self.branches {
            let (rows, columns) = features::shape(branch, self.clip_samples());
            match branch {
                BranchConfig::Spectrum(config) => cost.spectrum(config, columns),
                BranchConfig::Stft(config) => cost.stft(config, [rows, columns]),
            }
        }
        cost.multiply_adds
    }
}

impl Cost<'_> {
    fn kernel(&mut self, inputs: usize, outputs: usize, area: usize, positions: usize) {
        self.multiply_adds += inputs * outputs * area * positions;
    }

    fn squeeze(&mut self, channels: usize) {
        if self.config.squeeze_excitation {
            let hidden = channels.div_ceil(SQUEEZE_RATIO);
            self.kernel(channels, hidden, 1, 1);
            self.kernel(hidden, channels, 1, 1);
        }
    }

    fn spectrum(&mut self, config: &SpectrumConfig, bins: usize) {
        let (mut inputs, mut positions) = (1, bins);
        for (&kernel, &stride) in config.kernels.iter().zip(&config.strides) {
            positions = positions.div_ceil(stride);
            self.kernel(inputs, config.filters, kernel, positions);
            self.squeeze(config.filters);
            inputs = config.filters;
        }
        let mut inputs = config.filters * positions;
        for _ in 0..config.dense_layers {
            self.kernel(inputs, config.dims, 1, 1);
            inputs = config.dims;
        }
        self.kernel(inputs, config.dims, 1, 1);
    }

    fn stft(&mut self, config: &StftConfig, shape: [usize; 2]) {
        let mut channels = config.stage_channels[0];
        let stem = shape.map(|size| size.div_ceil(config.stem_stride));
        self.kernel(1, channels, 49, stem[0] * stem[1]);
        let mut size = stem.map(|size| (size - 3) / 2 + 1);
        for (stage, &outputs) in config.stage_channels.iter().enumerate() {
            if stage > 0 {
                size = size.map(|size| size.div_ceil(2));
                self.kernel(channels, outputs, 1, size[0] * size[1]);
            }
            self.block(channels, outputs, size);
            self.block(outputs, outputs, size);
            channels = outputs;
        }
        let flat = channels * size[1];
        self.kernel(flat, config.dims, 1, 1);
    }

    fn block(&mut self, inputs: usize, outputs: usize, [frames, bins]: [usize; 2]) {
        self.kernel(inputs, outputs, 9, frames * bins);
        self.kernel(outputs, outputs, 9, frames * bins);
        self.squeeze(outputs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_encoder_has_the_papers_size() {
        let ten = EncoderConfig::default();
        let eighteen = EncoderConfig { clip_s: 18.0, ..EncoderConfig::default() };
        assert_eq!(ten.parameters(), 2_540_978);
        assert_eq!(eighteen.parameters(), 2_672_050);
        let millions = |config: &EncoderConfig| config.multiply_adds() as f64 / 1e6;
        // The paper's figures are rounded to a tenth of a million.
        approx::assert_abs_diff_eq!(millions(&ten), 457.8, epsilon = 0.06);
        approx::assert_abs_diff_eq!(millions(&eighteen), 819.9, epsilon = 0.06);
    }
}
