//! The ways in which machines go wrong. A healthy machine knows which can befall it.

use serde::{Deserialize, Serialize};

/// A fault and how far it has gone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What is broken.
    pub kind: FaultKind,
    /// 0 (not at all) to 1 (about to fail).
    pub severity: f32,
}

/// What can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// A pit in a bearing's outer race: a blow for each passing ball, at order
    /// `n/2 (1 - d/D)` (BPFO), ringing in a housing resonance, with 1 % of random slip.
    OuterRace,
    /// A pit in the inner race: blows at order `n/2 (1 + d/D)` (BPFI), loud only in the loaded
    /// zone, so modulated once a revolution.
    InnerRace,
    /// The centre of mass off the axis: the first order grows, and the flow beats with it.
    Imbalance,
    /// Coupled shafts out of line: the second and third order grow.
    Misalignment,
    /// A loose foot or fit: half orders and a long row of harmonics, and rattling.
    Looseness,
    /// A broken gear tooth: one blow a revolution, and the mesh falters as it passes.
    BrokenTooth,
    /// A slipping belt: a stick-slip tone with harmonics that comes and goes.
    BeltSqueal,
    /// Gas escaping through a gap: a steady hiss at high frequencies.
    Leak,
    /// A blocked inlet: less flow, louder blade tones, and slow surging.
    Clogging,
}

impl FaultKind {
    /// The name in files, as `outer-race`.
    pub fn name(self) -> &'static str {
        match self {
            Self::OuterRace => "outer-race",
            Self::InnerRace => "inner-race",
            Self::Imbalance => "imbalance",
            Self::Misalignment => "misalignment",
            Self::Looseness => "looseness",
            Self::BrokenTooth => "broken-tooth",
            Self::BeltSqueal => "belt-squeal",
            Self::Leak => "leak",
            Self::Clogging => "clogging",
        }
    }
}
