//! Decisions: precision, recall, F1, and F1 expected over thresholds.

use serde::{Deserialize, Serialize};

use crate::EvalError;

/// How far the bounded thresholds reach beyond mean and optimum, in deviations of the normals.
const BOUND_DEVIATIONS: f64 = 0.2;

/// How good decisions are. A rate with zero denominator is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct DecisionRates {
    /// Of the clips decided anomalous, the share that is.
    pub precision: f64,
    /// Of the anomalous clips, the share decided so.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
}

/// Rates of decisions, one a clip (`true`: decided anomalous), by condition.
pub fn decision_rates(normal: &[bool], anomalous: &[bool]) -> DecisionRates {
    let count = |decisions: &[bool]| decisions.iter().filter(|&&decided| decided).count();
    rates(count(normal) as f64, count(anomalous) as f64, anomalous.len() as f64)
}

fn rates(false_positives: f64, true_positives: f64, anomalies: f64) -> DecisionRates {
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    let precision = share(true_positives, true_positives + false_positives);
    let recall = share(true_positives, anomalies);
    DecisionRates { precision, recall, f1: share(2.0 * precision * recall, precision + recall) }
}

/// F1 expected over thresholds that are uniform between the lowest and the highest score: the left
/// Riemann sum of F1 over the sorted distinct scores, divided by their range.
///
/// # Errors
/// [`EvalError::OneCondition`], and [`EvalError::EmptyThresholdRange`] when all scores are equal.
///
/// # Source
/// Decision is `score > threshold`. Literal vector in the tests.
pub fn f1_ev(normal: &[f64], anomalous: &[f64]) -> Result<f64, EvalError> {
    let curve = F1Curve::new(normal, anomalous)?;
    let thresholds = curve.distinct_scores();
    curve.expectation(&thresholds)
}

/// As [`f1_ev`], over thresholds that someone who sees normals could have chosen: from the
/// normals' mean minus 0.2 deviations to the best threshold plus 0.2 deviations.
///
/// # Errors
/// As [`f1_ev`]; [`EvalError::EmptyThresholdRange`] when the lower end is not below the upper.
///
/// # Source
/// Deviation is the population deviation of the normals' scores; the best threshold is the first
/// with the largest F1. Literal vector in the tests.
pub fn bounded_f1_ev(normal: &[f64], anomalous: &[f64]) -> Result<f64, EvalError> {
    let curve = F1Curve::new(normal, anomalous)?;
    let mean = normal.iter().sum::<f64>() / normal.len() as f64;
    let variance =
        normal.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / normal.len() as f64;
    let margin = BOUND_DEVIATIONS * variance.sqrt();
    let scores = curve.distinct_scores();
    let lower = mean - margin;
    let upper = curve.best_threshold(&scores) + margin;
    if lower >= upper {
        return Err(EvalError::EmptyThresholdRange { lower, upper });
    }
    let between = scores.into_iter().filter(|&score| lower < score && score < upper);
    let thresholds: Vec<f64> =
        std::iter::once(lower).chain(between).chain(std::iter::once(upper)).collect();
    curve.expectation(&thresholds)
}

/// F1 as a function of the threshold.
struct F1Curve {
    normal: Vec<f64>,
    anomalous: Vec<f64>,
}

impl F1Curve {
    fn new(normal: &[f64], anomalous: &[f64]) -> Result<Self, EvalError> {
        if normal.is_empty() || anomalous.is_empty() {
            return Err(EvalError::OneCondition {
                normal: normal.len(),
                anomalous: anomalous.len(),
            });
        }
        let sorted = |scores: &[f64]| {
            let mut scores = scores.to_vec();
            scores.sort_by(f64::total_cmp);
            scores
        };
        Ok(Self { normal: sorted(normal), anomalous: sorted(anomalous) })
    }

    fn distinct_scores(&self) -> Vec<f64> {
        let mut scores = [self.normal.as_slice(), self.anomalous.as_slice()].concat();
        scores.sort_by(f64::total_cmp);
        scores.dedup();
        scores
    }

    fn f1(&self, threshold: f64) -> f64 {
        let above =
            |sorted: &[f64]| sorted.len() - sorted.partition_point(|&score| score <= threshold);
        let anomalies = self.anomalous.len() as f64;
        rates(above(&self.normal) as f64, above(&self.anomalous) as f64, anomalies).f1
    }

    fn best_threshold(&self, scores: &[f64]) -> f64 {
        let mut best = (scores[0], self.f1(scores[0]));
        for &score in &scores[1..] {
            let f1 = self.f1(score);
            if f1 > best.1 {
                best = (score, f1);
            }
        }
        best.0
    }

    fn expectation(&self, thresholds: &[f64]) -> Result<f64, EvalError> {
        let (lower, upper) = (thresholds[0], thresholds[thresholds.len() - 1]);
        if lower >= upper {
            return Err(EvalError::EmptyThresholdRange { lower, upper });
        }
        let area: f64 = thresholds.windows(2).map(|t| self.f1(t[0]) * (t[1] - t[0])).sum();
        Ok(area / (upper - lower))
    }
}
