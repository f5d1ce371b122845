//! Why a model cannot be exported.

use std::{io, path::PathBuf};

use offkey::{ErrorKind, OffkeyError, io_hint, monitor::MonitorError};
use offkey_infer::{ModelError, foreign::ForeignError};
use offkey_signal::FeatureError;

/// Why a model cannot be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// The run cannot be read.
    #[error(transparent)]
    Offkey(#[from] OffkeyError),
    /// The monitor cannot be read.
    #[error(transparent)]
    Monitor(#[from] MonitorError),
    /// The model cannot be read, or cannot embed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// There is nothing to export at the path.
    #[error("`{}` is {found}, expected the folder of one run or the model file of a monitor", path.display())]
    Source {
        /// The path.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// A kind of model that has no ONNX form.
    #[error("cannot export {kind} as ONNX")]
    Kind {
        /// The kind of model.
        kind: &'static str,
    },
    /// A transform whose length does not split.
    #[error(
        "cannot write the transform of {length} samples: its least uneven factor is {factor}, expected at most 4096"
    )]
    Transform {
        /// Samples of the transform.
        length: usize,
        /// The larger of its two most even factors.
        factor: usize,
    },
    /// The features of a model cannot be made.
    #[error("cannot make the features of the model")]
    Feature(#[source] FeatureError),
    /// The file cannot be run.
    #[error(transparent)]
    Foreign(#[from] ForeignError),
    /// The file gives something else than it should.
    #[error("the file gives {found}, expected {expected}")]
    Outputs {
        /// Names and shapes of its outputs.
        found: String,
        /// Those it should have.
        expected: String,
    },
    /// A file cannot be written.
    #[error("cannot write `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// More than the file's form can hold.
    #[error(
        "`{name}` has {bytes} bytes, expected less than 2 GB, the most that an ONNX or .npz file holds"
    )]
    TooLarge {
        /// What is too large.
        name: String,
        /// Its size.
        bytes: usize,
    },
}

impl OnnxError {
    /// What kind of trouble it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Offkey(error) => error.kind(),
            Self::Monitor(error) => error.kind(),
            Self::Source { .. } | Self::Kind { .. } | Self::Transform { .. } => ErrorKind::Usage,
            Self::Model(_)
            | Self::Feature(_)
            | Self::Foreign(_)
            | Self::Outputs { .. }
            | Self::Io { .. }
            | Self::TooLarge { .. } => ErrorKind::Failed,
        }
    }

    /// What the reader can do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Offkey(error) => error.hint(),
            Self::Monitor(error) => error.hint().map(str::to_owned),
            Self::Source { found, .. } if *found == SEVERAL_SEEDS => {
                Some("name the folder of one seed in it, such as RUN/seed_0".to_owned())
            }
            Self::Source { .. } => {
                Some("train a run with `offkey run`, or learn a monitor with `offkey learn`".to_owned())
            }
            Self::Kind { kind } => Some(
                match *kind {
                    AUTOENCODER => {
                        "it scores by what it could not reconstruct, and has no embedding for a file to give: train or \
                         learn with another recipe"
                    }
                    ENSEMBLE => "train one network alone: `--set model.network.ensemble=1`",
                    FOREIGN => "use that file: the recipe names it",
                    _ => "learn it again from its recordings, with `offkey learn`",
                }
                .to_owned(),
            ),
            Self::Transform { .. } => Some(
                "say --input features and compute the spectrum yourself, or train with clips of a whole number of tenths of a second"
                    .to_owned(),
            ),
            Self::Foreign(error) => error.hint().map(str::to_owned),
            Self::Io { .. } => io_hint(self).map(str::to_owned),
            Self::Model(_) | Self::Feature(_) | Self::Outputs { .. } | Self::TooLarge { .. } => {
                None
            }
        }
    }
}

/// A folder with the runs of several seeds.
pub(crate) const SEVERAL_SEEDS: &str = "a folder with the runs of several seeds";
/// What has no single embedding.
pub(crate) const AUTOENCODER: &str = "an autoencoder";
/// Several networks, of which a file holds one.
pub(crate) const ENSEMBLE: &str = "an ensemble of networks";
/// What was an ONNX file before.
pub(crate) const FOREIGN: &str = "an encoder that is an ONNX file already";
