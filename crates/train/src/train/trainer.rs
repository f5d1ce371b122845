//! The training loop.

use std::{ops::Range, sync::mpsc::Receiver, time::Instant};

use burn::{
    module::Module,
    tensor::{Device, Gradients},
};
use ndarray::Array2;
use offkey_infer::{
    Encoder, ModelCard, clear_model, normalised, weights::NamedTensors, write_model,
};

use super::{
    TrainError, TrainJob, TrainReport, batches,
    checkpoint::{self, RunIdentity, RunState},
    clip_set::ClipSet,
    examine::Examiner,
    gradient_split::Softmax,
    measure,
    objective::Objective,
    options::HeldOut,
    supply::{Batch, Supply},
};
use crate::{
    Compactness, EarlyStopping, EpochEvent, GradientSplit, LossConfig, StepEvent, TrainConfig,
    TrainObserver,
    adam::{Adam, Shares, squared_length},
    device::device,
    network::{NORM_MOMENTUM, Network, Pass, into_inputs},
    placement::placed,
    tensors::{collect, restore, to_array, values_of},
};

/// Below this variance of unit embeddings the encoder gives the same answer to every clip:
/// rounding alone makes about 1e-12.
const COLLAPSED_VARIANCE: f64 = 1e-9;

/// A run in progress.
pub(super) struct Trainer<'a> {
    job: &'a TrainJob<'a>,
    clips: &'a ClipSet<'a>,
    held_out: &'a ClipSet<'a>,
    /// Ranges of an epoch's order that make its batches.
    ranges: Vec<Range<usize>>,
    /// Steps of the whole run.
    steps: usize,
    device: Device,
    network: Network,
    objective: Objective,
    network_adam: Adam,
    objective_adam: Adam,
    /// Running average of the network's tensors, where one is asked for.
    average: Option<NamedTensors>,
    /// Tensors of the epoch with the lowest held-out loss, where training may stop early.
    best: Option<NamedTensors>,
    state: RunState,
}

/// What one step found.
struct StepOutcome {
    loss: f64,
    variance: f64,
    /// Of the last step of an epoch, where it is measured.
    gradient: Option<GradientSplit>,
}

