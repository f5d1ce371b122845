//! What the command line answers with when something goes wrong.

use std::path::PathBuf;

use offkey::{
    ErrorKind, FileError, OffkeyError, RecipeError, Year, counted, io_hint, learn::LearnError,
    monitor::MonitorError,
};
use offkey_onnx::OnnxError;
use offkey_study::{CompareError, StudyError, StudyFileError};

/// An error of any verb.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// A run, a data set or a recipe.
    #[error(transparent)]
    Offkey(#[from] OffkeyError),
    /// A monitor.
    #[error(transparent)]
    Monitor(#[from] MonitorError),
    /// Nothing to watch.
    #[error("cannot watch `{name}`: there is no such file or folder")]
    NoSource {
        /// As typed.
        name: String,
    },
    /// Recordings that were not taken into a monitor; each was named.
    #[error("{} not taken in", counted(*refused, "recording"))]
    Refused {
        /// How many.
        refused: usize,
        /// How many of them could be forced in.
        not_normal: usize,
    },
    /// An update of nothing.
    #[error("it is not said what the model should take in")]
    NoAddition,
    /// Interrupted among recordings.
    #[error("stopped after {judged} of {}: the others are not judged", counted(*total, "recording"))]
    Stopped {
        /// Recordings judged.
        judged: usize,
        /// Recordings asked for.
        total: usize,
    },
    /// A study.
    #[error(transparent)]
    Study(#[from] StudyError),
    /// Runs that are to be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// A recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// A model cannot be exported.
    #[error(transparent)]
    Export(#[from] OnnxError),
    /// Some of several recordings could not be used; each was named.
    #[error("{failed} of {} could not be {done}", counted(*total, "recording"))]
    Some {
        /// How many.
        failed: usize,
        /// Of how many.
        total: usize,
        /// What was to be done with them.
        done: &'static str,
    },
    /// An option of runs beside a monitor.
    #[error("`{option}` is for runs, and `{}` is a monitor", path.display())]
    ForRuns {
        /// The model file.
        path: PathBuf,
        /// The option.
        option: &'static str,
    },
    /// A model file in the place of a recording.
    #[error("the model cannot be written to `{}`: {found}", path.display())]
    OverRecording {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// Nothing to score clips with.
    #[error("there is neither a run nor a model to score the clips with")]
    NoDetector,
    /// A folder is not the official set of a year; the differences were named.
    #[error("this is not the whole official set of {year}")]
    NotWhole {
        /// The year.
        year: Year,
    },
    /// Nothing is known of a year's official set.
    #[error("the official counts of {year} are not in this version")]
    NoOfficialCounts {
        /// The year.
        year: Year,
    },
    /// Nowhere to write to.
    #[error("the {what} has nowhere to write to")]
    NoOutput {
        /// What would be written.
        what: &'static str,
    },
    /// The service is a program of its own, and is not there.
    #[error("the service is the program `offkey-serve`, and `{}` is not there", path.display())]
    NoService {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The service cannot be started.
    #[error("cannot start `{}`", path.display())]
    Service {
        /// The program.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Standard output took no more.
    #[error("cannot write all results to standard output")]
    Output(#[source] &'static std::io::Error),
}

impl CliError {
    /// What kind of trouble it is.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Offkey(error) => error.kind(),
            Self::Monitor(error) => error.kind(),
            Self::Study(error) => error.kind(),
            Self::Compare(error) => error.kind(),
            Self::Recipe(error) => error.kind(),
            Self::Export(error) => error.kind(),
            Self::NoSource { .. }
            | Self::NoDetector
            | Self::ForRuns { .. }
            | Self::OverRecording { .. }
            | Self::NoAddition
            | Self::NoOfficialCounts { .. }
            | Self::NoOutput { .. } => ErrorKind::Usage,
            Self::Stopped { .. } => ErrorKind::Cancelled,
            Self::Refused { .. }
            | Self::NotWhole { .. }
            | Self::Some { .. }
            | Self::NoService { .. }
            | Self::Service { .. }
            | Self::Output(_) => ErrorKind::Failed,
        }
    }

    /// What the reader can do about it, where there is something.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Offkey(error) => error.hint(),
            Self::Monitor(error) => error.hint().map(str::to_owned),
            Self::NoSource { .. } => {
                Some("name a folder or a file that is there, `-` or `microphone`; a file may come later if its folder is there".to_owned())
            }
            Self::Refused { not_normal: 1.., .. } => Some(
                "listen to what is not called normal; if it is normal all the same, say --force, or give a whole period \
                 with --all-of"
                    .to_owned(),
            ),
            Self::Study(error) => error.hint(),
            Self::Compare(error) => error.hint(),
            Self::Recipe(error) => error.hint(),
            Self::Export(error) => error.hint(),
            Self::NoDetector => {
                Some("name a run with --run RUN, or a model file with --model FILE".to_owned())
            }
            Self::ForRuns { .. } => Some(
                "leave it out: what each detector of a monitor says of the worst window is printed".to_owned(),
            ),
            Self::OverRecording { .. } => {
                Some("name a file that ends in `.offkey`, as in -o pump.offkey".to_owned())
            }
            Self::NoAddition => Some(
                "name recordings that were normal with `--normal CLIP`, a whole period with `--all-of DIR`, or say `--undo` \
                 to take the last addition out"
                    .to_owned(),
            ),
            Self::NoOfficialCounts { .. } => {
                Some("`offkey data inspect` counts whatever is there".to_owned())
            }
            Self::Refused { .. }
            | Self::Stopped { .. }
            | Self::NotWhole { .. }
            | Self::Some { .. }
            | Self::Service { .. } => None,
            Self::NoService { .. } => Some(
                "put it beside this program: in the source, `cargo install --path crates/serve`, or \
                 `cargo build --release -p offkey-serve`"
                    .to_owned(),
            ),
            Self::NoOutput { .. } => Some("name a folder with --out".to_owned()),
            Self::Output(_) => io_hint(self).map(str::to_owned),
        }
    }
}

impl From<FileError> for CliError {
    fn from(error: FileError) -> Self {
        Self::Offkey(error.into())
    }
}

impl From<LearnError> for CliError {
    fn from(error: LearnError) -> Self {
        Self::Offkey(error.into())
    }
}

impl From<StudyFileError> for CliError {
    fn from(error: StudyFileError) -> Self {
        Self::Study(error.into())
    }
}
