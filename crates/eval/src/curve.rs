//! The ROC curve and the areas under it.

use serde::{Deserialize, Serialize};

/// Largest false-positive rate that the partial AUC looks at (all challenge years).
const PARTIAL_RATE: f64 = 0.1;

/// One point of a ROC curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RocPoint {
    /// A clip counts as anomalous when its score is at least this; none for the first point,
    /// where no clip does.
    pub threshold: Option<f64>,
    /// Share of the normal clips that count as anomalous.
    pub false_positive_rate: f64,
    /// Share of the anomalous clips that count as anomalous.
    pub true_positive_rate: f64,
}

/// Area under the ROC curve: the probability that an anomalous clip scores above a normal one,
/// ties counted half. None where one condition is absent. `O(n log n)`.
///
/// # Source
/// Mann-Whitney statistic over the number of pairs. Golden: testdata/golden/metrics.json.
pub fn auc(normal: &[f64], anomalous: &[f64]) -> Option<f64> {
    Ranking::new(normal, anomalous).auc()
}

/// Partial AUC over false-positive rates up to 0.1, standardised so that chance is 0.5 and
/// perfection 1. None where one condition is absent.
///
/// # Source
/// `McClish` 1989: `0.5 (1 + (A - p²/2) / (p - p²/2))` with `p = 0.1` and `A` the trapezoid area up
/// to `p`, linearly interpolated there. Golden: testdata/golden/metrics.json.
pub fn pauc(normal: &[f64], anomalous: &[f64]) -> Option<f64> {
    Ranking::new(normal, anomalous).pauc()
}

/// The ROC curve from (0, 0) to (1, 1), one point per distinct score, thresholds falling.
/// Empty where one condition is absent.
pub fn roc(normal: &[f64], anomalous: &[f64]) -> Vec<RocPoint> {
    let ranking = Ranking::new(normal, anomalous);
    let Some((normals, anomalies)) = ranking.totals() else { return Vec::new() };
    let mut point = RocPoint { threshold: None, false_positive_rate: 0.0, true_positive_rate: 0.0 };
    let mut points = vec![point];
    let (mut false_positives, mut true_positives) = (0.0, 0.0);
    for step in &ranking.steps {
        false_positives += step.normal;
        true_positives += step.anomalous;
        point = RocPoint {
            threshold: Some(step.score),
            false_positive_rate: false_positives / normals,
            true_positive_rate: true_positives / anomalies,
        };
        points.push(point);
    }
    points
}

/// Distinct scores, falling, each with the number of normal and anomalous clips that have it.
///
/// Counts are `f64` so that a bootstrap resample is the same thing with other counts.
#[derive(Debug, Clone)]
pub(crate) struct Ranking {
    pub(crate) steps: Vec<Step>,
}

/// The clips that share one score.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) score: f64,
    pub(crate) normal: f64,
    pub(crate) anomalous: f64,
}

impl Ranking {
    pub(crate) fn new(normal: &[f64], anomalous: &[f64]) -> Self {
        let normals = normal.iter().map(|&score| Step { score, normal: 1.0, anomalous: 0.0 });
        let anomalies = anomalous.iter().map(|&score| Step { score, normal: 0.0, anomalous: 1.0 });
        let mut clips: Vec<Step> = normals.chain(anomalies).collect();
        clips.sort_by(|a, b| b.score.total_cmp(&a.score));
        Self::from_sorted(clips)
    }

    /// Merges clips of equal score; `clips` must fall in score.
    pub(crate) fn from_sorted(clips: impl IntoIterator<Item = Step>) -> Self {
        let mut steps: Vec<Step> = Vec::new();
        for clip in clips {
            match steps.last_mut() {
                #[expect(clippy::float_cmp, reason = "a tie is exact equality")]
                Some(step) if step.score == clip.score => {
                    step.normal += clip.normal;
                    step.anomalous += clip.anomalous;
                }
                _ => steps.push(clip),
            }
        }
        Self { steps }
    }

    /// Normal and anomalous clips, where there are both.
    fn totals(&self) -> Option<(f64, f64)> {
        let normals: f64 = self.steps.iter().map(|step| step.normal).sum();
        let anomalies: f64 = self.steps.iter().map(|step| step.anomalous).sum();
        (normals > 0.0 && anomalies > 0.0).then_some((normals, anomalies))
    }

    fn swept(&self) -> Option<Sweep> {
        let (normals, anomalies) = self.totals()?;
        let mut sweep = Sweep::new(normals, anomalies)?;
        self.steps.iter().for_each(|step| sweep.pass(step.normal, step.anomalous));
        Some(sweep)
    }

    pub(crate) fn auc(&self) -> Option<f64> {
        Some(self.swept()?.auc())
    }

    pub(crate) fn pauc(&self) -> Option<f64> {
        Some(self.swept()?.pauc())
    }
}

/// The areas under a ROC curve, summed while falling scores are passed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sweep {
    normals: f64,
    anomalies: f64,
    false_positives: f64,
    true_positives: f64,
    pairs_won: f64,
    partial: f64,
}

impl Sweep {
    /// Before the first score, given how many clips there will be; none where one condition is
    /// absent.
    pub(crate) fn new(normals: f64, anomalies: f64) -> Option<Self> {
        (normals > 0.0 && anomalies > 0.0).then_some(Self {
            normals,
            anomalies,
            false_positives: 0.0,
            true_positives: 0.0,
            pairs_won: 0.0,
            partial: 0.0,
        })
    }

    /// Passes a score that so many clips have.
    pub(crate) fn pass(&mut self, normal: f64, anomalous: f64) {
        self.pairs_won += normal * (self.true_positives + 0.5 * anomalous);
        let width = normal.min(PARTIAL_RATE * self.normals - self.false_positives);
        if width >= 0.0 {
            let reached = if normal > 0.0 { width / normal } else { 1.0 };
            self.partial += width * (self.true_positives + 0.5 * reached * anomalous);
        }
        self.false_positives += normal;
        self.true_positives += anomalous;
    }

    pub(crate) fn auc(&self) -> f64 {
        self.pairs_won / (self.normals * self.anomalies)
    }

    pub(crate) fn pauc(&self) -> f64 {
        let share = self.partial / (self.normals * self.anomalies);
        let chance = 0.5 * PARTIAL_RATE * PARTIAL_RATE;
        0.5 * (1.0 + (share - chance) / (PARTIAL_RATE - chance))
    }
}
