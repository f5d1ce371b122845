//! Finished runs held against each other, trial by trial.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use offkey::{Manifest, Metrics, OffkeyError, RunFolder, RunMetrics, files};
use offkey_core::{ErrorKind, stats};
use serde::Serialize;

use crate::{
    compare::difference,
    results::{SplitOfClips, ordered},
};

/// What several runs have more or less than the first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The run that the others are held against, as it was given.
    pub reference: String,
    /// Trials that all runs have.
    pub trials: usize,
    /// Trials that some run lacks; they are left out.
    pub left_out: Vec<String>,
    /// What the intervals are.
    pub interval: String,
    /// One row per run, machine and metric.
    pub rows: Vec<ComparedRow>,
}

/// One metric of one run beside that of the reference, over the trials that both have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedRow {
    /// The run, as it was given.
    pub run: String,
    /// Machine; `all` for the mean over all.
    pub machine: String,
    /// Metric.
    pub metric: &'static str,
    /// Trials in which both have it.
    pub trials: usize,
    /// Mean of the reference over these trials.
    pub reference: f64,
    /// Mean of the run.
    pub value: f64,
    /// Mean of the run less the reference, trial by trial.
    pub difference: f64,
    /// Lower end of the 95 % interval of the difference; absent for fewer than three trials.
    pub lower: Option<f64>,
    /// Upper end.
    pub upper: Option<f64>,
    /// The difference in each of these trials.
    #[serde(skip)]
    pub differences: Vec<f64>,
}

/// Why runs cannot be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// A run cannot be read.
    #[error(transparent)]
    Run(#[from] OffkeyError),
    /// A folder holds neither a run nor runs.
    #[error("`{}` holds no finished run: neither it nor a folder in it has `manifest.json` and `metrics.json`", path.display())]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// Two runs have no trial of the same name.
    #[error("`{run}` has the trials {found}, `{reference}` has {expected}: none in common")]
    NothingShared {
        /// The run.
        run: String,
        /// Its trials.
        found: String,
        /// The reference.
        reference: String,
        /// The trials of the reference.
        expected: String,
    },
    /// Two trials were made from different clips.
    #[error(
        "trial {trial} of `{run}` is of other recordings, or another split, than that of `{reference}`"
    )]
    OtherData {
        /// The trial.
        trial: String,
        /// The run.
        run: String,
        /// The reference.
        reference: String,
    },
}

impl CompareError {
    /// What kind of trouble it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Run(error) => error.kind(),
            Self::NoRun { .. } | Self::NothingShared { .. } | Self::OtherData { .. } => {
                ErrorKind::Usage
            }
        }
    }

    /// What the reader can do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Run(error) => error.hint(),
            Self::NoRun { .. } => Some(
                "name run folders, or folders that hold one run folder per seed or fold".to_owned(),
            ),
            Self::NothingShared { .. } => Some(
                "trials are paired by the names of their folders, as `seed_0` or `fold_0`; give both runs the same"
                    .to_owned(),
            ),
            Self::OtherData { .. } => {
                Some("run both on the same recordings, with the same split".to_owned())
            }
        }
    }
}

/// A run, or several of one kind.
struct System {
    name: String,
    trials: BTreeMap<String, Trial>,
}

struct Trial {
    metrics: Metrics,
    split: SplitOfClips,
}

