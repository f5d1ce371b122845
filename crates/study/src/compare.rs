//! What a cell has more than the one it is compared with, trial by trial, with intervals over trials.

use offkey_core::stats::{self, Interval, resampled_t_interval};

use crate::{
    file::StudyFile,
    results::{JobResult, auc, overlap},
};

/// A paired difference over trials, with its 95 % interval, which two trials do not have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Difference {
    pub(crate) mean: f64,
    pub(crate) interval: Option<Interval>,
}

/// A value of each trial beside the name of the cell it is held against.
pub(crate) type Pairs<'a> = Vec<(&'a str, f64)>;

/// AUC of a cell less that of the one it is compared with, of one machine or of all; none for the
/// reference itself, and for a single trial.
pub(crate) fn against_reference(
    study: &StudyFile,
    results: &[&JobResult],
    cell: &str,
    machine: &str,
) -> Option<Difference> {
    difference(&amounts(&pairs(study, results, cell, machine)), overlap(results))
}

/// How much more than at the base levels of the other factors a cell is ahead of the one it is
/// compared with: a difference of differences, taken trial by trial. None at those levels, for
/// confirmations, and for a single trial.
pub(crate) fn change_from_base(
    study: &StudyFile,
    results: &[&JobResult],
    cell: &str,
) -> Option<Difference> {
    difference(&amounts(&changes(study, results, cell, "")), overlap(results))
}

pub(crate) fn amounts(pairs: &Pairs<'_>) -> Vec<f64> {
    pairs.iter().map(|pair| pair.1).collect()
}

/// AUC that a cell has more than the cell it is compared with, trial by trial.
pub(crate) fn pairs<'a>(
    study: &StudyFile,
    results: &[&'a JobResult],
    cell: &str,
    machine: &str,
) -> Pairs<'a> {
    let of_cell = results.iter().filter(|result| result.cell == cell);
    of_cell.filter_map(|result| lead(study, results, result, machine)).collect()
}

/// What a cell's lead is more than that at the base levels, trial by trial.
pub(crate) fn changes<'a>(
    study: &StudyFile,
    results: &[&'a JobResult],
    cell: &str,
    machine: &str,
) -> Pairs<'a> {
    let change = |result: &&JobResult| {
        let levels = base_levels(study, &result.levels);
        let base = of_levels(study, results, result.trial, &levels);
        let base = base.filter(|base| base.levels != result.levels)?;
        let own = lead(study, results, result, machine)?.1;
        Some((base.cell.as_str(), own - lead(study, results, base, machine)?.1))
    };
    let of_cell = results.iter().filter(|result| result.cell == cell && in_grid(study, cell));
    of_cell.filter_map(change).collect()
}

/// What a result has more than the one it is compared with, and that one's cell.
fn lead<'a>(
    study: &StudyFile,
    results: &[&'a JobResult],
    result: &JobResult,
    machine: &str,
) -> Option<(&'a str, f64)> {
    let levels = reference_levels(study, &result.levels);
    let other = of_levels(study, results, result.trial, &levels);
    let other = other.filter(|other| other.cell != result.cell)?;
    Some((other.cell.as_str(), auc(&result.metrics, machine)? - auc(&other.metrics, machine)?))
}

/// The result of a trial with these levels. A confirmation has the levels of a cell of the grid, and
/// is compared with it, never it with one.
fn of_levels<'a>(
    study: &StudyFile,
    results: &[&'a JobResult],
    trial: u64,
    levels: &[String],
) -> Option<&'a JobResult> {
    let found = |result: &&&JobResult| {
        result.trial == trial && result.levels == levels && in_grid(study, &result.cell)
    };
    results.iter().find(found).copied()
}

fn in_grid(study: &StudyFile, cell: &str) -> bool {
    study.confirm.iter().all(|confirmed| confirmed.name != cell)
}

/// The levels a cell is compared with: its own, but for the factor that has a reference.
fn reference_levels(study: &StudyFile, levels: &[String]) -> Vec<String> {
    let compared = compared_factor(study);
    let mut levels = levels.to_vec();
    levels[compared].clone_from(study.factors[compared].base());
    levels
}

