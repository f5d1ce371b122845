//! Self-supervised classes: parts of a clip are exchanged with those of another, and a second
//! loss learns to tell what was exchanged.
//!
//! Every clip's partner is the clip at the mirrored position of its batch, and every clip is
//! exchanged with probability one half. An exchange triples the classes: a kept clip of label `y`
//! becomes `[y, 0, 0]`, an exchanged one `[0, y/2, y_partner/2]`. Two exchanges in a row, of
//! statistics and then of features, make nine times the classes. The second loss has trainable
//! centres and is added to the plain one.
//!
//! # Source
//! Wilkinghoff, "Self-Supervised Learning for Anomalous Sound Detection", 2024 (`FeatEx`); Chen et
//! al., "Effective Anomalous Sound Detection Based on Statistics Exchange", 2023 (`StatEx`).

use burn::tensor::{Device, Tensor, TensorData};
use ndarray::{Array2, ArrayView2, s};
use offkey_core::Seed;
use offkey_infer::{
    Axes, BranchConfig, EncoderConfig,
    features::{self, BatchFeatures},
};
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// How often a clip is exchanged, as in both papers.
const EXCHANGE_PROBABILITY: f64 = 0.5;

/// A bin that deviates less than this over time is silent: its deviation counts as this much.
const LEAST_DEVIATION: f32 = 1e-8;

/// Which exchanges a second loss learns from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SelfSupervision {
    /// No second loss, as in the paper's system.
    #[default]
    None,
    /// `FeatEx`: all branches of the embedding but the first come from the partner.
    FeatureExchange,
    /// `StatEx`: the spectrograms' means and deviations over time come from the partner. The plain loss sees
    /// the same exchanged clips under their own labels, our choice: it saves a second pass.
    StatisticsExchange,
    /// Statistics first, then features.
    Both,
}

impl SelfSupervision {
    /// Classes of the second loss for each class of the first; none without a second loss.
    pub fn class_factor(self) -> Option<usize> {
        match self {
            Self::None => None,
            Self::FeatureExchange | Self::StatisticsExchange => Some(3),
            Self::Both => Some(9),
        }
    }

    /// The name, as recipes write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::FeatureExchange => "feature-exchange",
            Self::StatisticsExchange => "statistics-exchange",
            Self::Both => "both",
        }
    }

    fn exchanges_statistics(self) -> bool {
        matches!(self, Self::StatisticsExchange | Self::Both)
    }

    fn exchanges_features(self) -> bool {
        matches!(self, Self::FeatureExchange | Self::Both)
    }

    /// What an encoder lacks for these exchanges, if anything.
    pub(crate) fn missing_in(self, encoder: &EncoderConfig) -> Option<&'static str> {
        let has_spectrogram = encoder.branches.iter().any(is_spectrogram);
        if self.exchanges_features() && encoder.branches.len() < 2 {
            Some("an encoder of at least two branches")
        } else if self.exchanges_statistics() && !has_spectrogram {
            Some("an encoder with a spectrogram branch")
        } else {
            None
        }
    }
}

fn is_spectrogram(branch: &BranchConfig) -> bool {
    matches!(branch.axes(), Axes::Spectrogram { .. })
}

/// What was exchanged among the clips of a batch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Exchange {
    /// Labels of the second loss, `[clips, class_factor * classes]`.
    pub(crate) labels: Array2<f32>,
    /// Clips whose embedding takes its later branches from the partner.
    features: Vec<bool>,
    first_branch_dims: usize,
}

impl Exchange {
    /// Draws the exchanges of a batch; those of statistics are made in its features at once.
    /// None without self-supervision.
    pub(crate) fn draw(
        rule: SelfSupervision,
        encoder: &EncoderConfig,
        features: &mut BatchFeatures,
        labels: &Array2<f32>,
        seed: Seed,
    ) -> Option<Self> {
        rule.class_factor()?;
        let clips = features.clips;
        let mut labels = labels.clone();
        if rule.exchanges_statistics() {
            let exchanged = draw_exchanged(clips, seed.child("statistics"));
            let branches = encoder.branches.iter().zip(&mut features.branches);
            for (branch, values) in branches {
                let Axes::Spectrogram { centred } = branch.axes() else { continue };
                let (_, bins) = branch.shape(encoder.clip_samples());
                exchange_statistics(values, bins, centred, &exchanged);
            }
            labels = exchanged_labels(&labels, &exchanged);
        }
        let mut exchanged = vec![false; clips];
        if rule.exchanges_features() {
            exchanged = draw_exchanged(clips, seed.child("features"));
            labels = exchanged_labels(&labels, &exchanged);
        }
        let first_branch_dims = encoder.branches.first().map_or(0, BranchConfig::dims);
        Some(Self { labels, features: exchanged, first_branch_dims })
    }

    /// Embeddings as the second loss sees them, branches of exchanged clips replaced.
    ///
    /// # Shapes
    /// `embeddings`, result: `[clips, dims]`.
    pub(crate) fn embeddings(&self, embeddings: Tensor<2>) -> Tensor<2> {
        if self.features.contains(&true) {
            exchange_features(embeddings, self.first_branch_dims, &self.features)
        } else {
            embeddings
        }
    }
}

