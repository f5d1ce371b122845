//! From everything a run wrote to one page.

use std::{collections::BTreeMap, fs, path::PathBuf};

use offkey_core::{ScoreRow, table};
use offkey_report::page::{
    PageData, SectionScores, TrainingRow, figure_tables, metric_tables, render,
};

use super::{
    score::{SectionKey, SectionThreshold, read_scores},
    train::{CompactnessRow, LossRow},
};
use crate::{
    OffkeyError, Recipe, RunFolder,
    run::{Run, RunMetrics},
    run_folder,
};

/// Sets of this size are mapped for the page unasked: it takes seconds.
const MAPPED_CLIPS: std::ops::RangeInclusive<usize> = 8..=4000;

impl Run<'_> {
    /// Writes the page and returns where it is. Shown clips are explained with up to `masks` masks
    /// each where the model is a network; 0 leaves explanations out.
    pub(crate) fn report(&mut self, masks: usize) -> Result<PathBuf, OffkeyError> {
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
            if !run.manifest.is_done("map") && (MAPPED_CLIPS).contains(&table.clips.len()) {
                run.map()?;
            }
            let sections = sections(&rows, &thresholds);
            let (cards, shown) = run.cards(&sections, &table, masks)?;
            run_folder::write_json(&run.folder.shown_clips(), &shown)?;
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
                sections: sections.clone(),
                covariates: run.covariates(&rows)?,
                training: training(&run.folder)?,
                map: run.page_map()?,
                clips: cards,
                recipe_toml: run.recipe.to_toml(),
                manifest_json: fs::read_to_string(run.folder.manifest()).unwrap_or_default(),
                ..PageData::default()
            };
            run.write_figures(&page)?;
            let report = run.folder.report();
            run_folder::write_atomically(&report, render(&page).as_bytes())?;
            Ok(report)
        })
    }
}

impl Run<'_> {
    /// The numbers behind the page's charts, in place of those of an earlier page.
    fn write_figures(&self, page: &PageData) -> Result<(), OffkeyError> {
        let folder = self.folder.figures();
        if folder.is_dir() {
            fs::remove_dir_all(&folder).map_err(OffkeyError::io(&folder))?;
        }
        for table in figure_tables(page) {
            let path = folder.join(format!("{}.csv", table.name));
            run_folder::write_atomically(&path, table.csv.as_bytes())?;
        }
        Ok(())
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