/// Holds runs against the first, metric by metric and machine by machine. A path is a run, a run of several
/// seeds, or a folder that holds runs, as one per fold; trials are paired by the names of their folders.
///
/// # Errors
/// [`CompareError`] when a path holds no finished run, or two have no trial in common.
pub fn compare_runs(runs: &[PathBuf]) -> Result<Comparison, CompareError> {
    let systems: Vec<System> =
        runs.iter().map(|path| System::read(path)).collect::<Result<_, _>>()?;
    let Some((reference, others)) = systems.split_first() else {
        return Err(CompareError::NoRun { path: PathBuf::new() });
    };
    let mut shared: BTreeSet<&str> = reference.trials.keys().map(String::as_str).collect();
    let all: BTreeSet<&str> =
        systems.iter().flat_map(|system| system.trials.keys().map(String::as_str)).collect();
    for other in others {
        check(other, reference)?;
        shared.retain(|trial| other.trials.contains_key(*trial));
        if shared.is_empty() {
            return Err(nothing_shared(other, reference));
        }
    }
    let overlap = SplitOfClips::overlap(shared.iter().map(|trial| &reference.trials[*trial].split));
    let rows = others.iter().flat_map(|other| rows(other, reference, &shared, overlap)).collect();
    Ok(Comparison {
        reference: reference.name.clone(),
        trials: shared.len(),
        left_out: all.difference(&shared).map(|trial| (*trial).to_owned()).collect(),
        interval: name_of_interval(shared.len(), overlap),
        rows,
    })
}

impl System {
    fn read(path: &Path) -> Result<Self, CompareError> {
        let name = path.display().to_string();
        if let Some(trial) = Trial::read(path)? {
            return Ok(Self { name, trials: BTreeMap::from([(String::new(), trial)]) });
        }
        let mut trials = BTreeMap::new();
        for entry in fs::read_dir(path).map_err(OffkeyError::io(path))? {
            let entry = entry.map_err(OffkeyError::io(path))?;
            if let Some(trial) = Trial::read(&entry.path())? {
                trials.insert(entry.file_name().to_string_lossy().into_owned(), trial);
            }
        }
        if trials.is_empty() {
            return Err(CompareError::NoRun { path: path.to_owned() });
        }
        Ok(Self { name, trials })
    }

    fn trial_names(&self) -> String {
        let names = self.trials.keys().map(|name| if name.is_empty() { "one" } else { name });
        names.collect::<Vec<_>>().join(", ")
    }
}

impl Trial {
    /// Reads a finished run; nothing where there is none.
    fn read(root: &Path) -> Result<Option<Self>, CompareError> {
        let Ok(folder) = RunFolder::open_to_read(root) else { return Ok(None) };
        if !(folder.manifest().is_file() && folder.metrics().is_file()) {
            return Ok(None);
        }
        let metrics: RunMetrics = files::read_json(&folder.metrics()).map_err(OffkeyError::from)?;
        let manifest: Manifest = files::read_json(&folder.manifest()).map_err(OffkeyError::from)?;
        let split = SplitOfClips {
            fingerprint: manifest.data_fingerprint,
            training: manifest.training_clips,
            test: manifest.test_clips,
        };
        Ok(Some(Self { metrics: metrics.metrics, split }))
    }
}

/// Refuses pairs of trials that are not of the same clips.
fn check(other: &System, reference: &System) -> Result<(), CompareError> {
    for (name, trial) in &other.trials {
        let of_reference = reference.trials.get(name);
        if of_reference
            .is_some_and(|of_reference| of_reference.split.fingerprint != trial.split.fingerprint)
        {
            let (run, reference) = (other.name.clone(), reference.name.clone());
            let trial = if name.is_empty() { "one".to_owned() } else { format!("`{name}`") };
            return Err(CompareError::OtherData { trial, run, reference });
        }
    }
    Ok(())
}

fn nothing_shared(other: &System, reference: &System) -> CompareError {
    CompareError::NothingShared {
        run: other.name.clone(),
        found: other.trial_names(),
        reference: reference.name.clone(),
        expected: reference.trial_names(),
    }
}

pub(crate) const ALL_MACHINES: &str = "all";

type Measure = fn(&Metrics, &str) -> Option<f64>;