/// Which clips of a batch are exchanged. The middle clip of an odd batch is its own partner and
/// never is.
fn draw_exchanged(clips: usize, seed: Seed) -> Vec<bool> {
    let mut rng = seed.rng();
    let draw = |clip| rng.random_bool(EXCHANGE_PROBABILITY) && clip != partner(clip, clips);
    (0..clips).map(draw).collect()
}

fn partner(clip: usize, clips: usize) -> usize {
    clips - 1 - clip
}

/// The labels of the second loss, `[clips, 3 * classes]`, of labels `[clips, classes]`.
fn exchanged_labels(labels: &Array2<f32>, exchanged: &[bool]) -> Array2<f32> {
    let (clips, classes) = labels.dim();
    let mut tripled = Array2::zeros((clips, 3 * classes));
    for (clip, &is_exchanged) in exchanged.iter().enumerate() {
        let own = labels.row(clip);
        if is_exchanged {
            let half = |row: ndarray::ArrayView1<f32>| row.mapv(|share| share / 2.0);
            let others = half(labels.row(partner(clip, clips)));
            tripled.slice_mut(s![clip, classes..2 * classes]).assign(&half(own));
            tripled.slice_mut(s![clip, 2 * classes..]).assign(&others);
        } else {
            tripled.slice_mut(s![clip, ..classes]).assign(&own);
        }
    }
    tripled
}

/// Gives the spectrograms of the exchanged clips their partners' means and deviations over time, bin
/// by bin. Where the means have been subtracted (`centred`), they are zero on both sides.
///
/// # Shapes
/// `spectrograms`: row-major `[clips, frames, bins]`.
fn exchange_statistics(spectrograms: &mut [f32], bins: usize, centred: bool, exchanged: &[bool]) {
    let clips = exchanged.len();
    let clip_values = spectrograms.len() / clips;
    let of_clip = |clip: &[f32]| {
        let means = if centred { vec![0.0; bins] } else { features::means_over_time(clip, bins) };
        let deviations = deviations_over_time(clip, &means);
        means.into_iter().zip(deviations).collect::<Vec<_>>()
    };
    let statistics: Vec<Vec<(f32, f32)>> =
        spectrograms.chunks_exact(clip_values).map(of_clip).collect();
    for (clip, values) in spectrograms.chunks_exact_mut(clip_values).enumerate() {
        if !exchanged[clip] {
            continue;
        }
        let (own, others) = (&statistics[clip], &statistics[partner(clip, clips)]);
        for frame in values.chunks_exact_mut(bins) {
            let statistics = own.iter().zip(others);
            for (value, ((mean, deviation), (other_mean, other_deviation))) in
                frame.iter_mut().zip(statistics)
            {
                *value = (*value - mean) * (other_deviation / deviation) + other_mean;
            }
        }
    }
}

/// Root mean square deviation from the means over the frames of one clip, one value per bin.
fn deviations_over_time(clip: &[f32], means: &[f32]) -> Vec<f32> {
    let frames = ArrayView2::from_shape((clip.len() / means.len(), means.len()), clip)
        .expect("a clip is a whole number of frames");
    let deviation = |(bin, &mean): (ndarray::ArrayView1<f32>, &f32)| {
        let squares: f64 = bin.iter().map(|&x| f64::from(x - mean).powi(2)).sum();
        ((squares / bin.len() as f64).sqrt() as f32).max(LEAST_DEVIATION)
    };
    frames.columns().into_iter().zip(means).map(deviation).collect()
}

/// Embeddings whose exchanged clips keep their first branch and take the others from their
/// partner.
///
/// # Shapes
/// `embeddings`: `[clips, dims]`, branch after branch, the first `first_branch_dims` wide; result:
/// the same.
fn exchange_features(
    embeddings: Tensor<2>,
    first_branch_dims: usize,
    exchanged: &[bool],
) -> Tensor<2> {
    let [clips, dims] = embeddings.dims();
    let device = embeddings.device();
    let of_partner = embeddings.clone().flip([0]);
    let taken = taken_from_partner((clips, dims), first_branch_dims, exchanged, &device);
    let kept = taken.clone().neg() + 1.0;
    embeddings * kept + of_partner * taken
}

