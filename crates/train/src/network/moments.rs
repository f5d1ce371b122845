//! Mean and variance of what every norm sees over all batches of a pass, merged exactly.
//!
//! The average of the batches' variances would leave out the variance between batches.
//!
//! # Source
//! Chan, Golub and `LeVeque`, "Updating formulae and a pairwise algorithm for computing sample
//! variances", 1979: count, mean and sum of squared deviations of two parts give those of the whole.

use super::layers::{BatchStatistics, Pass};
use crate::tensors::values_of;

/// Moments of all norms so far, in the order in which a pass visits them.
#[derive(Debug, Default)]
pub(crate) struct Moments {
    clips: usize,
    norms: Vec<Norm>,
}

/// Of each feature of one norm.
#[derive(Debug, Default)]
struct Norm {
    mean: Vec<f64>,
    /// Mean squared deviation, over the clips so far.
    variance: Vec<f64>,
}

impl Moments {
    /// Adds what a training pass over so many clips collected. Every clip weighs the same.
    pub(crate) fn add(&mut self, pass: Pass, clips: usize) {
        let Pass::Train(statistics) = pass else { return };
        self.norms.resize_with(statistics.len(), Norm::default);
        let total = (self.clips + clips) as f64;
        let share = clips as f64 / total;
        for (norm, BatchStatistics { mean, variance }) in self.norms.iter_mut().zip(statistics) {
            norm.add(&values_of(mean), &values_of(variance), share);
        }
        self.clips += clips;
    }

    /// Mean and population variance of each norm.
    pub(crate) fn finish(self) -> impl Iterator<Item = [Vec<f32>; 2]> {
        let to_f32 = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
        self.norms.into_iter().map(move |norm| [norm.mean, norm.variance].map(to_f32))
    }
}

impl Norm {
    /// Adds a batch that makes this share of all clips so far, itself included.
    fn add(&mut self, mean: &[f32], variance: &[f32], share: f64) {
        self.mean.resize(mean.len(), 0.0);
        self.variance.resize(mean.len(), 0.0);
        let own = self.mean.iter_mut().zip(&mut self.variance);
        for ((own_mean, own_variance), (&mean, &variance)) in own.zip(mean.iter().zip(variance)) {
            let difference = f64::from(mean) - *own_mean;
            *own_mean += share * difference;
            *own_variance += share * (f64::from(variance) - *own_variance)
                + share * (1.0 - share) * difference * difference;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments_of(values: &[f64]) -> (f64, f64) {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        (mean, values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count)
    }

    #[test]
    fn merged_moments_are_those_of_all_values_at_once() {
        let batches: [&[f64]; 3] = [&[1.0, 2.0, 3.0], &[100.0, 101.0], &[-7.0, 0.0, 5.0, 9.0]];
        let mut norm = Norm::default();
        let mut count = 0;
        for batch in batches {
            let (mean, variance) = moments_of(batch);
            count += batch.len();
            norm.add(&[mean as f32], &[variance as f32], batch.len() as f64 / count as f64);
        }
        let (mean, variance) = moments_of(&batches.concat());
        approx::assert_relative_eq!(norm.mean[0], mean, max_relative = 1e-6);
        approx::assert_relative_eq!(norm.variance[0], variance, max_relative = 1e-6);
    }
}
