//! Soft random masks: a coarse random grid, enlarged and shifted.

use std::sync::Arc;

use ndarray::Array2;
use offkey_core::Seed;
use rand::RngExt;

use super::{axis::Axis, config::RiseConfig, design::Design};

/// One mask over frames and bins, kept as the small grid it is enlarged from.
#[derive(Debug, Clone)]
pub struct Mask {
    /// `[nodes along time, nodes along frequency]`.
    pub(super) grid: Array2<f32>,
    pub(super) time: Arc<Axis>,
    pub(super) frequency: Arc<Axis>,
    /// Draws that keep or drop nothing.
    pub(super) spare: Vec<f32>,
}

impl Mask {
    /// Frames and bins.
    pub fn dim(&self) -> (usize, usize) {
        (self.time.len(), self.frequency.len())
    }

    /// All values, `[frames, bins]`, each in 0..=1.
    pub fn values(&self) -> Array2<f32> {
        let ones = vec![1.0; self.time.len() * self.frequency.len()];
        let mut values = Array2::zeros(self.dim());
        self.apply(&ones, values.as_slice_mut().expect("a new array lies in one piece"));
        values
    }

    /// Writes the input times the mask; both are values of frames and bins, row-major.
    ///
    /// # Panics
    /// When there are not frames times bins of them.
    pub fn apply(&self, input: &[f32], output: &mut [f32]) {
        let (frames, bins) = self.dim();
        assert_eq!([input.len(), output.len()], [frames * bins; 2], "a mask fits its input");
        let mut line = vec![0.0; self.frequency.nodes()];
        let rows = input.chunks_exact(bins).zip(output.chunks_exact_mut(bins));
        for ((input, output), (below, above, share)) in rows.zip(self.time.places()) {
            let nodes = self.grid.row(below).into_iter().zip(self.grid.row(above));
            for (value, (below, above)) in line.iter_mut().zip(nodes) {
                *value = below * (1.0 - share) + above * share;
            }
            self.frequency.each_run(&line, |run, low, rise, shares| {
                let values = output[run.clone()].iter_mut().zip(&input[run]).zip(shares);
                for ((output, input), share) in values {
                    *output = input * (low + rise * share);
                }
            });
        }
    }
}

/// The masks of one explanation, in groups made from their index alone.
///
/// A mask is a grid of cells, each kept with a fixed probability, enlarged bilinearly by a whole cell
/// more than the input and cut out at a shift of up to one cell, which a group shares. Where a cell is
/// kept in one of two cases, masks of a group are balanced against each other: each is drawn as
/// if it were alone, but in a whole group every two cells are kept together, and not, equally often. So what
/// one cell does to the score is no noise in the estimate of another. Each mask is followed by its
/// opposite, which takes away whatever the score does on both sides alike.
#[derive(Debug, Clone)]
pub struct Masks {
    shape: (usize, usize),
    cells: (usize, usize),
    keep: f64,
    design: Design,
    seed: Seed,
}

/// Steps of the shift from group to group, which fill the square evenly (M. Roberts' R2 sequence).
const SHIFTS: [f64; 2] = [0.754_877_666_246_692_7, 0.569_840_290_998_053_2];

impl Masks {
    /// Masks of `(frames, bins)`, as `config` describes them.
    pub fn new(shape: (usize, usize), config: &RiseConfig, seed: Seed) -> Self {
        let cells = (config.time_cells, config.frequency_cells);
        let design = Design::new(Axis::nodes_of(cells.0) * Axis::nodes_of(cells.1));
        Self { shape, cells, keep: config.keep, design, seed: seed.child("rise") }
    }

    /// Masks of a group.
    pub fn group_len(&self) -> usize {
        self.design.rows()
    }

    /// All masks of a group, every value in 0..=1 and `keep` on average.
    pub fn group(&self, index: usize) -> Vec<Mask> {
        let mut rng = self.seed.child("shift").rng();
        let [time, frequency] =
            SHIFTS.map(|step| (rng.random::<f64>() + index as f64 * step).fract());
        let time = Arc::new(Axis::soft(self.shape.0, self.cells.0, time));
        let frequency = Arc::new(Axis::soft(self.shape.1, self.cells.1, frequency));
        let nodes = (time.nodes(), frequency.nodes());
        let mut rng = self.seed.child(index).rng();
        let is_fair = (self.keep - 0.5).abs() < f64::EPSILON;
        let rows = if is_fair { self.design.draw(&mut rng) } else { self.alone(&mut rng) };
        let mask = |row: Vec<bool>| {
            let mut values = row.into_iter().map(|kept| f32::from(u8::from(kept)));
            let grid =
                Array2::from_shape_simple_fn(nodes, || values.next().expect("a column per node"));
            let (time, frequency) = (Arc::clone(&time), Arc::clone(&frequency));
            Mask { grid, time, frequency, spare: values.collect() }
        };
        rows.into_iter().map(mask).collect()
    }

    /// As many rows, each cell of which is kept by itself.
    fn alone(&self, rng: &mut impl RngExt) -> Vec<Vec<bool>> {
        let mut row = || (0..self.design.columns()).map(|_| rng.random_bool(self.keep)).collect();
        (0..self.design.rows()).map(|_| row()).collect()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    fn masks(keep: f64) -> Masks {
        Masks::new((40, 50), &RiseConfig { keep, ..RiseConfig::default() }, Seed::new(1))
    }

    fn mean(masks: &[Mask]) -> Array2<f32> {
        let sum = masks.iter().fold(Array2::zeros((40, 50)), |sum, mask| sum + mask.values());
        sum / masks.len() as f32
    }

    #[test]
    fn values_stay_between_zero_and_one_and_average_to_the_kept_share() {
        for keep in [0.5, 0.3] {
            let masks: Vec<Mask> = (0..3).flat_map(|group| masks(keep).group(group)).collect();
            let values = masks.iter().map(Mask::values);
            assert!(values.into_iter().all(|mask| mask.iter().all(|v| (0.0..=1.0).contains(v))));
            // Standard error of a mean of 768 values of deviation at most 0.5 is 0.018; five of them.
            assert!(mean(&masks).iter().all(|value| (f64::from(*value) - keep).abs() < 0.09));
        }
    }

    #[test]
    fn a_balanced_group_keeps_every_place_in_half_of_its_masks() {
        assert!(mean(&masks(0.5).group(0)).iter().all(|value| (value - 0.5).abs() < 1e-5));
    }

    #[test]
    fn a_group_depends_on_its_index_alone() {
        let values = |group: usize| masks(0.5).group(group)[3].values();
        assert_eq!(values(4), values(4));
        assert_ne!(values(4), values(5));
    }

    #[test]
    fn neighbouring_values_change_by_at_most_a_share_of_a_cell() {
        let mask = &masks(0.5).group(2)[1].values();
        for ((frame, bin), value) in mask.indexed_iter().filter(|((frame, _), _)| *frame > 0) {
            let step = (value - mask[(frame - 1, bin)]).abs();
            assert!(step <= 8.0 / 40.0 + 1e-6, "{step} at {frame}, {bin}");
        }
    }
}
