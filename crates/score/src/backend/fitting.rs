//! What a backend is fitted to.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2};
use offkey_core::{Domain, Seed};

use crate::{Distance, normals::Normals, space::Space};

/// References as a backend is fitted to them: in an order that does not depend on the order they
/// were given in, and mapped to where the backend's distance is Euclidean.
#[derive(Debug)]
pub struct Fitting<'a> {
    pub(crate) normals: &'a Normals,
    pub(crate) space: Arc<Space>,
    pub(crate) points: Array2<f32>,
    pub(crate) warnings: Vec<Warning>,
}

/// Something a fitted backend had to do differently from its settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// There are fewer clips than clusters, components or neighbours wanted.
    #[error("{backend} uses {used} {what} instead of {wanted}: there are no more references")]
    Fewer {
        /// Name of the backend.
        backend: &'static str,
        /// What there is less of.
        what: &'static str,
        /// As set.
        wanted: usize,
        /// As used.
        used: usize,
    },
    /// Too few references to put members on one scale.
    #[error(
        "the model scores alone: {found} normal recordings do not tell how far its scores and those of the spectra \
         beside it vary, {expected} would"
    )]
    Alone {
        /// References there are.
        found: usize,
        /// References needed.
        expected: usize,
    },
    /// No member's scores of normal clips vary.
    #[error("the model scores alone: all normal recordings score the same")]
    Constant,
}

impl<'a> Fitting<'a> {
    pub(crate) fn new(distance: Distance, least_deviation: f64, normals: &'a Normals) -> Self {
        let space = Space::fit(distance, least_deviation, normals);
        let points = space.map(normals.embeddings.view());
        Self { normals, space: Arc::new(space), points, warnings: Vec::new() }
    }

    /// The embeddings as they came, `[clips, dims]`.
    pub fn embeddings(&self) -> ArrayView2<'_, f32> {
        self.normals.embeddings.view()
    }

    /// The domain of each clip, where known.
    pub fn domains(&self) -> &[Option<Domain>] {
        &self.normals.domains
    }

    /// The recording of each clip.
    pub fn groups(&self) -> &[String] {
        &self.normals.groups
    }

    /// The seed of every random choice.
    pub fn seed(&self) -> Seed {
        self.normals.seed
    }

    /// Notes that something is done differently from the settings.
    pub fn warn(&mut self, warning: Warning) {
        self.warnings.push(warning);
    }

    /// As many as wanted, or as there are: then with a warning.
    pub fn at_most(
        &mut self,
        backend: &'static str,
        what: &'static str,
        wanted: usize,
        available: usize,
    ) -> usize {
        if wanted > available {
            self.warn(Warning::Fewer { backend, what, wanted, used: available });
        }
        wanted.min(available)
    }
}
