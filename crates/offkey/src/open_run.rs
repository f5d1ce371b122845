//! A run that is open: its folder, locked, and what every stage needs of it.

use std::{path::Path, sync::Arc};

use offkey_core::{Clip, Seed, Split, table};

use crate::{
    DEFAULT_CACHE_BYTES, Manifest, OffkeyError, Progress, Recipe, Registries, RunFolder, Stage,
    Watch, files, manifest::Stopwatch, wave_cache::WaveCache, withheld::withheld,
};

/// A run that is open: its folder, locked, and what every stage needs.
pub(crate) struct Run<'a> {
    pub(crate) folder: RunFolder,
    pub(crate) recipe: Recipe,
    pub(crate) clips: Vec<Clip>,
    pub(crate) manifest: Manifest,
    pub(crate) cache: Arc<WaveCache>,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) registries: Registries,
    pub(crate) watch: Watch,
}

impl<'a> Run<'a> {
    /// Opens a run to redo a stage.
    pub(crate) fn open(root: &Path, progress: &'a dyn Progress) -> Result<Self, OffkeyError> {
        Self::open_with(root, &Registries::default(), progress)
    }

    /// Opens a run whose recipe may name losses and backends of other crates.
    pub(crate) fn open_with(
        root: &Path,
        registries: &Registries,
        progress: &'a dyn Progress,
    ) -> Result<Self, OffkeyError> {
        let folder = RunFolder::open(root)?;
        Ok(Self {
            recipe: registries.resolve(Recipe::read(&folder.recipe())?)?,
            clips: table::read_csv(&folder.clips())?,
            manifest: files::read_json(&folder.manifest())?,
            cache: Arc::new(WaveCache::new(DEFAULT_CACHE_BYTES)),
            folder,
            progress,
            registries: registries.clone(),
            watch: Watch::default(),
        })
    }

    /// The clips of one split, in order.
    pub(crate) fn clips_of(&self, split: Split) -> Vec<&Clip> {
        self.clips.iter().filter(|clip| clip.split == split).collect()
    }

    /// The clips that the model is trained on: those of the split but for what the threshold withholds.
    pub(crate) fn training_clips(&self) -> Vec<&Clip> {
        let seed = Seed::new(self.manifest.seed);
        let withheld = withheld(&self.clips, &self.recipe.threshold, seed);
        let clips = self.clips.iter().enumerate();
        let trained =
            clips.filter(|(place, clip)| clip.split == Split::Train && !withheld.contains(place));
        trained.map(|(_, clip)| clip).collect()
    }

    /// Runs a stage's work from its beginning, and books what it cost and that it is done.
    pub(crate) fn timed<T>(
        &mut self,
        stage: Stage,
        work: impl FnOnce(&mut Self) -> Result<T, OffkeyError>,
    ) -> Result<T, OffkeyError> {
        self.manifest.forget_cost(stage);
        self.timed_on(stage, work)
    }

    /// As [`Self::timed`], adding to what an interrupted part of the stage has cost.
    pub(crate) fn timed_on<T>(
        &mut self,
        stage: Stage,
        work: impl FnOnce(&mut Self) -> Result<T, OffkeyError>,
    ) -> Result<T, OffkeyError> {
        let watch = Stopwatch::start();
        self.manifest.undo_from(stage);
        self.write_manifest()?;
        let result = work(self);
        watch.stop(&mut self.manifest, stage);
        if result.is_ok() {
            self.manifest.set_done(stage);
            let seconds = self.manifest.seconds_of(stage);
            tracing::info!(stage = stage.name(), seconds, "stage done");
        }
        let written = self.write_manifest();
        let result = result?;
        written.map(|()| result)
    }

    fn write_manifest(&self) -> Result<(), OffkeyError> {
        Ok(files::write_json(&self.folder.manifest(), &self.manifest)?)
    }
}
