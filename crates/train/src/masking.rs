//! Masks over spectrograms while training: bands of time and of frequency are silenced, so that
//! no single one decides a clip's class.
//!
//! # Source
//! Park et al., "`SpecAugment`: A Simple Data Augmentation Method for Automatic Speech Recognition",
//! 2019, without its warping of time.

use std::ops::Range;

use offkey_core::Seed;
use offkey_infer::{
    BranchConfig, EncoderConfig,
    features::{self, BatchFeatures},
};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// How spectrograms are masked while training; the default masks nothing, as in the paper's
/// system. Spectrum branches are never masked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaskingConfig {
    /// Masks along time in every spectrogram.
    pub time_masks: usize,
    /// Largest share of the frames that one mask covers; its width is drawn uniformly below.
    /// Default 0.1, our choice.
    pub time_share: f64,
    /// Masks along frequency in every spectrogram.
    pub frequency_masks: usize,
    /// Largest share of the bins that one mask covers. Default 0.1, our choice.
    pub frequency_share: f64,
}

impl Default for MaskingConfig {
    fn default() -> Self {
        Self { time_masks: 0, time_share: 0.1, frequency_masks: 0, frequency_share: 0.1 }
    }
}

impl MaskingConfig {
    /// Names the first setting outside its range.
    pub(crate) fn invalid(&self) -> Option<(&'static str, String, &'static str)> {
        let shares = [
            ("masking.time_share", self.time_share),
            ("masking.frequency_share", self.frequency_share),
        ];
        let broken = shares.into_iter().find(|(_, share)| !(0.0..=1.0).contains(share));
        broken.map(|(field, share)| (field, share.to_string(), "a share from 0 to 1"))
    }

    /// Masks the spectrograms of a batch with zeros, which is each bin's temporal mean: it has
    /// been subtracted.
    pub(crate) fn mask(&self, encoder: &EncoderConfig, features: &mut BatchFeatures, seed: Seed) {
        if self.time_masks == 0 && self.frequency_masks == 0 {
            return;
        }
        for (index, branch) in encoder.branches.iter().enumerate() {
            if !matches!(branch, BranchConfig::Stft(_)) {
                continue;
            }
            let (frames, bins) = features::shape(branch, encoder.clip_samples());
            let mut rng = seed.child(index).rng();
            for clip in features.branches[index].chunks_exact_mut(frames * bins) {
                self.mask_clip(clip, (frames, bins), &mut rng);
            }
        }
    }

    fn mask_clip(&self, clip: &mut [f32], (frames, bins): (usize, usize), rng: &mut impl Rng) {
        for _ in 0..self.time_masks {
            let band = draw_band(frames, self.time_share, rng);
            clip[band.start * bins..band.end * bins].fill(0.0);
        }
        for _ in 0..self.frequency_masks {
            let band = draw_band(bins, self.frequency_share, rng);
            for frame in clip.chunks_exact_mut(bins) {
                frame[band.clone()].fill(0.0);
            }
        }
    }
}

/// A band of random width, at most `share` of `length`, at a random place.
fn draw_band(length: usize, share: f64, rng: &mut impl Rng) -> Range<usize> {
    let widest = (length as f64 * share) as usize;
    let width = rng.random_range(0..=widest.min(length));
    let start = rng.random_range(0..=length - width);
    start..start + width
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAMES: usize = 20;
    const BINS: usize = 10;

    fn masked(config: MaskingConfig, seed: u64) -> Vec<f32> {
        let mut clip = vec![1.0; FRAMES * BINS];
        config.mask_clip(&mut clip, (FRAMES, BINS), &mut Seed::new(seed).rng());
        clip
    }

    #[test]
    fn a_time_mask_covers_whole_neighbouring_frames_up_to_its_share() {
        let config = MaskingConfig { time_masks: 1, time_share: 0.25, ..Default::default() };
        let mut widths = Vec::new();
        for seed in 0..200 {
            let clip = masked(config, seed);
            let frames: Vec<usize> =
                (0..FRAMES).filter(|f| clip[f * BINS..(f + 1) * BINS] == [0.0; BINS]).collect();
            let zeros = clip.iter().filter(|&&value| value == 0.0).count();
            assert_eq!(zeros, frames.len() * BINS);
            assert!(frames.windows(2).all(|pair| pair[1] == pair[0] + 1), "{frames:?}");
            widths.push(frames.len());
        }
        widths.sort_unstable();
        widths.dedup();
        assert_eq!(widths, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_frequency_mask_covers_the_same_bins_in_every_frame() {
        let config =
            MaskingConfig { frequency_masks: 2, frequency_share: 0.4, ..Default::default() };
        for seed in 0..50 {
            let clip = masked(config, seed);
            assert!(clip.chunks_exact(BINS).all(|frame| frame == &clip[..BINS]));
        }
    }

    #[test]
    fn the_same_seed_masks_alike() {
        let config = MaskingConfig { time_masks: 2, frequency_masks: 2, ..Default::default() };
        assert_eq!(masked(config, 3), masked(config, 3));
        assert!((0..20).any(|seed| masked(config, seed) != masked(config, 3)));
    }

    #[test]
    fn shares_beyond_one_are_named() {
        let config = MaskingConfig { time_share: 1.5, ..Default::default() };
        assert_eq!(config.invalid().expect("1.5 is no share").0, "masking.time_share");
        assert_eq!(MaskingConfig::default().invalid(), None);
    }
}
