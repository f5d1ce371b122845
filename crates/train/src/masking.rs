//! Masks over spectrograms while training: bands of time and of frequency are silenced, so that
//! no single one decides a clip's class.
//!
//! # Source
//! Park et al., "`SpecAugment`: A Simple Data Augmentation Method for Automatic Speech Recognition",
//! 2019, without its warping of time.

use std::ops::Range;

use offkey_core::Seed;
use offkey_infer::{
    Axes, EncoderConfig,
    features::{self, BatchFeatures},
};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// How spectrograms are masked while training; the default masks nothing, as in the paper's
/// system. Branches without frames are never masked.
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

    /// Masks the spectrograms of a batch with each bin's mean over time, which is zero where the
    /// branch has it subtracted.
    pub(crate) fn mask(&self, encoder: &EncoderConfig, features: &mut BatchFeatures, seed: Seed) {
        if self.time_masks == 0 && self.frequency_masks == 0 {
            return;
        }
        for (index, branch) in encoder.branches.iter().enumerate() {
            let Axes::Spectrogram { centred } = branch.axes() else { continue };
            let (frames, bins) = branch.shape(encoder.clip_samples());
            let mut rng = seed.child(index).rng();
            for clip in features.branches[index].chunks_exact_mut(frames * bins) {
                let fill =
                    if centred { vec![0.0; bins] } else { features::means_over_time(clip, bins) };
                self.mask_clip(clip, &fill, &mut rng);
            }
        }
    }

    /// Masks one clip, `[frames, bins]`, with a value for each bin.
    fn mask_clip(&self, clip: &mut [f32], fill: &[f32], rng: &mut impl Rng) {
        let bins = fill.len();
        let frames = clip.len() / bins;
        for _ in 0..self.time_masks {
            let band = draw_band(frames, self.time_share, rng);
            let masked = &mut clip[band.start * bins..band.end * bins];
            masked.chunks_exact_mut(bins).for_each(|frame| frame.copy_from_slice(fill));
        }
        for _ in 0..self.frequency_masks {
            let band = draw_band(bins, self.frequency_share, rng);
            for frame in clip.chunks_exact_mut(bins) {
                frame[band.clone()].copy_from_slice(&fill[band.clone()]);
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
    use offkey_infer::{BranchConfig, StftConfig};

    use super::*;

    const FRAMES: usize = 20;
    const BINS: usize = 10;

    fn masked(config: MaskingConfig, seed: u64) -> Vec<f32> {
        let mut clip = vec![1.0; FRAMES * BINS];
        config.mask_clip(&mut clip, &[0.0; BINS], &mut Seed::new(seed).rng());
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
    fn a_spectrogram_that_keeps_its_means_is_masked_with_them() {
        let stft = StftConfig { window: 32, hop: 16, subtract_mean: false, ..Default::default() };
        let encoder = EncoderConfig {
            rate_hz: 1000,
            clip_s: 0.4,
            branches: vec![BranchConfig::Stft(stft)],
            ..EncoderConfig::default()
        };
        let wave = |clip: usize| (0..400).map(move |n| ((n * (n + 7 + clip)) as f32 * 0.01).sin());
        let waves: Vec<Vec<f32>> = (0..3).map(|clip| wave(clip).collect()).collect();
        let before = features::of_batch(&encoder, &waves);
        let mut after = before.clone();
        let everything =
            MaskingConfig { frequency_masks: 200, frequency_share: 1.0, ..Default::default() };
        everything.mask(&encoder, &mut after, Seed::new(1));
        let bins = 17;
        let clips = before.branches[0].len() / 3;
        let pairs =
            before.branches[0].chunks_exact(clips).zip(after.branches[0].chunks_exact(clips));
        for (before, after) in pairs {
            let means = features::means_over_time(before, bins);
            assert!(means.iter().any(|&mean| mean > 0.01));
            assert!(after.chunks_exact(bins).all(|frame| frame == means));
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