/// The levels that changes are told from: its own of the factor that is compared, the base of others.
fn base_levels(study: &StudyFile, levels: &[String]) -> Vec<String> {
    let compared = compared_factor(study);
    let mut base: Vec<String> = study.factors.iter().map(|factor| factor.base().clone()).collect();
    base[compared].clone_from(&levels[compared]);
    base
}

/// The base levels of the factors that are not compared, as tables name them.
pub(crate) fn base_of_others(study: &StudyFile) -> String {
    let compared = compared_factor(study);
    let others = study.factors.iter().enumerate().filter(|(index, _)| *index != compared);
    others.map(|(_, factor)| factor.base().as_str()).collect::<Vec<_>>().join(", ")
}

/// The first factor that names a reference, or the first.
fn compared_factor(study: &StudyFile) -> usize {
    study.factors.iter().position(|factor| factor.reference.is_some()).unwrap_or(0)
}

/// Mean difference with its interval; none for fewer than two pairs. `overlap` is that of
/// [`overlap`](crate::results::overlap): 0 gives Student's interval, more the corrected one of Nadeau and Bengio.
pub(crate) fn difference(pairs: &[f64], overlap: f64) -> Option<Difference> {
    let mean = stats::mean(pairs).filter(|_| pairs.len() > 1)?;
    let interval = resampled_t_interval(pairs, overlap, 0.95);
    // Differences of areas under curves lie between -1 and 1.
    Some(Difference { mean, interval: interval.map(|interval| interval.clipped(-1.0, 1.0)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn a_change_is_a_difference_of_differences() {
        let study = StudyFile::load("noise").expect("built in");
        let cells = study.cells().expect("built in");
        let index = |name: &str| cells.iter().position(|c| c.name == name).expect("a cell");
        // The lead of sub-cluster AdaCos over compactness: 10 and 12 points clean, 1 and 5 in noise.
        let aucs = [
            ("sub-cluster AdaCos, clean", [0.80, 0.90]),
            ("compactness, clean", [0.70, 0.78]),
            ("sub-cluster AdaCos, -10 dB", [0.60, 0.65]),
            ("compactness, -10 dB", [0.59, 0.60]),
        ];
        let of_cell = |&(name, aucs): &(&str, [f64; 2])| {
            [0, 1].map(|trial| example::result(&study, index(name), trial, aucs[trial as usize]))
        };
        let results: Vec<JobResult> = aucs.iter().flat_map(of_cell).collect();
        let results: Vec<&JobResult> = results.iter().collect();
        let change = changes(&study, &results, "compactness, -10 dB", "");
        assert_eq!(change.len(), 2);
        for ((base, found), expected) in change.into_iter().zip([0.09, 0.07]) {
            assert_eq!(base, "compactness, clean");
            assert!((found - expected).abs() < 1e-12, "{found} and {expected}");
        }
        for cell in ["compactness, clean", "sub-cluster AdaCos, -10 dB"] {
            assert!(
                changes(&study, &results, cell, "").is_empty(),
                "{cell} is held against itself"
            );
        }
    }

    #[test]
    fn the_interval_of_equal_differences_is_their_value() {
        let d = difference(&[0.25; 5], 0.0).expect("five pairs");
        assert_eq!((d.mean, d.interval), (0.25, Some(Interval { low: 0.25, high: 0.25 })));
    }

    #[test]
    fn two_trials_have_a_difference_and_no_interval() {
        let d = difference(&[0.25, 0.75], 0.0).expect("two pairs");
        assert_eq!((d.mean, d.interval), (0.5, None));
        assert_eq!(difference(&[0.25], 0.0), None);
    }

    #[test]
    fn the_interval_holds_the_mean_and_widens_with_the_spread() {
        let of = |pairs: [f64; 5]| {
            let d = difference(&pairs, 0.0).expect("five pairs");
            let interval = d.interval.expect("more than two");
            assert!(interval.low < d.mean && d.mean < interval.high, "{d:?}");
            interval.high - interval.low
        };
        let (narrow, wide) = (of([0.1, 0.11, 0.09, 0.1, 0.1]), of([0.1, 0.3, -0.1, 0.2, 0.0]));
        assert!(wide > narrow);
    }
}
