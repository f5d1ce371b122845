//! Laws of the metrics, their literal vectors, and agreement with scikit-learn.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use approx::assert_abs_diff_eq;
use offkey_eval::{auc, bounded_f1_ev, decision_rates, f1_ev, pauc, roc};
use proptest::prelude::*;
use serde::Deserialize;

const NORMAL: [f64; 12] = [0.10, 0.12, 0.15, 0.2, 0.22, 0.3, 0.31, 0.33, 0.4, 0.45, 0.6, 0.9];
const ANOMALOUS: [f64; 8] = [0.2, 0.35, 0.5, 0.55, 0.6, 0.7, 0.95, 1.0];

/// Ten printed digits.
const PRINTED: f64 = 5e-11;

#[test]
fn literal_vectors_hold() {
    assert_abs_diff_eq!(auc(&NORMAL, &ANOMALOUS).unwrap(), 0.802_083_333_3, epsilon = PRINTED);
    assert_abs_diff_eq!(pauc(&NORMAL, &ANOMALOUS).unwrap(), 0.617_324_561_4, epsilon = PRINTED);
    assert_abs_diff_eq!(f1_ev(&NORMAL, &ANOMALOUS).unwrap(), 0.536_300_555_3, epsilon = PRINTED);
    let bounded = bounded_f1_ev(&NORMAL, &ANOMALOUS).unwrap();
    assert_abs_diff_eq!(bounded, 0.704_954_861_6, epsilon = PRINTED);
}

#[derive(Deserialize)]
struct Golden {
    cases: Vec<GoldenCase>,
}

#[derive(Deserialize)]
struct GoldenCase {
    name: String,
    normal: Vec<f64>,
    anomalous: Vec<f64>,
    threshold: f64,
    auc: f64,
    pauc: f64,
    precision: f64,
    recall: f64,
    f1: f64,
}

#[test]
fn areas_and_rates_agree_with_scikit_learn() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/golden/metrics.json");
    let golden: Golden = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(golden.cases.len() >= 10);
    for case in golden.cases {
        let decide = |scores: &[f64]| -> Vec<bool> {
            scores.iter().map(|&score| score > case.threshold).collect()
        };
        let rates = decision_rates(&decide(&case.normal), &decide(&case.anomalous));
        for (what, found, expected) in [
            ("auc", auc(&case.normal, &case.anomalous).unwrap(), case.auc),
            ("pauc", pauc(&case.normal, &case.anomalous).unwrap(), case.pauc),
            ("precision", rates.precision, case.precision),
            ("recall", rates.recall, case.recall),
            ("f1", rates.f1, case.f1),
        ] {
            // Both sides round a few hundred additions of numbers below one.
            assert!(
                (found - expected).abs() < 1e-12,
                "{}: {what} {found} != {expected}",
                case.name
            );
        }
    }
}

#[test]
fn an_absent_condition_has_no_area() {
    assert_eq!(auc(&[], &[1.0]), None);
    assert_eq!(pauc(&[1.0], &[]), None);
    assert!(roc(&[], &[]).is_empty());
    assert!(f1_ev(&[], &[1.0]).is_err());
}

#[test]
fn equal_scores_have_no_expected_f1() {
    assert!(f1_ev(&[1.0, 1.0], &[1.0]).is_err());
    assert!(bounded_f1_ev(&[1.0, 1.0], &[1.0]).is_err());
}

/// Scores on a coarse grid, so that ties are common.
fn scores() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec((0..12_i32).prop_map(|step| f64::from(step) / 4.0), 1..40)
}

fn auc_of_all_pairs(normal: &[f64], anomalous: &[f64]) -> f64 {
    let won = |n: f64, a: f64| if a > n { 1.0 } else { f64::from(u8::from(a >= n)) / 2.0 };
    let total: f64 = normal.iter().flat_map(|&n| anomalous.iter().map(move |&a| won(n, a))).sum();
    total / (normal.len() * anomalous.len()) as f64
}

