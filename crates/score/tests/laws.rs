//! One list of laws that every backend keeps, in every distance.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array2, ArrayView2, Axis, concatenate, s};
use offkey_core::{Domain, Seed};
use offkey_score::{
    BackendConfig, BackendKind, BackendRegistry, ColumnConfig, CovarianceOf, DensityNorm, Distance,
    DomainNormConfig, FittedBackend, FittedTo, Fitting, KnnConfig, LocalDensityConfig,
    MahalanobisConfig, References, ScoreError, SubBandConfig, VarMinConfig, Warning,
};
use rand::RngExt;

const DISTANCES: [Distance; 4] =
    [Distance::Cosine, Distance::Euclidean, Distance::Standardized, Distance::Whitened];

/// Every backend with default settings and the variants that are code paths of their own, in
/// every distance.
fn every_backend() -> Vec<BackendConfig> {
    let mut configs = BackendConfig::all();
    configs.push(BackendConfig::Knn(KnnConfig { neighbors: 3, ..KnnConfig::default() }));
    configs.push(BackendConfig::LocalDensity(LocalDensityConfig {
        norm: DensityNorm::Difference,
        ..LocalDensityConfig::default()
    }));
    configs.push(BackendConfig::Mahalanobis(MahalanobisConfig {
        covariance: CovarianceOf::Each,
        ..MahalanobisConfig::default()
    }));
    configs.push(BackendConfig::DomainNorm(DomainNormConfig {
        of: Box::new(BackendConfig::Mahalanobis(MahalanobisConfig::default())),
        fitted_to: FittedTo::Source,
        ..DomainNormConfig::default()
    }));
    configs.push(BackendConfig::SubBand(SubBandConfig { spectra: 2, ..SubBandConfig::default() }));
    configs.push(BackendConfig::VarMin(VarMinConfig {
        bands: 2,
        spectra: 2,
        ..VarMinConfig::default()
    }));
    let in_distances =
        |config: BackendConfig| DISTANCES.map(|distance| config.clone().with_distance(distance));
    configs.into_iter().flat_map(in_distances).collect()
}

/// Those that compare embeddings, and so know what is near and what is far.
fn every_comparing_backend() -> impl Iterator<Item = BackendConfig> {
    every_backend().into_iter().filter(|config| config.name() != "column")
}

/// References as a test owns them.
#[derive(Clone)]
struct Owned {
    embeddings: Array2<f32>,
    domains: Vec<Option<Domain>>,
    groups: Vec<String>,
}

impl Owned {
    /// Source clips around two centres, target clips around a third.
    fn new(sources: usize, targets: usize) -> Self {
        let mut rng = Seed::new(11).rng();
        let clips = sources + targets;
        let mut embeddings = noise(&mut rng, clips, 8, 0.3);
        for (clip, mut embedding) in embeddings.rows_mut().into_iter().enumerate() {
            let heap = if clip < sources { clip % 2 } else { 2 };
            embedding[heap] += 2.0;
        }
        let domain = |clip| Some(if clip < sources { Domain::Source } else { Domain::Target });
        Self {
            embeddings,
            domains: (0..clips).map(domain).collect(),
            groups: (0..clips).map(|clip| format!("recording {clip:03}")).collect(),
        }
    }

    fn rows(&self, rows: &[usize]) -> Self {
        Self {
            embeddings: self.embeddings.select(Axis(0), rows),
            domains: rows.iter().map(|&row| self.domains[row]).collect(),
            groups: rows.iter().map(|&row| self.groups[row].clone()).collect(),
        }
    }

    fn references(&self) -> References<'_> {
        References::new(self.embeddings.view(), &self.domains, &self.groups, Seed::new(3)).unwrap()
    }

    fn scores(&self, config: &BackendConfig, queries: ArrayView2<f32>) -> Vec<f64> {
        config.fit(&self.references()).unwrap().score(queries).unwrap()
    }
}

