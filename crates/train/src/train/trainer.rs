//! The training loop.

use std::{ops::Range, sync::mpsc::Receiver, time::Instant};

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use ndarray::Array2;
use offkey_infer::{
    ClipSource, ModelCard, clear_model, normalised, weights::NamedTensors, write_model,
};

use super::{
    TrainError, TrainJob, TrainReport, batches,
    checkpoint::{self, RunIdentity, RunState},
    measure,
    objective::Objective,
    supply::{Batch, Supply, plain_batch},
};
use crate::{
    Compactness, EpochEvent, Labels, StepEvent, TrainObserver,
    adam::Adam,
    device::device,
    network::{NORM_MOMENTUM, Network, Pass, into_inputs},
    tensors::{collect, restore, to_tensor, values_of},
};

/// Below this variance of unit embeddings the encoder gives the same answer to every clip:
/// rounding alone makes about 1e-12.
const COLLAPSED_VARIANCE: f64 = 1e-9;

/// How a run is divided: the same for every epoch.
pub(super) struct Plan {
    pub(super) ranges: Vec<Range<usize>>,
    pub(super) epochs: usize,
}

impl Plan {
    pub(super) fn new(job: &TrainJob<'_>) -> Self {
        let ranges = batches::ranges(job.source.len(), job.train.batch_clips);
        let epochs = job.train.epochs(ranges.len());
        Self { ranges, epochs }
    }

    pub(super) fn steps(&self) -> usize {
        self.ranges.len() * self.epochs
    }
}

/// A run in progress.
pub(super) struct Trainer<'a> {
    job: &'a TrainJob<'a>,
    plan: Plan,
    device: Device,
    network: Network,
    objective: Objective,
    network_adam: Adam,
    objective_adam: Adam,
    state: RunState,
}

/// What one step found.
struct StepOutcome {
    loss: f64,
    variance: f64,
}

impl<'a> Trainer<'a> {
    /// Random weights, or those of the folder's checkpoint when the job resumes.
    pub(super) fn new(job: &'a TrainJob<'a>, plan: Plan) -> Result<Self, TrainError> {
        let device = device(job.compute)?.autodiff();
        let network = Network::new(job.encoder, job.seed.child("network"), &device, job.compute);
        let objective = Objective::init(job, &device)?;
        let run = RunIdentity::of(job);
        clear_model(job.folder)?;
        let saved = if job.resume { checkpoint::read(job.folder, &run)? } else { None };
        let mut trainer = Self {
            job,
            plan,
            device,
            network,
            objective,
            network_adam: Adam::new(job.train.learning_rate, job.train.l2_penalty),
            objective_adam: Adam::new(job.train.learning_rate, 0.0),
            state: RunState::start(run),
        };
        match saved {
            Some((state, tensors)) => trainer.restore(state, tensors)?,
            None => checkpoint::remove(job.folder)?,
        }
        Ok(trainer)
    }

    pub(super) fn run(
        &mut self,
        observer: &mut dyn TrainObserver,
    ) -> Result<TrainReport, TrainError> {
        let begin = Instant::now();
        let first_step = self.state.steps;
        let (job, start) = (self.job, self.state.position());
        let ranges = self.plan.ranges.clone();
        let supply = Supply { job, ranges: &ranges, epochs: self.plan.epochs };
        let clips_done = std::thread::scope(|scope| {
            let batches = supply.start(scope, start);
            self.run_epochs(&batches, observer)
        })?;
        let seconds = begin.elapsed().as_secs_f64();
        let finished = self.state.epoch == self.plan.epochs;
        if finished {
            self.finish()?;
        }
        tracing::info!(steps = self.state.steps - first_step, clips_done, seconds, "trained");
        Ok(self.report(finished, seconds, clips_done))
    }

    /// Trains until the end or until the observer stops it; returns the clips that passed.
    fn run_epochs(
        &mut self,
        batches: &Receiver<Result<Batch, TrainError>>,
        observer: &mut dyn TrainObserver,
    ) -> Result<usize, TrainError> {
        let mut clips_done = 0;
        let mut epoch_begin = Instant::now();
        let mut step_begin = Instant::now();
        while self.state.epoch < self.plan.epochs {
            let Ok(batch) = batches.recv() else { break };
            let batch = batch?;
            let clips = batch.features.clips;
            let outcome = self.step(batch)?;
            clips_done += clips;
            let event = self.step_event(&outcome, clips, step_begin.elapsed().as_secs_f64());
            step_begin = Instant::now();
            let stop = observer.step(&event).is_break();
            self.advance(&outcome, clips);
            if self.state.batch == self.plan.ranges.len() {
                let event = self.end_epoch(outcome.variance, epoch_begin)?;
                observer.epoch(&event);
                epoch_begin = Instant::now();
                step_begin = Instant::now();
            } else if stop {
                self.save()?;
            }
            if stop {
                break;
            }
        }
        Ok(clips_done)
    }

