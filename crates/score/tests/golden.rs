//! Backends and thresholds against scikit-learn and scipy.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use ndarray::Array2;
use offkey_core::Seed;
use offkey_score::{
    BackendConfig, Distance, GmmConfig, KMeansConfig, KnnConfig, MahalanobisConfig, Member,
    References, Rule, Scorer, ThresholdConfig, conformal_p_values, decide,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    references: Vec<Vec<f64>>,
    queries: Vec<Vec<f64>>,
    k_means_inertia: BTreeMap<usize, f64>,
    k_means_cosine_inertia: f64,
    mahalanobis: Vec<f64>,
    knn_cosine_1: Vec<f64>,
    knn_cosine_3: Vec<f64>,
    gmm_1: Vec<f64>,
    gmm_4_mean_log_likelihood: f64,
    gmm_4: Vec<f64>,
    gamma_scores: Vec<f64>,
    gamma_quantile_90: f64,
    percentile_90: f64,
}

fn golden() -> Golden {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/golden/backends.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn array(rows: &[Vec<f64>]) -> Array2<f32> {
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(row, column)| rows[row][column] as f32)
}

/// Scores of `queries` by a backend fitted to `references`.
fn scores(config: &BackendConfig, references: &[Vec<f64>], queries: &[Vec<f64>]) -> Vec<f64> {
    let embeddings = array(references);
    let groups: Vec<String> = (0..references.len()).map(|row| row.to_string()).collect();
    let domains = vec![None; references.len()];
    let references = References::new(embeddings.view(), &domains, &groups, Seed::new(1)).unwrap();
    config.fit(&references).unwrap().score(array(queries).view()).unwrap()
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= tolerance * (1.0 + expected.abs()),
            "{found} {expected}"
        );
    }
}

#[test]
fn nearest_neighbours_agree_with_scikit_learn() {
    let golden = golden();
    for (neighbors, expected) in [(1, &golden.knn_cosine_1), (3, &golden.knn_cosine_3)] {
        let config = BackendConfig::Knn(KnnConfig { neighbors, ..KnnConfig::default() });
        // Embeddings are brought to unit length in single precision.
        assert_close(&scores(&config, &golden.references, &golden.queries), expected, 1e-6);
    }
}

#[test]
fn mahalanobis_distances_agree_with_scikit_learn() {
    let golden = golden();
    for distance in [Distance::Euclidean, Distance::Standardized, Distance::Whitened] {
        let config = MahalanobisConfig { distance, ..MahalanobisConfig::default() };
        let found =
            scores(&BackendConfig::Mahalanobis(config), &golden.references, &golden.queries);
        // Shrinkage depends on the axes' scales, so that other distances agree but roughly.
        let tolerance = if distance == Distance::Euclidean { 1e-9 } else { 0.05 };
        assert_close(&found, &golden.mahalanobis, tolerance);
    }
}

#[test]
fn a_gaussian_mixture_agrees_with_scikit_learn() {
    let golden = golden();
    let config = |components| {
        let distance = Distance::Euclidean;
        BackendConfig::Gmm(GmmConfig { components, distance, ..GmmConfig::default() })
    };
    assert_close(&scores(&config(1), &golden.references, &golden.queries), &golden.gmm_1, 1e-9);
    let fitted = scores(&config(4), &golden.references, &golden.references);
    let likelihood = -fitted.iter().sum::<f64>() / fitted.len() as f64;
    // Four heaps, four Gaussians: both must find the same optimum, up to where they stop.
    assert_close(&[likelihood], &[golden.gmm_4_mean_log_likelihood], 1e-3);
    assert_close(&scores(&config(4), &golden.references, &golden.queries), &golden.gmm_4, 2e-2);
}

#[test]
fn k_means_is_as_tight_as_scikit_learn() {
    let golden = golden();
    let inertia = |means, distance| {
        let config = KMeansConfig { means, restarts: 10, distance };
        let found = scores(&BackendConfig::KMeans(config), &golden.references, &golden.references);
        match distance {
            // Half the squared distance to a centre of unit length, which is further than the mean.
            Distance::Cosine => found.iter().map(|score| 2.0 * score).sum::<f64>(),
            _ => found.iter().map(|score| score * score).sum::<f64>(),
        }
    };
    for (&means, &expected) in &golden.k_means_inertia {
        // Sixteen means of four heaps have many near optima; two and four have one.
        let slack = if means == 16 { 1.03 } else { 1.0 + 1e-5 };
        let found = inertia(means, Distance::Euclidean);
        assert!(found <= slack * expected, "{means} means: {found} against {expected}");
    }
    let found = inertia(16, Distance::Cosine);
    assert!(found <= 1.15 * golden.k_means_cosine_inertia, "{found}");
}

