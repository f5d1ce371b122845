//! From everything a run wrote to one page.

use std::{collections::BTreeMap, fmt::Write, fs, path::PathBuf};

use offkey_core::{Condition, ScoreRow, table};
use offkey_eval::{Metrics, SectionMetrics};
use offkey_report::page::{
    PageData, SectionScores, TrainingRow, figure_tables, metric_tables, render,
};

use super::{
    recorder::{CompactnessRow, LossRow},
    score::{SectionThreshold, read_scores},
};
use crate::{
    ModelConfig, OffkeyError, Recipe, RunFolder, SectionKey, Stage, files, metrics::RunMetrics,
    open_run::Run,
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
                    "offkey {}, seed {}, {} training clips, {} test clips",
                    run.manifest.version,
                    run.manifest.seed,
                    run.manifest.training_clips,
                    run.manifest.test_clips
                ),
                summary: summary(&metrics, &sections),
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
    files::write_atomically(&report, render(&page).as_bytes())?;
    Ok(report)
}

/// The last two parts of each path: enough to know the data by.
fn data_names(data: &[String]) -> String {
    let name = |path: &String| {
        let parts: Vec<&str> = path.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
        parts[parts.len().saturating_sub(2)..].join("/")
    };
    data.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// What happened, in words.
fn summary(run: &RunMetrics, sections: &[SectionScores]) -> Vec<String> {
    let ranking = ranking(&run.metrics);
    let alarms = alarms(sections);
    let cost = run.train_seconds.zip(run.peak_memory_bytes).map(|(seconds, bytes)| {
        format!(
            "Training took {seconds:.1} s; the process used at most {:.0} MB.",
            bytes as f64 / 1e6
        )
    });
    [ranking, baselines(run), alarms, cost].into_iter().flatten().collect()
}

fn ranking(metrics: &Metrics) -> Option<String> {
    let auc = metrics.auc?;
    let rows = &metrics.per_section;
    let mut words = format!(
        "Given one normal and one anomalous test clip of the same machine, the score ranks the anomalous one higher \
         in {:.1} % of all pairs; chance is 50 %.",
        100.0 * auc
    );
    let mut ranked: Vec<(f64, &SectionMetrics)> =
        rows.iter().filter_map(|row| Some((row.auc?, row))).collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    if let [(low, worst), .., (high, best)] = ranked[..]
        && high > low
    {
        let (low, high) = (100.0 * low, 100.0 * high);
        let _ = write!(
            words,
            " Best is {} {} with {high:.1} %, worst {} {} with {low:.1} %.",
            best.machine, best.section, worst.machine, worst.section
        );
    }
    Some(words)
}

/// What plain statistics reach, and whether the model does better.
fn baselines(run: &RunMetrics) -> Option<String> {
    let shown: Vec<String> = run
        .baselines
        .iter()
        .filter_map(|baseline| Some(format!("{} {:.3}", baseline.name, baseline.auc?)))
        .collect();
    if shown.is_empty() {
        return None;
    }
    let mut words = format!("AUC of the baselines without training: {}.", shown.join(", "));
    if let (Some(best), Some(auc)) = (run.unbeaten(), run.metrics.auc) {
        let _ = write!(words, " The model, with {auc:.3}, does not beat {}.", best.name);
    }
    Some(words)
}

fn alarms(sections: &[SectionScores]) -> Option<String> {
    let rows: Vec<&ScoreRow> = sections.iter().flat_map(|section| &section.rows).collect();
    let count = |of: &dyn Fn(&ScoreRow) -> bool| {
        let rows = rows.iter().filter(|row| of(row));
        let alarms = rows.clone().filter(|row| row.decision == Some(true)).count();
        (alarms, rows.count())
    };
    let of = |condition| count(&|row: &ScoreRow| row.clip.condition == Some(condition));
    match (of(Condition::Normal), of(Condition::Anomaly), count(&|_| true)) {
        (_, _, (_, 0)) => None,
        ((false_alarms, normal @ 1..), (hits, anomalous @ 1..), _) => Some(format!(
            "At the thresholds, {hits} of {anomalous} anomalous test clips raise an alarm, and so do {false_alarms} of \
             {normal} normal ones."
        )),
        (_, _, (alarms, clips)) => Some(format!(
            "{alarms} of {clips} test clips lie above the threshold of their section."
        )),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_are_named_by_the_end_of_their_path() {
        let data = ["/data/mimii/fold_0.csv", "pump/", "C:\\a\\b"].map(str::to_owned);
        assert_eq!(data_names(&data), "mimii/fold_0.csv, pump, a/b");
    }
}
