//! Everything that can go wrong on the way from recordings to a page.

mod hint;

use std::{
    io,
    path::{Path, PathBuf},
};

use offkey_core::ErrorKind;
use offkey_report::rise::RiseError;
use offkey_synth::SynthError;
use offkey_train::TrainError;

use crate::stages::Stage;

/// An error of the facade: what was tried, on what, what was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OffkeyError {
    /// No masks can be drawn as asked.
    #[error(transparent)]
    Masks(RiseError),
    /// The file system refused.
    #[error("cannot access `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A JSON file is not what it should be.
    #[error("cannot read `{}` as JSON of the expected form", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The cause, with its line.
        source: serde_json::Error,
    },
    /// There is no graphics card to compute on.
    #[error("this build cannot compute on a graphics card")]
    NoGpu,
    /// The output folder holds a run already.
    #[error("`{}` is not empty", path.display())]
    RunExists {
        /// The folder.
        path: PathBuf,
    },
    /// The output folder holds something already, and it is no run.
    #[error("`{}` is not empty", path.display())]
    OutputExists {
        /// The folder.
        path: PathBuf,
    },
    /// A folder is not a run.
    #[error("`{}` is not a run folder: it has no recipe.toml", path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
    },
    /// A run is meant, and the path holds a monitor.
    #[error("`{}` is the model file of a monitor, expected the folder of a run", path.display())]
    NotARunButMonitor {
        /// The file.
        path: PathBuf,
    },
    /// A monitor is meant, and the path holds a run.
    #[error("`{}` is a run, expected the model file of a monitor", path.display())]
    NotAMonitorButRun {
        /// The folder.
        path: PathBuf,
    },
    /// Samples in memory that cannot be scored.
    #[error("cannot use the samples of `{}`", name.display())]
    Samples {
        /// What stands for the recording.
        name: PathBuf,
        /// The cause.
        source: offkey_signal::FeatureError,
    },
    /// One run is meant, and there are several.
    #[error("`{}` contains one run per seed", path.display())]
    SeveralSeeds {
        /// The folder.
        path: PathBuf,
        /// The first seed's run.
        first: PathBuf,
    },
    /// Another process works in the run.
    #[error("another process is working in `{}`", path.display())]
    RunLocked {
        /// The folder.
        path: PathBuf,
    },
    /// A run cannot go on as another one.
    #[error("`{}` was begun with another {what}, and cannot go on as this one", path.display())]
    OtherRun {
        /// The folder.
        path: PathBuf,
        /// What differs.
        what: &'static str,
    },
    /// A stage needs what an earlier stage writes.
    #[error("`{}` is absent, and `{stage}` needs it", path.display())]
    StageMissing {
        /// The file or folder.
        path: PathBuf,
        /// The stage that was asked for.
        stage: Stage,
        /// The stage that writes it.
        run_first: Stage,
    },
    /// The caller asked to stop.
    #[error("stopped before it was done")]
    Cancelled {
        /// The run that can be resumed.
        run: PathBuf,
    },
    /// A recipe cannot be used.
    #[error(transparent)]
    Recipe(#[from] crate::recipe::RecipeError),
    /// The data set cannot be read.
    #[error(transparent)]
    Data(#[from] offkey_core::DataError),
    /// A table cannot be read or written.
    #[error(transparent)]
    Table(#[from] offkey_core::TableError),
    /// Recordings that cannot be used.
    #[error("{} of {total} recordings cannot be used, the first: {first}", bad.len())]
    BadClips {
        /// The recordings, each with its reason.
        bad: Vec<(PathBuf, String)>,
        /// How many there are altogether.
        total: usize,
        /// The first reason.
        first: String,
    },
    /// A recording cannot be read.
    #[error(transparent)]
    Audio(#[from] offkey_signal::AudioError),
    /// Nothing to learn from.
    #[error("no normal training clips among {total} clips of {data}")]
    NoTrainingClips {
        /// Clips found.
        total: usize,
        /// Where.
        data: String,
    },
    /// Nothing to score.
    #[error("no test clips among {total} clips of {data}")]
    NoTestClips {
        /// Clips found.
        total: usize,
        /// Where.
        data: String,
    },
    /// No test clip has normal clips of its own section to be compared with.
    #[error(
        "none of {total} test clips can be scored: no normal training clip of {section}, nor of any other section to be tested"
    )]
    NothingComparable {
        /// Test clips found.
        total: usize,
        /// The first clip's machine and section.
        section: String,
    },
    /// Training or embedding failed.
    #[error(transparent)]
    Embed(Box<dyn std::error::Error + Send + Sync>),
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
    #[error("cannot use {found} threads, expected at least 1, set before any work")]
    Threads {
        /// The number asked for.
        found: usize,
    },
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
    /// A machine's autoencoder cannot be trained.
    #[error("cannot train the autoencoder of {machine}")]
    Autoencoder {
        /// The machine.
        machine: String,
        /// The cause.
        source: offkey_train::autoencoder::AutoencoderTrainError,
    },
    /// A clip is of a machine that no autoencoder was trained for.
    #[error("no autoencoder was trained for machine {machine}, only for {known}")]
    NoAutoencoder {
        /// The clip's machine.
        machine: String,
        /// Those there are.
        known: String,
    },
    /// There are no embeddings to arrange on a plane.
    #[error("an autoencoder gives two scores a clip and no embedding: there is nothing to map")]
    NothingToMap,
    /// There is no spectrogram to mask.
    #[error("the model has no network that looks at a spectrogram, and an explanation masks one")]
    NothingToMask,
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
    /// No recording where one was looked for.
    #[error("no WAV or FLAC file in {searched}")]
    NoRecordings {
        /// Where.
        searched: String,
    },
    /// A monitor cannot do what it was asked.
    #[error(transparent)]
    Monitor(#[from] offkey_monitor::MonitorError),
    /// Too little to learn from.
    #[error(
        "found {found} usable windows in {recordings} recordings, expected at least 3 windows, and 5 recordings for a promise{}",
        listed("; left out: ", left_out)
    )]
    TooFewWindows {
        /// Windows found.
        found: usize,
        /// Recordings they are from.
        recordings: usize,
        /// Recordings left out, each with the reason.
        left_out: Vec<(PathBuf, String)>,
    },
    /// A model file would be overwritten.
    #[error("`{}` exists already", path.display())]
    ModelExists {
        /// The file.
        path: PathBuf,
    },
    /// A recipe that a monitor cannot be learned by.
    #[error("recipe `{recipe}` trains an autoencoder, which a monitor has no use for")]
    NotForMonitors {
        /// The recipe.
        recipe: String,
    },
    /// Windows of another length than the recipe's network takes.
    #[error("windows of {asked_s} s were asked for, and the recipe's network takes {recipe_s} s")]
    WindowLength {
        /// As asked for.
        asked_s: f64,
        /// As the recipe says.
        recipe_s: f64,
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

impl OffkeyError {
    /// For `map_err` on file system calls about `path`.
    pub fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// For `map_err` on JSON calls about `path`.
    pub fn json(path: &Path) -> impl FnOnce(serde_json::Error) -> Self + '_ {
        move |source| Self::Json { path: path.to_owned(), source }
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
            Self::Cancelled { .. } => ErrorKind::Cancelled,
            Self::Monitor(error) => error.kind(),
            other if other.is_usage() => ErrorKind::Usage,
            _ => ErrorKind::Failed,
        }
    }

    /// Whether the caller asked for something that cannot be, rather than something that failed.
    fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Recipe(_)
                | Self::Backend { .. }
                | Self::Threads { .. }
                | Self::RunExists { .. }
                | Self::ModelExists { .. }
                | Self::NotForMonitors { .. }
                | Self::WindowLength { .. }
                | Self::OutputExists { .. }
                | Self::NotARun { .. }
                | Self::NotARunButMonitor { .. }
                | Self::NotAMonitorButRun { .. }
                | Self::SeveralSeeds { .. }
                | Self::Synth(SynthError::Strangers { .. })
                | Self::NoGpu
                | Self::OtherRun { .. }
                | Self::UnknownSection { .. }
                | Self::NothingToMask
                | Self::Masks(_)
                | Self::NothingToMap
        )
    }
}

/// Recordings that an error lists.
const MOST_LISTED: usize = 10;

/// The first recordings with their reasons, and how many more there are.
fn listed(begin: &str, recordings: &[(PathBuf, String)]) -> String {
    let named = recordings.iter().take(MOST_LISTED);
    let named: Vec<String> =
        named.map(|(path, reason)| format!("`{}`: {reason}", path.display())).collect();
    match recordings.len() {
        0 => String::new(),
        few if few <= MOST_LISTED => format!("{begin}{}", named.join("; ")),
        many => format!("{begin}{}; and {} more", named.join("; "), many - MOST_LISTED),
    }
}
