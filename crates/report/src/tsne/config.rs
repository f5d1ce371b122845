//! How a map is made, and why none was.

use serde::{Deserialize, Serialize};

/// A position on the map, or a force on it.
pub(crate) type Point = [f32; 2];

/// How a map is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TsneConfig {
    /// Effective number of neighbours of each point. Default 30 (van der Maaten and Hinton).
    pub perplexity: f64,
    /// What "close" means in embedding space. Default cosine, as in scoring.
    pub distance: Distance,
    /// How forces are summed. Default Barnes-Hut.
    pub method: Method,
    /// Factor on all attractions in the early steps. Default 12 (Belkina et al.).
    pub exaggeration: f64,
    /// Steps with exaggeration. Default 250 (van der Maaten 2014).
    pub early_steps: usize,
    /// Steps after them. Default 750: 1000 in all (van der Maaten 2014).
    pub steps: usize,
}

impl Default for TsneConfig {
    fn default() -> Self {
        Self {
            perplexity: 30.0,
            distance: Distance::Cosine,
            method: Method::default(),
            exaggeration: 12.0,
            early_steps: 250,
            steps: 750,
        }
    }
}

/// Distance in embedding space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distance {
    /// One minus the cosine of the angle. A zero vector is at distance 1 from every other.
    Cosine,
    /// Length of the difference.
    Euclidean,
}

/// How forces between points are summed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Every pair of points in double precision: slow, the reference for the other.
    Exact,
    /// Attraction along nearest neighbours, repulsion from cells of far points.
    BarnesHut {
        /// Largest cell width over distance at which a cell counts as one point.
        theta: f32,
    },
}

impl Default for Method {
    /// Barnes-Hut with theta 0.5 (van der Maaten 2014).
    fn default() -> Self {
        Self::BarnesHut { theta: 0.5 }
    }
}

/// Why no map was made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TsneError {
    /// There is nothing to arrange.
    #[error("a map of {found} points was asked for, expected at least {expected}")]
    TooFew {
        /// Points given.
        found: usize,
        /// Points needed.
        expected: usize,
    },
    /// The perplexity cannot be reached.
    #[error("perplexity {found}, expected a number from 1 to {largest} for this many points")]
    Perplexity {
        /// Perplexity asked for.
        found: f64,
        /// Largest perplexity that this many points allow.
        largest: f64,
    },
    /// An embedding holds a value that is no number.
    #[error("row {row} of the embeddings holds a value that is not finite")]
    NotFinite {
        /// Index of the row.
        row: usize,
    },
    /// New points do not live in the map's space.
    #[error("new points have {found} dimensions, the map's have {expected}")]
    Dims {
        /// Dimensions given.
        found: usize,
        /// Dimensions of the fitted points.
        expected: usize,
    },
    /// The caller asked to stop.
    #[error("stopped after {step} of {steps} steps")]
    Stopped {
        /// Steps done.
        step: usize,
        /// Steps planned.
        steps: usize,
    },
}
