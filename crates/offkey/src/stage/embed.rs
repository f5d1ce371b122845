//! From clips and a model to an embedding table.

use std::path::{Path, PathBuf};

use ndarray::{Array2, s};
use offkey_core::{Clip, EmbeddingTable, Seed};
use offkey_infer::{
    Compute, Encoder, Statistics, StatisticsConfig,
    foreign::{Foreign, ForeignConfig},
    pooled::{PooledConfig, embed_pooled},
    side_by_side,
};
use offkey_signal::{ClipReader, DecodeConfig};

use super::{autoencoder::Autoencoders, embedded::Embedded};
use crate::{
    FolderError, ModelConfig, OffkeyError, PooledModel, Progress, Recipe, RunFolder, Stage,
    audio::ClipAudio, files, open_run::Run, run_folder::network_folder,
};

/// Clips decoded and embedded at a time: bounds memory, keeps every thread busy.
const BLOCK_CLIPS: usize = 32;

/// What turns waveforms into embeddings, loaded.
#[derive(Debug)]
pub(crate) enum Embedder {
    /// One network, or those of an ensemble.
    Network(Vec<Encoder>),
    Statistics(Statistics),
    Pooled(PooledConfig),
    Autoencoders(Autoencoders),
    Foreign(Box<Foreign>),
}

/// What a finished training writes into its folder.
const ENCODER_FILE: &str = "encoder.toml";
/// The encoder that was trained elsewhere, in a run's model folder.
const FOREIGN_FILE: &str = "encoder.onnx";

impl Embedder {
    /// Loads a run's model.
    pub(crate) fn load(
        folder: &Path,
        recipe: &Recipe,
        compute: Compute,
    ) -> Result<Self, OffkeyError> {
        let folder = &RunFolder::require(folder.to_owned(), Stage::Embed, Stage::Train)?;
        match recipe.model {
            ModelConfig::Network(ref config) => {
                let networks = config.networks();
                let is_there =
                    |&index: &usize| network_folder(folder, index).join(ENCODER_FILE).is_file();
                let done = (0..networks).filter(is_there).count();
                if done < networks {
                    let run = folder.parent().unwrap_or(folder).to_owned();
                    return Err(FolderError::HalfTrained { run, done, networks }.into());
                }
                let branches = config.encoder.outside();
                let load = |index| {
                    offkey_train::load_encoder(&network_folder(folder, index), &branches, compute)
                };
                let encoders = (0..networks).map(load).collect::<Result<_, _>>();
                encoders.map(Self::Network).map_err(OffkeyError::embed)
            }
            ModelConfig::Statistics(_) => {
                Statistics::load(folder).map(Self::Statistics).map_err(OffkeyError::embed)
            }
            ModelConfig::Pooled(ref model) => Ok(Self::Pooled(model.config())),
            ModelConfig::Autoencoder(_) => Autoencoders::load(folder).map(Self::Autoencoders),
            ModelConfig::Onnx(ref config) => {
                let config =
                    ForeignConfig { file: folder.join(FOREIGN_FILE), ..config.as_ref().clone() };
                let loaded = Foreign::load(config).map_err(OffkeyError::embed)?;
                Ok(Self::Foreign(Box::new(loaded)))
            }
        }
    }

    /// Embeddings of waveforms of the model's length, one a clip, `[clips, dims]`.
    pub(crate) fn embed(
        &self,
        waves: &[Vec<f32>],
        clips: &[Clip],
    ) -> Result<Array2<f32>, OffkeyError> {
        match self {
            Self::Network(encoders) => {
                let each = encoders.iter().map(|encoder| encoder.embed(waves));
                let each = each.collect::<Result<_, _>>().map_err(OffkeyError::embed)?;
                Ok(side_by_side(each))
            }
            Self::Statistics(statistics) => statistics.embed(waves).map_err(OffkeyError::embed),
            Self::Pooled(pooled) => pooled.embed(waves).map_err(OffkeyError::embed),
            Self::Autoencoders(autoencoders) => autoencoders.embed(waves, clips),
            Self::Foreign(foreign) => foreign.embed(waves).map_err(OffkeyError::embed),
        }
    }
}

/// What a run's detector listens with: its model, and the pooled spectra beside it.
#[derive(Debug)]
pub(crate) struct Members {
    pub(crate) model: Embedder,
    pooled: Vec<PooledConfig>,
}

impl From<Embedder> for Members {
    /// A model alone.
    fn from(model: Embedder) -> Self {
        Self { model, pooled: Vec::new() }
    }
}

impl Members {
    /// Loads a run's model, and makes ready what its recipe asks for beside it.
    pub(crate) fn load(
        folder: &Path,
        recipe: &Recipe,
        compute: Compute,
    ) -> Result<Self, OffkeyError> {
        Ok(Self::of(Embedder::load(folder, recipe, compute)?, recipe))
    }

