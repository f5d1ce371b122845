//! Laws of t-SNE, and golden numbers from openTSNE.

use std::{fs, ops::ControlFlow, path::Path};

use ndarray::{Array2, ArrayView2, Axis, s};
use offkey_core::Seed;
use offkey_report::tsne::{Distance, Method, TsneConfig, TsneError, TsneMap, nearest};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    perplexity: f64,
    groups: Vec<usize>,
    points: Vec<Vec<f32>>,
    runs: Runs,
}

#[derive(Deserialize)]
struct Runs {
    cosine: Run,
    euclidean: Run,
}

#[derive(Deserialize)]
struct Run {
    kl: f64,
    kept: f64,
}

fn golden() -> Golden {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/golden/tsne.json");
    let text = fs::read_to_string(path).expect("the golden file is part of the repository");
    serde_json::from_str(&text).expect("the golden file has the form its script writes")
}

fn points(golden: &Golden) -> Array2<f32> {
    let flat: Vec<f32> = golden.points.concat();
    Array2::from_shape_vec((golden.points.len(), golden.points[0].len()), flat)
        .expect("all points have the same dimensions")
}

fn fit(config: &TsneConfig, points: ArrayView2<f32>) -> TsneMap {
    config.fit(points, Seed::new(1), |_, _| ControlFlow::Continue(())).expect("valid points")
}

fn unit_rows(points: &Array2<f32>) -> Array2<f32> {
    let mut rows = points.clone();
    for mut row in rows.rows_mut() {
        let length = row.dot(&row).sqrt();
        row /= length;
    }
    rows
}

/// Mean share of the ten nearest neighbours in space that are among the ten nearest on the map.
fn kept(points: &Array2<f32>, distance: Distance, map: &TsneMap) -> f64 {
    let points = if distance == Distance::Cosine { unit_rows(points) } else { points.clone() };
    let before = nearest(points.view(), points.view(), distance, 10, true);
    let places = map.positions().view();
    let after = nearest(places, places, Distance::Euclidean, 10, true);
    let shared = |point: usize| {
        before.of(point).0.iter().filter(|index| after.of(point).0.contains(index)).count()
    };
    (0..points.nrows()).map(shared).sum::<usize>() as f64 / (10 * points.nrows()) as f64
}

#[test]
fn maps_are_at_least_as_good_as_those_of_open_tsne() {
    let golden = golden();
    let points = points(&golden);
    for (distance, run) in
        [(Distance::Cosine, &golden.runs.cosine), (Distance::Euclidean, &golden.runs.euclidean)]
    {
        let config =
            TsneConfig { perplexity: golden.perplexity, distance, ..TsneConfig::default() };
        let maps = [0, 1, 2].map(|seed| {
            config
                .fit(points.view(), Seed::new(seed), |_, _| ControlFlow::Continue(()))
                .expect("valid points")
        });
        let kl = maps.iter().map(TsneMap::kl).fold(f64::INFINITY, f64::min);
        let kept = maps.iter().map(|map| kept(&points, distance, map)).fold(0.0, f64::max);
        // Both sides are the best of three seeds; seeds differ by about one per cent.
        assert!(kl < 1.01 * run.kl, "{distance:?}: {kl} against {}", run.kl);
        assert!(kept > 0.98 * run.kept, "{distance:?}: {kept} against {}", run.kept);
    }
}

#[test]
fn barnes_hut_is_as_good_as_the_exact_twin() {
    let golden = golden();
    let points = points(&golden);
    let with = |method| {
        let config = TsneConfig { perplexity: 10.0, method, ..TsneConfig::default() };
        fit(&config, points.slice(s![..150, ..]))
    };
    let (exact, fast) = (with(Method::Exact), with(Method::default()));
    // Affinities beyond three perplexities of neighbours are left out by the fast method.
    assert!((fast.kl() / exact.kl() - 1.0).abs() < 0.05, "{} {}", fast.kl(), exact.kl());
}

#[test]
fn neighbours_on_the_map_are_of_the_same_group() {
    let golden = golden();
    let points = points(&golden);
    let map = fit(&TsneConfig { perplexity: 20.0, ..TsneConfig::default() }, points.view());
    let places = map.positions().view();
    let of_map = nearest(places, places, Distance::Euclidean, 1, true);
    let unit = unit_rows(&points);
    let of_space = nearest(unit.view(), unit.view(), Distance::Cosine, 1, true);
    let right = |neighbors: &offkey_report::tsne::Neighbors| {
        let same = |p: &usize| golden.groups[*p] == golden.groups[neighbors.of(*p).0[0] as usize];
        (0..golden.groups.len()).filter(same).count()
    };
    assert!(right(&of_map) + 4 >= right(&of_space), "{} {}", right(&of_map), right(&of_space));
}