    /// One optimiser step.
    fn step(&mut self, batch: Batch) -> Result<StepOutcome, TrainError> {
        let step = self.state.steps;
        let mut pass = Pass::Train(Vec::new());
        let Batch { features, labels, exchange } = batch;
        let inputs = into_inputs(features, self.job.encoder, &self.device);
        let embeddings = self.network.forward(inputs, &mut pass);
        let unit = normalised(to_array(embeddings.clone().inner()));
        let loss = self.objective.training_loss(embeddings, &labels, exchange.as_ref());
        let outcome = StepOutcome {
            loss: f64::from(values_of(loss.clone().inner())[0]),
            variance: measure::variance(&unit),
        };
        if !outcome.loss.is_finite() {
            return Err(TrainError::Diverged { step, loss: outcome.loss });
        }
        if self.job.train.stop_on_collapse && outcome.variance < COLLAPSED_VARIANCE {
            return Err(TrainError::Collapsed { step, variance: outcome.variance });
        }
        let mut gradients = loss.backward();
        self.network = self.network_adam.step(self.network.clone(), &mut gradients);
        self.objective = self.objective_adam.step(self.objective.clone(), &mut gradients);
        self.network.update_running(pass, NORM_MOMENTUM);
        Ok(outcome)
    }

    fn advance(&mut self, outcome: &StepOutcome, clips: usize) {
        self.state.steps += 1;
        self.state.batch += 1;
        self.state.loss_sum += outcome.loss * clips as f64;
        self.state.loss_clips += clips;
        self.state.scales = Some(self.objective.scales());
    }

    fn step_event(&self, outcome: &StepOutcome, clips: usize, seconds: f64) -> StepEvent {
        StepEvent {
            epoch: self.state.epoch,
            step: self.state.steps,
            steps: self.plan.steps(),
            clips,
            loss: outcome.loss,
            scale: self.objective.plain.scale(),
            seconds,
        }
    }

    fn end_epoch(&mut self, variance: f64, begin: Instant) -> Result<EpochEvent, TrainError> {
        let epoch = self.state.epoch;
        let loss = self.state.loss_sum / self.state.loss_clips as f64;
        self.state = RunState {
            epoch: epoch + 1,
            batch: 0,
            loss_sum: 0.0,
            loss_clips: 0,
            last_epoch_loss: Some(loss),
            ..self.state.clone()
        };
        self.save()?;
        let (train, held_out) = self.measure()?;
        Ok(EpochEvent {
            epoch,
            epochs: self.plan.epochs,
            loss,
            scale: self.objective.plain.scale(),
            embedding_variance: variance,
            seconds: begin.elapsed().as_secs_f64(),
            train,
            held_out,
        })
    }

    /// Final statistics, then the model folder.
    fn finish(&mut self) -> Result<(), TrainError> {
        if self.job.train.recomputes_statistics(self.plan.steps()) {
            self.recompute_statistics()?;
        }
        let TrainJob { encoder, loss, labels, seed, folder, .. } = *self.job;
        let card = ModelCard::new(encoder, loss.to_table(), labels.classes, seed, self.state.steps);
        write_model(folder, &card, &collect(&self.network))?;
        checkpoint::remove(folder)?;
        Ok(())
    }

    /// Replaces running statistics by the average over unmixed batches under the final weights,
    /// each batch counted by its clips.
    fn recompute_statistics(&mut self) -> Result<(), TrainError> {
        let network = self.network.valid();
        let data = (self.job.source, self.job.labels);
        let mut clips_seen = 0;
        self.each_plain_batch(data, "statistics", |trainer, batch| {
            let mut pass = Pass::Train(Vec::new());
            clips_seen += batch.features.clips;
            let weight = batch.features.clips as f64 / clips_seen as f64;
            let device = trainer.device.clone().inner();
            network.forward(into_inputs(batch.features, trainer.job.encoder, &device), &mut pass);
            trainer.network.update_running(pass, weight);
            Ok(())
        })
    }

