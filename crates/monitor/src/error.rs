//! Everything that can go wrong with a model file, a recording to be judged, or a source.

use std::{
    io,
    path::{Path, PathBuf},
};

use offkey_core::{ErrorKind, FileError, counted, io_hint};
use offkey_infer::ModelError;
use offkey_signal::FeatureError;

use crate::{ModelFileError, RateError};

/// An error of a monitor: what was tried, on what, what was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MonitorError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The caller asked to stop.
    #[error("stopped before it was done")]
    Cancelled,
    /// A recording cannot be read.
    #[error(transparent)]
    Audio(#[from] offkey_signal::AudioError),
    /// A window cannot be embedded.
    #[error(transparent)]
    Embed(#[from] ModelError),
    /// A window has no spectrogram.
    #[error(transparent)]
    Feature(#[from] FeatureError),
    /// A backend cannot be fitted or asked.
    #[error("cannot score windows of `{name}`")]
    Score {
        /// What the machine is called.
        name: String,
        /// The cause.
        source: offkey_score::ScoreError,
    },
    /// A false-alarm rate cannot be understood.
    #[error(transparent)]
    Rate(#[from] RateError),
    /// A model file cannot be used.
    #[error(transparent)]
    ModelFile(#[from] ModelFileError),
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
    /// A file that a watch is to write to, and did not write.
    #[error("`{}` is there and is no file of a watch: it is left as it is", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
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
    #[error("{} could not be written to `{}`", counted(*events, "event"), path.display())]
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
    /// A recording of a rate that cannot be judged.
    #[error("`{}`: {refusal}", path.display())]
    RecordingRate {
        /// The recording.
        path: PathBuf,
        /// Why, and what to do.
        refusal: String,
    },
    /// A file that is meant as the state of a watch, and is something else.
    #[error("`{}` is no state file of a watch", path.display())]
    NoState {
        /// The file.
        path: PathBuf,
    },
    /// An event that an event log does not tell all of.
    #[error("cannot take event `{name}` of `{}` for a fault: {problem}", path.display())]
    NoEvent {
        /// The log.
        path: PathBuf,
        /// The event's name.
        name: String,
        /// What is missing.
        problem: &'static str,
    },
    /// A growing file of a form that is heard only once it is whole.
    #[error("cannot follow `{}` as it grows: {why}", path.display())]
    OnlyWhole {
        /// The file.
        path: PathBuf,
        /// What that means for its form.
        why: String,
    },
    /// A recording of which no window can be scored.
    #[error("`{}` cannot be scored: {reason}", path.display())]
    NothingJudged {
        /// The recording.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A recording so damaged that no window is left.
    #[error("{damage}: too little is left of it")]
    Partial {
        /// What is wrong.
        damage: String,
    },
    /// No recording as long as the model needs.
    #[error("none of {} lasts the {needed_s:.1} s that the model needs", counted(*recordings, "recording"))]
    AllTooShort {
        /// Recordings looked at.
        recordings: usize,
        /// Length of a window.
        needed_s: f64,
    },
    /// Another process works with it.
    #[error("another process is using `{}`", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// Nothing was added after learning.
    #[error("there is nothing to undo: nothing was added to the model after learning")]
    NothingToUndo,
}

impl MonitorError {
    /// For `map_err` on file system calls about `path`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| FileError::io(path)(source).into()
    }

    /// For `map_err` on JSON calls about `path`.
    pub(crate) fn json(path: &Path) -> impl FnOnce(serde_json::Error) -> Self + '_ {
        move |source| FileError::json(path)(source).into()
    }

    /// Who can mend it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Rate(_)
            | Self::OtherSource { .. }
            | Self::NotOurs { .. }
            | Self::KeptInSource { .. }
            | Self::OnlyWhole { .. }
            | Self::ModelFile(ModelFileError::Run { .. })
            | Self::NothingToUndo => ErrorKind::Usage,
            Self::Cancelled => ErrorKind::Cancelled,
            Self::File(error) => error.kind(),
            Self::Audio(_)
            | Self::Embed(_)
            | Self::Feature(_)
            | Self::Score { .. }
            | Self::ModelFile(_)
            | Self::Microphone { .. }
            | Self::EventsNotWritten { .. }
            | Self::RecordingRate { .. }
            | Self::NoState { .. }
            | Self::NoEvent { .. }
            | Self::NothingJudged { .. }
            | Self::Partial { .. }
            | Self::AllTooShort { .. }
            | Self::Locked { .. } => ErrorKind::Failed,
        }
    }

    /// What the reader can do about it, where there is something.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Embed(error) => error.hint(),
            Self::Locked { .. } => Some("wait for it, or end it"),
            Self::AllTooShort { .. } => Some("record longer, or more often"),
            Self::OtherSource { .. } => Some("name another file with --state, or remove this one"),
            Self::NotOurs { .. } => Some("name another file with --state or --log"),
            Self::ModelFile(error) => error.hint(),
            Self::Microphone { .. } if cfg!(feature = "microphone") => {
                Some("name one as `microphone:NAME`, recorded at a rate of the normal recordings")
            }
            Self::Microphone { .. } => Some(
                "build with `--features microphone`, or pipe a recorder into it: arecord -f S16_LE -r 16000 | offkey watch -",
            ),
            Self::EventsNotWritten { .. } => Some(
                "free some space, or let this user write there, and watch again: the position was not recorded past them",
            ),
            Self::KeptInSource { .. } => Some("name another folder with --keep"),
            Self::Audio(error) => Some(error.hint()),
            Self::File(error) => error.hint(),
            Self::Feature(_) => io_hint(self),
            Self::Cancelled
            | Self::NothingToUndo
            | Self::Score { .. }
            | Self::RecordingRate { .. }
            | Self::NothingJudged { .. }
            | Self::Partial { .. }
            | Self::Rate(_) => None,
            Self::NoEvent { .. } => Some(
                "name it as the field `id` of the log does; an event can be named once it has ended",
            ),
            Self::OnlyWhole { .. } => Some(
                "watch its folder, add --once where it is complete, or pipe it: ... | offkey watch - --model MODEL",
            ),
            Self::NoState { .. } => Some("name the file that `offkey watch --state FILE` writes"),
        }
    }
}
