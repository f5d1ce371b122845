//! One seed per run, and named children of it, so that every random choice can be made again.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// A random seed that hands out independent children by name.
///
/// ```
/// use offkey_core::Seed;
/// let seed = Seed::new(7);
/// assert_eq!(seed.child("mixup"), Seed::new(7).child("mixup"));
/// assert_ne!(seed.child("mixup").child(0), seed.child("mixup").child(1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(u64);

impl Seed {
    /// The root seed of a run.
    pub fn new(value: u64) -> Self {
        Self(value)
    }

    /// The seed's number, as written into manifests.
    pub fn value(self) -> u64 {
        self.0
    }

    /// A child seed for one purpose: a hash of this seed and the name.
    #[must_use]
    pub fn child(self, name: impl ToString) -> Self {
        let mut digest = Digest::new();
        digest.add(self.0.to_le_bytes());
        digest.add(name.to_string());
        let [a, b, c, d, e, f, g, h, ..] = digest.finish();
        Self(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
    }

    /// The generator of this seed.
    pub fn rng(self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.0)
    }
}