fn noise(rng: &mut impl RngExt, rows: usize, dims: usize, width: f32) -> Array2<f32> {
    Array2::from_shape_simple_fn((rows, dims), || rng.random_range(-width..width))
}

fn far_away(clips: usize) -> Array2<f32> {
    let mut points = noise(&mut Seed::new(12).rng(), clips, 8, 0.3);
    points.column_mut(6).mapv_inplace(|value| value + 9.0);
    points
}

#[test]
fn what_lies_far_away_scores_above_every_reference() {
    let normals = Owned::new(60, 10);
    // A domain that the inner backend has not seen is standardised by its own distances, which may
    // be as large as any: the law is not one of that variant.
    let blind = |config: &BackendConfig| matches!(config, BackendConfig::DomainNorm(norm) if norm.fitted_to == FittedTo::Source);
    // Variance-minimum rescaling takes off what is usual around a reference: beside a lonely one a
    // far embedding may score less than a reference among others.
    let forgiving = |config: &BackendConfig| matches!(config, BackendConfig::VarMin(_));
    let bound = |config: &BackendConfig| !blind(config) && !forgiving(config);
    for config in every_comparing_backend().filter(bound) {
        let references = normals.scores(&config, normals.embeddings.view());
        let highest = references.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let far = normals.scores(&config, far_away(5).view());
        assert!(far.iter().all(|&score| score > highest), "{config:?}: {far:?} <= {highest}");
    }
}

#[test]
fn references_score_below_held_out_references_on_average() {
    let normals = Owned::new(60, 10);
    for config in every_backend() {
        let seen = normals.scores(&config, normals.embeddings.view());
        let held_out = config.held_out_scores(&normals.references()).unwrap();
        let mean = |scores: &[f64]| scores.iter().sum::<f64>() / scores.len() as f64;
        assert_eq!(held_out.len(), 70);
        // A centre hardly moves when a fold leaves; the others know their references by heart.
        let slack = if config.name() == "centre" { 0.05 } else { 0.0 };
        assert!(mean(&seen) <= mean(&held_out) + slack, "{config:?}");
    }
}

#[test]
fn a_reference_is_its_own_nearest() {
    let normals = Owned::new(30, 5);
    for config in every_backend() {
        let backend = config.fit(&normals.references()).unwrap();
        for (row, near) in backend.nearest(normals.embeddings.view()).unwrap().iter().enumerate() {
            assert_eq!(near.reference, row, "{config:?}");
            assert!(near.distance < 1e-6, "{config:?}: {near:?}");
        }
    }
}

#[test]
fn the_order_of_references_changes_nothing() {
    let normals = Owned::new(40, 6);
    let order: Vec<usize> = (0..46).map(|row| (row * 17 + 5) % 46).collect();
    let shuffled = normals.rows(&order);
    let queries = concatenate![Axis(0), far_away(3), normals.embeddings.slice(s![..4, ..])];
    for config in every_backend() {
        let scores = normals.scores(&config, queries.view());
        assert_eq!(scores, shuffled.scores(&config, queries.view()), "{config:?}");
        let held_out = config.held_out_scores(&normals.references()).unwrap();
        let of_shuffled = config.held_out_scores(&shuffled.references()).unwrap();
        let back: Vec<f64> = order.iter().map(|&row| held_out[row]).collect();
        assert_eq!(of_shuffled, back, "{config:?}");
    }
}

#[test]
fn a_clip_scores_the_same_alone_as_among_others() {
    let normals = Owned::new(70, 10);
    let queries = concatenate![Axis(0), far_away(66), normals.embeddings];
    for config in every_backend() {
        let backend = config.fit(&normals.references()).unwrap();
        let together = backend.score(queries.view()).unwrap();
        for row in [0, 63, 64, 100] {
            let alone = backend.score(queries.slice(s![row..=row, ..])).unwrap();
            assert_eq!(alone, [together[row]], "{config:?}");
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let normals = Owned::new(70, 10);
    let queries = far_away(150);
    for config in every_backend() {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let held_out = config.held_out_scores(&normals.references()).unwrap();
                (normals.scores(&config, queries.view()), held_out)
            })
        };
        assert_eq!(on(1), on(3), "{config:?}");
    }
}