impl<'a> Trainer<'a> {
    /// Random weights, or those of the folder's checkpoint when the job resumes.
    pub(super) fn new(
        job: &'a TrainJob<'a>,
        clips: &'a ClipSet<'a>,
        held_out: &'a ClipSet<'a>,
    ) -> Result<Self, TrainError> {
        let ranges = batches::ranges(clips.len(), job.train.batch_clips);
        let device = device(job.compute)?.autodiff();
        let network = Network::new(job.encoder, job.seed.child("network"), &device, job.compute);
        let objective = Objective::init(job, &device)?;
        let run = RunIdentity::of(job);
        clear_model(job.folder)?;
        let saved = if job.resume { checkpoint::read(job.folder, &run)? } else { None };
        let mut trainer = Self {
            job,
            clips,
            held_out,
            steps: job.train.steps(ranges.len()),
            ranges,
            device,
            network,
            objective,
            network_adam: Adam::new(job.train.learning_rate, job.train.l2_penalty)
                .with_weight_decay(job.train.weight_decay),
            objective_adam: Adam::new(job.train.learning_rate, 0.0),
            average: None,
            best: None,
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
        let (job, clips, start) = (self.job, self.clips, self.state.position());
        let ranges = self.ranges.clone();
        let supply = Supply { job, clips, ranges: &ranges, steps: self.steps };
        let clips_done = std::thread::scope(|scope| {
            let batches = supply.start(scope, start);
            self.run_epochs(&batches, observer)
        })?;
        let seconds = begin.elapsed().as_secs_f64();
        let finished = self.is_done();
        if finished {
            self.finish()?;
        }
        tracing::info!(steps = self.state.steps - first_step, clips_done, seconds, "trained");
        Ok(self.report(finished, seconds, clips_done))
    }

    fn is_done(&self) -> bool {
        self.state.stopped || self.state.converged || self.state.steps == self.steps
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
        while !self.is_done() {
            let Ok(batch) = batches.recv() else { break };
            let batch = batch?;
            let clips = batch.features.clips;
            let outcome = self.step(batch)?;
            clips_done += clips;
            let event = self.step_event(&outcome, clips, step_begin.elapsed().as_secs_f64());
            step_begin = Instant::now();
            let stop = observer.step(&event).is_break();
            self.advance(&outcome, clips);
            if self.state.batch == self.ranges.len() || self.state.steps == self.steps {
                let event = self.end_epoch(&outcome, epoch_begin)?;
                observer.epoch(&event);
                if observer.wants_model(event.epoch) {
                    observer.model(event.epoch, self.present_encoder()?);
                }
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
            gradient: self.gradient_split(&unit, &labels),
        };
        if !outcome.loss.is_finite() {
            return Err(TrainError::Diverged { step, loss: outcome.loss });
        }
        if self.job.train.stop_on_collapse && outcome.variance < COLLAPSED_VARIANCE {
            return Err(TrainError::Collapsed { step, variance: outcome.variance });
        }
        self.descend(loss.backward());
        self.network.update_running(pass, NORM_MOMENTUM);
        self.average_weights();
        Ok(outcome)
    }

    /// Whether the loss is a softmax on the sphere without margin.
    fn is_softmax(&self) -> bool {
        matches!(self.job.loss, LossConfig::Adacos(_) | LossConfig::SubClusterAdacos(_))
    }

    /// What this step pulls and pushes, if it is the last of an epoch and compactness is measured.
    fn gradient_split(&self, unit: &Array2<f32>, labels: &Array2<f32>) -> Option<GradientSplit> {
        let is_last = self.state.batch + 1 == self.ranges.len();
        if !(is_last && self.job.train.measure_compactness && self.is_softmax()) {
            return None;
        }
        let centres = &self.objective.plain.class_centres()?;
        let (classes, scale) = (self.job.labels.classes, self.objective.plain.scale()?);
        Some(Softmax { centres, classes, scale }.split(unit, labels))
    }

    /// Moves the weights against their gradients.
    fn descend(&mut self, mut gradients: Gradients) {
        let config = self.job.train;
        let rate = config.schedule.share(self.state.steps, self.steps);
        let gradient = config.gradient_length.map_or(1.0, |longest| {
            let squares = squared_length(&self.network, &gradients)
                + squared_length(&self.objective, &gradients);
            (longest / squares.sqrt().max(f64::MIN_POSITIVE)).min(1.0)
        });
        let shares = Shares { rate, gradient };
        self.network = self.network_adam.step(self.network.clone(), &mut gradients, shares);
        self.objective = self.objective_adam.step(self.objective.clone(), &mut gradients, shares);
    }

    /// Moves the average towards the present weights. In the first steps it forgets faster, so that
    /// it does not begin with random weights.
    fn average_weights(&mut self) {
        let Some(decay) = self.job.train.average_weights else { return };
        let present = collect(&self.network);
        let Some(average) = &mut self.average else {
            self.average = Some(present);
            return;
        };
        let steps = self.state.steps as f64;
        let share = (1.0 - decay.min(steps / (steps + 10.0))) as f32;
        for (average, present) in average.0.values_mut().zip(present.0.values()) {
            for (average, &present) in average.values.iter_mut().zip(&present.values) {
                *average += share * (present - *average);
            }
        }
    }

    /// The network that would be written now, its statistics not yet recomputed.
    fn present(&self) -> Result<Network, TrainError> {
        let network = self.network.valid();
        match &self.average {
            None => Ok(network),
            Some(average) => {
                let path = checkpoint::path(self.job.folder);
                Ok(restore(network, average.clone(), &path)?)
            }
        }
    }

    fn examiner(&self) -> Examiner<'_> {
        let (job, clips, held_out) = (self.job, self.clips, self.held_out);
        Examiner { job, clips, held_out, ranges: &self.ranges, device: &self.device }
    }

    /// Distances and losses of the network as it is now, by statistics over all training clips, where the configuration asks for
    /// them or clips are held out.
    fn measure(&self) -> Result<(Option<Compactness>, Option<Compactness>), TrainError> {
        let TrainConfig { measure_compactness, measure_epochs, .. } = self.job.train;
        let is_last = self.state.steps == self.steps;
        let is_due = is_last || (self.state.epoch + 1).is_multiple_of(*measure_epochs);
        if !is_due || !(*measure_compactness || self.held_out.len() > 0) {
            return Ok((None, None));
        }
        let (train, held_out) = self.examiner().measure(self.present()?, &self.objective.plain)?;
        Ok((Some(train), held_out))
    }

    /// The model that would be written now, ready to embed.
    fn present_encoder(&self) -> Result<Encoder, TrainError> {
        let network = self.as_finished(self.present()?)?;
        let path = checkpoint::path(self.job.folder);
        Ok(placed(self.card(), collect(&network), &path, self.job.compute)?)
    }

    /// A network with the statistics that it is written with.
    fn as_finished(&self, network: Network) -> Result<Network, TrainError> {
        if self.job.train.recomputes_statistics(self.steps) {
            return self.examiner().with_statistics(network, "statistics");
        }
        Ok(network)
    }

    fn card(&self) -> ModelCard {
        let TrainJob { encoder, loss, labels, seed, .. } = *self.job;
        ModelCard::new(encoder, loss.to_table(), labels.classes, seed, self.state.steps)
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
            steps: self.steps,
            clips,
            loss: outcome.loss,
            scale: self.objective.plain.scale(),
            learning_rate: self.learning_rate(),
            seconds,
        }
    }

