//! From clips to a model.

use std::{collections::BTreeMap, sync::Arc};

use offkey_core::{AuxiliaryTask, Clip, Labels, Seed, table};
use offkey_infer::Encoder;
use offkey_train::TrainJob;
use serde::Serialize;

use super::{recorder::Recorder, watched::Watched};
use crate::{
    ModelConfig, NetworkConfig, OffkeyError, Recipe, Stage, audio::ClipAudio,
    conditions::conditions, noise::with_noise, open_run::Run,
};

/// One row of `model/classes.csv`.
#[derive(Debug, Serialize)]
struct ClassRow {
    machine: String,
    section: String,
    name: String,
    class: String,
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
            ModelConfig::Pooled(config) => self.note_pooled(&config),
            ModelConfig::Autoencoder(config) => self.train_autoencoders(&config.network, resume),
            ModelConfig::Onnx(config) => self.keep_foreign(*config),
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
        for (network, seed) in config.seeds(seed).enumerate() {
            let last = network + 1 == config.networks();
            let folder = self.folder.network(network);
            if resume && !last && Encoder::is_in(&folder) {
                continue;
            }
            let job = TrainJob {
                source: &source,
                labels: &labels,
                encoder: &config.encoder,
                loss: &config.loss,
                losses: &self.registries.losses,
                train: &config.training,
                seed,
                compute: self.manifest.compute,
                folder: &folder,
                resume,
            };
            let report = self.train_one(&job, network)?;
            self.manifest.parameters = config.networks() * report.parameters;
            self.manifest.kernels = report.kernels;
            self.manifest.clips_per_second = Some(report.clips_per_second);
        }
        self.manifest.classes = labels.classes;
        Ok(())
    }

    /// Trains one network of the run, from 0.
    fn train_one(
        &self,
        job: &TrainJob<'_>,
        network: usize,
    ) -> Result<offkey_train::TrainReport, OffkeyError> {
        // Curves of the first stand where those of a run without an ensemble do, and it alone is watched.
        let curves = if network == 0 { self.folder.root() } else { job.folder };
        let epochs = self.watch.metrics_epochs.filter(|_| network == 0);
        let watched = epochs.map(|every| Watched::new(self, every, job.resume)).transpose()?;
        std::fs::create_dir_all(curves).map_err(OffkeyError::io(curves))?;
        let mut recorder = Recorder::new(self, curves, watched, job.resume)?;
        let report = offkey_train::train(job, &mut recorder).map_err(OffkeyError::embed)?;
        recorder.write()?;
        self.progress.end();
        if !report.finished {
            return Err(OffkeyError::Cancelled { run: self.folder.root().to_owned() });
        }
        if report.converged == Some(false) {
            self.progress.warn(&format!(
                "not converged after {} steps: the held-out task was still gaining; give it more steps",
                report.steps
            ));
        }
        Ok(report)
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
