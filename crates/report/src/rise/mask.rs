//! Soft random masks: a coarse random grid, enlarged and shifted.

use std::ops::Range;

use ndarray::{Array2, Array3, Axis};
use offkey_core::Seed;
use rand::RngExt;
use rayon::prelude::*;

use super::RiseConfig;

/// The masks of one explanation, each made from its index alone.
#[derive(Debug, Clone)]
pub struct Masks {
    shape: (usize, usize),
    cells: (usize, usize),
    keep: f64,
    seed: Seed,
}

impl Masks {
    /// Masks of `(frames, bins)`, as `config` describes them.
    pub fn new(shape: (usize, usize), config: &RiseConfig, seed: Seed) -> Self {
        let cells = (config.time_cells, config.frequency_cells);
        Self { shape, cells, keep: config.keep, seed: seed.child("rise") }
    }

    /// One mask, `[frames, bins]`, every value in 0..=1 and `keep` on average.
    ///
    /// A grid of cells, each 1 with probability `keep`, is enlarged bilinearly by a whole cell
    /// more than the input, and cut out at a random shift of up to one cell.
    pub fn mask(&self, index: usize) -> Array2<f32> {
        let mut rng = self.seed.child(index).rng();
        let time = Axis1d::new(self.shape.0, self.cells.0, rng.random());
        let frequency = Axis1d::new(self.shape.1, self.cells.1, rng.random());
        let grid = Array2::from_shape_simple_fn((time.nodes, frequency.nodes), || {
            f32::from(u8::from(rng.random_bool(self.keep)))
        });
        let mut mask = Array2::zeros(self.shape);
        for (mut row, &(node, share)) in mask.rows_mut().into_iter().zip(&time.places) {
            let next = (node + 1).min(time.nodes - 1);
            let line = &grid.row(node) * (1.0 - share) + &grid.row(next) * share;
            for (value, &(node, share)) in row.iter_mut().zip(&frequency.places) {
                let next = (node + 1).min(frequency.nodes - 1);
                *value = line[node] * (1.0 - share) + line[next] * share;
            }
        }
        mask
    }

    /// Several masks, `[masks, frames, bins]`.
    pub fn batch(&self, indices: Range<usize>) -> Array3<f32> {
        let mut batch = Array3::zeros((indices.len(), self.shape.0, self.shape.1));
        let slots: Vec<_> = indices.zip(batch.axis_iter_mut(Axis(0))).collect();
        slots.into_par_iter().for_each(|(index, mut slot)| slot.assign(&self.mask(index)));
        batch
    }
}

/// Where each position of one axis lies between the nodes of the grid.
struct Axis1d {
    nodes: usize,
    /// Node below, and the share of the node above.
    places: Vec<(usize, f32)>,
}

impl Axis1d {
    /// `shift` in 0..1 cells. A single cell covers the whole axis and is not shifted.
    fn new(length: usize, cells: usize, shift: f32) -> Self {
        if cells == 1 {
            return Self { nodes: 1, places: vec![(0, 0.0); length] };
        }
        let per_position = cells as f32 / length as f32;
        let place = |position: usize| {
            let at = position as f32 * per_position + shift;
            (at as usize, at.fract())
        };
        Self { nodes: cells + 2, places: (0..length).map(place).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masks(shape: (usize, usize)) -> Masks {
        Masks::new(shape, &RiseConfig::default(), Seed::new(1))
    }

    #[test]
    fn values_stay_between_zero_and_one_and_average_to_the_kept_share() {
        let masks = masks((40, 50));
        let batch = masks.batch(0..600);
        assert!(batch.iter().all(|value| (0.0..=1.0).contains(value)));
        let mean = batch.mean_axis(Axis(0)).expect("600 masks");
        // Standard error of a mean of 600 values of deviation at most 0.5 is 0.02; five of them.
        assert!(mean.iter().all(|value| (value - 0.5).abs() < 0.1));
    }

    #[test]
    fn a_mask_depends_on_its_index_alone() {
        let masks = masks((16, 16));
        assert_eq!(masks.batch(3..6).index_axis(Axis(0), 1), masks.mask(4));
        assert_ne!(masks.mask(4), masks.mask(5));
    }
}
