//! Scores standardised by domain, without being told the domain.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::{Backend, BackendConfig, Fitting, KnnConfig, standard::Standard};
use crate::{Distance, normals::Normals, space::is_target};

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
#[derive(Debug, Clone)]
pub(crate) struct DomainNorm {
    backend: Box<Backend>,
    /// One a reference, canonical order: that of its domain.
    standards: Vec<Standard>,
}

impl DomainNormConfig {
    pub(super) fn fit(&self, fitting: &mut Fitting) -> DomainNorm {
        let normals = fitting.normals;
        let (backend, scores) = self.fit_member(normals);
        fitting.warnings.extend_from_slice(backend.warnings());
        let of_domain = |target: bool| {
            let rows = normals.rows_of(target);
            let domain_scores: Vec<f64> = rows.into_iter().map(|row| scores[row]).collect();
            Standard::of(if domain_scores.len() > 1 { &domain_scores } else { &scores })
        };
        let (source, target) = (of_domain(false), of_domain(true));
        let standard = |&domain| if is_target(domain) { target } else { source };
        let standards = normals.domains.iter().map(standard).collect();
        DomainNorm { backend: Box::new(backend), standards }
    }

    /// The member with its held-out score of every reference.
    fn fit_member(&self, normals: &Normals) -> (Backend, Vec<f64>) {
        let sources = normals.rows_of(false);
        if self.fitted_to == FittedTo::Both || sources.is_empty() {
            return (self.of.fit_normals(normals), self.of.held_out_normals(normals));
        }
        let source = normals.subset(&sources);
        let backend = self.of.fit_normals(&source);
        let mut scores = backend.score_unchecked(normals.embeddings.view());
        for (row, score) in sources.into_iter().zip(self.of.held_out_normals(&source)) {
            scores[row] = score;
        }
        (backend, scores)
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