#[test]
fn cosine_ignores_the_length_of_embeddings() {
    let normals = Owned::new(40, 6);
    let queries = far_away(4);
    for config in every_comparing_backend() {
        let config = config.with_distance(Distance::Cosine);
        if config.distance() != Distance::Cosine {
            continue;
        }
        // A power of two changes no bit but the exponent.
        let mut longer = normals.clone();
        longer.embeddings *= 4.0;
        let scores = normals.scores(&config, queries.view());
        let of_longer = longer.scores(&config, (&queries * 0.25).view());
        assert_eq!(scores, of_longer, "{config:?}");
    }
}

#[test]
fn duplicates_of_references_are_no_trouble() {
    let normals = Owned::new(20, 4);
    let rows: Vec<usize> = (0..24).flat_map(|row| [row; 7]).collect();
    let duplicated = normals.rows(&rows);
    for config in every_backend() {
        let scores = duplicated.scores(&config, far_away(3).view());
        assert!(scores.iter().all(|score| score.is_finite()), "{config:?}: {scores:?}");
        let held_out = config.held_out_scores(&duplicated.references()).unwrap();
        assert!(held_out.iter().all(|score| score.is_finite()), "{config:?}: {held_out:?}");
    }
    let nearest = BackendConfig::Knn(KnnConfig::default());
    let (once, often) = (
        normals.scores(&nearest, far_away(3).view()),
        duplicated.scores(&nearest, far_away(3).view()),
    );
    assert_eq!(once, often);
}

#[test]
fn few_or_constant_references_still_rank_far_above_near() {
    let few = [
        ("one clip", Owned::new(1, 0)),
        ("one target clip", Owned::new(0, 1)),
        ("two clips", Owned::new(2, 0)),
        ("no target", Owned::new(12, 0)),
        ("no source", Owned::new(0, 12)),
        ("constant", Owned::new(12, 3).rows(&[0; 9])),
    ];
    for (what, normals) in &few {
        for config in every_comparing_backend() {
            let near = normals.scores(&config, normals.embeddings.slice(s![..1, ..]))[0];
            let far = normals.scores(&config, far_away(1).view())[0];
            assert!(near.is_finite() && far > near, "{what}: {config:?} {near} {far}");
            let held_out = config.held_out_scores(&normals.references()).unwrap();
            assert!(held_out.iter().all(|score| score.is_finite()), "{what}: {config:?}");
        }
    }
}

#[test]
fn unknown_domains_count_as_source() {
    let known = Owned::new(20, 0);
    let mut unknown = known.clone();
    unknown.domains.fill(None);
    for config in every_backend() {
        let queries = far_away(3);
        let (a, b) =
            (known.scores(&config, queries.view()), unknown.scores(&config, queries.view()));
        assert_eq!(a, b, "{config:?}");
    }
}

#[test]
fn held_out_scores_never_see_their_own_recording() {
    // Two identical clips of one recording: each would be found in the other.
    let mut normals = Owned::new(20, 0);
    let copy = normals.embeddings.row(0).to_owned();
    normals.embeddings.row_mut(1).assign(&copy);
    for distance in DISTANCES {
        let config = BackendConfig::Knn(KnnConfig { neighbors: 1, distance });
        assert!(config.held_out_scores(&normals.references()).unwrap()[0] < 1e-6);
        let mut together = normals.clone();
        together.groups[1] = normals.groups[0].clone();
        assert!(config.held_out_scores(&together.references()).unwrap()[0] > 1e-4, "{config:?}");
    }
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let normals = Owned::new(5, 0);
    let mut broken = normals.clone();
    broken.embeddings[[2, 3]] = f32::NAN;
    let make = |owned: &Owned| {
        References::new(owned.embeddings.view(), &owned.domains, &owned.groups, Seed::new(0))
            .map(|_| ())
    };
    assert!(matches!(
        make(&broken),
        Err(ScoreError::NonFinite { clip_index: 2, dimension: 3, .. })
    ));
    assert_eq!(make(&normals.rows(&[])), Err(ScoreError::NoReferences));
    let mut short = normals.clone();
    short.domains.pop();
    assert!(matches!(make(&short), Err(ScoreError::Length { what: "domains", .. })));
    for config in every_backend() {
        let backend = config.fit(&normals.references()).unwrap();
        let nan = backend.score(broken.embeddings.view());
        assert!(matches!(nan, Err(ScoreError::NonFinite { .. })));
        let narrow = backend.score(normals.embeddings.slice(s![.., ..3]));
        assert_eq!(narrow, Err(ScoreError::Dimensions { found: 3, expected: 8 }));
    }
}

