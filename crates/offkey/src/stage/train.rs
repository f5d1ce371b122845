//! From clips to a model.

use std::{collections::BTreeMap, ops::ControlFlow, path::Path, sync::Arc};

use offkey_core::{AuxiliaryTask, Clip, Labels, Seed, table};
use offkey_train::{EpochEvent, StepEvent, TrainJob, TrainObserver, loss::LossRegistry};
use serde::{Deserialize, Serialize};

use crate::{
    ModelConfig, OffkeyError, Progress, Recipe, Stage, audio::ClipAudio, conditions::conditions,
    noise::with_noise, open_run::Run, recipe::NetworkConfig,
};

/// One row of `losses.csv`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct LossRow {
    pub(crate) step: usize,
    pub(crate) epoch: usize,
    pub(crate) loss: f64,
    pub(crate) scale: Option<f64>,
}

/// One row of `model/classes.csv`.
#[derive(Debug, Serialize)]
struct ClassRow {
    machine: String,
    section: String,
    name: String,
    class: String,
}

/// One row of `compactness.csv`: what an epoch's model does with all clips. Rows of earlier versions
/// lack some columns.
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
}

impl Run<'_> {
    /// Trains the model, or fits it where nothing is trained. With `resume` an interrupted training
    /// goes on where it stopped.
    pub(crate) fn train(&mut self, resume: bool) -> Result<(), OffkeyError> {
        if resume {
            return self.timed_on(Stage::Train, |run| run.fit_model(true));
        }
        self.timed(Stage::Train, |run| {
            run.folder.clear_stage(Stage::Train)?;
            run.fit_model(false)
        })
    }

    fn fit_model(&mut self, resume: bool) -> Result<(), OffkeyError> {
        match self.recipe.model.clone() {
            ModelConfig::Network(config) => self.train_network(&config, resume),
            ModelConfig::Statistics(config) => self.fit_statistics(&config.features),
            ModelConfig::Autoencoder(config) => self.train_autoencoders(&config.network, resume),
        }
    }

    fn train_network(&mut self, config: &NetworkConfig, resume: bool) -> Result<(), OffkeyError> {
        let clips = self.training_clips();
        let seed = Seed::new(self.manifest.seed);
        let pseudo = config
            .pseudo_attributes
            .map(|clusters| self.pseudo_attributes(&clips, config.task.attributes, clusters.get()));
        let classes = config
            .task
            .labels(&clips, pseudo.transpose()?.as_deref(), seed.child("labels"))
            .map_err(OffkeyError::embed)?;
        self.warn_if_widened(&config.task, &clips, classes.classes.len());
        self.write_classes(&clips, &classes)?;
        let labels = offkey_train::Labels {
            classes: classes.classes.len(),
            of_clip: classes.of_clip.clone(),
        };
        let source = self.clip_audio(&clips)?.with_random_offsets();
        let folder = self.folder.model();
        let job = TrainJob {
            source: &source,
            labels: &labels,
            encoder: &config.encoder,
            loss: &config.loss,
            losses: &LossRegistry::default(),
            train: &config.training,
            seed: seed.child("train"),
            compute: self.manifest.compute,
            folder: &folder,
            resume,
        };
        let mut recorder = Recorder::new(self, resume)?;
        let report = offkey_train::train(&job, &mut recorder).map_err(OffkeyError::embed)?;
        recorder.write()?;
        self.progress.end();
        if !report.finished {
            return Err(OffkeyError::Cancelled { run: self.folder.root().to_owned() });
        }
        self.manifest.classes = labels.classes;
        self.manifest.parameters = report.parameters;
        self.manifest.kernels = report.kernels;
        self.manifest.clips_per_second = Some(report.clips_per_second);
        Ok(())
    }

    /// Conditions found by ear, for clips whose attributes are unknown or, unless `asked_for`, not
    /// wanted; nothing for others. Sections are clustered apart.
    fn pseudo_attributes(
        &self,
        clips: &[&Clip],
        asked_for: bool,
        clusters: usize,
    ) -> Result<Vec<String>, OffkeyError> {
        let mut sections: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
        for (place, clip) in clips.iter().enumerate() {
            if clip.attributes.is_empty() || !asked_for {
                sections.entry((&clip.machine, &clip.section)).or_default().push(place);
            }
        }
        let (rate_hz, _) = self.recipe.clip_shape();
        let seed = Seed::new(self.manifest.seed).child("pseudo-attributes");
        let mut found = vec![String::new(); clips.len()];
        for ((machine, section), places) in sections {
            let of_section: Vec<&Clip> = places.iter().map(|&place| clips[place]).collect();
            let source = self.clip_audio(&of_section)?;
            let seed = seed.child(machine).child(section);
            let conditions = conditions(&source, rate_hz, clusters, seed)?;
            for (place, condition) in places.into_iter().zip(conditions) {
                found[place] = format!("condition {condition}");
            }
        }
        Ok(found)
    }

    /// Writes which class each training clip belongs to.
    fn write_classes(&self, clips: &[&Clip], labels: &Labels) -> Result<(), OffkeyError> {
        let row = |(clip, class): (&&Clip, &u32)| ClassRow {
            machine: clip.machine.clone(),
            section: clip.section.clone(),
            name: clip.name.clone(),
            class: labels.classes[*class as usize].clone(),
        };
        let rows: Vec<ClassRow> = clips.iter().zip(&labels.of_clip).map(row).collect();
        Ok(table::write_csv(&self.folder.classes(), &rows)?)
    }

    /// Says which levels the task took in because its own made a single class.
    fn warn_if_widened(&self, task: &AuxiliaryTask, clips: &[&Clip], classes: usize) {
        let wide = task.widened(clips);
        let taken_in: Vec<&str> = [
            ("sections", wide.section != task.section),
            ("attributes", wide.attributes != task.attributes),
            ("domains", wide.domain != task.domain),
        ]
        .into_iter()
        .filter_map(|(level, taken_in)| taken_in.then_some(level))
        .collect();
        if !taken_in.is_empty() {
            self.progress.warn(&format!(
                "the recipe's auxiliary task makes a single class of these clips; with {} as well there are {classes}",
                taken_in.join(" and ")
            ));
        }
    }

    /// The clips as the model wants them.
    pub(crate) fn clip_audio(&self, clips: &[&Clip]) -> Result<ClipAudio, OffkeyError> {
        self.clip_audio_as(&self.recipe, clips)
    }

    /// The clips as the model of another recipe wants them.
    pub(crate) fn clip_audio_as(
        &self,
        recipe: &Recipe,
        clips: &[&Clip],
    ) -> Result<ClipAudio, OffkeyError> {
        let (rate_hz, samples) = recipe.clip_shape();
        let (config, cache) = (&recipe.audio, Arc::clone(&self.cache));
        let audio = ClipAudio::new(clips, config, rate_hz, samples, Arc::clone(&cache));
        with_noise(audio, config.noise.as_ref(), &self.clips, cache)
    }
}

