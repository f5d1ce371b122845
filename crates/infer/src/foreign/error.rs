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
    /// Recordings hold less than the encoder listens to.
    #[error(
        "the encoder `{}` takes sound of {rate_hz} Hz, and there are recordings of {recorded_hz} Hz: they hold nothing above {} Hz",
        path.display(),
        recorded_hz / 2
    )]
    Rate {
        /// The file.
        path: PathBuf,
        /// Sampling rate that clips are read at.
        rate_hz: u32,
        /// Sampling rate of recordings.
        recorded_hz: u32,
    },
    /// A clip cannot be brought to the encoder's rate.
    #[error("cannot bring a clip to the rate that the encoder takes")]
    Resample(#[source] FeatureError),
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
                "state what the encoder takes (`front`, `rate_hz`, `clip_s`, `blocks`, `layout`, `output`), or export it with one input",
            ),
            Self::Rate { .. } => Some(
                "say so in the recipe, as in `--set model.onnx.clip_hz=16000`: the recordings are then resampled for the encoder, and what they lack stays empty",
            ),
            Self::Runtime { .. } | Self::Resample(_) | Self::Io { .. } | Self::Feature(_) => None,
        }
    }
}