/// 1 where an entry comes from the partner, else 0.
fn taken_from_partner(
    (clips, dims): (usize, usize),
    first_branch_dims: usize,
    exchanged: &[bool],
    device: &Device,
) -> Tensor<2> {
    let entry = |index: usize| {
        let (clip, dim) = (index / dims, index % dims);
        f32::from(u8::from(exchanged[clip] && dim >= first_branch_dims))
    };
    let values: Vec<f32> = (0..clips * dims).map(entry).collect();
    Tensor::from_data(TensorData::new(values, [clips, dims]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    #[test]
    fn labels_of_exchanged_clips_are_halved_between_own_and_partner() {
        let labels = array![[1.0, 0.0], [0.3, 0.7], [0.0, 1.0]];
        let tripled = exchanged_labels(&labels, &[true, false, false]);
        assert_eq!(
            tripled,
            array![
                [0.0, 0.0, 0.5, 0.0, 0.0, 0.5],
                [0.3, 0.7, 0.0, 0.0, 0.0, 0.0],
                [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]
            ]
        );
    }

    #[test]
    fn labels_of_chained_exchanges_keep_their_sum() {
        let labels = array![[1.0, 0.0], [0.25, 0.75], [0.0, 1.0], [1.0, 0.0]];
        for bits in 0..256_u32 {
            let flags = |shift: u32| (0..4).map(move |clip| bits >> (shift + clip) & 1 == 1);
            let (first, second): (Vec<_>, Vec<_>) = (flags(0).collect(), flags(4).collect());
            let ninefold = exchanged_labels(&exchanged_labels(&labels, &first), &second);
            assert_eq!(ninefold.dim(), (4, 18));
            for row in ninefold.rows() {
                assert_abs_diff_eq!(row.sum(), 1.0, epsilon = 1e-6);
            }
        }
    }

    #[test]
    fn about_half_of_the_clips_are_exchanged_and_never_with_themselves() {
        let drawn = draw_exchanged(1001, Seed::new(5));
        let count = drawn.iter().filter(|&&is_exchanged| is_exchanged).count();
        assert!((400..600).contains(&count), "{count}");
        assert!((0..50).all(|seed| !draw_exchanged(3, Seed::new(seed))[1]));
        assert_eq!(drawn, draw_exchanged(1001, Seed::new(5)));
    }

    #[test]
    fn exchanged_spectrograms_have_the_partners_deviations() {
        // Two clips of three frames and two bins, temporal means zero.
        let first = [1.0, 2.0, -1.0, 0.0, 0.0, -2.0];
        let second = [3.0, 0.5, -3.0, 0.5, 0.0, -1.0];
        let mut both = [first, second].concat();
        exchange_statistics(&mut both, 2, true, &[true, false]);
        assert_eq!(both[6..], second);
        let (expected, found) =
            (deviations_over_time(&second, &[0.0; 2]), deviations_over_time(&both[..6], &[0.0; 2]));
        for (found, expected) in found.iter().zip(expected) {
            assert_abs_diff_eq!(*found, expected, epsilon = 1e-6);
        }
        assert_abs_diff_eq!(both[0], 3.0, epsilon = 1e-6);
    }

    #[test]
    fn exchanged_spectrograms_that_keep_their_means_have_the_partners_means_and_deviations() {
        // Two clips of three frames and two bins.
        let first = [11.0, 2.0, 9.0, 0.0, 10.0, -2.0];
        let second = [5.0, 7.5, -1.0, 7.5, 2.0, 6.0];
        let mut both = [first, second].concat();
        exchange_statistics(&mut both, 2, false, &[true, false]);
        assert_eq!(both[6..], second);
        let (means, expected) =
            (features::means_over_time(&both[..6], 2), features::means_over_time(&second, 2));
        for (found, expected) in means.iter().zip(&expected) {
            assert_abs_diff_eq!(*found, *expected, epsilon = 1e-6);
        }
        let found = deviations_over_time(&both[..6], &means);
        for (found, expected) in found.iter().zip(deviations_over_time(&second, &expected)) {
            assert_abs_diff_eq!(*found, expected, epsilon = 1e-6);
        }
    }

    #[test]
    fn a_silent_bin_stays_finite_through_an_exchange() {
        let mut both = vec![0.0, 1.0, 0.0, -1.0, 5.0, 2.0, -5.0, -2.0];
        exchange_statistics(&mut both, 2, true, &[true, true]);
        assert!(both.iter().all(|value| value.is_finite()));
        assert_abs_diff_eq!(both[5], 1.0, epsilon = 1e-6);
    }

    #[test]
    fn exchanged_embeddings_keep_their_first_branch_alone() {
        let device = Device::flex();
        let embeddings = Tensor::<2>::from_floats([[1., 2., 3.], [4., 5., 6.]], &device);
        let exchanged = exchange_features(embeddings, 1, &[true, false]);
        let values: Vec<f32> = exchanged.into_data().iter::<f32>().collect();
        assert_eq!(values, [1., 5., 6., 4., 5., 6.]);
    }

    #[test]
    fn gradients_go_where_the_features_came_from() {
        let device = Device::flex().autodiff();
        let embeddings = Tensor::<2>::from_floats([[1., 2.], [3., 4.]], &device).require_grad();
        let exchanged = exchange_features(embeddings.clone(), 1, &[true, false]);
        let first_row = exchanged.narrow(0, 0, 1).sum();
        let gradients = first_row.backward();
        let gradient = embeddings.grad(&gradients).expect("the sum depends on the embeddings");
        let values: Vec<f32> = gradient.into_data().iter::<f32>().collect();
        assert_eq!(values, [1., 0., 0., 1.]);
    }
}
