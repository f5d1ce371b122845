//! Scores standardised by domain, without being told the domain.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::{
    BackendConfig, BackendKind, BackendRegistry, FittedBackend, Fitting, KnnConfig,
    standard::Standard,
};
use crate::{
    Distance, ScoreError,
    neighbors::{Neighbor, smallest},
    normals::is_target,
    references::check_scores,
    space::Space,
};

/// Another backend's score in deviations from the mean held-out score of the references of one
/// domain: the domain of the nearest reference.
///
/// Scores of a domain that is noisier or has fewer references are larger for normal clips too;
/// this takes it out. It asks for two target references at least; with fewer, all references make
/// one standard.
///
/// # Source
/// Domain-wise standardisation as in `GenRep` (Saengthong and Shinozaki 2024), with held-out scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DomainNormConfig {
    /// Whose score.
    pub of: Box<BackendConfig>,
    /// Which references that backend is fitted to.
    pub fitted_to: FittedTo,
    /// How far embeddings are apart when the nearest reference is looked for.
    pub distance: Distance,
}

/// Which references a backend inside another is fitted to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FittedTo {
    /// Those of both domains: for embeddings trained on both.
    #[default]
    Both,
    /// Those of the source alone, where there are any: the few target references then only say
    /// how a normal target clip scores. For vectors in which the target is the source with noise;
    /// where it is something else, a clip unlike both may pass by the target's wide standard.
    Source,
}

impl Default for DomainNormConfig {
    /// Of nearest neighbours among both domains.
    fn default() -> Self {
        let of = Box::new(BackendConfig::Knn(KnnConfig::default()));
        Self { of, fitted_to: FittedTo::Both, distance: Distance::Cosine }
    }
}

/// A backend and the standard of each reference.
#[derive(Debug)]
struct DomainNorm {
    backend: Box<dyn FittedBackend>,
    space: Arc<Space>,
    /// References of both domains, canonical order, where the nearest is looked for.
    references: Array2<f32>,
    /// One per reference: that of its domain.
    standards: Vec<Standard>,
}

impl BackendKind for DomainNormConfig {
    fn fit(&self, fitting: &mut Fitting) -> Result<Box<dyn FittedBackend>, ScoreError> {
        let normals = fitting.normals;
        let (backend, scores) = self.fit_member(fitting)?;
        let of_domain = |target: bool| {
            let rows = normals.rows_of(target);
            let domain_scores: Vec<f64> = rows.into_iter().map(|row| scores[row]).collect();
            Standard::of(if domain_scores.len() > 1 { &domain_scores } else { &scores })
        };
        let (source, target) = (of_domain(false), of_domain(true));
        let standard = |&domain| if is_target(domain) { target } else { source };
        let standards = normals.domains.iter().map(standard).collect();
        let (space, references) = (fitting.space.clone(), fitting.points.clone());
        Ok(Box::new(DomainNorm { backend, space, references, standards }))
    }

    fn distance(&self) -> Distance {
        self.distance
    }

    fn set_distance(&mut self, distance: Distance) {
        self.distance = distance;
        self.of.kind_mut().set_distance(distance);
    }

    fn check(&self) -> Result<(), ScoreError> {
        self.of.check()
    }

    fn check_dims(&self, dims: usize) -> Result<(), ScoreError> {
        self.of.kind().check_dims(dims)
    }

    fn is_signed(&self) -> bool {
        true
    }

    fn nesting(&self) -> usize {
        1 + self.of.kind().nesting()
    }

    fn resolve(&mut self, registry: &BackendRegistry) -> Result<(), ScoreError> {
        self.of.kind_mut().resolve(registry)
    }
}

impl DomainNormConfig {
    /// The member with its held-out score of every reference.
    fn fit_member(
        &self,
        fitting: &mut Fitting,
    ) -> Result<(Box<dyn FittedBackend>, Vec<f64>), ScoreError> {
        let normals = fitting.normals;
        let sources = normals.rows_of(false);
        if self.fitted_to == FittedTo::Both || sources.is_empty() {
            return Ok((self.of.fit_within(fitting, normals)?, self.of.held_out_normals(normals)?));
        }
        let source = normals.subset(&sources);
        let backend = self.of.fit_within(fitting, &source)?;
        let mut scores = check_scores(backend.score(normals.embeddings.view()))?;
        for (row, score) in sources.into_iter().zip(self.of.held_out_normals(&source)?) {
            scores[row] = score;
        }
        Ok((backend, scores))
    }
}

impl FittedBackend for DomainNorm {
    fn score(&self, embeddings: ArrayView2<f32>) -> Vec<f64> {
        let points = self.space.map(embeddings);
        let nearest = smallest(points.view(), self.references.view(), 1, |_, _, squared| squared);
        let scores = self.backend.score(embeddings);
        let standardised =
            |(score, near): (f64, &Vec<Neighbor>)| self.standards[near[0].reference].apply(score);
        scores.into_iter().zip(&nearest).map(standardised).collect()
    }
}
