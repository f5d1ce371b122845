//! Scores standardised by domain, without being told the domain.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::{Backend, BackendConfig, Fitting, KnnConfig, standard::Standard};
use crate::{Distance, space::is_target};

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
    /// How far embeddings are apart when the nearest reference is looked for.
    pub distance: Distance,
}

impl Default for DomainNormConfig {
    /// Of nearest neighbours.
    fn default() -> Self {
        let of = Box::new(BackendConfig::Knn(KnnConfig::default()));
        Self { of, distance: Distance::Cosine }
    }
}

/// A backend and the standard of each reference.
#[derive(Debug, Clone)]
pub(crate) struct DomainNorm {
    backend: Box<Backend>,
    /// One a reference, canonical order: that of its domain.
    standards: Vec<Standard>,
}

impl DomainNormConfig {
    pub(super) fn fit(&self, fitting: &mut Fitting) -> DomainNorm {
        let normals = fitting.normals;
        let backend = Box::new(self.of.fit_normals(normals));
        fitting.warnings.extend_from_slice(backend.warnings());
        let scores = self.of.held_out_normals(normals);
        let of_domain = |target: bool| {
            let rows = normals.rows_of(target);
            let domain_scores: Vec<f64> = rows.into_iter().map(|row| scores[row]).collect();
            Standard::of(if domain_scores.len() > 1 { &domain_scores } else { &scores })
        };
        let (source, target) = (of_domain(false), of_domain(true));
        let standard = |&domain| if is_target(domain) { target } else { source };
        DomainNorm { backend, standards: normals.domains.iter().map(standard).collect() }
    }
}

impl DomainNorm {
    /// `nearest`: canonical row of each clip's nearest reference.
    pub(crate) fn score(&self, embeddings: ArrayView2<f32>, nearest: &[usize]) -> Vec<f64> {
        let scores = self.backend.score_unchecked(embeddings);
        let standardised = |(score, &row): (f64, &usize)| self.standards[row].apply(score);
        scores.into_iter().zip(nearest).map(standardised).collect()
    }
}
