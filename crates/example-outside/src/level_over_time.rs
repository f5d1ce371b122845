//! A branch: a linear map of how the level rises and falls over a clip.

use ndarray::{Array2, ArrayView2};
use offkey::{Seed, branches::CustomBranch};

/// Levels quieter than this are silence, in decibels relative to full scale.
const SILENCE_DB: f32 = -100.0;

/// The level of each of some equal parts of a clip, relative to the clip's mean level, through one
/// trained matrix. A machine that works in strokes is told from one that hums.
#[derive(Debug, Clone, Copy)]
pub struct LevelOverTime {
    /// Parts of a clip.
    pub parts: usize,
    /// Length of its part of the embedding.
    pub dims: usize,
}

impl CustomBranch for LevelOverTime {
    fn dims(&self) -> usize {
        self.dims
    }

    /// One row, a column per part; none where a clip is shorter than its parts.
    fn shape(&self, clip_samples: usize) -> (usize, usize) {
        (1, if clip_samples < self.parts { 0 } else { self.parts })
    }

    fn features(&self, wave: &[f32], out: &mut [f32]) {
        let samples = wave.len() / self.parts;
        for (level, part) in out.iter_mut().zip(wave.chunks_exact(samples)) {
            let power = part.iter().map(|x| x * x).sum::<f32>() / samples as f32;
            *level = (10.0 * power.log10()).max(SILENCE_DB);
        }
        let mean = out.iter().sum::<f32>() / out.len() as f32;
        for level in out.iter_mut() {
            *level -= mean;
        }
    }

    /// One matrix, `[dims, parts]`, drawn evenly around zero.
    fn matrices(&self, (_, parts): (usize, usize), seed: Seed) -> Vec<Array2<f32>> {
        let bound = (6.0 / (self.dims + parts) as f64).sqrt();
        let number = |(dim, part): (usize, usize)| {
            let drawn = seed.child(dim).child(part).value() as f64 / u64::MAX as f64;
            ((2.0 * drawn - 1.0) * bound) as f32
        };
        vec![Array2::from_shape_fn((self.dims, parts), number)]
    }

    fn embed(&self, matrices: &[ArrayView2<'_, f32>], features: ArrayView2<'_, f32>) -> Vec<f32> {
        matrices[0].dot(&features.row(0)).to_vec()
    }

    /// The derivative of `g · (W x)` by `W` is the outer product of `g` and `x`.
    fn gradients(
        &self,
        _: &[ArrayView2<'_, f32>],
        features: ArrayView2<'_, f32>,
        by_embedding: &[f32],
    ) -> Vec<Array2<f32>> {
        let outer = |(dim, part): (usize, usize)| by_embedding[dim] * features[(0, part)];
        vec![Array2::from_shape_fn((self.dims, features.ncols()), outer)]
    }

    fn multiply_adds(&self, (_, parts): (usize, usize)) -> usize {
        self.dims * parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_are_those_of_small_differences() {
        let branch = LevelOverTime { parts: 5, dims: 3 };
        let wave: Vec<f32> = (0..500).map(|n| (n as f32 * 0.7).sin() * n as f32 / 500.0).collect();
        let shape = branch.shape(wave.len());
        let mut features = Array2::zeros(shape);
        branch.features(&wave, features.as_slice_mut().expect("row-major"));
        assert!(features[(0, 4)] > features[(0, 0)], "the end is louder: {features}");
        let weights = branch.matrices(shape, Seed::new(1)).remove(0);
        let pull = [0.3, -1.0, 0.5];
        let value = |weights: &Array2<f32>| -> f32 {
            let embedding = branch.embed(&[weights.view()], features.view());
            embedding.iter().zip(pull).map(|(x, pull)| x * pull).sum()
        };
        let found = branch.gradients(&[weights.view()], features.view(), &pull).remove(0);
        for place in [(0, 0), (1, 4), (2, 2)] {
            let moved = |by: f32| {
                let mut weights = weights.clone();
                weights[place] += by;
                value(&weights)
            };
            let expected = (moved(0.1) - moved(-0.1)) / 0.2;
            assert!((found[place] - expected).abs() < 1e-2, "{place:?}");
        }
    }
}