/// Shows how training goes, and passes a wish to stop on.
pub(crate) struct TrainProgress<'a> {
    progress: &'a dyn Progress,
    begun: bool,
}

impl<'a> TrainProgress<'a> {
    pub(crate) fn new(progress: &'a dyn Progress) -> Self {
        Self { progress, begun: false }
    }
}

impl TrainObserver for TrainProgress<'_> {
    fn step(&mut self, step: &StepEvent) -> ControlFlow<()> {
        if !self.begun {
            self.begun = true;
            self.progress.begin(Stage::Train, step.steps as u64, "steps");
        }
        let speed = step.clips as f64 / step.seconds.max(f64::MIN_POSITIVE);
        let note = format!("epoch {}, loss {:.3}, {speed:.1} clips/s", step.epoch + 1, step.loss);
        self.progress.advance(step.step as u64 + 1, &note);
        if self.progress.cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Keeps the training curve and shows progress.
struct Recorder<'a> {
    shown: TrainProgress<'a>,
    losses_path: std::path::PathBuf,
    compactness_path: std::path::PathBuf,
    losses: Vec<LossRow>,
    compactness: Vec<CompactnessRow>,
    failure: Option<OffkeyError>,
}

impl<'a> Recorder<'a> {
    fn new(run: &Run<'a>, resume: bool) -> Result<Self, OffkeyError> {
        let (losses_path, compactness_path) = (run.folder.losses(), run.folder.compactness());
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
            failure: None,
        })
    }

    fn write(mut self) -> Result<(), OffkeyError> {
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
        if !self.shown.begun {
            self.losses.retain(|row| row.step < step.step);
            self.compactness.retain(|row| row.epoch < step.epoch);
        }
        self.losses.push(LossRow {
            step: step.step,
            epoch: step.epoch,
            loss: step.loss,
            scale: step.scale,
        });
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
        });
        self.save();
    }
}
