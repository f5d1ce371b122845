//! Backends for few references, fusion and detector against numpy.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::Array2;
use offkey_core::Seed;
use offkey_score::{
    BackendConfig, DensityNorm, Detector, Distance, Fusion, KnnConfig, LocalDensityConfig, Member,
    References, Rule, ShrunkMahalanobisConfig, SubBandConfig, VarMinConfig,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    few: Vec<Vec<f64>>,
    many: Vec<Vec<f64>>,
    recordings: Vec<String>,
    queries: Vec<Vec<f64>>,
    shrunk_few: Vec<f64>,
    shrunk_many: Vec<f64>,
    shrunk_floor_2: Vec<f64>,
    local_density_3: Vec<f64>,
    sub_band_4: Vec<f64>,
    var_min_1: Vec<f64>,
    var_min_4: Vec<f64>,
    detector: GoldenDetector,
}

#[derive(Deserialize)]
struct GoldenDetector {
    groups: Vec<String>,
    windows: Vec<Vec<f64>>,
    other: Vec<Vec<f64>>,
    judged: Vec<Vec<f64>>,
    judged_other: Vec<Vec<f64>>,
    max_z: Vec<f64>,
    mean_z: Vec<f64>,
    /// Sorted, one list per window.
    max_margins: Vec<Vec<f64>>,
    mean_margins: Vec<Vec<f64>>,
}

fn golden() -> Golden {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/golden/few_references.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn array(rows: &[Vec<f64>]) -> Array2<f32> {
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(row, column)| rows[row][column] as f32)
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

/// Scores of the golden queries, each reference a recording of its own unless named.
fn scores(config: &BackendConfig, references: &[Vec<f64>], groups: Option<&[String]>) -> Vec<f64> {
    let own: Vec<String> = (0..references.len()).map(|row| row.to_string()).collect();
    let (embeddings, domains) = (array(references), vec![None; references.len()]);
    let groups = groups.unwrap_or(&own);
    let references = References::new(embeddings.view(), &domains, groups, Seed::new(1)).unwrap();
    config.fit(&references).unwrap().score(array(&golden().queries).view()).unwrap()
}

#[test]
fn the_shrunk_mahalanobis_distance_agrees_with_numpy() {
    let golden = golden();
    let config = |floor| BackendConfig::ShrunkMahalanobis(ShrunkMahalanobisConfig { floor });
    for (floor, references, expected) in [
        (0.3, &golden.few, &golden.shrunk_few),
        (0.3, &golden.many, &golden.shrunk_many),
        (2.0, &golden.many, &golden.shrunk_floor_2),
    ] {
        assert_close(&scores(&config(floor), references, None), expected, 1e-9);
    }
}

#[test]
fn densities_leave_out_the_own_recording_as_in_numpy() {
    let golden = golden();
    let norm = DensityNorm::Ratio;
    let config = LocalDensityConfig { neighbors: 3, norm, distance: Distance::Cosine };
    let config = BackendConfig::LocalDensity(config);
    // Embeddings are brought to unit length in single precision.
    let found = scores(&config, &golden.many, Some(&golden.recordings));
    assert_close(&found, &golden.local_density_3, 1e-5);
    let every_window_counts = scores(&config, &golden.many, None);
    let changes = every_window_counts.iter().zip(&found).map(|(all, own)| (all - own).abs());
    let largest = changes.fold(0.0, f64::max);
    assert!(largest > 1e-3, "windows of the own recording make a difference: {largest}");
}

#[test]
fn bands_find_their_own_neighbours_as_in_numpy() {
    let golden = golden();
    let distance = Distance::Cosine;
    let config = BackendConfig::SubBand(SubBandConfig { bands: 4, spectra: 2, distance });
    assert_close(&scores(&config, &golden.many, None), &golden.sub_band_4, 1e-6);
}

#[test]
fn variance_minimum_rescaling_agrees_with_numpy() {
    let golden = golden();
    let distance = Distance::Cosine;
    for (bands, spectra, expected) in [(1, 1, &golden.var_min_1), (4, 2, &golden.var_min_4)] {
        let config = VarMinConfig { neighbors: 4, bands, spectra, distance };
        let found = scores(&BackendConfig::VarMin(config), &golden.many, None);
        assert_close(&found, expected, 1e-5);
    }
}

#[test]
fn fusion_and_margins_agree_with_numpy() {
    let golden = golden().detector;
    let (windows, other) = (array(&golden.windows), array(&golden.other));
    let judged = [array(&golden.judged), array(&golden.judged_other)];
    let judged = [judged[0].view(), judged[1].view()];
    let domains = vec![None; golden.groups.len()];
    let nearest = KnnConfig { neighbors: 1, distance: Distance::Euclidean };
    let member = |name: &str, backend, embeddings| Member {
        name: name.to_owned(),
        backend,
        references: References::new(embeddings, &domains, &golden.groups, Seed::new(1)).unwrap(),
    };
    let gauss = BackendConfig::ShrunkMahalanobis(ShrunkMahalanobisConfig::default());
    let members = [
        member("gauss", gauss, windows.view()),
        member("nearest", BackendConfig::Knn(nearest), other.view()),
    ];
    for (rule, z, margins) in [
        (Rule::Max, &golden.max_z, &golden.max_margins),
        (Rule::Mean, &golden.mean_z, &golden.mean_margins),
    ] {
        // Nearest neighbours are measured in single precision inputs, and z divides by 0.1 or more.
        assert_close(&Fusion::fit(&members, rule).unwrap().score(&judged).unwrap(), z, 1e-5);
        for allowed in [0, 3, 7] {
            let detector =
                Detector::fit(&members, rule).unwrap().with_allowed_losses(allowed).unwrap();
            for (judgement, margins) in detector.judge_all(&judged).unwrap().iter().zip(margins) {
                assert_close(&[judgement.score], &[margins[allowed]], 1e-5);
                assert_eq!(judgement.lost, margins.iter().filter(|&&m| m <= 0.0).count());
            }
        }
    }
}
