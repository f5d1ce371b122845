//! What a watcher holds between one piece and the next.

use super::{event::EventKind, source::Stretch};
use crate::{Problem, Windower};

/// The stretch that is being heard.
pub(super) struct Hearing {
    pub(super) stretch: Stretch,
    pub(super) windower: Windower,
    /// Samples still to come that were judged before.
    pub(super) skip: u64,
    /// Position of the next sample to come.
    pub(super) at: u64,
    /// What sets it apart from the normal recordings before it is heard.
    pub(super) differs: Option<String>,
}

/// Where a window lies.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) start: u64,
}

/// What an event says of itself.
pub(super) struct News<'a> {
    pub(super) id: String,
    pub(super) kind: EventKind,
    pub(super) at_s: f64,
    pub(super) reason: &'a str,
    pub(super) problem: Option<Problem>,
}
