//! Everything that can go wrong on the way from recordings to a page: the errors of the modules, joined.

use std::{
    io,
    path::{Path, PathBuf},
};

use offkey_core::{ErrorKind, io_hint};
use offkey_infer::foreign::ForeignError;
use offkey_synth::SynthError;
use offkey_train::{TrainError, loss::LossError};

use crate::{
    ExplainError, FileError, RecipeError, detector::DetectError, learn::LearnError,
    run_folder::FolderError, stage::ClipsError,
};

/// An error of the facade: what was tried, on what, what was found.
///
/// ```
/// use std::path::Path;
///
/// use offkey::{Detector, ErrorKind};
///
/// let error = Detector::load(Path::new("nowhere")).expect_err("there is no run");
/// assert_eq!(error.kind(), ErrorKind::Usage);
/// println!("{error}; {}", error.hint().unwrap_or_default());
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OffkeyError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A folder cannot be used as a run.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The recordings of a data set cannot be used.
    #[error(transparent)]
    Clips(#[from] ClipsError),
    /// A clip cannot be scored.
    #[error(transparent)]
    Detect(#[from] DetectError),
    /// A score cannot be explained.
    #[error(transparent)]
    Explain(ExplainError),
    /// The caller asked to stop.
    #[error("stopped before it was done")]
    Cancelled {
        /// The run that can be resumed.
        run: PathBuf,
    },
    /// The caller asked to stop while recordings were made.
    #[error("stopped before it was done")]
    Unfinished {
        /// The folder of the recordings.
        folder: PathBuf,
    },
    /// A recipe cannot be used.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The data set cannot be read.
    #[error(transparent)]
    Data(#[from] offkey_core::DataError),
    /// A table cannot be read or written.
    #[error(transparent)]
    Table(#[from] offkey_core::TableError),
    /// A recording cannot be read.
    #[error(transparent)]
    Audio(#[from] offkey_signal::AudioError),
    /// Training or embedding failed.
    #[error(transparent)]
    Embed(Box<dyn std::error::Error + Send + Sync>),
    /// Metrics cannot be computed.
    #[error(transparent)]
    Evaluate(#[from] offkey_eval::EvalError),
    /// Embeddings cannot be arranged on a plane.
    #[error(transparent)]
    Map(offkey_report::TsneError),
    /// Synthetic data cannot be made.
    #[error(transparent)]
    Synth(#[from] SynthError),
    /// The number of threads cannot be set.
    #[error(transparent)]
    Threads(#[from] offkey_core::ThreadsError),
    /// Score files cannot be read.
    #[error(transparent)]
    ScoreFiles(#[from] offkey_core::ScoreFileError),
    /// Truth files cannot be read.
    #[error(transparent)]
    Truth(#[from] offkey_core::TruthError),
    /// A backend's name or settings are not valid.
    #[error("backend `{name}` is not valid")]
    Backend {
        /// The name or file.
        name: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A part of a run that no file of a stage before is made for.
    #[error("`{stage}` cannot be redone alone")]
    NotRedone {
        /// The part.
        stage: crate::Stage,
    },
    /// A machine's autoencoder cannot be trained.
    #[error("cannot train the autoencoder of {machine}")]
    Autoencoder {
        /// The machine.
        machine: String,
        /// The cause.
        source: offkey_train::autoencoder::AutoencoderTrainError,
    },
    /// There are no embeddings to arrange on a plane.
    #[error("an autoencoder gives two scores a clip and no embedding: there is nothing to map")]
    NothingToMap,
    /// A table has nothing to draw scores against.
    #[error("cannot draw scores against `{column}` of `{}`: {problem}", path.display())]
    NoCovariate {
        /// The column asked for.
        column: String,
        /// The table.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no graphics card to compute on.
    #[error("this build cannot compute on a graphics card")]
    NoGpu,
    /// A monitor cannot do what it was asked.
    #[error(transparent)]
    Monitor(#[from] offkey_monitor::MonitorError),
    /// A monitor cannot be learned, or no detector chosen for one.
    #[error(transparent)]
    Learn(LearnError),
    /// A model file would be overwritten.
    #[error("`{}` exists already", path.display())]
    ModelExists {
        /// The file.
        path: PathBuf,
    },
}

impl OffkeyError {
    /// For `map_err` on file system calls about `path`.
    pub fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| FileError::io(path)(source).into()
    }

    /// For `map_err` on JSON calls about `path`.
    pub fn json(path: &Path) -> impl FnOnce(serde_json::Error) -> Self + '_ {
        move |source| FileError::json(path)(source).into()
    }

    /// For `map_err` on errors of the embedding crate.
    pub(crate) fn embed<E: std::error::Error + Send + Sync + 'static>(error: E) -> Self {
        Self::Embed(Box::new(error))
    }

    /// Whether one training cannot be done as asked, whatever becomes of others: a loss that cannot be
    /// built for these classes, or that has diverged or collapsed.
    pub fn is_of_training(&self) -> bool {
        let Self::Embed(error) = self else { return false };
        matches!(
            error.downcast_ref(),
            Some(TrainError::Loss(_) | TrainError::Diverged { .. } | TrainError::Collapsed { .. })
        )
    }

    /// Names the run that can be resumed, where the error is a cancellation.
    pub(crate) fn in_run(self, root: &Path) -> Self {
        match self {
            Self::Cancelled { .. } => Self::Cancelled { run: root.to_owned() },
            other => other,
        }
    }

    /// What kind of trouble it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::File(error) => error.kind(),
            Self::Folder(error) => error.kind(),
            Self::Clips(error) => error.kind(),
            Self::Detect(error) => error.kind(),
            Self::Explain(error) => error.kind(),
            Self::Recipe(error) => error.kind(),
            Self::Monitor(error) => error.kind(),
            Self::Learn(error) => error.kind(),
            Self::Cancelled { .. } | Self::Unfinished { .. } => ErrorKind::Cancelled,
            Self::Backend { .. }
            | Self::NotRedone { .. }
            | Self::Threads(_)
            | Self::ModelExists { .. }
            | Self::Synth(SynthError::Strangers { .. })
            | Self::NoGpu
            | Self::NothingToMap => ErrorKind::Usage,
            Self::Data(_)
            | Self::Table(_)
            | Self::Audio(_)
            | Self::Embed(_)
            | Self::Evaluate(_)
            | Self::Map(_)
            | Self::Synth(_)
            | Self::ScoreFiles(_)
            | Self::Truth(_)
            | Self::Autoencoder { .. }
            | Self::NoCovariate { .. } => ErrorKind::Failed,
        }
    }

    /// What the reader can do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        if let Self::Embed(error) = self
            && let Some(foreign) = error.downcast_ref::<ForeignError>()
        {
            return foreign.hint().map(str::to_owned);
        }
        let hint = match self {
            Self::File(error) => return error.hint().map(str::to_owned),
            Self::Folder(error) => return error.hint(),
            Self::Clips(error) => return error.hint(),
            Self::Detect(error) => return error.hint(),
            Self::Explain(error) => return error.hint().map(str::to_owned),
            Self::Recipe(error) => return error.hint(),
            Self::Monitor(error) => return error.hint().map(str::to_owned),
            Self::Learn(error) => return error.hint().map(str::to_owned),
            Self::ModelExists { .. } => "name another file with -o, or say --force",
            Self::NoGpu => "say `--device cpu`, or build with the cargo feature `gpu`",
            Self::Cancelled { run } if run.as_os_str().is_empty() => return None,
            Self::Cancelled { run } => {
                return Some(format!(
                    "go on with the same command and --resume; what is done is kept in {}",
                    run.display()
                ));
            }
            Self::Unfinished { folder } => {
                return Some(format!(
                    "the same command makes all recordings anew; some are in {} by now",
                    folder.display()
                ));
            }
            Self::Synth(SynthError::Strangers { .. }) => "name another folder with --out",
            Self::Embed(error) if is_one_class(error.as_ref()) => {
                "give recordings of other machines, sections or conditions as well; or compare without training (`--recipe log-mel-statistics`); or let `offkey learn` make a task of its own"
            }
            Self::Data(error) => error.hint()?,
            Self::Audio(error) => error.hint(),
            Self::Table(_)
            | Self::Embed(_)
            | Self::Evaluate(_)
            | Self::Map(_)
            | Self::Synth(_)
            | Self::Threads(_)
            | Self::ScoreFiles(_)
            | Self::Truth(_)
            | Self::Backend { .. }
            | Self::NotRedone { .. }
            | Self::Autoencoder { .. }
            | Self::NothingToMap
            | Self::NoCovariate { .. } => io_hint(self)?,
        };
        Some(hint.to_owned())
    }
}

impl From<ExplainError> for OffkeyError {
    fn from(error: ExplainError) -> Self {
        match error {
            ExplainError::Cancelled => Self::Cancelled { run: PathBuf::new() },
            other => Self::Explain(other),
        }
    }
}

impl From<LearnError> for OffkeyError {
    fn from(error: LearnError) -> Self {
        match error {
            LearnError::Cancelled => Self::Cancelled { run: PathBuf::new() },
            other => Self::Learn(other),
        }
    }
}

/// Whether training failed for want of a second class.
fn is_one_class(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(TrainError::Loss(LossError::OneClass { .. })))
}
