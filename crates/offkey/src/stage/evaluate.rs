//! From scores and truth to metrics.

use offkey_core::Year;
use offkey_eval::evaluate;

use crate::{OffkeyError, RunFolder, Stage, files, metrics::RunMetrics, open_run::Run};

impl Run<'_> {
    /// Writes the metrics of the run's scores, and what they cost.
    pub(crate) fn evaluate(&mut self) -> Result<RunMetrics, OffkeyError> {
        self.timed(Stage::Evaluate, |run| {
            run.progress.begin(Stage::Evaluate, 1, "set");
            let metrics = run.metrics(run.manifest.year)?;
            files::write_json(&run.folder.metrics(), &metrics)?;
            run.progress.end();
            Ok(metrics)
        })
    }

    /// The metrics by the rules of a year.
    pub(crate) fn metrics(&self, year: Option<Year>) -> Result<RunMetrics, OffkeyError> {
        let folder = RunFolder::require(self.folder.scores(), Stage::Evaluate, Stage::Score)?;
        let (rows, _) = super::score::read_scores(&folder)?;
        Ok(RunMetrics {
            metrics: evaluate(&rows, year)?,
            train_seconds: self.manifest.seconds_of(Stage::Train),
            clips_per_second: self.manifest.clips_per_second,
            peak_memory_bytes: self.manifest.peak_memory_bytes,
            baselines: self.baselines(year)?,
        })
    }
}