#[test]
fn thresholds_agree_with_numpy_and_scipy() {
    let golden = golden();
    let percentile = ThresholdConfig::default().fit(&golden.gamma_scores).unwrap();
    assert_close(&[percentile], &[golden.percentile_90], 1e-12);
    let gamma = ThresholdConfig::Gamma { quantile: 0.9 }.fit(&golden.gamma_scores).unwrap();
    // Both maximise the same likelihood; scipy's simplex stops at four digits.
    assert_close(&[gamma], &[golden.gamma_quantile_90], 1e-3);
}

#[test]
fn a_threshold_lets_its_share_of_normals_pass() {
    let golden = golden();
    let clips = golden.gamma_scores.len() as f64;
    for (config, slack) in [
        (ThresholdConfig::Percentile { q: 0.9 }, 1.0 / clips),
        (ThresholdConfig::Gamma { quantile: 0.9 }, 0.02),
    ] {
        let threshold = config.fit(&golden.gamma_scores).unwrap();
        let alarms = decide(&golden.gamma_scores, threshold).iter().filter(|&&d| d).count();
        assert!((alarms as f64 / clips - 0.1).abs() <= slack, "{config:?}: {alarms}");
    }
}

#[test]
fn a_withheld_threshold_is_the_conformal_rank() {
    let scores: Vec<f64> = (1..=19).map(f64::from).collect();
    for (false_alarms, expected) in [(0.05, 19.0), (0.1, 18.0), (0.5, 10.0), (0.01, 19.0)] {
        let threshold = ThresholdConfig::HeldOut { false_alarms, share: 0.1 }.fit(&scores).unwrap();
        assert!((threshold - expected).abs() < 1e-12, "{false_alarms}: {threshold}");
    }
    let golden = golden();
    let config = BackendConfig::Knn(KnnConfig::default());
    let embeddings = array(&golden.references);
    let groups: Vec<String> = (0..embeddings.nrows()).map(|row| row.to_string()).collect();
    let domains = vec![None; groups.len()];
    let references = References::new(embeddings.view(), &domains, &groups, Seed::new(1)).unwrap();
    let threshold = ThresholdConfig::HeldOut { false_alarms: 0.2, share: 0.1 };
    let member = Member { name: "own".to_owned(), backend: config, references };
    let members = std::slice::from_ref(&member);
    let withheld = array(&golden.queries);
    let withheld = [withheld.view()];
    let scorer = Scorer::fit(members, Rule::Max, &threshold, &withheld).unwrap();
    let above = scorer.decide(&scorer.score(&withheld).unwrap());
    let share = above.iter().filter(|&&above| above).count() as f64 / above.len() as f64;
    assert!(share <= 0.2 && scorer.expected_false_alarms().is_some(), "{share}");
    let by_references = Scorer::fit(members, Rule::Max, &threshold, &[]).unwrap();
    assert_eq!(by_references.expected_false_alarms(), None);
    assert!(by_references.threshold() < scorer.threshold());
}

#[test]
fn thresholds_refuse_what_they_cannot_use() {
    for config in [ThresholdConfig::default(), ThresholdConfig::Gamma { quantile: 0.9 }] {
        assert!(config.fit(&[]).is_err());
        assert!(config.fit(&[1.0, f64::NAN]).is_err());
        let constant = config.fit(&[2.0; 5]).unwrap();
        assert_eq!(decide(&[2.0, 2.1], constant), [false, true]);
        assert!(config.fit(&[-3.0, -2.0, -1.5, 0.0]).unwrap().is_finite());
    }
    for false_alarms in [0.0, 1.0, f64::NAN] {
        assert!(ThresholdConfig::HeldOut { false_alarms, share: 0.1 }.check().is_err());
    }
    assert!(ThresholdConfig::Percentile { q: 1.5 }.fit(&[1.0]).is_err());
    assert!(ThresholdConfig::Gamma { quantile: 1.0 }.fit(&[1.0, 2.0]).is_err());
}

#[test]
fn conformal_p_values_are_uniform_for_exchangeable_scores() {
    let calibration: Vec<f64> = (0..99).map(f64::from).collect();
    let p_values = conformal_p_values(&calibration, &[-1.0, 0.0, 49.5, 98.0, 1000.0]).unwrap();
    assert_eq!(p_values, [1.0, 1.0, 0.5, 0.02, 0.01]);
    assert_eq!(conformal_p_values(&[], &[5.0]).unwrap(), [1.0]);
    assert!(conformal_p_values(&calibration, &[f64::NAN]).is_err());
    assert!(conformal_p_values(&[f64::NAN], &[1.0]).is_err());
    // Each score against the others: for any level a, at most that share of p-values is below it.
    let scores: Vec<f64> = (0..200).map(|clip| f64::from((clip * 37) % 200 / 3)).collect();
    for level in [0.05, 0.1, 0.5] {
        let alarms = (0..scores.len())
            .filter(|&held_out| {
                let mut others = scores.clone();
                let score = others.remove(held_out);
                conformal_p_values(&others, &[score]).unwrap()[0] <= level
            })
            .count();
        assert!(alarms as f64 <= level * 200.0, "{level}: {alarms}");
    }
}
