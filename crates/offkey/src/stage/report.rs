//! From everything a run wrote to one page.

use std::{collections::BTreeMap, fmt::Write, fs, path::PathBuf};

use offkey_core::{ScoreRow, Year, stats::Sorted, table};
use offkey_eval::{BootstrapConfig, Comparison, compare};
use offkey_report::page::{
    PageData, SectionScores, TrainingRow, TrialRow, figure_tables, metric_tables, render,
};

use offkey_signal::probe;

use super::{
    baselines::scores_of_baselines,
    recorder::{CompactnessRow, LossRow},
    score::{SectionThreshold, read_scores},
};
use crate::{
    ModelConfig, OffkeyError, Recipe, RunFolder, SectionKey, Stage, files, metrics::RunMetrics,
    open_run::Run, run_folder::seed_folders,
};

/// Sets of this size are mapped for the page unasked: it takes seconds.
const MAPPED_CLIPS: std::ops::RangeInclusive<usize> = 8..=4000;

impl Run<'_> {
    /// Writes the page and returns where it is. Shown clips are explained with up to `masks` masks
    /// each where the model is a network; 0 leaves explanations out.
    pub(crate) fn report(&mut self, masks: usize) -> Result<PathBuf, OffkeyError> {
        self.timed(Stage::Report, |run| {
            let path = RunFolder::require(run.folder.metrics(), Stage::Report, Stage::Evaluate)?;
            let metrics: RunMetrics = files::read_json(&path)?;
            let (rows, thresholds) = read_scores(&run.folder.scores())?;
            let embedded = run.embedded(Stage::Report)?;
            let can_be_mapped = !matches!(run.recipe.model, ModelConfig::Autoencoder(_))
                && MAPPED_CLIPS.contains(&embedded.table.clips.len());
            if can_be_mapped && !run.manifest.is_done(Stage::Map) {
                run.map()?;
            }
            let sections = sections(&rows, &thresholds);
            let (cards, shown) = run.cards(&sections, &embedded, masks)?;
            files::write_json(&run.folder.shown_clips(), &shown)?;
            let page = PageData {
                title: format!("{}: {}", run.recipe.name, data_names(&run.manifest.data)),
                subtitle: format!(
                    "offkey {}, seed {}, {} training clips, {} test clips{}",
                    run.manifest.version,
                    run.manifest.seed,
                    run.manifest.training_clips,
                    run.manifest.test_clips,
                    cost(&metrics)
                ),
                comparison: comparison(&run.folder, &rows, metrics.metrics.year)?,
                clip_s: Some(heard_seconds(&run.recipe, &rows)),
                metrics: metric_tables(&metrics.metrics),
                sections,
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
            files::write_atomically(&report, render(&page).as_bytes())?;
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
            files::write_atomically(&path, table.csv.as_bytes())?;
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
    let mut trials = Vec::new();
    let mut comparisons = Vec::new();
    for (seed, path) in seed_folders(folder.root())? {
        let of_seed = RunFolder::open(&path)?;
        let metrics: RunMetrics = files::read_json(&of_seed.metrics())?;
        let (rows, _) = read_scores(&of_seed.scores())?;
        comparisons.extend(comparison(&of_seed, &rows, metrics.metrics.year)?);
        trials.push(TrialRow {
            seed,
            page: format!("seed_{seed}/report.html"),
            auc: metrics.metrics.auc,
            pauc: metrics.metrics.pauc,
            official_score: metrics.metrics.official_score,
            baseline: metrics.baselines.iter().filter_map(|b| b.auc).max_by(f64::total_cmp),
        });
    }
    let page = PageData {
        title: format!("{}: {} seeds", recipe.name, trials.len()),
        subtitle: format!("each seed has a page of its own{}", cost(metrics)),
        comparison: Comparison::over_seeds(&comparisons, BootstrapConfig::default().coverage),
        trials,
        metrics: metric_tables(&metrics.metrics),
        recipe_toml: recipe.to_toml(),
        ..PageData::default()
    };
    let report = folder.report();
    files::write_atomically(&report, render(&page).as_bytes())?;
    Ok(report)
}

/// The model beside the baselines that were fitted to the same clips.
fn comparison(
    folder: &RunFolder,
    rows: &[ScoreRow],
    year: Option<Year>,
) -> Result<Option<Comparison>, OffkeyError> {
    Ok(compare(rows, &scores_of_baselines(folder)?, year, &BootstrapConfig::default())?)
}

/// Seconds of sound behind a usual score: of shorter recordings all, of longer ones as much as the model takes.
fn heard_seconds(recipe: &Recipe, rows: &[ScoreRow]) -> f64 {
    let (rate_hz, samples) = recipe.clip_shape();
    let most = samples as f64 / f64::from(rate_hz);
    let heard = |row: &ScoreRow| Some(probe(&row.clip.path).ok()?.duration_s().min(most));
    Sorted::new(rows.iter().filter_map(heard)).upper_median().unwrap_or(most)
}

/// The last two parts of each path: enough to know the data by.
fn data_names(data: &[String]) -> String {
    let name = |path: &String| {
        let parts: Vec<&str> = path.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
        parts[parts.len().saturating_sub(2)..].join("/")
    };
    data.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// What the run took, to stand at the end of a line.
fn cost(run: &RunMetrics) -> String {
    let mut words = String::new();
    if let Some(seconds) = run.train_seconds {
        let _ = write!(words, ", training {seconds:.1} s");
    }
    if let Some(bytes) = run.peak_memory_bytes {
        let _ = write!(words, ", at most {:.0} MB of memory", bytes as f64 / 1e6);
    }
    words
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
            held_out: section.held_out_scores.clone(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_are_named_by_the_end_of_their_path() {
        let data = ["/data/mimii/fold_0.csv", "pump/", "C:\\a\\b"].map(str::to_owned);
        assert_eq!(data_names(&data), "mimii/fold_0.csv, pump, a/b");
    }
}
