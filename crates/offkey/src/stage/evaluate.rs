//! From scores and truth to metrics.

use offkey_eval::evaluate;

use crate::{
    OffkeyError, Stage, files,
    run::{Run, RunMetrics},
};

impl Run<'_> {
    /// Writes the metrics of the run's scores, and what they cost.
    pub(crate) fn evaluate(&mut self) -> Result<RunMetrics, OffkeyError> {
        self.timed("evaluate", |run| {
            let folder = run.folder.scores();
            if !folder.is_dir() {
                return Err(OffkeyError::StageMissing {
                    path: folder,
                    stage: "evaluate",
                    run_first: "score",
                });
            }
            let (rows, _) = super::score::read_scores(&folder)?;
            run.progress.begin(Stage::Evaluate, 1, "set");
            let metrics = RunMetrics {
                metrics: evaluate(&rows, run.manifest.year)?,
                train_seconds: run.manifest.seconds.get("train").copied(),
                clips_per_second: run.manifest.clips_per_second,
                peak_memory_bytes: run.manifest.peak_memory_bytes,
            };
            files::write_json(&run.folder.metrics(), &metrics)?;
            run.progress.end();
            Ok(metrics)
        })
    }
}
