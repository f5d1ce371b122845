//! What every sink can do: deliver one message, or say whether it is worth another attempt.

use crate::store::OutboxRow;

/// Delivers messages one after the other.
pub trait Deliver: Send {
    /// Delivers one.
    ///
    /// # Errors
    /// [`Failure`], which says whether it is worth another attempt.
    fn deliver(&mut self, message: &OutboxRow) -> Result<(), Failure>;
}

/// Why a message was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It may be taken later.
    Later(String),
    /// It will never be taken, as it is.
    Never(String),
}