/// The metrics that are compared, of one machine or of all.
const METRICS: [(&str, Measure); 5] = [
    ("official score", |metrics, machine| {
        metrics.official_score.filter(|_| machine == ALL_MACHINES)
    }),
    ("AUC", |metrics, machine| match machine {
        ALL_MACHINES => metrics.auc,
        _ => of_machine(metrics, machine)?.auc,
    }),
    ("pAUC", |metrics, machine| match machine {
        ALL_MACHINES => metrics.pauc,
        _ => of_machine(metrics, machine)?.pauc,
    }),
    ("AUC source", |metrics, machine| match machine {
        ALL_MACHINES => metrics.auc_source,
        _ => of_machine(metrics, machine)?.auc_source,
    }),
    ("AUC target", |metrics, machine| match machine {
        ALL_MACHINES => metrics.auc_target,
        _ => of_machine(metrics, machine)?.auc_target,
    }),
];

fn of_machine<'a>(metrics: &'a Metrics, machine: &str) -> Option<&'a offkey_eval::MetricMeans> {
    let found = metrics.per_machine.iter().find(|m| m.machine == machine);
    found.map(|m| &m.arithmetic)
}

fn rows(
    other: &System,
    reference: &System,
    shared: &BTreeSet<&str>,
    overlap: f64,
) -> Vec<ComparedRow> {
    let of_trials = shared
        .iter()
        .map(|trial| (&reference.trials[*trial].metrics, &other.trials[*trial].metrics));
    let pairs: Vec<(&Metrics, &Metrics)> = of_trials.collect();
    let named = pairs.iter().flat_map(|(metrics, _)| metrics.per_machine.iter());
    let machines = ordered(named.map(|machine| machine.machine.as_str()));
    let mut rows = Vec::new();
    for machine in std::iter::once(ALL_MACHINES).chain(machines) {
        for (metric, measure) in METRICS {
            let values = pairs
                .iter()
                .filter_map(|(a, b)| Some((measure(a, machine)?, measure(b, machine)?)));
            let values: Vec<(f64, f64)> = values.collect();
            let (of_reference, own): (Vec<f64>, Vec<f64>) = values.iter().copied().unzip();
            let (Some(of_reference), Some(own)) = (stats::mean(&of_reference), stats::mean(&own))
            else {
                continue;
            };
            let differences: Vec<f64> = values.iter().map(|(a, b)| b - a).collect();
            let interval = difference(&differences, overlap).and_then(|d| d.interval);
            rows.push(ComparedRow {
                run: other.name.clone(),
                machine: machine.to_owned(),
                metric,
                trials: values.len(),
                reference: of_reference,
                value: own,
                difference: own - of_reference,
                lower: interval.map(|interval| interval.low),
                upper: interval.map(|interval| interval.high),
                differences,
            });
        }
    }
    rows
}