    /// Distances on training and held-out clips, where the configuration asks for them. Batches
    /// are normed by their own statistics: running ones lag behind while weights move.
    fn measure(&mut self) -> Result<(Option<Compactness>, Option<Compactness>), TrainError> {
        if !self.job.train.measure_compactness {
            return Ok((None, None));
        }
        let classes = self.job.labels.classes;
        let train_labels = &self.job.labels.of_clip;
        let (unit, loss) = self.embed_all((self.job.source, self.job.labels), "measure")?;
        let centres = self
            .objective
            .plain
            .class_centres()
            .unwrap_or_else(|| measure::class_means(&unit, train_labels, classes));
        let train = measure::compactness(&unit, train_labels, &centres, classes, loss);
        let Some((source, labels)) = self.job.held_out else { return Ok((Some(train), None)) };
        let (unit, loss) = self.embed_all((source, labels), "measure held out")?;
        let held_out = measure::compactness(&unit, &labels.of_clip, &centres, classes, loss);
        Ok((Some(train), Some(held_out)))
    }

    /// Unit embeddings of all clips of a source and their mean loss.
    fn embed_all(
        &mut self,
        data: (&dyn ClipSource, &Labels),
        purpose: &str,
    ) -> Result<(Array2<f32>, f64), TrainError> {
        let (network, head) = (self.network.valid(), self.objective.plain.valid());
        let (mut values, mut loss_sum) = (Vec::new(), 0.0);
        self.each_plain_batch(data, purpose, |trainer, batch| {
            let device = trainer.device.clone().inner();
            let clips = batch.features.clips as f64;
            let inputs = into_inputs(batch.features, trainer.job.encoder, &device);
            let embeddings = network.forward(inputs, &mut Pass::Train(Vec::new()));
            let loss = head.loss(embeddings.clone(), to_tensor(&batch.labels, &device));
            loss_sum += f64::from(values_of(loss)[0]) * clips;
            values.extend(values_of(embeddings));
            Ok(())
        })?;
        let shape = (data.0.len(), self.job.encoder.dims());
        let all = Array2::from_shape_vec(shape, values).expect("one embedding a clip");
        Ok((normalised(all), loss_sum / data.0.len() as f64))
    }

    fn each_plain_batch(
        &mut self,
        data: (&dyn ClipSource, &Labels),
        purpose: &str,
        mut visit: impl FnMut(&mut Self, Batch) -> Result<(), TrainError>,
    ) -> Result<(), TrainError> {
        let seed = self.job.seed.child(purpose);
        let clips = data.0.len();
        for range in batches::ranges(clips, self.job.train.batch_clips) {
            let clips: Vec<usize> = range.collect();
            let batch = plain_batch(data, self.job.encoder, &clips, seed)?;
            visit(self, batch)?;
        }
        Ok(())
    }

    fn save(&self) -> Result<(), TrainError> {
        let mut tensors = NamedTensors::default();
        tensors.extend("network", collect(&self.network));
        tensors.extend("loss", collect(&self.objective));
        tensors.extend("network-adam", self.network_adam.state());
        tensors.extend("loss-adam", self.objective_adam.state());
        Ok(checkpoint::write(self.job.folder, &self.state, &tensors)?)
    }

    fn restore(&mut self, state: RunState, mut tensors: NamedTensors) -> Result<(), TrainError> {
        let path = checkpoint::path(self.job.folder);
        self.network = restore(self.network.clone(), tensors.take("network"), &path)?;
        self.objective = restore(self.objective.clone(), tensors.take("loss"), &path)?;
        let device = self.device.clone().inner();
        self.network_adam.restore(state.steps, tensors.take("network-adam"), &device);
        self.objective_adam.restore(state.steps, tensors.take("loss-adam"), &device);
        if let Some(scales) = state.scales {
            self.objective.restore_scales(scales);
        }
        self.state = state;
        Ok(())
    }

    fn report(&self, finished: bool, seconds: f64, clips_done: usize) -> TrainReport {
        TrainReport {
            finished,
            epochs: self.state.epoch,
            steps: self.state.steps,
            loss: self.state.last_epoch_loss,
            seconds,
            clips_per_second: clips_done as f64 / seconds.max(f64::MIN_POSITIVE),
            parameters: self.job.encoder.parameters(),
            statistics_recomputed: finished
                && self.job.train.recomputes_statistics(self.plan.steps()),
            kernels: self.network.kernels(),
        }
    }
}

impl RunState {
    fn start(run: RunIdentity) -> Self {
        Self {
            run,
            epoch: 0,
            batch: 0,
            steps: 0,
            scales: None,
            loss_sum: 0.0,
            loss_clips: 0,
            last_epoch_loss: None,
        }
    }
}

fn to_array(tensor: Tensor<2>) -> Array2<f32> {
    let [rows, columns] = tensor.dims();
    Array2::from_shape_vec((rows, columns), values_of(tensor)).expect("rows x columns values")
}
