//! From clips and a model to an embedding table.

use std::path::{Path, PathBuf};

use ndarray::{Array2, s};
use offkey_core::{Clip, EmbeddingTable, Seed};
use offkey_infer::{Compute, Encoder, Statistics, StatisticsConfig};

use super::autoencoder::Autoencoders;
use crate::{
    ModelConfig, OffkeyError, Progress, Recipe, RunFolder, Stage, audio::ClipAudio, open_run::Run,
};

/// Clips decoded and embedded at a time: bounds memory, keeps every thread busy.
const BLOCK_CLIPS: usize = 32;

/// What turns waveforms into embeddings, loaded.
#[derive(Debug)]
pub(crate) enum Embedder {
    Network(Box<Encoder>),
    Statistics(Statistics),
    Autoencoders(Autoencoders),
}

impl Embedder {
    /// Loads a run's model.
    pub(crate) fn load(
        folder: &Path,
        recipe: &Recipe,
        compute: Compute,
    ) -> Result<Self, OffkeyError> {
        let folder = &RunFolder::require(folder.to_owned(), Stage::Embed, Stage::Train)?;
        match recipe.model {
            ModelConfig::Network(_) => offkey_train::load_encoder(folder, compute)
                .map(|encoder| Self::Network(Box::new(encoder)))
                .map_err(OffkeyError::embed),
            ModelConfig::Statistics(_) => {
                Statistics::load(folder).map(Self::Statistics).map_err(OffkeyError::embed)
            }
            ModelConfig::Autoencoder(_) => Autoencoders::load(folder).map(Self::Autoencoders),
        }
    }

    /// Embeddings of waveforms of the model's length, one a clip, `[clips, dims]`.
    pub(crate) fn embed(
        &self,
        waves: &[Vec<f32>],
        clips: &[Clip],
    ) -> Result<Array2<f32>, OffkeyError> {
        match self {
            Self::Network(encoder) => encoder.embed(waves).map_err(OffkeyError::embed),
            Self::Statistics(statistics) => statistics.embed(waves).map_err(OffkeyError::embed),
            Self::Autoencoders(autoencoders) => autoencoders.embed(waves, clips),
        }
    }

    /// Embeddings of every clip of `audio`, block by block.
    pub(crate) fn embed_all(
        &self,
        audio: &ClipAudio,
        progress: &dyn Progress,
    ) -> Result<Array2<f32>, OffkeyError> {
        progress.begin(Stage::Embed, audio.len() as u64, "clips");
        let mut embeddings: Option<Array2<f32>> = None;
        for start in (0..audio.len()).step_by(BLOCK_CLIPS) {
            let end = (start + BLOCK_CLIPS).min(audio.len());
            let block = self.embed(&audio.waves(start..end)?, &audio.clips()[start..end])?;
            embeddings
                .get_or_insert_with(|| Array2::zeros((audio.len(), block.ncols())))
                .slice_mut(s![start..end, ..])
                .assign(&block);
            progress.advance(end as u64, "");
            if progress.cancelled() {
                return Err(OffkeyError::Cancelled { run: PathBuf::new() });
            }
        }
        progress.end();
        Ok(embeddings.unwrap_or_default())
    }
}

impl Run<'_> {
    /// Writes the embeddings of all training and test clips.
    pub(crate) fn embed(&mut self) -> Result<(), OffkeyError> {
        self.timed(Stage::Embed, |run| {
            let embedder = Embedder::load(&run.folder.model(), &run.recipe, run.manifest.compute)?;
            let clips: Vec<&Clip> = run.clips.iter().collect();
            let embeddings = embedder
                .embed_all(&run.clip_audio(&clips)?, run.progress)
                .map_err(|error| error.in_run(run.folder.root()))?;
            EmbeddingTable { clips: run.clips.clone(), embeddings }
                .write(&run.folder.embeddings())?;
            Ok(())
        })
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
