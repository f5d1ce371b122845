//! A backend: the distance to the k-th nearest reference.

use ndarray::{Array2, ArrayView1, ArrayView2};
use offkey::backends::{BackendKind, FittedBackend, Fitting, ScoreError};

/// The distance to the `neighbour`-th nearest reference, which a single stray reference does not change.
#[derive(Debug, Clone, Copy)]
pub struct KthNeighbour {
    /// Which neighbour, from 1.
    pub neighbour: usize,
}

impl BackendKind for KthNeighbour {
    fn fit(&self, fitting: &mut Fitting) -> Result<Box<dyn FittedBackend>, ScoreError> {
        let references = fitting.embeddings().to_owned();
        let place = self.neighbour.clamp(1, references.nrows()) - 1;
        Ok(Box::new(Fitted { references, place }))
    }

    fn check(&self) -> Result<(), ScoreError> {
        if self.neighbour > 0 {
            return Ok(());
        }
        Err(ScoreError::Setting { setting: "neighbour", found: 0.0, expected: "at least 1" })
    }
}

#[derive(Debug)]
struct Fitted {
    references: Array2<f32>,
    place: usize,
}

impl FittedBackend for Fitted {
    fn score(&self, embeddings: ArrayView2<f32>) -> Vec<f64> {
        let score = |clip: ArrayView1<f32>| {
            let distance = |reference: ArrayView1<f32>| {
                let squares = clip.iter().zip(reference).map(|(a, b)| f64::from(a - b).powi(2));
                squares.sum::<f64>().sqrt()
            };
            let mut distances: Vec<f64> =
                self.references.rows().into_iter().map(distance).collect();
            distances.sort_by(f64::total_cmp);
            distances[self.place]
        };
        embeddings.rows().into_iter().map(score).collect()
    }
}
