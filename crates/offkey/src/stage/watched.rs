//! The AUC on test clips while training goes on, for looking only.

use std::{num::NonZeroUsize, path::PathBuf};

use offkey_core::{Seed, Year, table};
use offkey_eval::evaluate;
use offkey_infer::Encoder;
use serde::{Deserialize, Serialize};

use super::{Embedder, Members, score::score_table};
use crate::{
    OffkeyError, Recipe, Scoring, Silent, audio::ClipAudio, open_run::Run, stages::WATCHED_FILE,
};

/// One row of `watched.csv`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct WatchedRow {
    epoch: usize,
    /// Steps done.
    steps: usize,
    auc: Option<f64>,
    pauc: Option<f64>,
    official_score: Option<f64>,
}

/// Scores the test clips with the model of an epoch. Nothing of it goes back into the training.
pub(super) struct Watched {
    every: NonZeroUsize,
    recipe: Recipe,
    seed: Seed,
    year: Option<Year>,
    audio: ClipAudio,
    rows: Vec<WatchedRow>,
    path: PathBuf,
}

impl Watched {
    pub(super) fn new(
        run: &Run<'_>,
        every: NonZeroUsize,
        resume: bool,
    ) -> Result<Self, OffkeyError> {
        let path = run.folder.root().join(WATCHED_FILE);
        let earlier = resume && path.is_file();
        Ok(Self {
            every,
            recipe: run.recipe.clone(),
            seed: Seed::new(run.manifest.seed),
            year: run.manifest.year,
            audio: run.clip_audio(&run.clips.iter().collect::<Vec<_>>())?,
            rows: if earlier { table::read_csv(&path)? } else { Vec::new() },
            path,
        })
    }

    /// Whether the model of an epoch, from 0, is looked at.
    pub(super) fn wants(&self, epoch: usize) -> bool {
        (epoch + 1).is_multiple_of(self.every.get())
    }

    /// Scores, evaluates and writes; returns the AUC.
    pub(super) fn look(
        &mut self,
        epoch: usize,
        steps: usize,
        encoder: Encoder,
    ) -> Result<Option<f64>, OffkeyError> {
        let model = Members::from(Embedder::Network(vec![encoder]));
        let embedded = model.embed_all(&self.audio, &Silent)?;
        // The model alone: what scores beside it does not change while it learns.
        let scoring = Scoring { fusion: None, ..self.recipe.scoring() };
        let (scores, _) = score_table(&embedded, &scoring, self.seed, &Silent)?;
        let metrics = evaluate(&scores, self.year)?;
        self.rows.retain(|row| row.epoch < epoch);
        self.rows.push(WatchedRow {
            epoch,
            steps,
            auc: metrics.auc,
            pauc: metrics.pauc,
            official_score: metrics.official_score,
        });
        table::write_csv(&self.path, &self.rows)?;
        Ok(metrics.auc)
    }
}
