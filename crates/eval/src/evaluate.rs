//! From scored clips to metrics.

use std::collections::{BTreeMap, BTreeSet};

use offkey_core::{Clip, ScoreRow, Split, Year, recognise_year, stats};

use crate::{
    BootstrapConfig, EvalError, MachineMetrics, MetricMeans, Metrics, OwnDomain, SectionMetrics,
    bootstrap, harmonic_mean,
    notes::notes,
    official::Formula,
    result_rows::{Areas, ResultRow, result_rows},
};

/// Evaluates scored clips with default bootstrap intervals; see [`evaluate_with`].
///
/// # Errors
/// As [`evaluate_with`].
pub fn evaluate(rows: &[ScoreRow], year: Option<Year>) -> Result<Metrics, EvalError> {
    evaluate_with(rows, year, Some(BootstrapConfig::default()))
}

/// Evaluates scored clips by a year's official formula; without a year it is recognised from the
/// clips' names, else the formula of 2022-2025 is used.
///
/// Training and supplemental clips are left out; clips without truth are counted and left out.
/// `bootstrap`: how to make intervals; none leaves them out.
///
/// # Errors
/// [`EvalError`] when no test clip is scored, a score is not finite or a clip is scored twice.
pub fn evaluate_with(
    rows: &[ScoreRow],
    year: Option<Year>,
    bootstrap: Option<BootstrapConfig>,
) -> Result<Metrics, EvalError> {
    let clips = test_clips(rows)?;
    let year = year.or_else(|| {
        let all: Vec<&Clip> = rows.iter().map(|row| &row.clip).collect();
        recognise_year(&all)
    });
    let formula = Formula::of(year);
    let rows_of_year = result_rows(&clips, formula.scores_domains_apart());
    let mut per_section: Vec<SectionMetrics> =
        rows_of_year.iter().map(ResultRow::metrics).collect();
    let areas: Vec<(&ResultRow, Areas)> =
        rows_of_year.iter().zip(per_section.iter().map(SectionMetrics::areas)).collect();
    let headline = Areas::mean(areas.iter().map(|(_, areas)| *areas));
    let official_score = formula.score(&areas);
    let official_terms = formula.terms(&areas);
    let mut notes = notes(formula, &areas, &per_section);
    let intervals = bootstrap.map(|config| {
        let (intervals, reasons) =
            bootstrap::add_intervals(&config, formula, &rows_of_year, &mut per_section);
        notes.extend(reasons);
        intervals
    });
    Ok(Metrics {
        year,
        official_score,
        auc: headline.auc,
        auc_source: headline.auc_source,
        auc_target: headline.auc_target,
        pauc: headline.pauc,
        own_domain: mean_own_domain(&result_rows(&clips, false)),
        official_terms,
        intervals,
        per_machine: per_machine(&per_section),
        per_section,
        seeds: Vec::new(),
        mean: None,
        std: None,
        notes,
    })
}

/// Clips that may be evaluated, checked.
pub(crate) fn test_clips(rows: &[ScoreRow]) -> Result<Vec<&ScoreRow>, EvalError> {
    let is_test = |row: &&ScoreRow| matches!(row.clip.split, Split::Test | Split::Unassigned);
    let clips: Vec<&ScoreRow> = rows.iter().filter(is_test).collect();
    if clips.is_empty() {
        return Err(EvalError::NoRows { rows: rows.len() });
    }
    let mut seen = BTreeSet::new();
    for row in &clips {
        let clip = &row.clip;
        let (machine, section, name) =
            (clip.machine.clone(), clip.section.clone(), clip.name.clone());
        if !row.score.is_finite() {
            return Err(EvalError::NonFiniteScore { machine, section, name, score: row.score });
        }
        if !seen.insert((&clip.machine, &clip.section, clip.domain, &clip.name)) {
            return Err(EvalError::DuplicateClip { machine, section, name });
        }
    }
    Ok(clips)
}

/// Arithmetic means of the six areas over sections, and the harmonic mean of all of them.
fn mean_own_domain(sections: &[ResultRow]) -> Option<OwnDomain> {
    let own: Vec<OwnDomain> = sections.iter().filter_map(ResultRow::own_domain).collect();
    let mean = |get: fn(&OwnDomain) -> Option<f64>| {
        stats::mean(&own.iter().filter_map(get).collect::<Vec<_>>())
    };
    let areas: Vec<f64> = own.iter().flat_map(OwnDomain::areas).flatten().collect();
    (!own.is_empty()).then(|| OwnDomain {
        auc_source: mean(|own| own.auc_source),
        auc_target: mean(|own| own.auc_target),
        auc_mixed: mean(|own| own.auc_mixed),
        pauc_source: mean(|own| own.pauc_source),
        pauc_target: mean(|own| own.pauc_target),
        pauc_mixed: mean(|own| own.pauc_mixed),
        harmonic_mean: harmonic_mean(&areas),
    })
}

/// Means over the rows of each machine.
pub(crate) fn per_machine(rows: &[SectionMetrics]) -> Vec<MachineMetrics> {
    let mut machines: BTreeMap<&str, Vec<&SectionMetrics>> = BTreeMap::new();
    for row in rows {
        machines.entry(&row.machine).or_default().push(row);
    }
    machines
        .into_iter()
        .map(|(machine, rows)| MachineMetrics {
            machine: machine.to_owned(),
            arithmetic: metric_means(&rows, stats::mean),
            harmonic: metric_means(&rows, harmonic_mean),
        })
        .collect()
}

fn metric_means(rows: &[&SectionMetrics], mean: fn(&[f64]) -> Option<f64>) -> MetricMeans {
    let column = |get: fn(&SectionMetrics) -> Option<f64>| {
        mean(&rows.iter().filter_map(|row| get(row)).collect::<Vec<_>>())
    };
    MetricMeans {
        auc: column(|row| row.auc),
        pauc: column(|row| row.pauc),
        auc_source: column(|row| row.auc_source),
        auc_target: column(|row| row.auc_target),
        precision: column(|row| row.precision),
        recall: column(|row| row.recall),
        f1: column(|row| row.f1),
    }
}
