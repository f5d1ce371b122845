//! What a detector finds of one window.

use crate::{BandChange, PKind, Verdict};

/// What a detector finds of one window.
pub(crate) struct Finding {
    pub(crate) score: f64,
    pub(crate) p_value: f64,
    pub(crate) p_kind: PKind,
    pub(crate) verdict: Verdict,
    pub(crate) words: String,
    /// The band in which the member that says most differs most from normal; none: as the profile says.
    pub(crate) change: Option<BandChange>,
    /// The nearest normal window: recording and first sample.
    pub(crate) nearest: Option<(String, u64)>,
    /// The member that says most.
    pub(crate) loudest: Option<usize>,
    /// What each member says, in deviations of held-out normals; none where it does not count.
    pub(crate) by_member: Vec<Option<f64>>,
}
