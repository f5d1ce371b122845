//! Why a monitor cannot be learned.

use std::path::PathBuf;

use offkey_core::{DataError, ErrorKind, FileError, LabelError, counted, io_hint};
use offkey_infer::{ModelError, SourceError, foreign::ForeignError};
use offkey_monitor::MonitorError;
use offkey_score::ScoreError;
use offkey_train::{TrainError, autoencoder::AutoencoderTrainError};

/// Why a monitor cannot be learned, or no detector chosen for one.
///
/// ```
/// use offkey_core::ErrorKind;
/// use offkey_learn::LearnError;
///
/// let error = LearnError::WindowLength { asked_s: 2.0, recipe_s: 10.0 };
/// assert_eq!(error.kind(), ErrorKind::Usage);
/// println!("{error}; {}", error.hint().unwrap_or_default());
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LearnError {
    /// Too little to learn from.
    #[error(
        "found {} in {}, expected at least {expected} windows, and 5 recordings for a promise{}",
        counted(*found, "usable window"),
        counted(*recordings, "recording"),
        listed("; left out: ", left_out)
    )]
    TooFewWindows {
        /// Windows found.
        found: usize,
        /// Windows needed.
        expected: usize,
        /// Recordings they are from.
        recordings: usize,
        /// Recordings left out, each with the reason.
        left_out: Vec<(PathBuf, String)>,
        /// Whether the network of a recipe says how long windows are.
        of_network: bool,
    },
    /// Too few recordings to compare detectors on.
    #[error("detectors cannot be compared on {}, expected {expected} at least{}", counted(*recordings, "recording"), listed("; left out: ", left_out))]
    TooFewToChoose {
        /// Recordings found.
        recordings: usize,
        /// Recordings needed.
        expected: usize,
        /// Recordings left out, each with the reason.
        left_out: Vec<(PathBuf, String)>,
    },
    /// Too few recordings to train on some and calibrate on the others.
    #[error(
        "{recordings} recordings are too few to train an autoencoder on some and calibrate it on {expected} others"
    )]
    TooFewToTrain {
        /// Recordings found.
        recordings: usize,
        /// Recordings that have to be left to calibrate.
        expected: usize,
    },
    /// A recipe that cannot be compared with others, which train nothing.
    #[error("recipe `{recipe}` trains a model, and only detectors without training are compared")]
    NeedsTraining {
        /// The recipe.
        recipe: String,
    },
    /// Recordings of known faults of which none can be heard.
    #[error("none of the recordings of known faults can be heard{}", listed(": ", left_out))]
    NoFaults {
        /// Each with the reason.
        left_out: Vec<(PathBuf, String)>,
    },
    /// One recording is called normal and a fault.
    #[error("`{}` is among the normal recordings and, as `{}`, among the known faults", normal.display(), fault.display())]
    FaultAmongNormals {
        /// The recording among the normal ones.
        normal: PathBuf,
        /// The same sound among the faults.
        fault: PathBuf,
    },
    /// Windows of another length than the recipe's network takes.
    #[error("windows of {asked_s} s were asked for, and the recipe's network takes {recipe_s} s")]
    WindowLength {
        /// As asked for.
        asked_s: f64,
        /// As the recipe says.
        recipe_s: f64,
    },
    /// Windows that no model has.
    #[error(
        "windows of {window_s} s, one every {every_s} s, were asked for: a window lasts an hour at most, and there \
         are a thousand to its length at most"
    )]
    Windows {
        /// Length of a window.
        window_s: f64,
        /// From the start of a window to that of the next.
        every_s: f64,
    },
    /// Recordings cannot be found.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file or folder cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A window of a recording cannot be read.
    #[error(transparent)]
    Sound(SourceError),
    /// The recordings make no classes.
    #[error(transparent)]
    Labels(#[from] LabelError),
    /// A network cannot be trained.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The machine's autoencoder cannot be trained.
    #[error(transparent)]
    Autoencoder(AutoencoderTrainError),
    /// A model cannot be loaded or asked.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// An encoder from elsewhere cannot be loaded.
    #[error(transparent)]
    Foreign(#[from] ForeignError),
    /// A detector cannot be fitted or asked.
    #[error("cannot score {detector} section all")]
    Score {
        /// The detector.
        detector: String,
        /// The cause.
        source: ScoreError,
    },
    /// What was learned makes no monitor.
    #[error(transparent)]
    Monitor(#[from] MonitorError),
    /// The caller asked to stop.
    #[error("stopped before it was done")]
    Cancelled,
}

impl LearnError {
    /// What kind of trouble it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NeedsTraining { .. }
            | Self::FaultAmongNormals { .. }
            | Self::WindowLength { .. }
            | Self::Windows { .. } => ErrorKind::Usage,
            Self::TooFewWindows { .. }
            | Self::TooFewToChoose { .. }
            | Self::TooFewToTrain { .. }
            | Self::NoFaults { .. }
            | Self::Data(_)
            | Self::Sound(_)
            | Self::Labels(_)
            | Self::Train(_)
            | Self::Autoencoder(_)
            | Self::Model(_)
            | Self::Foreign(_)
            | Self::Score { .. } => ErrorKind::Failed,
            Self::File(error) => error.kind(),
            Self::Monitor(error) => error.kind(),
            Self::Cancelled => ErrorKind::Cancelled,
        }
    }

    /// What the reader can do about it, where there is something.
    pub fn hint(&self) -> Option<&'static str> {
        let hint = match self {
            Self::TooFewWindows { found, left_out, of_network, .. } => {
                let (found, left) = (*found, left_out.as_slice());
                let short = left.iter().any(|(_, reason)| reason.starts_with("shorter than"));
                if short && *of_network {
                    "the recipe's network takes windows of one length: say how many seconds the recordings last, as in \
                     `--set model.network.encoder.clip_s=3`"
                } else if short {
                    "say --window with a shorter length, as in `--window 2s`; or record longer, or more often"
                } else if found == 0 && !left.is_empty() {
                    "see why each was left out: none of them can be learned from as they are"
                } else {
                    "record longer, or more often"
                }
            }
            Self::TooFewToChoose { .. } | Self::TooFewToTrain { .. } => {
                "record more, or learn with the default"
            }
            Self::NoFaults { .. } => "name recordings, or a folder of recordings, of faults",
            Self::NeedsTraining { .. } => {
                "learn with it, and compare the two models with recordings of faults"
            }
            Self::FaultAmongNormals { .. } => {
                "decide which it is, and take it out of the other folder"
            }
            Self::Windows { .. } => "choose --window and --every so, or leave them out",
            Self::WindowLength { .. } => "leave --window out, or change the recipe's `clip_s`",
            Self::Data(DataError::NoClips { .. }) => {
                "name a folder of recordings of the machine in normal operation: files that end in .wav, .flac, .mp3 and the like"
            }
            Self::Data(error) => return error.hint(),
            Self::File(error) => return error.hint(),
            Self::Monitor(error) => return error.hint(),
            Self::Foreign(error) => return error.hint(),
            Self::Model(error) => return error.hint(),
            Self::Sound(_)
            | Self::Labels(_)
            | Self::Train(_)
            | Self::Autoencoder(_)
            | Self::Score { .. } => return io_hint(self),
            Self::Cancelled => return None,
        };
        Some(hint)
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
