//! The clips of a run scored by plain statistics: what a trained model has to beat.

use offkey_core::{Clip, ScoreRow, Seed, Split, Year, progress::Hushed, table};
use offkey_eval::evaluate;

use super::{
    embed::{Embedder, Members},
    score::score_table,
};
use crate::{Baseline, ModelConfig, OffkeyError, Recipe, RunFolder, Stage, open_run::Run};

/// The recipes that are fitted beside every model.
const BASELINES: [&str; 3] = ["fusion", "log-mel-statistics", "spectrogram-statistics"];

impl Run<'_> {
    /// Scores the test clips by every baseline, one table each. A baseline that is what the run does itself
    /// is left out, and with a warning one that cannot be fitted to these clips.
    pub(crate) fn fit_baselines(&mut self) -> Result<(), OffkeyError> {
        self.timed(Stage::Baselines, |run| {
            run.folder.clear_stage(Stage::Baselines)?;
            run.progress.begin(Stage::Baselines, BASELINES.len() as u64, "baselines");
            for (done, name) in BASELINES.into_iter().enumerate() {
                match run.baseline_scores(name) {
                    Ok(None) => {}
                    Ok(Some(rows)) => {
                        let path = run.folder.baselines().join(format!("{name}.csv"));
                        table::write_csv(&path, &rows)?;
                    }
                    Err(error @ OffkeyError::Cancelled { .. }) => {
                        return Err(error.in_run(run.folder.root()));
                    }
                    Err(error) => run.progress.warn(&format!("no baseline {name}: {error}")),
                }
                run.progress.advance(done as u64 + 1, name);
            }
            run.progress.end();
            Ok(())
        })
    }

    /// What the baselines reach by the rules of a year; nothing where they were not fitted.
    pub(super) fn baselines(&self, year: Option<Year>) -> Result<Vec<Baseline>, OffkeyError> {
        let of_scores = |(name, rows): (String, Vec<ScoreRow>)| {
            let metrics = evaluate(&rows, year)?;
            Ok(Baseline {
                name,
                auc: metrics.auc,
                pauc: metrics.pauc,
                official_score: metrics.official_score,
            })
        };
        scores_of_baselines(&self.folder)?.into_iter().map(of_scores).collect()
    }

    /// The test clips' scores by a baseline; none where it is what the run does itself.
    fn baseline_scores(&self, name: &str) -> Result<Option<Vec<ScoreRow>>, OffkeyError> {
        let (rate_hz, samples) = self.recipe.clip_shape();
        let clip_s = samples as f64 / f64::from(rate_hz);
        let recipe = Recipe::load(name, &[])?.for_clips(rate_hz, clip_s, &self.recipe.audio);
        let scores_by =
            |recipe: &Recipe| (recipe.model.clone(), recipe.backend.clone(), recipe.fusion.clone());
        if scores_by(&recipe) == scores_by(&self.recipe) {
            return Ok(None);
        }
        let seed = Seed::new(self.manifest.seed);
        let model = match &recipe.model {
            ModelConfig::Statistics(model) => {
                let clips = self.clips_of(Split::Train);
                let audio = self.clip_audio_as(&recipe, &clips)?;
                let fitted = model.features.fit(&audio, seed.child("statistics"));
                Embedder::Statistics(fitted.map_err(OffkeyError::embed)?)
            }
            ModelConfig::Pooled(model) => Embedder::Pooled(model.config()),
            ModelConfig::Network(_) | ModelConfig::Autoencoder(_) | ModelConfig::Onnx(_) => {
                unreachable!("the baselines are not trained")
            }
        };
        let clips: Vec<&Clip> = self.clips.iter().collect();
        let audio = self.clip_audio_as(&recipe, &clips)?;
        let hushed = Hushed(self.progress);
        let embedded = Members::of(model, &recipe).embed_all(&audio, &hushed)?;
        let (rows, _) = score_table(&embedded, &recipe.scoring(), seed, &hushed)?;
        Ok(Some(rows))
    }
}

/// The scores of each baseline that was fitted to the clips of a run.
pub(super) fn scores_of_baselines(
    folder: &RunFolder,
) -> Result<Vec<(String, Vec<ScoreRow>)>, OffkeyError> {
    let mut baselines = Vec::new();
    for name in BASELINES {
        let path = folder.baselines().join(format!("{name}.csv"));
        if path.is_file() {
            baselines.push((name.to_owned(), table::read_csv(&path)?));
        }
    }
    Ok(baselines)
}
