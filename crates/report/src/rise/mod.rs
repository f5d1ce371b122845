//! RISE: which part of an input raises its score, found by scoring many masked copies.
//!
//! The model is a closure from masks to scores; nothing is known of it. Time and frequency are
//! explained together by [`explain`], a plain spectrum by [`explain_spectrum`].
//!
//! # Source
//! V. Petsiuk, A. Das, K. Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box
//! Models", BMVC 2018. Three deviations: the mean score is subtracted before weighting, since
//! masking shifts all scores; masks are drawn in balanced groups ([`Masks`]), so that fewer are needed;
//! and the estimate stops when its groups agree.

mod axis;
mod config;
mod design;
mod explain;
mod faithful;
mod findings;
mod importance;
mod mask;

pub use config::{RiseConfig, RiseError, ScoreFailure};
pub use explain::{explain, explain_spectrum};
pub use faithful::{Faithfulness, FaithfulnessConfig, faithfulness};
pub use findings::{Extent, Finding, Loudest, findings};
pub use importance::{Importance, Region};
pub use mask::{Mask, Masks};
