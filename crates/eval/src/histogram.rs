//! Score histograms: the data behind a picture of how well two conditions separate.

use serde::{Deserialize, Serialize};

/// Counts of normal and anomalous clips over shared bins of equal width.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreHistogram {
    /// Bin edges, rising; one more than bins. A bin contains its lower edge, the last also its
    /// upper one.
    pub edges: Vec<f64>,
    /// Normal clips per bin.
    pub normal: Vec<usize>,
    /// Anomalous clips per bin.
    pub anomalous: Vec<usize>,
}

/// Histograms of both conditions over the range of all finite scores together; empty where there
/// is none. Where all scores are equal, one bin of zero width holds them.
pub fn score_histogram(normal: &[f64], anomalous: &[f64], bins: usize) -> ScoreHistogram {
    let finite = || normal.iter().chain(anomalous).copied().filter(|score| score.is_finite());
    let lowest = finite().fold(f64::INFINITY, f64::min);
    let highest = finite().fold(f64::NEG_INFINITY, f64::max);
    if bins == 0 || lowest > highest {
        return ScoreHistogram { edges: Vec::new(), normal: Vec::new(), anomalous: Vec::new() };
    }
    let bins = if lowest < highest { bins } else { 1 };
    let width = (highest - lowest) / bins as f64;
    let count = |scores: &[f64]| {
        let mut counts = vec![0; bins];
        for score in scores.iter().filter(|score| score.is_finite()) {
            let bin = if width > 0.0 { ((score - lowest) / width) as usize } else { 0 };
            counts[bin.min(bins - 1)] += 1;
        }
        counts
    };
    let edge = |index: usize| if index == bins { highest } else { lowest + index as f64 * width };
    ScoreHistogram {
        edges: (0..=bins).map(edge).collect(),
        normal: count(normal),
        anomalous: count(anomalous),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finite_score_is_counted_once() {
        let histogram = score_histogram(&[0.0, 0.1, 0.2, f64::NAN], &[0.5, 1.0], 4);
        assert_eq!(histogram.edges, [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(histogram.normal, [3, 0, 0, 0]);
        assert_eq!(histogram.anomalous, [0, 0, 1, 1]);
    }

    #[test]
    fn equal_scores_share_one_bin() {
        let histogram = score_histogram(&[2.0, 2.0], &[2.0], 10);
        assert_eq!((histogram.normal, histogram.anomalous), (vec![2], vec![1]));
    }

    #[test]
    fn no_score_has_no_bin() {
        assert_eq!(score_histogram(&[], &[f64::INFINITY], 3).edges, Vec::<f64>::new());
    }
}
