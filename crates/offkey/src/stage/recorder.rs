//! The curves of a training, as files and on the screen.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use offkey_core::table;
use offkey_infer::Encoder;
use offkey_train::{EpochEvent, EventFile, StepEvent, TrainObserver, TrainProgress};
use serde::{Deserialize, Serialize};

use super::watched::Watched;
use crate::{
    OffkeyError,
    open_run::Run,
    stages::{COMPACTNESS_FILE, EVENTS_FOLDER, LOSSES_FILE},
};

/// One row of `losses.csv`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct LossRow {
    pub(crate) step: usize,
    pub(crate) epoch: usize,
    pub(crate) loss: f64,
    pub(crate) scale: Option<f64>,
}

/// One row of `compactness.csv`: what an epoch's model does with all clips. Rows of earlier versions
/// lack some columns.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use offkey::CompactnessRow;
///
/// let row: CompactnessRow = serde_json::from_str(r#"{"epoch":3,"loss":0.7,"train_intra":0.2}"#)?;
/// assert!(row.train_inter.is_none(), "columns may be missing");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CompactnessRow {
    /// Epoch, from 0.
    pub epoch: usize,
    /// Mean loss of the epoch's training batches.
    pub loss: f64,
    /// Scale of an angular margin loss.
    pub scale: Option<f64>,
    /// Variance of the embeddings of the epoch's last batch.
    pub embedding_variance: f64,
    /// Mean squared distance of training clips to the mean direction of their class.
    pub train_intra: Option<f64>,
    /// Mean squared distance of training clips to the nearest mean direction of another class.
    pub train_inter: Option<f64>,
    /// Mean squared distance between the mean directions of two classes.
    pub train_between: Option<f64>,
    /// Share of training clips that lie nearest to their own class.
    pub train_accuracy: Option<f64>,
    /// Mean squared distance of training clips to the nearest of the loss's own centres.
    pub train_own_centre: Option<f64>,
    /// Mean loss of all training clips after the epoch.
    pub train_loss: Option<f64>,
    /// Of clips held out of training, where there are some.
    pub held_out_intra: Option<f64>,
    /// Of clips held out of training, where there are some.
    pub held_out_inter: Option<f64>,
    /// Of clips held out of training, where there are some.
    pub held_out_accuracy: Option<f64>,
    /// Of clips held out of training, where there are some.
    pub held_out_loss: Option<f64>,
    /// Length of the gradient that lowers distances to the own centres, in the epoch's last batch.
    pub pull: Option<f64>,
    /// Length of the gradient that raises distances to the other centres.
    pub push: Option<f64>,
    /// Cosine between the two directions in which embeddings move.
    pub agreement: Option<f64>,
    /// The mean loss that a collapsed model pays at least.
    pub trivial_loss: Option<f64>,
}

/// Keeps the training curve and shows progress.
pub(super) struct Recorder<'a> {
    shown: TrainProgress<'a>,
    losses_path: PathBuf,
    compactness_path: PathBuf,
    losses: Vec<LossRow>,
    compactness: Vec<CompactnessRow>,
    events_path: Option<PathBuf>,
    events: Option<EventFile>,
    watched: Option<Watched>,
    failure: Option<OffkeyError>,
}

impl<'a> Recorder<'a> {
    /// Curves go into `folder`, which is the run's or that of one network of an ensemble.
    pub(super) fn new(
        run: &Run<'a>,
        folder: &Path,
        watched: Option<Watched>,
        resume: bool,
    ) -> Result<Self, OffkeyError> {
        let (losses_path, compactness_path) =
            (folder.join(LOSSES_FILE), folder.join(COMPACTNESS_FILE));
        let earlier = |path: &Path| resume && path.is_file();
        Ok(Self {
            shown: TrainProgress::new(run.progress),
            losses: if earlier(&losses_path) { table::read_csv(&losses_path)? } else { Vec::new() },
            compactness: if earlier(&compactness_path) {
                table::read_csv(&compactness_path)?
            } else {
                Vec::new()
            },
            losses_path,
            compactness_path,
            events_path: run.watch.events.then(|| folder.join(EVENTS_FOLDER)),
            events: None,
            watched,
            failure: None,
        })
    }