fn name_of_interval(trials: usize, overlap: f64) -> String {
    if trials < 3 {
        return format!("none: {trials} trials, an interval needs at least 3");
    }
    if overlap > 0.0 {
        return format!(
            "95 %, corrected resampled t (Nadeau and Bengio 2003) over {trials} splits that share clips, with {overlap:.3} test \
             clips per training clip"
        );
    }
    format!(
        "95 %, Student's t over {trials} trials of one split: how much the seed matters, not the choice of clips"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{StudyFile, example};

    /// Writes what a finished run has of itself.
    fn write_run(root: &Path, auc: f64, fingerprint: &str) {
        fs::create_dir_all(root).expect("a folder of this test");
        let study = StudyFile::load("losses").expect("built in");
        let metrics = RunMetrics {
            metrics: example::result(&study, 0, 0, auc).metrics,
            train_seconds: None,
            clips_per_second: None,
            peak_memory_bytes: None,
            baselines: Vec::new(),
        };
        let manifest = Manifest {
            version: String::new(),
            commit: None,
            recipe: "tiny".to_owned(),
            data: Vec::new(),
            data_fingerprint: fingerprint.to_owned(),
            year: None,
            seed: 0,
            compute: offkey::Compute::default(),
            kernels: Vec::new(),
            threads: 1,
            training_clips: 80,
            classes: 2,
            parameters: 1,
            test_clips: 20,
            skipped_clips: 0,
            done: BTreeSet::new(),
            seconds: BTreeMap::new(),
            cpu_seconds: BTreeMap::new(),
            clips_per_second: None,
            peak_memory_bytes: None,
        };
        fs::write(root.join("recipe.toml"), "").expect("writable");
        files::write_json(&root.join("metrics.json"), &metrics).expect("writable");
        files::write_json(&root.join("manifest.json"), &manifest).expect("writable");
    }

    /// A folder of trials, each of a split of its own where `folds` says so.
    fn write_trials(root: &Path, aucs: &[f64], folds: bool) -> PathBuf {
        for (trial, &auc) in aucs.iter().enumerate() {
            let fingerprint = if folds { trial.to_string() } else { "one".to_owned() };
            write_run(&root.join(format!("trial_{trial}")), auc, &fingerprint);
        }
        root.to_owned()
    }

    fn auc_row(comparison: &Comparison) -> &ComparedRow {
        let rows = &comparison.rows;
        rows.iter()
            .find(|row| row.machine == "all" && row.metric == "AUC")
            .expect("every run has one")
    }

    #[test]
    fn differences_are_paired_and_intervals_know_whether_trials_share_clips() {
        let folder = tempfile::tempdir().expect("a folder");
        let compared = |folds: bool| {
            let root = folder.path().join(folds.to_string());
            let reference = write_trials(&root.join("a"), &[0.7, 0.8, 0.9], folds);
            let other = write_trials(&root.join("b"), &[0.75, 0.82, 0.96], folds);
            compare_runs(&[reference, other]).expect("three pairs")
        };
        let (seeds, folds) = (compared(false), compared(true));
        for comparison in [&seeds, &folds] {
            let row = auc_row(comparison);
            assert_eq!((comparison.trials, row.trials), (3, 3));
            assert!((row.reference - 0.8).abs() < 1e-12, "{row:?}");
            assert!((row.difference - 0.13 / 3.0).abs() < 1e-12, "{row:?}");
        }
        let width = |comparison: &Comparison| {
            let row = auc_row(comparison);
            row.upper.expect("three trials") - row.lower.expect("three trials")
        };
        // (1/3 + 20/80) / (1/3) is the ratio of variances.
        let ratio = width(&folds) / width(&seeds);
        assert!((ratio - 1.75_f64.sqrt()).abs() < 1e-9, "{ratio}");
        assert!(seeds.interval.contains("Student") && folds.interval.contains("Nadeau"));
    }

    #[test]
    fn one_pair_has_a_difference_and_no_interval() {
        let folder = tempfile::tempdir().expect("a folder");
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        write_run(&a, 0.7, "one");
        write_run(&b, 0.9, "one");
        let comparison = compare_runs(&[a, b]).expect("a pair");
        let row = auc_row(&comparison);
        assert!((row.difference - 0.2).abs() < 1e-12);
        assert_eq!((row.lower, row.upper), (None, None));
    }

    #[test]
    fn what_cannot_be_paired_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let trials = write_trials(&path("trials"), &[0.7, 0.8, 0.9], false);
        let fewer = write_trials(&path("fewer"), &[0.7, 0.8], false);
        let comparison = compare_runs(&[trials.clone(), fewer]).expect("two pairs");
        assert_eq!((comparison.trials, comparison.left_out), (2, vec!["trial_2".to_owned()]));
        write_run(&path("single"), 0.7, "one");
        write_run(&path("others"), 0.7, "two");
        let error = |runs: [&str; 2]| {
            compare_runs(&runs.map(path)).expect_err("they do not fit").to_string()
        };
        assert!(error(["trials", "single"]).contains("none in common"));
        assert!(error(["single", "others"]).contains("other recordings"));
        fs::create_dir(path("empty")).expect("a folder of this test");
        assert!(error(["single", "empty"]).contains("no finished run"));
    }
}
