//! The official baseline as a model of a run: one autoencoder per machine, whose scores of a clip take
//! the place of an embedding.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use ndarray::{Array2, Axis, concatenate};
use offkey_core::{Clip, Domain, Seed, table};
use offkey_infer::autoencoder::{Autoencoder, AutoencoderConfig};
use offkey_train::autoencoder::{AutoencoderJob, AutoencoderTrainError, train_autoencoder};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{DetectError, OffkeyError, Stage, files, open_run::Run};

/// Which machine's autoencoder lies in which folder, beside those folders; a machine is listed once
/// its training is done.
const MACHINES_FILE: &str = "machines.json";
/// Trained autoencoders by machine.
#[derive(Debug)]
pub(crate) struct Autoencoders {
    of_machine: BTreeMap<String, Autoencoder>,
}

/// One row of a machine's `errors.csv`.
#[derive(Debug, Serialize, Deserialize)]
struct ErrorRow {
    epoch: usize,
    squared_error: f64,
}

impl Autoencoders {
    /// Reads what the training stage wrote.
    pub(crate) fn load(folder: &Path) -> Result<Self, OffkeyError> {
        let load = |(machine, name): (String, String)| {
            let model = Autoencoder::load(&folder.join(name));
            Ok((machine, model.map_err(OffkeyError::embed)?))
        };
        let folders: BTreeMap<String, String> = files::read_json(&folder.join(MACHINES_FILE))?;
        Ok(Self { of_machine: folders.into_iter().map(load).collect::<Result<_, OffkeyError>>()? })
    }

    /// Scores, `[clips, scores]`, of each clip's waveform by the autoencoder of its machine: squared
    /// error, our windowed Mahalanobis distance and the official selective one.
    pub(crate) fn embed(
        &self,
        waves: &[Vec<f32>],
        clips: &[Clip],
    ) -> Result<Array2<f32>, OffkeyError> {
        let of_clip = |(wave, clip): (&Vec<f32>, &Clip)| {
            let scores = self.of(&clip.machine)?.embed(std::slice::from_ref(wave));
            scores.map_err(OffkeyError::embed)
        };
        let rows: Vec<Result<_, OffkeyError>> = waves.par_iter().zip(clips).map(of_clip).collect();
        let rows = rows.into_iter().collect::<Result<Vec<_>, _>>()?;
        let views: Vec<_> = rows.iter().map(|row| row.view()).collect();
        Ok(concatenate(Axis(0), &views).expect("autoencoders of one version have equal scores"))
    }

    fn of(&self, machine: &str) -> Result<&Autoencoder, OffkeyError> {
        self.of_machine.get(machine).ok_or_else(|| {
            DetectError::NoAutoencoder {
                machine: machine.to_owned(),
                known: self.of_machine.keys().cloned().collect::<Vec<_>>().join(", "),
            }
            .into()
        })
    }
}

impl Run<'_> {
    /// Trains one autoencoder a machine. With `resume` those that are done stay, and the one that
    /// was interrupted begins anew.
    pub(crate) fn train_autoencoders(
        &mut self,
        config: &AutoencoderConfig,
        resume: bool,
    ) -> Result<(), OffkeyError> {
        let folder = self.folder.model();
        let list = folder.join(MACHINES_FILE);
        let mut done: BTreeMap<String, String> =
            if resume && list.is_file() { files::read_json(&list)? } else { BTreeMap::new() };
        let machines: BTreeSet<String> =
            self.training_clips().iter().map(|clip| clip.machine.clone()).collect();
        let epochs = (machines.len() * config.epochs) as u64;
        self.progress.begin(Stage::Train, epochs, "epochs");
        for (index, machine) in machines.iter().enumerate() {
            if done.contains_key(machine) {
                continue;
            }
            let name = format!("autoencoder_{index:02}");
            let model = self.train_autoencoder(config, machine, index, &folder.join(&name))?;
            self.manifest.parameters = model.parameters();
            done.insert(machine.clone(), name);
            files::write_json(&list, &done)?;
        }
        self.progress.end();
        Ok(())
    }

    fn train_autoencoder(
        &self,
        config: &AutoencoderConfig,
        machine: &str,
        index: usize,
        folder: &Path,
    ) -> Result<Autoencoder, OffkeyError> {
        let mut clips = self.training_clips();
        clips.retain(|clip| clip.machine == machine);
        let is_target: Vec<bool> =
            clips.iter().map(|clip| clip.domain == Some(Domain::Target)).collect();
        let source = self.clip_audio(&clips)?.with_random_offsets();
        let job = AutoencoderJob {
            source: &source,
            is_target: &is_target,
            config,
            seed: Seed::new(self.manifest.seed).child("autoencoder").child(machine),
            compute: self.manifest.compute,
        };
        let mut errors = Vec::new();
        let before = index * config.epochs;
        let fitted = train_autoencoder(&job, &mut |epoch, squared_error| {
            errors.push(ErrorRow { epoch, squared_error });
            let note = format!("{machine}, squared error {squared_error:.3}");
            self.progress.advance((before + epoch + 1) as u64, &note);
            if self.progress.cancelled() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let model = fitted.map_err(|error| match error {
            AutoencoderTrainError::Stopped { .. } => {
                OffkeyError::Cancelled { run: self.folder.root().to_owned() }
            }
            other => OffkeyError::Autoencoder { machine: machine.to_owned(), source: other },
        })?;
        model.save(folder).map_err(OffkeyError::embed)?;
        let path: PathBuf = folder.join("errors.csv");
        table::write_csv(&path, &errors)?;
        Ok(model)
    }
}