    /// The learning rate of the present step.
    fn learning_rate(&self) -> f64 {
        let train = self.job.train;
        train.learning_rate * train.schedule.share(self.state.steps, self.steps)
    }

    fn end_epoch(&mut self, last: &StepOutcome, begin: Instant) -> Result<EpochEvent, TrainError> {
        let epoch = self.state.epoch;
        let loss = self.state.loss_sum / self.state.loss_clips as f64;
        let (train, held_out) = self.measure()?;
        if let (Some(early), Some(held_out)) = (self.job.train.early_stopping, held_out) {
            self.compare_with_best(early, held_out.loss);
        }
        if let (Some(rule), Some(held_out)) = (self.job.train.convergence, held_out) {
            let now = HeldOut {
                step: self.state.steps,
                loss: held_out.loss,
                accuracy: held_out.accuracy,
            };
            self.state.held_out.push(now);
            self.state.converged = rule.is_met(&self.state.held_out);
        }
        self.state = RunState {
            epoch: epoch + 1,
            batch: 0,
            loss_sum: 0.0,
            loss_clips: 0,
            last_epoch_loss: Some(loss),
            ..self.state.clone()
        };
        self.save()?;
        Ok(EpochEvent {
            epoch,
            epochs: self.job.train.epochs(self.ranges.len()),
            loss,
            scale: self.objective.plain.scale(),
            embedding_variance: last.variance,
            seconds: begin.elapsed().as_secs_f64(),
            train,
            held_out,
            gradient: last.gradient,
            trivial_loss: self.is_softmax().then(|| self.clips.entropy()),
        })
    }

    /// Keeps the weights of the lowest held-out loss, and stops when it has not fallen for long.
    fn compare_with_best(&mut self, early: EarlyStopping, loss: f64) {
        let epoch = self.state.epoch;
        match self.state.best {
            Some((best_epoch, best_loss)) if loss >= best_loss => {
                self.state.stopped = epoch - best_epoch >= early.patience_epochs;
            }
            _ => {
                self.state.best = Some((epoch, loss));
                self.best = Some(self.average.clone().unwrap_or_else(|| collect(&self.network)));
            }
        }
    }

    /// Final statistics, then the model folder.
    fn finish(&mut self) -> Result<(), TrainError> {
        let path = checkpoint::path(self.job.folder);
        let network = match self.best.take() {
            Some(best) => restore(self.network.valid(), best, &path)?,
            None => self.present()?,
        };
        let network = self.as_finished(network)?;
        write_model(self.job.folder, &self.card(), &collect(&network))?;
        checkpoint::remove(self.job.folder)?;
        Ok(())
    }

    fn save(&self) -> Result<(), TrainError> {
        let mut tensors = NamedTensors::default();
        tensors.extend("network", collect(&self.network));
        tensors.extend("loss", collect(&self.objective));
        tensors.extend("network-adam", self.network_adam.state());
        tensors.extend("loss-adam", self.objective_adam.state());
        for (name, kept) in [("average", &self.average), ("best", &self.best)] {
            if let Some(kept) = kept {
                tensors.extend(name, kept.clone());
            }
        }
        Ok(checkpoint::write(self.job.folder, &self.state, &tensors)?)
    }

    fn restore(&mut self, state: RunState, mut tensors: NamedTensors) -> Result<(), TrainError> {
        let path = checkpoint::path(self.job.folder);
        self.network = restore(self.network.clone(), tensors.take("network"), &path)?;
        self.objective = restore(self.objective.clone(), tensors.take("loss"), &path)?;
        let device = self.device.clone().inner();
        self.network_adam.restore(state.steps, tensors.take("network-adam"), &device);
        self.objective_adam.restore(state.steps, tensors.take("loss-adam"), &device);
        let kept = |tensors: NamedTensors| (!tensors.0.is_empty()).then_some(tensors);
        self.average = kept(tensors.take("average"));
        self.best = kept(tensors.take("best"));
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
            best_epoch: self.state.best.map(|(epoch, _)| epoch),
            converged: self.job.train.convergence.map(|_| self.state.converged),
            loss: self.state.last_epoch_loss,
            seconds,
            clips_per_second: clips_done as f64 / seconds.max(f64::MIN_POSITIVE),
            parameters: self.job.encoder.parameters(),
            statistics_recomputed: finished && self.job.train.recomputes_statistics(self.steps),
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
            best: None,
            stopped: false,
            held_out: Vec::new(),
            converged: false,
        }
    }
}
