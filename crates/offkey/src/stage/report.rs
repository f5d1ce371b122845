//! From everything a run wrote to one page.

use std::{collections::BTreeMap, fs, path::PathBuf};

use offkey_core::{ScoreRow, table};
use offkey_eval::{Interval, Metrics};
use offkey_report::page::{
    Measured, MetricRow, MetricTable, PageData, SectionScores, TrainingRow, render,
};

use super::{
    score::{SectionKey, SectionThreshold, read_scores},
    train::{CompactnessRow, LossRow},
};
use crate::{
    OffkeyError, Recipe, RunFolder, Stage,
    run::{Run, RunMetrics},
    run_folder,
};

/// Sets of this size are mapped for the page unasked: it takes seconds.
const MAPPED_CLIPS: std::ops::RangeInclusive<usize> = 8..=4000;

impl Run<'_> {
    /// Writes the page and returns where it is.
    pub(crate) fn report(&mut self) -> Result<PathBuf, OffkeyError> {
        self.timed("report", |run| {
            let path = run.folder.metrics();
            if !path.is_file() {
                return Err(OffkeyError::StageMissing {
                    path,
                    stage: "report",
                    run_first: "evaluate",
                });
            }
            let metrics: RunMetrics = run_folder::read_json(&path)?;
            let (rows, thresholds) = read_scores(&run.folder.scores())?;
            let table = run.embedding_table("report")?;
            if !run.folder.root().join("tsne.csv").is_file()
                && (MAPPED_CLIPS).contains(&table.clips.len())
            {
                run.map()?;
            }
            run.progress.begin(Stage::Report, 1, "page");
            let page = PageData {
                title: format!("{}: {}", run.recipe.name, run.manifest.data.join(", ")),
                subtitle: format!(
                    "offkey {}, seed {}, {} training clips, {} test clips",
                    run.manifest.version,
                    run.manifest.seed,
                    run.manifest.training_clips,
                    run.manifest.test_clips
                ),
                summary: summary(&metrics, &rows),
                metrics: metric_tables(&metrics.metrics),
                sections: sections(&rows, &thresholds),
                training: training(&run.folder)?,
                map: run.page_map()?,
                clips: run.cards(&rows, &thresholds, &table)?,
                recipe_toml: run.recipe.to_toml(),
                manifest_json: fs::read_to_string(run.folder.manifest()).unwrap_or_default(),
                ..PageData::default()
            };
            let report = run.folder.report();
            run_folder::write_atomically(&report, render(&page).as_bytes())?;
            run.progress.end();
            Ok(report)
        })
    }
}

/// Writes the page of several seeds.
pub(crate) fn write_trials(
    folder: &RunFolder,
    recipe: &Recipe,
    metrics: &RunMetrics,
) -> Result<PathBuf, OffkeyError> {
    let seeds = &metrics.metrics.seeds;
    let page = PageData {
        title: format!("{}: {} seeds", recipe.name, seeds.len()),
        subtitle: "each seed has a page of its own in its folder".to_owned(),
        summary: summary(metrics, &[]),
        metrics: metric_tables(&metrics.metrics),
        recipe_toml: recipe.to_toml(),
        ..PageData::default()
    };
    let report = folder.report();
    run_folder::write_atomically(&report, render(&page).as_bytes())?;
    Ok(report)
}

/// What happened, in words.
fn summary(run: &RunMetrics, rows: &[ScoreRow]) -> Vec<String> {
    let mut paragraphs = Vec::new();
    if let Some(auc) = run.metrics.auc {
        paragraphs.push(format!(
            "Given one normal and one anomalous test clip of the same machine, the score ranks the anomalous one higher \
             in {:.1} % of all pairs (mean AUC over {} rows).",
            100.0 * auc,
            run.metrics.per_section.len()
        ));
    }
    let alarms = rows.iter().filter(|row| row.decision == Some(true)).count();
    if !rows.is_empty() {
        paragraphs.push(format!(
            "{alarms} of {} test clips lie above the threshold of their section.",
            rows.len()
        ));
    }
    if let (Some(seconds), Some(bytes)) = (run.train_seconds, run.peak_memory_bytes) {
        paragraphs.push(format!(
            "Training took {seconds:.1} s; the process used at most {:.0} MB.",
            bytes as f64 / 1e6
        ));
    }
    paragraphs
}