    /// Adds scalars to the event file, which begins with the first step.
    fn scalars(&mut self, step: usize, values: &[(&str, Option<f64>)]) {
        let Some(folder) = &self.events_path else { return };
        let written = match &mut self.events {
            Some(events) => events.scalars(step, values),
            None => EventFile::begin(folder, step).and_then(|mut events| {
                let written = events.scalars(step, values);
                self.events = Some(events);
                written
            }),
        };
        let failed = written.err().map(OffkeyError::io(folder));
        self.failure = self.failure.take().or(failed);
    }

    pub(super) fn write(mut self) -> Result<(), OffkeyError> {
        self.save();
        self.failure.map_or(Ok(()), Err)
    }

    fn save(&mut self) {
        let written = table::write_csv(&self.losses_path, &self.losses).and_then(|()| {
            if self.compactness.iter().all(|row| row.train_intra.is_none()) {
                return Ok(());
            }
            table::write_csv(&self.compactness_path, &self.compactness)
        });
        self.failure = self.failure.take().or(written.err().map(OffkeyError::from));
    }
}

impl TrainObserver for Recorder<'_> {
    fn step(&mut self, step: &StepEvent) -> ControlFlow<()> {
        if !self.shown.has_begun() {
            self.losses.retain(|row| row.step < step.step);
            self.compactness.retain(|row| row.epoch < step.epoch);
        }
        self.losses.push(LossRow {
            step: step.step,
            epoch: step.epoch,
            loss: step.loss,
            scale: step.scale,
        });
        let values = [
            ("step/loss", Some(step.loss)),
            ("step/learning rate", Some(step.learning_rate)),
            ("step/scale", step.scale),
            (
                "step/clips per second",
                Some(step.clips as f64 / step.seconds.max(f64::MIN_POSITIVE)),
            ),
        ];
        self.scalars(step.step, &values);
        let flow = self.shown.step(step);
        if self.failure.is_some() { ControlFlow::Break(()) } else { flow }
    }

    fn epoch(&mut self, epoch: &EpochEvent) {
        self.compactness.push(CompactnessRow {
            epoch: epoch.epoch,
            loss: epoch.loss,
            scale: epoch.scale,
            embedding_variance: epoch.embedding_variance,
            train_intra: epoch.train.map(|c| c.intra),
            train_inter: epoch.train.and_then(|c| c.inter),
            train_between: epoch.train.and_then(|c| c.between),
            train_accuracy: epoch.train.and_then(|c| c.accuracy),
            train_own_centre: epoch.train.and_then(|c| c.own_centre),
            train_loss: epoch.train.map(|c| c.loss),
            held_out_intra: epoch.held_out.map(|c| c.intra),
            held_out_inter: epoch.held_out.and_then(|c| c.inter),
            held_out_accuracy: epoch.held_out.and_then(|c| c.accuracy),
            held_out_loss: epoch.held_out.map(|c| c.loss),
            pull: epoch.gradient.map(|g| g.pull),
            push: epoch.gradient.map(|g| g.push),
            agreement: epoch.gradient.map(|g| g.agreement),
            trivial_loss: epoch.trivial_loss,
        });
        self.save();
        let (train, held_out) = (epoch.train.as_ref(), epoch.held_out.as_ref());
        let values = [
            ("epoch/loss", Some(epoch.loss)),
            ("epoch/embedding variance", Some(epoch.embedding_variance)),
            ("train/loss", train.map(|c| c.loss)),
            ("train/accuracy", train.and_then(|c| c.accuracy)),
            ("train/own class", train.map(|c| c.intra)),
            ("train/nearest other class", train.and_then(|c| c.inter)),
            ("held out/loss", held_out.map(|c| c.loss)),
            ("held out/accuracy", held_out.and_then(|c| c.accuracy)),
            ("held out/own class", held_out.map(|c| c.intra)),
            ("held out/nearest other class", held_out.and_then(|c| c.inter)),
        ];
        let last_step = self.losses.last().map_or(0, |row| row.step);
        self.scalars(last_step, &values);
        self.shown.epoch(epoch);
    }

    fn wants_model(&self, epoch: usize) -> bool {
        self.watched.as_ref().is_some_and(|watched| watched.wants(epoch))
    }

    fn model(&mut self, epoch: usize, encoder: Encoder) {
        let Some(watched) = &mut self.watched else { return };
        let steps = self.losses.last().map_or(0, |row| row.step + 1);
        match watched.look(epoch, steps, encoder) {
            Ok(auc) => {
                self.scalars(steps.saturating_sub(1), &[("test, for looking only/AUC", auc)]);
            }
            Err(error) => self.failure = self.failure.take().or(Some(error)),
        }
    }
}
