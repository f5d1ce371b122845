//! What an encoder is made of: a list of branches, each from one kind of feature to one part of
//! the embedding.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    BranchConfig, BranchRegistry, ConfigError, SpectrumConfig, StftConfig, Switches,
    config_error::MOST_LAYERS,
    layers::{Cost, TensorList},
};

/// Architecture of an encoder.
///
/// The default is the two-branch network of Wilkinghoff and Kurth, "Why do Angular Margin Losses
/// work well for Semi-Supervised Anomalous Sound Detection?", IEEE/ACM TASLP 32, 2024. It has a
/// spectrum branch and a spectrogram branch, 2,540,978 parameters for clips of 10 s.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EncoderConfig {
    /// Sampling rate the encoder expects; 16,000 in every year of DCASE Task 2.
    pub rate_hz: u32,
    /// Length every clip is brought to before it enters, 10 s in DCASE 2020 to 2022.
    pub clip_s: f64,
    /// The branches; the embedding is their outputs one after the other.
    pub branches: Vec<BranchConfig>,
    /// Whether convolutions and dense layers have a bias. The paper's have none, because a bias
    /// lets a compactness loss be solved without looking at the input.
    pub bias: bool,
    /// Whether batch normalisation has a trained scale and shift, as in the paper. The shift is a
    /// bias too, so studies of collapse switch it off.
    pub batch_norm_affine: bool,
    /// Squeeze-and-excitation (ratio 16) on every residual branch and after every convolution
    /// over the spectrum, as in the author's later `FeatEx` system; off in the paper.
    pub squeeze_excitation: bool,
}

impl Default for EncoderConfig {
    fn default() -> Self {
        Self {
            rate_hz: 16_000,
            clip_s: 10.0,
            branches: vec![
                BranchConfig::Spectrum(SpectrumConfig::default()),
                BranchConfig::Stft(StftConfig::default()),
            ],
            bias: false,
            batch_norm_affine: true,
            squeeze_excitation: false,
        }
    }
}

impl EncoderConfig {
    /// Samples of a clip as the encoder expects it.
    pub fn clip_samples(&self) -> usize {
        (f64::from(self.rate_hz) * self.clip_s).round() as usize
    }

    /// Length of the embedding: the sum over the branches.
    pub fn dims(&self) -> usize {
        self.branches.iter().map(BranchConfig::dims).sum()
    }

    /// What all its layers have or lack.
    pub fn switches(&self) -> Switches {
        Switches {
            bias: self.bias,
            batch_norm_affine: self.batch_norm_affine,
            squeeze_excitation: self.squeeze_excitation,
        }
    }

    /// Whether the fast kernels have all that this encoder needs: they lack biases and
    /// squeeze-and-excitation, for which the plain layers are taken.
    pub fn suits_kernels(&self) -> bool {
        self.switches().suit_kernels()
    }

    /// Multiply-adds of convolutions and dense layers for one clip, forward only.
    pub fn multiply_adds(&self) -> usize {
        let mut cost = Cost::new(self.switches());
        for branch in &self.branches {
            branch.kind().cost(&mut cost, branch.shape(self.clip_samples()));
        }
        cost.multiply_adds()
    }

