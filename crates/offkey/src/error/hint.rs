//! What a reader can do about an error: printed apart from it.

use offkey_core::io_hint;
use offkey_synth::SynthError;
use offkey_train::{TrainError, loss::LossError};

use super::OffkeyError;

impl OffkeyError {
    /// What the reader can do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Recipe(error) => return error.hint(),
            Self::RunExists { .. } => "choose another --out, or say --resume or --force",
            Self::ModelExists { .. } => "name another file with -o, or say --force",
            Self::OtherRun { .. } => {
                "say --resume with what it was begun with, choose another --out, or say --force"
            }
            Self::NotARunButMonitor { .. } => {
                "`offkey check` and `offkey watch` judge recordings with it; `offkey score` and `offkey explain` take the folder that `offkey run` wrote"
            }
            Self::NotAMonitorButRun { .. } => {
                "`offkey learn` makes one from normal recordings; a run scores with `offkey score CLIP --run RUN`"
            }
            Self::NotARun { path } if path.is_file() => {
                "name the folder of a run; a recording is scored with --run RUN"
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
                "give test clips as well, or use the model with `offkey score CLIP --run RUN`"
            }
            Self::NoAutoencoder { .. } => {
                "an autoencoder needs normal training clips of its own machine"
            }
            Self::OutputExists { .. } | Self::Synth(SynthError::Strangers { .. }) => {
                "name another folder with --out"
            }
            Self::Embed(error) if is_one_class(error.as_ref()) => {
                "give recordings of other machines, sections or conditions as well; or compare without training (`--recipe log-mel-statistics`); or let `offkey learn` make a task of its own"
            }
            Self::NothingToMask => {
                "explain clips with a run of a recipe that trains a network with an `stft` branch, as `default`"
            }
            Self::TooFewWindows { left_out, .. } => {
                if left_out.iter().any(|(_, reason)| reason.starts_with("shorter than")) {
                    "say --window with a shorter length, as in `--window 2s`; or record longer, or more often"
                } else {
                    "record longer, or more often"
                }
            }
            Self::NotForMonitors { .. } => {
                "leave --recipe out, or name one with a network or statistics"
            }
            Self::WindowLength { .. } => "leave --window out, or change the recipe's `clip_s`",
            Self::Monitor(error) if error.hint().is_some() => {
                return error.hint().map(str::to_owned);
            }
            Self::UnknownSection { .. } => "name one with --machine and --section",
            _ => io_hint(self)?,
        };
        Some(hint.to_owned())
    }
}

/// Whether training failed for want of a second class.
fn is_one_class(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(TrainError::Loss(LossError::OneClass { .. })))
}
