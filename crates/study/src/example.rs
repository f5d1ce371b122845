//! Results for the tests of what is made from results.

use offkey_core::{Clip, Condition, ScoreRow, Split};
use offkey_eval::{Metrics, evaluate};

use crate::{file::StudyFile, results::JobResult};

/// A result of the cell of this index, without a model.
pub(crate) fn result(study: &StudyFile, cell: usize, trial: u64, auc: f64) -> JobResult {
    let cell = study.cells().expect("a valid study").swap_remove(cell);
    JobResult {
        data: "synthetic".to_owned(),
        trial,
        cell: cell.name,
        levels: cell.levels,
        metrics: Metrics { auc: Some(auc), ..of_two_clips() },
        train_seconds: None,
        train_cpu_seconds: None,
        clips_per_second: None,
        peak_memory_bytes: None,
        model: String::new(),
        split: None,
    }
}

fn of_two_clips() -> Metrics {
    let row = |condition: Condition, score| ScoreRow {
        clip: Clip {
            path: condition.to_string().into(),
            group: condition.to_string(),
            name: condition.to_string(),
            machine: "fan".to_owned(),
            section: "00".to_owned(),
            domain: None,
            split: Split::Test,
            condition: Some(condition),
            attributes: String::new(),
        },
        score,
        decision: None,
    };
    let rows = [row(Condition::Normal, 0.1), row(Condition::Anomaly, 0.2)];
    evaluate(&rows, None).expect("two labelled clips")
}
