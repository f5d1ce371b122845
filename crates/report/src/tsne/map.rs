//! Arranging embeddings on a plane, and what comes of it.

use std::ops::ControlFlow;

use ndarray::{Array2, ArrayView2};
use offkey_core::Seed;

use super::{
    affinity::{Affinities, conditional},
    barnes_hut::Tree,
    config::{Distance, Method, Point, TsneConfig, TsneError},
    descent::{Descent, Phase},
    exact,
    neighbors::{nearest, neighbor_count},
    pca, place,
};

/// A fitted map.
#[derive(Debug, Clone, PartialEq)]
pub struct TsneMap {
    positions: Array2<f32>,
    kl: f64,
    reference: Array2<f32>,
    distance: Distance,
}

impl TsneConfig {
    /// Arranges embeddings on a plane. `on_step` hears of every step done and may stop the work.
    ///
    /// The same points, configuration and seed give the same bytes, whatever the thread count.
    /// The seed only separates points that coincide; the arrangement starts from the two main
    /// components.
    ///
    /// # Shapes
    /// `points`: `[points, dims]`.
    ///
    /// # Errors
    /// [`TsneError`] when there are fewer than four points, the perplexity exceeds a third of the
    /// points, a value is not finite, or `on_step` breaks.
    pub fn fit(
        &self,
        points: ArrayView2<f32>,
        seed: Seed,
        on_step: impl FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<TsneMap, TsneError> {
        self.check(points)?;
        let reference = prepare(points, self.distance);
        let start = pca::initial_positions(reference.view(), seed);
        let descent = Descent { phases: self.phases(points.nrows()), largest_step: 5.0 };
        let (positions, kl) = match self.method {
            Method::Exact => {
                let affinities =
                    exact::Affinities::new(reference.view(), self.distance, self.perplexity);
                let positions =
                    descent.run(start, |at, push| affinities.gradient(at, push), on_step)?;
                let kl = affinities.kl(&positions);
                (positions, kl)
            }
            Method::BarnesHut { theta } => {
                let affinities = self.sparse_affinities(reference.view());
                let positions = descent.run(
                    start,
                    |at, push| affinities.gradient(at, push, &Tree::new(at), theta),
                    on_step,
                )?;
                let normaliser = Tree::new(&positions).repulsion(theta).1;
                let kl = affinities.kl(&positions, normaliser);
                (positions, kl)
            }
        };
        let positions = Array2::from(positions);
        Ok(TsneMap { positions, kl, reference, distance: self.distance })
    }

    fn sparse_affinities(&self, reference: ArrayView2<f32>) -> Affinities {
        let count = neighbor_count(self.perplexity, reference.nrows() - 1);
        let neighbors = nearest(reference, reference, self.distance, count, true);
        Affinities::symmetric(&conditional(&neighbors, self.perplexity))
    }

    fn phases(&self, points: usize) -> [Phase; 2] {
        let step_size = |exaggeration: f64| (points as f64 / exaggeration).max(200.0) as f32;
        [
            Phase {
                steps: self.early_steps,
                exaggeration: self.exaggeration as f32,
                step_size: step_size(self.exaggeration),
            },
            Phase { steps: self.steps, exaggeration: 1.0, step_size: step_size(1.0) },
        ]
    }

    fn check(&self, points: ArrayView2<f32>) -> Result<(), TsneError> {
        if points.nrows() < 4 {
            return Err(TsneError::TooFew { found: points.nrows(), expected: 4 });
        }
        let largest = Self::largest_perplexity(points.nrows());
        if !(1.0..=largest).contains(&self.perplexity) {
            return Err(TsneError::Perplexity { found: self.perplexity, largest });
        }
        check_finite(points)
    }

    /// Largest perplexity that a number of points allows: a third of the others.
    pub fn largest_perplexity(points: usize) -> f64 {
        points.saturating_sub(1) as f64 / 3.0
    }
}

impl TsneMap {
    /// Positions, `[points, 2]`, in the order of the fitted points.
    pub fn positions(&self) -> &Array2<f32> {
        &self.positions
    }

    /// Kullback-Leibler divergence that is left, in nats.
    pub fn kl(&self) -> f64 {
        self.kl
    }

    /// Places new points among the fitted ones, which stay where they are. Each new point is
    /// placed alone, so that its place does not depend on the others.
    ///
    /// # Shapes
    /// `points`: `[new points, dims]`; result: `[new points, 2]`.
    ///
    /// # Errors
    /// [`TsneError::Dims`] and [`TsneError::NotFinite`].
    pub fn place(&self, points: ArrayView2<f32>) -> Result<Array2<f32>, TsneError> {
        if points.ncols() != self.reference.ncols() {
            return Err(TsneError::Dims {
                found: points.ncols(),
                expected: self.reference.ncols(),
            });
        }
        check_finite(points)?;
        let fitted: Vec<Point> = self.positions.rows().into_iter().map(|p| [p[0], p[1]]).collect();
        let points = prepare(points, self.distance);
        let placed = place::place(points.view(), self.reference.view(), self.distance, &fitted);
        Ok(Array2::from(placed))
    }
}

fn check_finite(points: ArrayView2<f32>) -> Result<(), TsneError> {
    let is_finite = |row: ndarray::ArrayView1<f32>| row.iter().all(|value| value.is_finite());
    match points.rows().into_iter().position(|row| !is_finite(row)) {
        Some(row) => Err(TsneError::NotFinite { row }),
        None => Ok(()),
    }
}

/// Rows ready for [`nearest`]: scaled to unit length where only the angle counts.
fn prepare(points: ArrayView2<f32>, distance: Distance) -> Array2<f32> {
    let mut prepared = points.as_standard_layout().into_owned();
    if distance == Distance::Cosine {
        for mut row in prepared.rows_mut() {
            let length = row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
            if length > 0.0 {
                row.mapv_inplace(|v| (f64::from(v) / length) as f32);
            }
        }
    }
    prepared
}