#[test]
fn fewer_clips_than_asked_for_is_a_warning() {
    let normals = Owned::new(5, 2);
    let fit = |name: &str| {
        let backend = BackendConfig::from_name(name).unwrap().fit(&normals.references()).unwrap();
        backend.warnings().to_vec()
    };
    let fewer = |backend, what, used| vec![Warning::Fewer { backend, what, wanted: 16, used }];
    assert_eq!(fit("k-means"), fewer("k-means", "means", 5));
    assert_eq!(fit("gmm"), fewer("gmm", "components", 7));
    assert_eq!(fit("knn"), vec![]);
}

#[test]
fn settings_out_of_range_and_unknown_names_are_refused() {
    let normals = Owned::new(5, 2);
    for text in [
        r#"{"knn":{"neighbors":0}}"#,
        r#"{"k-means":{"means":0}}"#,
        r#"{"gmm":{"regularization":0.0}}"#,
        r#"{"knn-smote":{"target_share":-1.0}}"#,
        r#"{"fusion":{"members":[]}}"#,
        r#"{"column":{"column":8}}"#,
        r#"{"domain-norm":{"of":{"knn":{"neighbors":0}}}}"#,
        r#"{"knn":{"neighbors":1000000000000}}"#,
        r#"{"k-means":{"restarts":18446744073709551615}}"#,
        r#"{"gmm":{"components":10001}}"#,
        r#"{"local-density":{"neighbors":0}}"#,
        r#"{"shrunk-mahalanobis":{"floor":0.0}}"#,
        r#"{"shrunk-mahalanobis":{"floor":1e300}}"#,
        r#"{"sub-band":{"bands":0}}"#,
        r#"{"sub-band":{"spectra":3}}"#,
        r#"{"var-min":{"neighbors":0}}"#,
        r#"{"var-min":{"spectra":17}}"#,
        r#"{"domain-norm":{"of":{"domain-norm":{"of":{"domain-norm":{}}}}}}"#,
    ] {
        let config: BackendConfig = serde_json::from_str(text).unwrap();
        // What depends on the embeddings is found when they are there, all else before.
        let needs_data = text.contains("column") || text.contains(r#""spectra":3"#);
        assert_eq!(config.check().is_ok(), needs_data, "{text}");
        let result = config.fit(&normals.references());
        assert!(matches!(result, Err(ScoreError::Setting { .. })), "{text}");
    }
    let unknown = BackendConfig::from_name("nearest").unwrap_err().to_string();
    assert!(unknown.contains("k-means, knn, knn-smote"), "{unknown}");
    assert!(serde_json::from_str::<BackendConfig>(r#"{"knn":{"neighbours":1}}"#).is_err());
}

/// A backend of another crate: the first number of an embedding above the references' mean.
#[derive(Debug)]
struct AboveMean;

#[derive(Debug)]
struct Above(f64);

impl BackendKind for AboveMean {
    fn fit(&self, fitting: &mut Fitting) -> Result<Box<dyn FittedBackend>, ScoreError> {
        let firsts = fitting.embeddings().column(0).mapv(f64::from);
        Ok(Box::new(Above(firsts.mean().unwrap_or(0.0))))
    }

    fn is_signed(&self) -> bool {
        true
    }
}

impl FittedBackend for Above {
    fn score(&self, embeddings: ArrayView2<f32>) -> Vec<f64> {
        embeddings.column(0).iter().map(|&value| f64::from(value) - self.0).collect()
    }
}

#[test]
fn a_backend_of_another_crate_enters_by_name() {
    let normals = Owned::new(20, 4);
    let registry = BackendRegistry::default().with("above-mean", std::sync::Arc::new(AboveMean));
    for text in [
        r#"{"custom":"above-mean"}"#,
        r#"{"domain-norm":{"of":{"custom":"above-mean"}}}"#,
        r#"{"fusion":{"members":[{"knn":{}},{"custom":"above-mean"}]}}"#,
    ] {
        let config: BackendConfig = serde_json::from_str(text).unwrap();
        let unresolved = config.fit(&normals.references()).map(|_| ());
        assert!(matches!(unresolved, Err(ScoreError::UnknownBackend { .. })), "{text}");
        let config = config.resolved(&registry).unwrap();
        config.check().unwrap();
        let scores = normals.scores(&config, far_away(3).view());
        assert!(scores.iter().all(|score| score.is_finite()));
        assert_eq!(config.held_out_scores(&normals.references()).unwrap().len(), 24);
        let again: BackendConfig =
            serde_json::from_str(&serde_json::to_string(&config).unwrap()).unwrap();
        assert_eq!(again, config);
    }
    let unknown: BackendConfig = serde_json::from_str(r#"{"custom":"below-mean"}"#).unwrap();
    let error = unknown.resolved(&registry).unwrap_err().to_string();
    assert!(error.contains("below-mean") && error.contains("above-mean"), "{error}");
}

#[test]
fn every_backend_comes_back_from_its_config_as_it_was() {
    for config in every_backend() {
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<BackendConfig>(&text).unwrap(), config);
        assert!(text.starts_with(&format!(r#"{{"{}""#, config.name())), "{text}");
    }
}

#[test]
fn a_column_is_the_score_itself_and_nothing_else_moves_it() {
    let normals = Owned::new(20, 4);
    let queries = far_away(5);
    for column in [0, 6] {
        let config = BackendConfig::Column(ColumnConfig { column });
        let expected: Vec<f64> = queries.column(column).iter().map(|&x| f64::from(x)).collect();
        assert_eq!(normals.scores(&config, queries.view()), expected);
        assert_eq!(normals.rows(&[3]).scores(&config, queries.view()), expected);
        let held_out = config.held_out_scores(&normals.references()).unwrap();
        assert_eq!(held_out, normals.scores(&config, normals.embeddings.view()));
    }
}

#[test]
fn domain_norm_and_density_bring_the_target_down_to_the_source() {
    let mut normals = Owned::new(60, 10);
    // Target clips scatter five times as wide.
    for row in 60..70 {
        let mut embedding = normals.embeddings.row_mut(row);
        embedding.mapv_inplace(|value| value * 5.0);
    }
    let gap = |config: &BackendConfig| {
        let held_out = config.held_out_scores(&normals.references()).unwrap();
        let mean = |scores: &[f64]| scores.iter().sum::<f64>() / scores.len() as f64;
        let source = mean(&held_out[..60]);
        let spread = mean(&held_out[..60].iter().map(|s| (s - source).abs()).collect::<Vec<_>>());
        (mean(&held_out[60..]) - source) / spread
    };
    let in_euclid =
        |name: &str| BackendConfig::from_name(name).unwrap().with_distance(Distance::Euclidean);
    let plain = gap(&in_euclid("knn"));
    for name in ["domain-norm", "local-density", "var-min"] {
        let normed = gap(&in_euclid(name));
        assert!(normed.abs() < 0.2 * plain, "{name}: {normed} against {plain}");
    }
}
