//! What a run reaches: the model, the baselines beside it, and what they cost.

use offkey_core::Seed;
use offkey_eval::Metrics;
use serde::{Deserialize, Serialize};

use crate::OffkeyError;

/// What `metrics.json` holds: the metrics, and what they cost.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use offkey::{Recipe, RunRequest, Silent, SynthConfig, run, synthesize};
///
/// # let folder = tempfile::tempdir()?;
/// # let (data, out) = (folder.path().join("data"), folder.path().join("run"));
/// # let config = SynthConfig { machines: 1, clips: 12, clip_s: 2.0, ..SynthConfig::default() };
/// # synthesize(&config, &data, &Silent)?;
/// let recipe = Recipe::load("fusion", &["model.pooled.clip_s=2.0".to_owned()])?;
/// let metrics = run(&RunRequest::new(vec![data], recipe, out), &Silent)?;
/// match metrics.unbeaten() {
///     Some(baseline) => println!("{} is as good", baseline.name),
///     None => println!("AUC {:?}, better than every baseline", metrics.metrics.auc),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunMetrics {
    /// The metrics.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// Seconds of training, of several seeds the mean.
    pub train_seconds: Option<f64>,
    /// Clips through training steps per second, of several seeds the mean.
    pub clips_per_second: Option<f64>,
    /// Largest resident memory, of several seeds the largest.
    pub peak_memory_bytes: Option<u64>,
    /// What plain statistics reach on the same clips.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub baselines: Vec<Baseline>,
}

impl RunMetrics {
    /// The best baseline by AUC, where the model does not beat it.
    pub fn unbeaten(&self) -> Option<&Baseline> {
        let best = self.baselines.iter().filter(|baseline| baseline.auc.is_some());
        let best = best.max_by(|a, b| a.auc.unwrap_or(0.0).total_cmp(&b.auc.unwrap_or(0.0)))?;
        (self.metrics.auc? <= best.auc?).then_some(best)
    }
}

/// What a recipe without training reaches on the clips of a run.
///
/// ```
/// use offkey::Baseline;
///
/// let baseline =
///     Baseline { name: "fusion".to_owned(), auc: Some(0.9), pauc: None, official_score: None };
/// assert_eq!(serde_json::json!(baseline)["auc"], 0.9);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Name of the built-in recipe.
    pub name: String,
    /// Arithmetic mean of the AUC over sections.
    pub auc: Option<f64>,
    /// The same of the partial AUC.
    pub pauc: Option<f64>,
    /// The official score of the year.
    pub official_score: Option<f64>,
}

impl Baseline {
    /// Mean over several runs, for each baseline that the first has.
    pub(crate) fn mean<'a>(runs: impl Iterator<Item = &'a [Self]>) -> Vec<Self> {
        let runs: Vec<&[Self]> = runs.collect();
        let Some(first) = runs.first() else { return Vec::new() };
        let mean = |name: &str, of: fn(&Self) -> Option<f64>| {
            let of_run = |run: &&[Self]| run.iter().find(|b| b.name == name).and_then(of);
            let values: Vec<f64> = runs.iter().filter_map(of_run).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let of_name = |baseline: &Self| Self {
            name: baseline.name.clone(),
            auc: mean(&baseline.name, |b| b.auc),
            pauc: mean(&baseline.name, |b| b.pauc),
            official_score: mean(&baseline.name, |b| b.official_score),
        };
        first.iter().map(of_name).collect()
    }
}

/// Mean and deviation over trials, by seed.
pub(crate) fn combine(trials: &[(u64, RunMetrics)]) -> Result<RunMetrics, OffkeyError> {
    let metrics: Vec<(Seed, Metrics)> =
        trials.iter().map(|(seed, trial)| (Seed::new(*seed), trial.metrics.clone())).collect();
    let mean = |of: fn(&RunMetrics) -> Option<f64>| {
        let values: Vec<f64> = trials.iter().filter_map(|(_, trial)| of(trial)).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    Ok(RunMetrics {
        metrics: offkey_eval::aggregate(&metrics)?,
        train_seconds: mean(|trial| trial.train_seconds),
        clips_per_second: mean(|trial| trial.clips_per_second),
        peak_memory_bytes: trials.iter().filter_map(|(_, trial)| trial.peak_memory_bytes).max(),
        baselines: Baseline::mean(trials.iter().map(|(_, trial)| trial.baselines.as_slice())),
    })
}
