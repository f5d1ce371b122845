//! Everything that can go wrong on the way from recordings to a page.

use std::{
    io,
    path::{Path, PathBuf},
};

use offkey_embed::{TrainError, loss::LossError};
use offkey_synth::SynthError;

use crate::monitor::ModelFileError;

/// An error of the facade: what was tried, on what, what was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OffkeyError {
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
    /// One run is meant, and there are several.
    #[error("`{}` holds a run a seed", path.display())]
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
        stage: &'static str,
        /// The stage that writes it.
        run_first: &'static str,
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
    /// A study cannot be run as written.
    #[error(transparent)]
    Study(#[from] crate::study::StudyError),
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
        source: offkey_embed::autoencoder::AutoencoderError,
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
    /// Some of several recordings could not be scored.
    #[error("{failed} of {total} recordings could not be scored")]
    Unscored {
        /// How many.
        failed: usize,
        /// Of how many.
        total: usize,
    },
    /// Some of several recordings could not be explained.
    #[error("{failed} of {total} recordings could not be explained")]
    Unexplained {
        /// How many.
        failed: usize,
        /// Of how many.
        total: usize,
    },
    /// No recording where one was looked for.
    #[error("no WAV or FLAC file in {searched}")]
    NoRecordings {
        /// Where.
        searched: String,
    },
    /// Nowhere to write to.
    #[error("the {what} has nowhere to write to")]
    NoOutput {
        /// What would be written.
        what: &'static str,
    },
    /// A false-alarm rate cannot be understood.
    #[error(transparent)]
    Rate(#[from] crate::monitor::RateError),
    /// A model file cannot be used.
    #[error(transparent)]
    ModelFile(#[from] ModelFileError),
    /// A byte stream cannot be heard.
    #[error(transparent)]
    Stream(crate::monitor::watch::StreamError),
    /// A byte stream of a rate the model has not learned.
    #[error("the stream has {found} Hz, expected one of {expected:?} Hz as the normal recordings")]
    StreamRate {
        /// Rate of the stream.
        found: u32,
        /// Rates of the normal recordings.
        expected: Vec<u32>,
    },
    /// The record of another source.
    #[error("`{}` records where `{found}` stands, expected `{expected}`", path.display())]
    OtherSource {
        /// The record.
        path: PathBuf,
        /// The source it is about.
        found: String,
        /// The source being watched.
        expected: String,
    },
    /// A microphone that cannot be heard.
    #[error("cannot open the microphone `{name}`: {problem}")]
    Microphone {
        /// Its name, or `default`.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// The log took no more.
    #[error("{events} events could not be written to `{}`", path.display())]
    EventsNotWritten {
        /// The log.
        path: PathBuf,
        /// How many.
        events: usize,
    },
    /// Sound kept where recordings are listened for would be heard again.
    #[error("cannot keep sound in `{}`, the folder being watched", path.display())]
    KeptInSource {
        /// The folder.
        path: PathBuf,
    },
    /// A recording of a rate the model has not learned.
    #[error("`{}` has {found} Hz, expected one of {expected:?} Hz as the normal recordings", path.display())]
    RecordingRate {
        /// The recording.
        path: PathBuf,
        /// Its rate.
        found: u32,
        /// Rates of the normal recordings.
        expected: Vec<u32>,
    },
    /// Too little to learn from, or to add.
    #[error(
        "found {found} windows in {recordings} recordings, expected at least 3 in 1, better 30 in 5"
    )]
    TooFewWindows {
        /// Windows found.
        found: usize,
        /// Recordings found.
        recordings: usize,
    },
    /// Learning needs a network to train.
    #[error("recipe `{recipe}` trains no network, and a monitor needs one")]
    NotANetwork {
        /// The recipe.
        recipe: String,
    },
    /// Recordings called normal that look like a fault.
    #[error("{} recordings look like a fault or cannot be judged, the first `{}`: {}", refused.len(), refused[0].0.display(), refused[0].1)]
    LooksFaulty {
        /// The recordings, each with the reason.
        refused: Vec<(PathBuf, String)>,
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
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// For `map_err` on JSON calls about `path`.
    pub(crate) fn json(path: &Path) -> impl FnOnce(serde_json::Error) -> Self + '_ {
        move |source| Self::Json { path: path.to_owned(), source }
    }

    /// For `map_err` on errors of the embedding crate.
    pub(crate) fn embed<E: std::error::Error + Send + Sync + 'static>(error: E) -> Self {
        Self::Embed(Box::new(error))
    }

    /// Names the run that can be resumed, where the error is a cancellation.
    pub(crate) fn in_run(self, root: &Path) -> Self {
        match self {
            Self::Cancelled { .. } => Self::Cancelled { run: root.to_owned() },
            other => other,
        }
    }

    /// Whether the caller asked for something that cannot be, rather than something that failed.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Recipe(_)
                | Self::Study(_)
                | Self::NoOutput { .. }
                | Self::Rate(_)
                | Self::Backend { .. }
                | Self::Threads { .. }
                | Self::RunExists { .. }
                | Self::OutputExists { .. }
                | Self::OtherSource { .. }
                | Self::KeptInSource { .. }
                | Self::NotARun { .. }
                | Self::SeveralSeeds { .. }
                | Self::Synth(SynthError::Strangers { .. })
                | Self::NoGpu
                | Self::OtherRun { .. }
                | Self::UnknownSection { .. }
                | Self::NothingToMask
                | Self::NothingToMap
        )
    }

    /// What the file system said, where it is at the bottom of this.
    fn io_kind(&self) -> Option<io::ErrorKind> {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref::<io::Error>() {
                return Some(found.kind());
            }
            cause = error.source();
        }
        None
    }

    /// What the reader can do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::RunExists { .. } => "choose another --out, or say --resume or --force",
            Self::OtherRun { .. } => {
                "say --resume with what it was begun with, choose another --out, or say --force"
            }
            Self::NotARun { path } if path.is_file() => {
                "name the folder of a run; a recording is scored with --model RUN"
            }
            Self::NotARun { .. } => {
                "name a folder that `offkey run --out` wrote, or an empty one to write to"
            }
            Self::SeveralSeeds { first, .. } => {
                return Some(format!("name one of them, as `{}`", first.display()));
            }
            Self::NoGpu => "say `--device cpu`, or build with the cargo feature `gpu`",
            Self::RunLocked { .. } => "wait for it, or end it",
            Self::StageMissing { run_first, .. } => {
                return Some(format!("run `offkey {run_first}` first"));
            }
            Self::Cancelled { run } if run.as_os_str().is_empty() => return None,
            Self::Cancelled { run } => {
                return Some(format!(
                    "go on with the same command and --resume; what is done is kept in {}",
                    run.display()
                ));
            }
            Self::BadClips { .. } => {
                "repair or remove them, or say --skip-bad to go on without them; `offkey data inspect` lists every problem"
            }
            Self::NoTrainingClips { .. } => {
                "training needs recordings of normal operation: in a folder `normal`, with `train` in the path, or with split `train` in a manifest; `offkey data inspect` shows what was recognised"
            }
            Self::NothingComparable { .. } => {
                "every machine and section is compared with normal recordings of its own; `offkey data inspect` shows what was recognised"
            }
            Self::NoTestClips { .. } => {
                "give test clips as well, or use the model with `offkey score CLIP --model RUN`"
            }
            Self::NoAutoencoder { .. } => {
                "an autoencoder needs normal training clips of its own machine"
            }
            Self::OutputExists { .. } | Self::Synth(SynthError::Strangers { .. }) => {
                "name another folder with --out"
            }
            Self::NoOutput { .. } => "name a folder with --out",
            Self::Embed(error) if is_one_class(error.as_ref()) => {
                "give recordings of other machines, sections or conditions as well; or compare without training (`--recipe log-mel-statistics`); or let `offkey learn` make a task of its own"
            }
            Self::NothingToMask => {
                "explain clips with a run of a recipe that trains a network with an `stft` branch, as `default`"
            }
            Self::LooksFaulty { .. } => {
                "listen to them; if they are normal all the same, say --force"
            }
            Self::TooFewWindows { .. } => "record longer, or more often",
            Self::OtherSource { .. } => "name another file with --state, or remove this one",
            Self::ModelFile(ModelFileError::TooNew { .. }) => {
                "use a newer offkey, or learn the model again with this one"
            }
            Self::ModelFile(ModelFileError::Damaged { .. } | ModelFileError::Checksum { .. }) => {
                "copy it again from where it came, or learn it again"
            }
            Self::Microphone { .. } if cfg!(feature = "microphone") => {
                "name one as `microphone:NAME`, recorded at a rate of the normal recordings"
            }
            Self::Microphone { .. } => {
                "build with `--features microphone`, or pipe a recorder into it: arecord -f S16_LE -r 16000 | offkey watch -"
            }
            Self::EventsNotWritten { .. } => {
                "free some space and watch again: the position was not recorded past them"
            }
            Self::KeptInSource { .. } => "name another folder with --keep",
            Self::StreamRate { .. } | Self::RecordingRate { .. } => {
                "record alike, or learn again from recordings of both rates"
            }
            Self::UnknownSection { .. } => "name one with --machine and --section",
            _ => match self.io_kind()? {
                io::ErrorKind::StorageFull => "free some space; what was written before is whole",
                io::ErrorKind::PermissionDenied => "choose a place you may write to",
                _ => return None,
            },
        };
        Some(hint.to_owned())
    }
}

/// Whether training failed for want of a second class.
fn is_one_class(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(TrainError::Loss(LossError::OneClass { .. })))
}
