//! Why a clip cannot be scored.

use std::path::PathBuf;

use offkey_core::{ErrorKind, SectionKey};

/// Why a clip cannot be scored.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use offkey::{DetectError, Detector, OffkeyError, Recipe, RunRequest, Silent, SynthConfig, recordings, run, synthesize};
/// # let folder = tempfile::tempdir()?;
/// # let (data, out) = (folder.path().join("data"), folder.path().join("run"));
/// # let config = SynthConfig { machines: 1, clips: 12, clip_s: 2.0, ..SynthConfig::default() };
/// # synthesize(&config, &data, &Silent)?;
/// # let recipe = Recipe::load("fusion", &["model.pooled.clip_s=2.0".to_owned()])?;
/// # run(&RunRequest::new(vec![data.clone()], recipe, out.clone()), &Silent)?;
/// let clips = recordings(&[data.join("fan/test")])?;
/// let error = Detector::load(&out)?.score(&clips, Some("pump"), None);
/// assert!(matches!(error, Err(OffkeyError::Detect(DetectError::UnknownSection { .. }))));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DetectError {
    /// Samples in memory that cannot be scored.
    #[error("cannot use the samples of `{}`", name.display())]
    Samples {
        /// What stands for the recording.
        name: PathBuf,
        /// The cause.
        source: offkey_signal::FeatureError,
    },
    /// A backend cannot be fitted or asked.
    #[error("cannot score {machine} section {section}")]
    Score {
        /// The machine.
        machine: String,
        /// The section.
        section: String,
        /// The cause.
        source: offkey_score::ScoreError,
    },
    /// A clip is of a machine that no autoencoder was trained for.
    #[error("no autoencoder was trained for machine {machine}, only for {known}")]
    NoAutoencoder {
        /// The clip's machine.
        machine: String,
        /// Those there are.
        known: String,
    },
    /// A clip's machine and section are not among the model's.
    #[error("`{}` is of {asked}, and the model knows {known}", path.display())]
    UnknownSection {
        /// The clip.
        path: PathBuf,
        /// Machine and section asked for.
        asked: String,
        /// Machines and sections of the model.
        known: String,
    },
}

impl DetectError {
    /// For `map_err` on scoring a section.
    pub(crate) fn of(key: &SectionKey) -> impl Fn(offkey_score::ScoreError) -> Self {
        |source| Self::Score { machine: key.machine.clone(), section: key.section.clone(), source }
    }

    /// What kind of trouble it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownSection { .. } => ErrorKind::Usage,
            Self::Samples { .. } | Self::Score { .. } | Self::NoAutoencoder { .. } => {
                ErrorKind::Failed
            }
        }
    }

    /// What the reader can do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::UnknownSection { .. } => "name one with --machine and --section",
            Self::NoAutoencoder { .. } => {
                "an autoencoder needs normal training clips of its own machine"
            }
            Self::Samples { .. } | Self::Score { .. } => return None,
        };
        Some(hint.to_owned())
    }
}
