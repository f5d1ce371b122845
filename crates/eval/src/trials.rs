//! Several trials into one result.

use offkey_core::{Seed, stats};

use crate::{
    ByDomain, DecisionRates, EvalError, Headline, Metrics, Note, OwnDomain, SectionMetrics,
    TrialMetrics, evaluate::per_machine,
};

/// Mean and deviation over trials of the same task with different seeds (or folds).
///
/// Every number of the result, those of sections included, is the mean over the trials that have
/// it; counts are those of the first trial; `seeds`, `mean` and `std` hold the trials' headlines.
/// Intervals are left out: they describe single trials. A single trial keeps everything, and has
/// one entry in `seeds` and neither `mean` nor `std`.
///
/// # Errors
/// [`EvalError::NoTrials`], and [`EvalError::UnlikeTrials`] when the trials' years or sections
/// differ.
pub fn aggregate(trials: &[(Seed, Metrics)]) -> Result<Metrics, EvalError> {
    let (_, first) = trials.first().ok_or(EvalError::NoTrials)?;
    for (trial, (_, metrics)) in trials.iter().enumerate() {
        check_alike(trial, first, metrics)?;
    }
    let mut result = first.clone();
    result.seeds = trials.iter().map(|(seed, metrics)| trial_metrics(*seed, metrics)).collect();
    if trials.len() == 1 {
        return Ok(result);
    }
    let headlines: Vec<Headline> = trials.iter().map(|(_, metrics)| metrics.headline()).collect();
    let mean = summarise(&headlines, stats::mean);
    result.official_score = mean.official_score;
    result.auc = mean.auc;
    result.auc_source = mean.auc_source;
    result.auc_target = mean.auc_target;
    result.pauc = mean.pauc;
    result.own_domain = mean.own_domain;
    result.mean = Some(mean);
    result.std = Some(summarise(&headlines, stats::deviation));
    result.intervals = None;
    result.notes = notes(trials);
    for (index, term) in result.official_terms.iter_mut().enumerate() {
        term.value = mean_of(trials.iter().map(|(_, trial)| trial.official_terms[index].value));
    }
    for (index, row) in result.per_section.iter_mut().enumerate() {
        let rows: Vec<&SectionMetrics> =
            trials.iter().map(|(_, trial)| &trial.per_section[index]).collect();
        *row = mean_section(&rows, row);
    }
    result.per_machine = per_machine(&result.per_section);
    Ok(result)
}

fn check_alike(trial: usize, first: &Metrics, metrics: &Metrics) -> Result<(), EvalError> {
    let rows = |metrics: &Metrics| -> Vec<_> {
        let key = |row: &SectionMetrics| (row.machine.clone(), row.section.clone(), row.domain);
        metrics.per_section.iter().map(key).collect()
    };
    if metrics.year != first.year {
        return Err(EvalError::UnlikeTrials { trial, what: "year" });
    }
    if rows(metrics) != rows(first) || metrics.official_terms.len() != first.official_terms.len() {
        return Err(EvalError::UnlikeTrials { trial, what: "sections" });
    }
    Ok(())
}

/// What is to be said of any trial, but for intervals, which the mean has none of.
fn notes(trials: &[(Seed, Metrics)]) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    for note in trials.iter().flat_map(|(_, trial)| &trial.notes) {
        if !matches!(note, Note::NoInterval { .. }) && !notes.contains(note) {
            notes.push(note.clone());
        }
    }
    notes
}

fn trial_metrics(seed: Seed, metrics: &Metrics) -> TrialMetrics {
    TrialMetrics {
        seed: seed.value(),
        official_score: metrics.official_score,
        auc: metrics.auc,
        auc_source: metrics.auc_source,
        auc_target: metrics.auc_target,
        pauc: metrics.pauc,
        own_domain: metrics.own_domain,
    }
}

fn summarise(trials: &[Headline], summary: fn(&[f64]) -> Option<f64>) -> Headline {
    let of = |get: fn(&Headline) -> Option<f64>| {
        summary(&trials.iter().filter_map(get).collect::<Vec<_>>())
    };
    let own: Vec<OwnDomain> = trials.iter().filter_map(|trial| trial.own_domain).collect();
    Headline {
        official_score: of(|trial| trial.official_score),
        auc: of(|trial| trial.auc),
        auc_source: of(|trial| trial.auc_source),
        auc_target: of(|trial| trial.auc_target),
        pauc: of(|trial| trial.pauc),
        own_domain: summarise_own_domain(&own, summary),
    }
}

fn summarise_own_domain(
    trials: &[OwnDomain],
    summary: fn(&[f64]) -> Option<f64>,
) -> Option<OwnDomain> {
    let of = |get: fn(&OwnDomain) -> Option<f64>| {
        summary(&trials.iter().filter_map(get).collect::<Vec<_>>())
    };
    (!trials.is_empty()).then(|| OwnDomain {
        auc_source: of(|own| own.auc_source),
        auc_target: of(|own| own.auc_target),
        auc_mixed: of(|own| own.auc_mixed),
        pauc_source: of(|own| own.pauc_source),
        pauc_target: of(|own| own.pauc_target),
        pauc_mixed: of(|own| own.pauc_mixed),
        harmonic_mean: of(|own| own.harmonic_mean),
    })
}

/// The mean of one section's rows; names and counts are the first's.
fn mean_section(rows: &[&SectionMetrics], first: &SectionMetrics) -> SectionMetrics {
    let of = |get: fn(&SectionMetrics) -> Option<f64>| mean_of(rows.iter().map(|row| get(row)));
    let own: Vec<OwnDomain> = rows.iter().filter_map(|row| row.own_domain).collect();
    let rates = |get: fn(&ByDomain<DecisionRates>) -> Option<DecisionRates>| {
        mean_rates(&rows.iter().filter_map(|row| get(&row.decisions)).collect::<Vec<_>>())
    };
    SectionMetrics {
        machine: first.machine.clone(),
        section: first.section.clone(),
        domain: first.domain,
        auc: of(|row| row.auc),
        pauc: of(|row| row.pauc),
        auc_source: of(|row| row.auc_source),
        auc_target: of(|row| row.auc_target),
        own_domain: summarise_own_domain(&own, stats::mean),
        normal: first.normal,
        anomalous: first.anomalous,
        unlabelled: first.unlabelled,
        precision: of(|row| row.precision),
        recall: of(|row| row.recall),
        f1: of(|row| row.f1),
        decisions: ByDomain { source: rates(|by| by.source), target: rates(|by| by.target) },
        f1_ev: of(|row| row.f1_ev),
        f1_ev_bounded: of(|row| row.f1_ev_bounded),
        auc_interval: None,
        pauc_interval: None,
        auc_source_interval: None,
        auc_target_interval: None,
    }
}

fn mean_rates(trials: &[DecisionRates]) -> Option<DecisionRates> {
    let of =
        |get: fn(&DecisionRates) -> f64| stats::mean(&trials.iter().map(get).collect::<Vec<_>>());
    Some(DecisionRates {
        precision: of(|rates| rates.precision)?,
        recall: of(|rates| rates.recall)?,
        f1: of(|rates| rates.f1)?,
    })
}

fn mean_of(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    stats::mean(&values.flatten().collect::<Vec<_>>())
}
