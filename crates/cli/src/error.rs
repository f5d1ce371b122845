//! What the command line answers with when something goes wrong.

use std::path::PathBuf;

use offkey_core::{ErrorKind, FileError, ThreadsError, counted, io_hint};
use offkey_monitor::MonitorError;

#[cfg(feature = "workbench")]
use crate::verbs::workbench::WorkbenchError;

/// An error of any verb.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// A verb that learns, trains or studies.
    #[cfg(feature = "workbench")]
    #[error(transparent)]
    Workbench(Box<WorkbenchError>),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The number of threads cannot be set.
    #[error(transparent)]
    Threads(#[from] ThreadsError),
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
            #[cfg(feature = "workbench")]
            Self::Workbench(error) => error.kind(),
            Self::File(error) => error.kind(),
            Self::Monitor(error) => error.kind(),
            Self::NoSource { .. } | Self::NoAddition | Self::Threads(_) => ErrorKind::Usage,
            Self::Stopped { .. } => ErrorKind::Cancelled,
            Self::Refused { .. }
            | Self::NoService { .. }
            | Self::Service { .. }
            | Self::Output(_) => ErrorKind::Failed,
        }
    }

    /// What the reader can do about it, where there is something.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            #[cfg(feature = "workbench")]
            Self::Workbench(error) => error.hint(),
            Self::Monitor(error) => error.hint().map(str::to_owned),
            Self::NoSource { .. } => {
                Some("name a folder or a file that is there, `-` or `microphone`; a file may come later if its folder is there".to_owned())
            }
            Self::Refused { not_normal: 1.., .. } => Some(
                "listen to what is not called normal; if it is normal all the same, say --force, or give a whole period \
                 with --all-of"
                    .to_owned(),
            ),
            Self::NoAddition => Some(
                "name recordings that were normal with `--normal CLIP`, a whole period with `--all-of DIR`, or say `--undo` \
                 to take the last addition out"
                    .to_owned(),
            ),
            Self::Refused { .. }
            | Self::Stopped { .. }
            | Self::Threads(_)
            | Self::Service { .. } => None,
            Self::NoService { .. } => Some(
                "put it beside this program: in the source, `cargo install --path crates/serve`, or \
                 `cargo build --release -p offkey-serve`"
                    .to_owned(),
            ),
            Self::File(_) | Self::Output(_) => io_hint(self).map(str::to_owned),
        }
    }
}

#[cfg(feature = "workbench")]
macro_rules! errors_of_verbs {
    ($($error:ty),+) => {$(
        impl From<$error> for CliError {
            fn from(error: $error) -> Self {
                Self::Workbench(Box::new(error.into()))
            }
        }
    )+};
}

#[cfg(feature = "workbench")]
errors_of_verbs!(
    WorkbenchError,
    offkey::OffkeyError,
    offkey::RecipeError,
    offkey::learn::LearnError,
    offkey_onnx::OnnxError,
    offkey_study::CompareError,
    offkey_study::StudyError,
    offkey_study::StudyFileError
);