    /// Name and shape of every tensor of the encoder. Kernels are `[out, in, taps..]`, dense layers
    /// `[out, in]`; `running_mean` and `running_variance` are statistics, all others are trained.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let mut list = TensorList::new(self.switches());
        for (index, branch) in self.branches.iter().enumerate() {
            list.enter(format!("branches.{index}"));
            branch.kind().tensors(&mut list, branch.shape(self.clip_samples()));
        }
        list.finish()
    }

    /// Trained numbers of the encoder, without the loss's own.
    pub fn parameters(&self) -> usize {
        let trained = |(name, _): &&(String, Vec<usize>)| !name.contains(".running_");
        let counts = self.tensors();
        counts.iter().filter(trained).map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    /// The same encoder with its branches of other crates looked up.
    ///
    /// # Errors
    /// [`ConfigError::UnknownBranch`] when one is not in the registry.
    pub fn resolved(mut self, registry: &BranchRegistry) -> Result<Self, ConfigError> {
        for branch in &mut self.branches {
            if let BranchConfig::Custom(named) = branch {
                named.look_up(registry)?;
            }
        }
        Ok(self)
    }

    /// Its branches of other crates, those that were looked up: what loads a model of the same branches.
    pub fn outside(&self) -> BranchRegistry {
        let named = self.branches.iter().filter_map(|branch| match branch {
            BranchConfig::Custom(named) => Some((named.name(), named.branch()?)),
            BranchConfig::Spectrum(_) | BranchConfig::Stft(_) => None,
        });
        named.fold(BranchRegistry::default(), |registry, (name, branch)| {
            registry.with(name, Arc::clone(branch))
        })
    }

    /// Checks that the encoder can be built and that its clips are long enough for every layer.
    ///
    /// # Errors
    /// [`ConfigError`] naming the branch and the setting.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let clip_error = |field, found: String| Err(ConfigError::Clip { field, found });
        if self.rate_hz == 0 {
            return clip_error("rate_hz", self.rate_hz.to_string());
        }
        if !(self.clip_s.is_finite() && self.clip_s > 0.0) {
            return clip_error("clip_s", self.clip_s.to_string());
        }
        if self.rate_hz > HIGHEST_RATE_HZ || self.clip_s > LONGEST_CLIP_S {
            return Err(ConfigError::Size {
                field: "rate_hz and clip_s",
                found: format!("{} Hz and {} s", self.rate_hz, self.clip_s),
                expected: "at most 1,000,000 Hz and 3600 s",
            });
        }
        if self.branches.is_empty() {
            return Err(ConfigError::NoBranches);
        }
        if self.branches.len() > MOST_LAYERS {
            let (field, found) = ("branches", self.branches.len().to_string());
            return Err(ConfigError::Size { field, found, expected: "at most 64" });
        }
        for (index, branch) in self.branches.iter().enumerate() {
            branch.kind().check(index, self.clip_samples())?;
        }
        Ok(())
    }
}

/// Rate and length above which nothing is a clip.
const HIGHEST_RATE_HZ: u32 = 1_000_000;
const LONGEST_CLIP_S: f64 = 3600.0;
#[cfg(test)]
mod tests {
    use super::*;

    const HUGE: usize = 1_000_000_000_000;

    #[test]
    fn sizes_that_no_network_has_are_refused() {
        let spectrum = |change: fn(&mut SpectrumConfig)| {
            let mut config = SpectrumConfig::default();
            change(&mut config);
            BranchConfig::Spectrum(config)
        };
        let stft = |change: fn(&mut StftConfig)| {
            let mut config = StftConfig::default();
            change(&mut config);
            BranchConfig::Stft(config)
        };
        let branches = [
            spectrum(|c| c.filters = HUGE),
            spectrum(|c| c.dims = HUGE),
            spectrum(|c| c.dense_layers = HUGE),
            spectrum(|c| c.kernels = vec![HUGE, 1, 1]),
            spectrum(|c| (c.kernels, c.strides) = (vec![1; 1000], vec![1; 1000])),
            stft(|c| c.stage_channels = vec![HUGE]),
            stft(|c| c.dims = HUGE),
        ];
        for branch in branches {
            let config = EncoderConfig { branches: vec![branch], ..EncoderConfig::default() };
            assert!(matches!(config.validate(), Err(ConfigError::Size { .. })), "{config:?}");
        }
        for (rate_hz, clip_s) in [(u32::MAX, 1.0), (16_000, 1e18)] {
            let config = EncoderConfig { rate_hz, clip_s, ..EncoderConfig::default() };
            assert!(matches!(config.validate(), Err(ConfigError::Size { .. })), "{config:?}");
        }
        assert!(EncoderConfig::default().validate().is_ok());
    }

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
