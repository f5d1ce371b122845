//! Why an encoder from elsewhere cannot be used.

use std::{io, path::PathBuf};

use offkey_signal::FeatureError;

/// Why an encoder from elsewhere cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForeignError {
    /// Built without the runtime.
    #[error("this offkey is built without the feature `onnx` and cannot run ONNX files")]
    NotBuilt,
    /// The runtime's library is not there, or too old.
    #[error("cannot load ONNX Runtime from `{library}`: {problem}")]
    Library {
        /// What was loaded.
        library: String,
        /// What the system says.
        problem: String,
    },
    /// The runtime refuses the file, or what is given to it.
    #[error("ONNX Runtime cannot {what}: {problem}")]
    Runtime {
        /// What was to be done.
        what: &'static str,
        /// What the runtime says.
        problem: String,
    },
    /// The file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is another one.
    #[error("`{}` has the SHA-256 {found}, expected {expected}", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// Its digest.
        found: String,
        /// The digest in the configuration.
        expected: String,
    },
    /// The encoder takes or gives something else.
    #[error("the encoder `{}` has {found}, expected {expected}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What it has.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// A clip has no spectrogram.
    #[error("cannot make the log-mel spectrogram that the encoder takes")]
    Feature(#[source] FeatureError),
}

impl ForeignError {
    /// What the reader can do about it, where there is something.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotBuilt => Some("build it with `cargo build --release --features onnx`"),
            Self::Library { .. } => Some(
                "set ORT_DYLIB_PATH to the library, as in onnxruntime/capi/libonnxruntime.so.1.32.0 of the PyPI package `onnxruntime`; 1.24 or newer",
            ),
            Self::Changed { .. } => {
                Some("if the new file is meant, write its digest into the recipe, and train again")
            }
            Self::Unfit { .. } => Some(
                "state what the encoder takes (`front`, `rate_hz`, `clip_s`), or export it with one input and one output",
            ),
            Self::Runtime { .. } | Self::Io { .. } | Self::Feature(_) => None,
        }
    }
}