#[test]
fn bytes_depend_on_the_seed_but_not_on_the_thread_count() {
    let golden = golden();
    let points = points(&golden);
    let config = TsneConfig { early_steps: 60, steps: 60, ..TsneConfig::default() };
    let with = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a small pool").install(|| {
            config
                .fit(points.view(), Seed::new(seed), |_, _| ControlFlow::Continue(()))
                .expect("valid points")
        })
    };
    assert_eq!(with(1, 3), with(3, 3));
    assert_ne!(with(1, 3).positions(), with(1, 4).positions());
}

#[test]
fn placed_points_join_their_group() {
    let golden = golden();
    let points = points(&golden);
    let (fitted, new) = points.view().split_at(Axis(0), 300);
    let map = fit(&TsneConfig { perplexity: 20.0, ..TsneConfig::default() }, fitted);
    let placed = map.place(new).expect("points of the same space");
    let beside = nearest(placed.view(), map.positions().view(), Distance::Euclidean, 1, false);
    let joined = (0..60)
        .filter(|&p| golden.groups[300 + p] == golden.groups[beside.of(p).0[0] as usize])
        .count();
    assert!(joined >= 54, "{joined} of 60");
    let alone = map.place(new.slice(s![7..8, ..])).expect("points of the same space");
    assert_eq!(alone.row(0), placed.row(7), "a place does not depend on other new points");
    assert_eq!(map.place(new.slice(s![0..0, ..])).expect("no points are fine").nrows(), 0);
}

#[test]
fn a_fitted_point_is_placed_where_it_is() {
    let golden = golden();
    let points = points(&golden);
    let map = fit(&TsneConfig { perplexity: 20.0, ..TsneConfig::default() }, points.view());
    let again = map.place(points.view()).expect("points of the same space");
    let spread = map.positions().std(0.0);
    let moved = (&again - map.positions()).mapv(f32::abs).mean().expect("not empty");
    assert!(moved < 0.25 * spread, "{moved} of a spread of {spread}");
}

#[test]
fn coinciding_points_are_arranged_without_fail() {
    let map = fit(
        &TsneConfig { perplexity: 3.0, early_steps: 30, steps: 30, ..TsneConfig::default() },
        Array2::zeros((20, 4)).view(),
    );
    assert!(map.positions().iter().all(|place| place.is_finite()) && map.kl().is_finite());
}

#[test]
fn nearest_neighbours_are_those_of_a_plain_search() {
    let golden = golden();
    let points = points(&golden);
    let (queries, references) = points.view().split_at(Axis(0), 70);
    let found = nearest(queries, references, Distance::Euclidean, 7, false);
    for (query, row) in queries.rows().into_iter().enumerate() {
        let mut all: Vec<(f64, u32)> = references
            .rows()
            .into_iter()
            .zip(0..)
            .map(|(other, index)| {
                let square = row.iter().zip(other).map(|(a, b)| f64::from(a - b).powi(2));
                (square.sum::<f64>().sqrt(), index)
            })
            .collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let expected: Vec<u32> = all[..7].iter().map(|neighbor| neighbor.1).collect();
        assert_eq!(found.of(query).0, expected);
    }
}

#[test]
fn wrong_use_is_an_error() {
    let points = Array2::from_shape_fn((30, 3), |(row, axis)| (row * (axis + 2)) as f32);
    let with = |config: &TsneConfig, points: ArrayView2<f32>| {
        config.fit(points, Seed::new(0), |_, _| ControlFlow::Continue(()))
    };
    let config = TsneConfig { perplexity: 5.0, early_steps: 5, steps: 5, ..TsneConfig::default() };
    let few = with(&config, points.slice(s![..3, ..]));
    assert_eq!(few, Err(TsneError::TooFew { found: 3, expected: 4 }));
    for perplexity in [0.5, 30.0, f64::NAN] {
        let wide = with(&TsneConfig { perplexity, ..config.clone() }, points.view());
        assert!(matches!(wide, Err(TsneError::Perplexity { .. })), "{perplexity}");
    }
    let mut broken = points.clone();
    broken[(12, 1)] = f32::NAN;
    assert_eq!(with(&config, broken.view()), Err(TsneError::NotFinite { row: 12 }));
    let stopped = config.fit(points.view(), Seed::new(0), |step, _| {
        if step == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(stopped, Err(TsneError::Stopped { step: 3, steps: 10 }));
    let map = with(&config, points.view()).expect("valid points");
    let other = map.place(Array2::zeros((1, 2)).view());
    assert_eq!(other, Err(TsneError::Dims { found: 2, expected: 3 }));
}