    /// A recipe's model, and what the recipe asks for beside it.
    pub(crate) fn of(model: Embedder, recipe: &Recipe) -> Self {
        let (rate_hz, _) = recipe.clip_shape();
        let pooled = recipe.fusion.as_ref().map_or_else(Vec::new, |fusion| fusion.pooled(rate_hz));
        Self { model, pooled }
    }

    /// Embeddings of waveforms of the model's length, one a clip; `[clips, dims]` per member, the model first.
    pub(crate) fn embed(
        &self,
        waves: &[Vec<f32>],
        clips: &[Clip],
    ) -> Result<Vec<Array2<f32>>, OffkeyError> {
        let mut embeddings = vec![self.model.embed(waves, clips)?];
        if !self.pooled.is_empty() {
            embeddings.extend(embed_pooled(&self.pooled, waves).map_err(OffkeyError::embed)?);
        }
        Ok(embeddings)
    }

    /// Embeddings of every clip of `audio`, block by block.
    pub(crate) fn embed_all(
        &self,
        audio: &ClipAudio,
        progress: &dyn Progress,
    ) -> Result<Embedded, OffkeyError> {
        progress.begin(Stage::Embed, audio.len() as u64, "clips");
        let mut all: Vec<Array2<f32>> = Vec::new();
        for start in (0..audio.len()).step_by(BLOCK_CLIPS) {
            let end = (start + BLOCK_CLIPS).min(audio.len());
            let block = self.embed(&audio.waves(start..end)?, &audio.clips()[start..end])?;
            if all.is_empty() {
                all.extend(block.iter().map(|own| Array2::zeros((audio.len(), own.ncols()))));
            }
            for (own, block) in all.iter_mut().zip(&block) {
                own.slice_mut(s![start..end, ..]).assign(block);
            }
            progress.advance(end as u64, "");
            if progress.cancelled() {
                return Err(OffkeyError::Cancelled { run: PathBuf::new() });
            }
        }
        progress.end();
        let mut all = all.into_iter();
        let (clips, embeddings) = (audio.clips().to_vec(), all.next().unwrap_or_default());
        Ok(Embedded { table: EmbeddingTable { clips, embeddings }, pooled: all.collect() })
    }
}

impl Run<'_> {
    /// Writes the embeddings of all training and test clips.
    pub(crate) fn embed(&mut self) -> Result<(), OffkeyError> {
        self.timed(Stage::Embed, |run| {
            let members = Members::load(&run.folder.model(), &run.recipe, run.manifest.compute)?;
            let clips: Vec<&Clip> = run.clips.iter().collect();
            members
                .embed_all(&run.clip_audio(&clips)?, run.progress)
                .map_err(|error| error.in_run(run.folder.root()))?
                .write(&run.folder.embeddings())
        })
    }

    /// Writes what is pooled of every clip: all there is of a model that learns nothing.
    pub(crate) fn note_pooled(&self, model: &PooledModel) -> Result<(), OffkeyError> {
        let folder = self.folder.model();
        std::fs::create_dir_all(&folder).map_err(OffkeyError::io(&folder))?;
        Ok(files::write_json(&folder.join("pooled.json"), &model.config())?)
    }

    /// Keeps a copy of an encoder that was trained elsewhere: a run does not depend on files outside of it.
    pub(crate) fn keep_foreign(&self, config: ForeignConfig) -> Result<(), OffkeyError> {
        for clip in &self.clips {
            // What cannot be opened is told where it is decoded.
            if let Ok(reader) = ClipReader::open(&clip.path, &DecodeConfig::default()) {
                config.check_recorded(reader.info().rate_hz).map_err(OffkeyError::embed)?;
            }
        }
        let loaded = Foreign::load(config).map_err(OffkeyError::embed)?;
        let folder = self.folder.model();
        std::fs::create_dir_all(&folder).map_err(OffkeyError::io(&folder))?;
        let kept = folder.join(FOREIGN_FILE);
        offkey_core::write_whole(&kept, loaded.bytes()).map_err(OffkeyError::io(&kept))
    }

    /// Fits statistics on the training clips: the model of recipes where nothing is trained.
    pub(crate) fn fit_statistics(&mut self, config: &StatisticsConfig) -> Result<(), OffkeyError> {
        let clips = self.training_clips();
        self.progress.begin(Stage::Train, 1, "fit");
        let seed = Seed::new(self.manifest.seed).child("statistics");
        let fitted = config.fit(&self.clip_audio(&clips)?, seed).map_err(OffkeyError::embed)?;
        self.progress.end();
        fitted.save(&self.folder.model()).map_err(OffkeyError::embed)
    }
}