/// The official family and the own-domain family, each in a table of its own.
fn metric_tables(metrics: &Metrics) -> Vec<MetricTable> {
    let value = |value: Option<f64>, interval: Option<Interval>| {
        value.map(|value| Measured { value, interval: interval.map(|i| (i.low, i.high)) })
    };
    let mut rows: Vec<MetricRow> = metrics
        .per_section
        .iter()
        .map(|row| MetricRow {
            label: row_label(&row.machine, &row.section, row.domain),
            total: false,
            values: vec![
                value(row.auc, row.auc_interval),
                value(row.pauc, row.pauc_interval),
                value(row.auc_source, row.auc_source_interval),
                value(row.auc_target, row.auc_target_interval),
                value(row.f1, None),
            ],
        })
        .collect();
    let intervals = metrics.intervals.unwrap_or_default();
    rows.push(MetricRow {
        label: "mean".to_owned(),
        total: true,
        values: vec![
            value(metrics.auc, intervals.auc),
            value(metrics.pauc, intervals.pauc),
            value(metrics.auc_source, intervals.auc_source),
            value(metrics.auc_target, intervals.auc_target),
            None,
        ],
    });
    rows.push(MetricRow {
        label: "official score".to_owned(),
        total: true,
        values: vec![
            value(metrics.official_score, intervals.official_score),
            None,
            None,
            None,
            None,
        ],
    });
    let rules = metrics.year.map_or_else(String::new, |year| format!(", rules of {year}"));
    let mut tables = vec![MetricTable {
        caption: format!("Official metrics{rules}"),
        columns: ["AUC", "pAUC", "AUC source", "AUC target", "F1"].map(str::to_owned).to_vec(),
        rows,
    }];
    tables.extend(own_domain_table(metrics));
    tables
}

fn own_domain_table(metrics: &Metrics) -> Option<MetricTable> {
    let value = |value: Option<f64>| value.map(|value| Measured { value, interval: None });
    let row = |label: String, total, own: offkey_eval::OwnDomain| MetricRow {
        label,
        total,
        values: [
            own.auc_source,
            own.auc_target,
            own.auc_mixed,
            own.pauc_source,
            own.pauc_target,
            own.pauc_mixed,
        ]
        .map(value)
        .to_vec(),
    };
    let own = metrics.own_domain?;
    own.auc_target?;
    let mut rows: Vec<MetricRow> = metrics
        .per_section
        .iter()
        .filter_map(|r| {
            Some(row(row_label(&r.machine, &r.section, r.domain), false, r.own_domain?))
        })
        .collect();
    rows.push(row("mean".to_owned(), true, own));
    let columns =
        ["AUC source", "AUC target", "AUC both", "pAUC source", "pAUC target", "pAUC both"];
    Some(MetricTable {
        caption: "Own-domain metrics: normals and anomalies of the same domain".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows,
    })
}

fn row_label(machine: &str, section: &str, domain: Option<offkey_core::Domain>) -> String {
    domain.map_or_else(
        || format!("{machine} {section}"),
        |domain| format!("{machine} {section} {domain}"),
    )
}

fn sections(rows: &[ScoreRow], thresholds: &[SectionThreshold]) -> Vec<SectionScores> {
    let mut of_section: BTreeMap<SectionKey, Vec<ScoreRow>> = BTreeMap::new();
    for row in rows {
        of_section.entry(SectionKey::of(&row.clip)).or_default().push(row.clone());
    }
    thresholds
        .iter()
        .map(|section| SectionScores {
            machine: section.key.machine.clone(),
            section: section.key.section.clone(),
            threshold: Some(section.threshold),
            rows: of_section.remove(&section.key).unwrap_or_default(),
        })
        .collect()
}

/// The training curve, with the compactness of each epoch on its last step.
fn training(folder: &RunFolder) -> Result<Vec<TrainingRow>, OffkeyError> {
    if !folder.losses().is_file() {
        return Ok(Vec::new());
    }
    let losses: Vec<LossRow> = table::read_csv(&folder.losses())?;
    let mut rows: Vec<TrainingRow> = losses
        .iter()
        .map(|row| TrainingRow {
            step: row.step as u64,
            epoch: row.epoch as u32,
            loss: row.loss,
            scale: row.scale,
            ..TrainingRow::default()
        })
        .collect();
    if folder.compactness().is_file() {
        let epochs: Vec<CompactnessRow> = table::read_csv(&folder.compactness())?;
        for epoch in epochs {
            let last = rows.iter_mut().rev().find(|row| row.epoch as usize == epoch.epoch);
            if let Some(row) = last {
                row.intra = epoch.train_intra;
                row.inter = epoch.train_inter;
                row.held_out_intra = epoch.held_out_intra;
                row.held_out_inter = epoch.held_out_inter;
            }
        }
    }
    Ok(rows)
}