/// Trapezoid area under the curve's points up to a rate, interpolated there.
fn area_of_points(normal: &[f64], anomalous: &[f64], limit: f64) -> f64 {
    let mut area = 0.0;
    for pair in roc(normal, anomalous).windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let width = to.false_positive_rate - from.false_positive_rate;
        let used = width.min(limit - from.false_positive_rate);
        if used <= 0.0 {
            continue;
        }
        let slope = (to.true_positive_rate - from.true_positive_rate) / width;
        area += used * (from.true_positive_rate + 0.5 * slope * used);
    }
    area
}

proptest! {
    #[test]
    fn auc_is_the_share_of_pairs_won(normal in scores(), anomalous in scores()) {
        let slow = auc_of_all_pairs(&normal, &anomalous);
        prop_assert!((auc(&normal, &anomalous).unwrap() - slow).abs() < 1e-12);
    }

    #[test]
    fn areas_lie_under_the_roc_curve(normal in scores(), anomalous in scores()) {
        let whole = area_of_points(&normal, &anomalous, 1.0);
        prop_assert!((auc(&normal, &anomalous).unwrap() - whole).abs() < 1e-12);
        let partial = area_of_points(&normal, &anomalous, 0.1);
        let standardised = 0.5 * (1.0 + (partial - 0.005) / (0.1 - 0.005));
        prop_assert!((pauc(&normal, &anomalous).unwrap() - standardised).abs() < 1e-12);
    }

    #[test]
    fn a_monotone_map_changes_no_area(normal in scores(), anomalous in scores()) {
        let map = |scores: &[f64]| -> Vec<f64> { scores.iter().map(|s| s.exp() - 7.0).collect() };
        prop_assert_eq!(auc(&normal, &anomalous), auc(&map(&normal), &map(&anomalous)));
        prop_assert_eq!(pauc(&normal, &anomalous), pauc(&map(&normal), &map(&anomalous)));
    }

    #[test]
    fn auc_of_swapped_classes_is_the_complement(normal in scores(), anomalous in scores()) {
        let sum = auc(&normal, &anomalous).unwrap() + auc(&anomalous, &normal).unwrap();
        prop_assert!((sum - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_order_of_clips_changes_nothing(normal in scores(), anomalous in scores()) {
        let reversed = |scores: &[f64]| -> Vec<f64> { scores.iter().rev().copied().collect() };
        let (n, a) = (reversed(&normal), reversed(&anomalous));
        prop_assert_eq!(auc(&normal, &anomalous), auc(&n, &a));
        prop_assert_eq!(pauc(&normal, &anomalous), pauc(&n, &a));
    }

    #[test]
    fn perfection_is_one_whatever_the_sizes(normal in scores(), anomalous in scores()) {
        let above: Vec<f64> = anomalous.iter().map(|score| score + 100.0).collect();
        prop_assert!((auc(&normal, &above).unwrap() - 1.0).abs() < 1e-12);
        prop_assert!((pauc(&normal, &above).unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn f1_ev_ignores_shift_and_scale(normal in scores(), anomalous in scores()) {
        let map = |scores: &[f64]| -> Vec<f64> { scores.iter().map(|s| 4.0 * s - 8.0).collect() };
        let before = f1_ev(&normal, &anomalous);
        let after = f1_ev(&map(&normal), &map(&anomalous));
        match (before, after) {
            (Ok(before), Ok(after)) => prop_assert!((before - after).abs() < 1e-12),
            (before, after) => prop_assert_eq!(before.is_err(), after.is_err()),
        }
    }

    #[test]
    fn the_roc_curve_rises_from_corner_to_corner(normal in scores(), anomalous in scores()) {
        let points = roc(&normal, &anomalous);
        let (first, last) = (points[0], points[points.len() - 1]);
        prop_assert_eq!((first.false_positive_rate, first.true_positive_rate), (0.0, 0.0));
        prop_assert_eq!((last.false_positive_rate, last.true_positive_rate), (1.0, 1.0));
        for pair in points.windows(2) {
            prop_assert!(pair[0].false_positive_rate <= pair[1].false_positive_rate);
            prop_assert!(pair[0].true_positive_rate <= pair[1].true_positive_rate);
        }
    }
}
