//! The normal training embeddings of one machine and section.

use ndarray::ArrayView2;
use offkey_core::{Domain, Seed};
use serde::{Deserialize, Serialize};

use crate::ScoreError;

/// The normal training embeddings of one machine and section, checked.
#[derive(Debug, Clone, Copy)]
pub struct References<'a> {
    embeddings: ArrayView2<'a, f32>,
    domains: &'a [Option<Domain>],
    groups: &'a [String],
    /// For each clip whether it only stands beside the others; none: no clip does.
    bystanders: Option<&'a [bool]>,
    seed: Seed,
}

/// How far two embeddings are apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distance {
    /// One minus the cosine of the angle: 0 to 2. For embeddings of angular margin losses.
    #[default]
    Cosine,
    /// Euclidean distance, for vectors whose length means something.
    Euclidean,
    /// Euclidean distance after every dimension is brought to mean 0 and deviation 1 over the
    /// references, for vectors whose dimensions have different ranges.
    Standardized,
    /// Euclidean distance after the references' covariance within their domains (Ledoit-Wolf) is
    /// made the identity: neighbours in Mahalanobis distance.
    Whitened,
}

impl<'a> References<'a> {
    /// Checks references.
    ///
    /// `embeddings`: `[clips, dims]`; `domains` and `groups`: one a clip. A group names the
    /// recording a clip was cut from. `seed` decides every random choice made on the references.
    ///
    /// # Errors
    /// [`ScoreError`] when there is no clip or no dimension, lengths differ, or a number is not
    /// finite.
    pub fn new(
        embeddings: ArrayView2<'a, f32>,
        domains: &'a [Option<Domain>],
        groups: &'a [String],
        seed: Seed,
    ) -> Result<Self, ScoreError> {
        let clips = embeddings.nrows();
        if clips == 0 {
            return Err(ScoreError::NoReferences);
        }
        for (what, found) in [("domains", domains.len()), ("groups", groups.len())] {
            if found != clips {
                return Err(ScoreError::Length { what, found, clips });
            }
        }
        check_finite(embeddings)?;
        Ok(Self { embeddings, domains, groups, bystanders: None, seed })
    }

    /// The same references, of which a detector never leaves some out: what a model was trained on, or
    /// what was added because it had been judged normal. They are compared with, and no new recording
    /// can be expected to be like them. A recording is marked as a whole.
    ///
    /// # Errors
    /// [`ScoreError::Length`] when there is not one mark per clip.
    pub fn with_bystanders(mut self, bystanders: &'a [bool]) -> Result<Self, ScoreError> {
        let (found, clips) = (bystanders.len(), self.groups.len());
        if found != clips {
            return Err(ScoreError::Length { what: "marks", found, clips });
        }
        self.bystanders = Some(bystanders);
        Ok(self)
    }

    /// Whether a clip is never left out.
    pub(crate) fn stands_by(&self, clip: usize) -> bool {
        self.bystanders.is_some_and(|bystanders| bystanders[clip])
    }

    /// The embeddings, `[clips, dims]`.
    pub fn embeddings(&self) -> ArrayView2<'a, f32> {
        self.embeddings
    }

    /// The domain of each clip, where known.
    pub fn domains(&self) -> &'a [Option<Domain>] {
        self.domains
    }

    /// The recording of each clip.
    pub fn groups(&self) -> &'a [String] {
        self.groups
    }

    /// The seed of every random choice made on them.
    pub fn seed(&self) -> Seed {
        self.seed
    }
}

/// Refuses embeddings that cannot be compared.
pub(crate) fn check_finite(embeddings: ArrayView2<f32>) -> Result<(), ScoreError> {
    if embeddings.ncols() == 0 {
        return Err(ScoreError::NoDimensions);
    }
    match embeddings.indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some(((clip_index, dimension), &value)) => {
            Err(ScoreError::NonFinite { clip_index, dimension, value })
        }
        None => Ok(()),
    }
}

/// Refuses scores that cannot be compared.
pub(crate) fn check_scores(scores: Vec<f64>) -> Result<Vec<f64>, ScoreError> {
    let found = scores.iter().filter(|score| score.is_finite()).count();
    if found < scores.len() {
        return Err(ScoreError::Scores { found, scores: scores.len() });
    }
    Ok(scores)
}
