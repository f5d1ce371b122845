//! Recordings that hold the same sound are one recording: copies of another coding, rate or level, and recordings that
//! share a stretch.

use offkey_signal::{Fingerprint, FingerprintIndex, SparseFingerprint};

/// That two recordings hold the same stretch of sound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SameSound {
    /// Numbers of the two.
    pub later: usize,
    /// See `later`.
    pub earlier: usize,
    /// Seconds that both hold.
    pub shared_s: f64,
    /// Seconds of the later one, and of the shorter of both.
    pub later_s: f64,
    /// See `later_s`.
    pub shorter_s: f64,
}

/// Recordings are one if they share this share of the shorter one: half of it, less what its end may lack. A machine's
/// loud stroke, or a message from a loudspeaker, is alike in many recordings and fills less.
pub(crate) const LEAST_SHARE: f64 = 0.45;
/// They are one as well if they share so many seconds.
const ENOUGH_S: f64 = 60.0;

/// Which of new recordings hold so much sound of known ones, or of new ones before them, that they count as one. The
/// known are numbered first.
pub fn same_sound(known: &[&SparseFingerprint], new: &[&Fingerprint]) -> Vec<SameSound> {
    let kept: Vec<SparseFingerprint> = new.iter().map(|print| print.sparse()).collect();
    let index = FingerprintIndex::new(known.iter().copied().chain(&kept).collect());
    let found = new.iter().enumerate().flat_map(|(number, print)| {
        let later = known.len() + number;
        index.shared(print, later).into_iter().map(move |shared| {
            let (later_s, earlier_s) = shared.lengths_s;
            SameSound {
                later,
                earlier: shared.known,
                shared_s: shared.shared_s.min(later_s),
                later_s,
                shorter_s: later_s.min(earlier_s),
            }
        })
    });
    found.filter(|pair| pair.shared_s >= (LEAST_SHARE * pair.shorter_s).min(ENOUGH_S)).collect()
}

/// Makes one group of recordings that hold the same sound, and of all that belong to the groups of either.
pub fn join_groups(groups: &mut [String], found: &[SameSound]) {
    for pair in found {
        join(groups, pair.earlier, pair.later);
    }
}

/// Makes one group of all that belong to the groups of two recordings.
pub(crate) fn join(groups: &mut [String], earlier: usize, later: usize) {
    let (stays, goes) = (groups[earlier].clone(), groups[later].clone());
    for group in groups.iter_mut().filter(|group| **group == goes) {
        group.clone_from(&stays);
    }
}

impl SameSound {
    /// It in words; `name` gives the names of recordings.
    pub fn in_words(&self, name: impl Fn(usize) -> String) -> String {
        let Self { later, earlier, shared_s, shorter_s, .. } = *self;
        format!(
            "`{}` and `{}` hold the same sound ({:.1} of {shorter_s:.1} s)",
            name(later),
            name(earlier),
            shared_s.min(shorter_s)
        )
    }
}

/// Of each recording that holds sound of earlier ones the pair that shares most.
pub fn closest(found: &[SameSound]) -> Vec<SameSound> {
    let of_each = found.chunk_by(|a, b| a.later == b.later);
    of_each
        .filter_map(|pairs| pairs.iter().copied().max_by(|a, b| a.shared_s.total_cmp(&b.shared_s)))
        .collect()
}
