//! One training among many: a model in a run folder of its own, whose clips are embedded in several ways.

use std::{path::Path, sync::Arc};

use offkey_core::{Clip, Dataset, progress::Hushed};

use crate::{
    Existing, Manifest, OffkeyError, Progress, Recipe, RunFolder, RunRequest, Stage, WaveCache,
    open_run::Run,
    stage::{self, Members},
};

/// A trained model with the clips of its data set.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
///
/// use offkey::{Recipe, RunRequest, Silent, SynthConfig, Trial, WaveCache, synthesize};
///
/// # let folder = tempfile::tempdir()?;
/// # let (data, out) = (folder.path().join("data"), folder.path().join("run"));
/// # let config = SynthConfig { machines: 1, clips: 12, clip_s: 2.0, ..SynthConfig::default() };
/// # synthesize(&config, &data, &Silent)?;
/// let recipe = Recipe::load("fusion", &["model.pooled.clip_s=2.0".to_owned()])?;
/// let request = RunRequest::new(vec![data], recipe.clone(), out);
/// let mut trial = Trial::open(&request, 0, &Arc::new(WaveCache::new(64 << 20)), &Silent)?;
/// trial.embed(recipe, &folder.path().join("embeddings"))?;
/// assert!(folder.path().join("embeddings/embeddings.npy").is_file());
/// # Ok(())
/// # }
/// ```
pub struct Trial<'a> {
    run: Run<'a>,
}

impl<'a> Trial<'a> {
    /// Opens the model of a request, training it first where that was not done or not finished. The
    /// folder is taken over as with [`Existing::Resume`].
    ///
    /// # Errors
    /// [`OffkeyError`]; what is done is kept, and the same call goes on from there.
    pub fn open(
        request: &RunRequest,
        seed: u64,
        cache: &Arc<WaveCache>,
        progress: &'a dyn Progress,
    ) -> Result<Self, OffkeyError> {
        let dataset = Dataset::read_all(&request.data, &request.truth)?;
        let request = &stage::prepare::settle(request, &dataset, &Hushed(progress));
        let folder = RunFolder::create(&request.out, Existing::Resume)?;
        let mut run =
            stage::prepare::prepare(request, dataset, folder, seed, Arc::clone(cache), progress)?;
        if !run.manifest.is_done(Stage::Train) {
            run.train(true)?;
        }
        Ok(Self { run })
    }

    /// What made the model, and what it cost.
    pub fn manifest(&self) -> &Manifest {
        &self.run.manifest
    }

    /// Writes the embeddings of all clips into a folder, decoded as another recipe says.
    ///
    /// # Errors
    /// [`OffkeyError`] when the model or a clip cannot be read, or the caller asks to stop.
    pub fn embed(&mut self, recipe: Recipe, folder: &Path) -> Result<(), OffkeyError> {
        let run = &mut self.run;
        run.recipe = recipe;
        let members = Members::load(&run.folder.model(), &run.recipe, run.manifest.compute)?;
        let clips: Vec<&Clip> = run.clips.iter().collect();
        members.embed_all(&run.clip_audio(&clips)?, run.progress)?.write(folder)
    }
}
