//! Training: clips and classes in, a model folder out.

mod batches;
mod checkpoint;
mod clip_set;
mod config;
mod error;
mod examine;
mod gradient_split;
mod job;
mod measure;
mod objective;
mod options;
mod supply;
mod trainer;

pub use config::{BatchNormStatistics, TrainConfig, TrainLength};
pub use error::TrainError;
pub use job::{TrainJob, TrainReport};
use offkey_infer::ClipSource;
pub use options::{Convergence, CosineSchedule, EarlyStopping, Schedule};

use clip_set::ClipSet;
use trainer::Trainer;

use crate::{Labels, TrainObserver};

/// Trains an encoder and writes it into `job.folder`.
///
/// The same job gives the same bytes, and so does a run that was stopped and resumed.
///
/// # Errors
/// [`TrainError`] when the job is not sound, a clip cannot be read, the loss diverges, the
/// encoder collapses, or the folder cannot be written.
pub fn train(
    job: &TrainJob<'_>,
    observer: &mut dyn TrainObserver,
) -> Result<TrainReport, TrainError> {
    check(job)?;
    let (training, held_out) = ClipSet::parted(job);
    if training.len() < 2 {
        return Err(TrainError::TooFewClips { found: training.len() });
    }
    let needs_held_out = [
        ("early_stopping", job.train.early_stopping.is_some()),
        ("convergence", job.train.convergence.is_some()),
    ];
    let unmet = needs_held_out.into_iter().find(|(_, asked)| *asked && held_out.len() == 0);
    if let Some((field, _)) = unmet {
        return Err(TrainError::Setting {
            field,
            found: "without clips to measure on".to_owned(),
            expected: "a share of `held_out` that some class can spare a clip for",
        });
    }
    Trainer::new(job, &training, &held_out)?.run(observer)
}

fn check(job: &TrainJob<'_>) -> Result<(), TrainError> {
    job.encoder.validate()?;
    if let Some((field, found, expected)) = job.train.invalid() {
        return Err(TrainError::Setting { field, found, expected });
    }
    job.loss.check(job.losses, job.encoder.dims(), job.labels.classes)?;
    check_self_supervision(job)?;
    check_labels(job.source, job.labels)
}

fn check_self_supervision(job: &TrainJob<'_>) -> Result<(), TrainError> {
    let rule = job.train.self_supervision;
    let for_classes = (rule.class_factor().is_some() && !job.loss.needs_classes(job.losses)?)
        .then_some("`none`: the loss does not tell classes apart");
    match for_classes.or(rule.missing_in(job.encoder)) {
        None => Ok(()),
        Some(expected) => Err(TrainError::Setting {
            field: "self_supervision",
            found: rule.name().to_owned(),
            expected,
        }),
    }
}

fn check_labels(source: &dyn ClipSource, labels: &Labels) -> Result<(), TrainError> {
    let Labels { classes, ref of_clip } = *labels;
    if of_clip.len() != source.len() {
        return Err(TrainError::LabelCount { labels: of_clip.len(), clips: source.len() });
    }
    match of_clip.iter().position(|&class| class as usize >= classes) {
        Some(clip) => Err(TrainError::Label { clip, found: of_clip[clip], classes }),
        None => Ok(()),
    }
}
