//! Why a model cannot be used or fitted, or a clip not be embedded.

use std::path::PathBuf;

use offkey_signal::FeatureError;

use crate::SourceError;

/// Why a model folder cannot be used, or a clip not be embedded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file system refused.
    #[error("cannot access `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file of the model does not have the expected form.
    #[error("`{}` is damaged or no model file: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The weights do not fit the architecture.
    #[error("`{}` does not fit the architecture: `{tensor}` is {found}, expected {expected}", path.display())]
    Mismatch {
        /// The weights.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// Its shape, or `absent`.
        found: String,
        /// The shape the architecture asks for.
        expected: String,
    },
    /// The architecture cannot be built.
    #[error("cannot build the encoder")]
    Config(#[from] crate::ConfigError),
    /// A clip or its features do not have the encoder's shape.
    #[error("clip {clip} has {what} {found}, expected {expected}")]
    Shape {
        /// Position of the clip in the call.
        clip: usize,
        /// What was measured.
        what: &'static str,
        /// Its size.
        found: String,
        /// The size the encoder expects.
        expected: String,
    },
    /// Statistics cannot embed a clip.
    #[error(transparent)]
    Statistics(#[from] StatisticsError),
    /// A spectrogram cannot be pooled.
    #[error(transparent)]
    Pooled(#[from] PooledError),
    /// An encoder from elsewhere cannot embed a clip.
    #[error(transparent)]
    Foreign(#[from] crate::foreign::ForeignError),
    /// An autoencoder cannot score a clip.
    #[error(transparent)]
    Autoencoder(#[from] AutoencoderError),
    /// The device is not there.
    #[error("device `{device}` cannot be used: {problem}")]
    Device {
        /// The device asked for.
        device: crate::DeviceKind,
        /// Why not.
        problem: String,
    },
}

impl ModelError {
    /// What the reader can do about it, where there is something.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Foreign(foreign) => foreign.hint(),
            other => offkey_core::io_hint(other),
        }
    }
}

/// Why statistics cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatisticsError {
    /// There is nothing to fit to.
    #[error("cannot fit statistics to no clips")]
    NoClips,
    /// A clip could not be read.
    #[error("cannot read clip {clip}")]
    Source {
        /// Position of the clip.
        clip: usize,
        /// The cause.
        source: SourceError,
    },
    /// A clip has no spectrogram.
    #[error("cannot make the spectrogram of clip {clip}")]
    Feature {
        /// Position of the clip.
        clip: usize,
        /// The cause.
        source: FeatureError,
    },
}

/// Why an autoencoder cannot be made or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AutoencoderError {
    /// A setting is out of range.
    #[error("`{field}` is 0, expected at least 1")]
    Setting {
        /// The setting.
        field: &'static str,
    },
    /// A clip has no spectrogram.
    #[error("cannot make the spectrogram of clip {clip}")]
    Feature {
        /// Position of the clip.
        clip: usize,
        /// The cause.
        source: FeatureError,
    },
    /// A clip is shorter than one window.
    #[error("clip {clip} has {found} frames, expected at least {expected}")]
    TooShort {
        /// Position of the clip.
        clip: usize,
        /// Its frames.
        found: usize,
        /// Frames of one window.
        expected: usize,
    },
}

/// Why sound cannot be pooled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PooledError {
    /// A setting lies outside its range.
    #[error("{setting} is {found}, expected {expected}")]
    Setting {
        /// Which setting.
        setting: &'static str,
        /// Its value.
        found: f64,
        /// The range it may have.
        expected: &'static str,
    },
    /// A window has no spectrogram.
    #[error("cannot make the spectrogram of window {window}")]
    Feature {
        /// Position of the window.
        window: usize,
        /// The cause.
        source: FeatureError,
    },
    /// The settings describe no spectrogram.
    #[error("cannot make a spectrogram with these settings")]
    Spectrogram(#[source] FeatureError),
}
