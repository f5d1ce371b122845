//! Why a loss cannot be built.

use thiserror::Error;

/// A loss that cannot be built from its settings.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum LossError {
    /// Telling classes apart needs two of them.
    #[error("the loss `{loss}` needs at least 2 classes among the training clips, found 1")]
    OneClass {
        /// The loss's name.
        loss: String,
    },
    /// A recipe names a loss from outside that was not passed to the training.
    #[error("there is no custom loss `{loss}`, known are {}", if known.is_empty() { "none".to_owned() } else { known.join(", ") })]
    Unknown {
        /// The name.
        loss: String,
        /// Names of those that were passed.
        known: Vec<String>,
    },
    /// There is nothing to build the loss for.
    #[error("the loss `{loss}` needs dimensions and classes, found {dims} and {classes}")]
    Empty {
        /// The loss's name.
        loss: String,
        /// Dimensions of the embeddings.
        dims: usize,
        /// Classes of the auxiliary task.
        classes: usize,
    },
    /// A setting is outside what makes sense.
    #[error("{setting} of the loss `{loss}` is {found}, expected {least} to {most}")]
    OutOfRange {
        /// The loss's name.
        loss: String,
        /// The setting's name.
        setting: &'static str,
        /// Its value.
        found: f64,
        /// The least sensible value.
        least: f64,
        /// The largest sensible value.
        most: f64,
    },
}
