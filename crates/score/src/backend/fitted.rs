//! Fitting a backend, its held-out scores, and what remains of it once fitted.

use std::{collections::BTreeSet, sync::Arc};

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use super::{BackendConfig, FittedBackend, Fitting, Warning};
use crate::{
    References, ScoreError,
    neighbors::smallest,
    normals::Normals,
    references::{check_finite, check_scores},
    space::Space,
};

/// A backend fitted to the references of one machine and section.
#[derive(Debug, Clone)]
pub struct Backend {
    fitted: Arc<dyn FittedBackend>,
    space: Arc<Space>,
    /// References in the backend's space, canonical order.
    references: Array2<f32>,
    /// Where each of them stood in the references as given.
    origin: Vec<usize>,
    warnings: Vec<Warning>,
}

/// The reference nearest to an embedding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nearest {
    /// Row of the reference, as given to [`BackendConfig::fit`].
    pub reference: usize,
    /// How far it is, in the backend's distance.
    pub distance: f64,
}

impl BackendConfig {
    /// Fits the backend to references. The order of the references changes nothing.
    ///
    /// # Errors
    /// [`ScoreError::Setting`] when a setting lies outside its range.
    pub fn fit(&self, references: &References) -> Result<Backend, ScoreError> {
        self.check_for(references)?;
        self.fit_normals(&Normals::new(references))
    }

    /// The references' own scores, each made without the reference's recording, in the order of
    /// the references: what a threshold is found on.
    ///
    /// Nearest neighbours in cosine or Euclidean distance leave out one recording at a time;
    /// everything else is refitted in 5 folds over recordings. Where all references are of one
    /// recording, clips take the recordings' place; a single clip is scored against itself.
    ///
    /// # Errors
    /// As [`BackendConfig::fit`].
    pub fn held_out_scores(&self, references: &References) -> Result<Vec<f64>, ScoreError> {
        self.check_for(references)?;
        let normals = Normals::new(references);
        let mut scores = vec![0.0; normals.clips()];
        for (score, &row) in self.held_out_normals(&normals)?.into_iter().zip(&normals.origin) {
            scores[row] = score;
        }
        Ok(scores)
    }

    fn check_for(&self, references: &References) -> Result<(), ScoreError> {
        self.check()?;
        self.kind().check_dims(references.embeddings().ncols())
    }

    /// Fits this backend inside another, which takes over its warnings.
    pub(crate) fn fit_within(
        &self,
        outer: &mut Fitting,
        normals: &Normals,
    ) -> Result<Box<dyn FittedBackend>, ScoreError> {
        let mut fitting = self.kind().fitting(normals);
        let fitted = self.kind().fit(&mut fitting)?;
        fitting.warnings.into_iter().for_each(|warning| outer.warn(warning));
        Ok(fitted)
    }

    pub(crate) fn fit_normals(&self, normals: &Normals) -> Result<Backend, ScoreError> {
        let mut fitting = self.kind().fitting(normals);
        let fitted = Arc::from(self.kind().fit(&mut fitting)?);
        let Fitting { space, points: references, warnings, .. } = fitting;
        Ok(Backend { fitted, space, references, origin: normals.origin.clone(), warnings })
    }

    /// As [`BackendConfig::fit_normals`], without what names the nearest reference.
    pub(crate) fn fit_scores(
        &self,
        normals: &Normals,
    ) -> Result<Box<dyn FittedBackend>, ScoreError> {
        self.kind().fit(&mut self.kind().fitting(normals))
    }

    /// Held-out scores in canonical order.
    pub(crate) fn held_out_normals(&self, normals: &Normals) -> Result<Vec<f64>, ScoreError> {
        let units = normals.units();
        match self.kind().leave_out(&self.kind().fitting(normals), &units) {
            Some(scores) => check_scores(scores),
            None => self.refitted(normals, &normals.folds()),
        }
    }

    /// Scores in canonical order, each by a backend fitted to the references of other labels.
    pub(crate) fn held_out_by(
        &self,
        normals: &Normals,
        labels: &[usize],
    ) -> Result<Vec<f64>, ScoreError> {
        match self.kind().leave_out(&self.kind().fitting(normals), labels) {
            Some(scores) => check_scores(scores),
            None => self.refitted(normals, labels),
        }
    }

    fn refitted(&self, normals: &Normals, labels: &[usize]) -> Result<Vec<f64>, ScoreError> {
        let distinct: Vec<usize> =
            labels.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let fold = |label: usize| {
            let (out, kept): (Vec<usize>, Vec<usize>) =
                (0..normals.clips()).partition(|&row| labels[row] == label);
            // One label alone is scored against itself.
            let fitted = if kept.is_empty() {
                self.fit_scores(normals)?
            } else {
                self.fit_scores(&normals.subset(&kept))?
            };
            let held_out = normals.embeddings.select(Axis(0), &out);
            Ok((out, check_scores(fitted.score(held_out.view()))?))
        };
        let folds: Vec<_> =
            distinct.into_par_iter().map(fold).collect::<Result<_, ScoreError>>()?;
        let mut scores = vec![0.0; normals.clips()];
        for (rows, fold_scores) in folds {
            for (row, score) in rows.into_iter().zip(fold_scores) {
                scores[row] = score;
            }
        }
        Ok(scores)
    }
}

impl Backend {
    /// Anomaly scores of `embeddings` (`[clips, dims]`): larger is more anomalous. A clip's score
    /// does not depend on the clips scored with it.
    ///
    /// # Errors
    /// [`ScoreError`] when dimensions differ from the references', or a number is not finite.
    pub fn score(&self, embeddings: ArrayView2<f32>) -> Result<Vec<f64>, ScoreError> {
        self.check(embeddings)?;
        check_scores(self.fitted.score(embeddings))
    }

    /// The nearest reference of each of `embeddings` (`[clips, dims]`), whatever the backend
    /// scores by.
    ///
    /// # Errors
    /// As [`Backend::score`].
    pub fn nearest(&self, embeddings: ArrayView2<f32>) -> Result<Vec<Nearest>, ScoreError> {
        self.check(embeddings)?;
        let points = self.space.map(embeddings);
        let found = smallest(points.view(), self.references.view(), 1, |_, _, squared| squared);
        let nearest = |near: Vec<crate::neighbors::Neighbor>| Nearest {
            reference: self.origin[near[0].reference],
            distance: self.space.distance(near[0].squared),
        };
        Ok(found.into_iter().map(nearest).collect())
    }

    /// What the backend had to do differently from its settings.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    fn check(&self, embeddings: ArrayView2<f32>) -> Result<(), ScoreError> {
        let (found, expected) = (embeddings.ncols(), self.references.ncols());
        if found != expected {
            return Err(ScoreError::Dimensions { found, expected });
        }
        check_finite(embeddings)
    }
}
