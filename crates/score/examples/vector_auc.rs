//! AUC of backends on vectors, for few and many normal recordings:
//! `vector_auc FOLDER [SEEDS]` reads pairs `NAME_normal.npy` and `NAME_anomaly.npy` (`[clips, dims]`,
//! natural logarithm of power) and prints one CSV row per backend and number of references, the mean over pairs and seeds.
//!
//! References are drawn from the first two thirds of the normals; the last third and all
//! anomalies are scored.
#![expect(clippy::print_stdout, reason = "the table is the program's result")]

use std::{error::Error, fs, path::Path};

use ndarray::{Array2, ArrayView2, Axis, concatenate, s};
use offkey_core::{Seed, npy};
use offkey_score::{BackendConfig, Fusion, Member, References, Rule};
use rand::seq::SliceRandom;

/// One decibel in natural logarithms of power: the floors below are stated in decibels.
const DB: f64 = std::f64::consts::LN_10 / 10.0;

/// Backends by name; several are joined by the mean of their z.
fn detectors() -> Result<Vec<(String, Vec<BackendConfig>)>, serde_json::Error> {
    let floor = 0.3 * DB;
    let shrunk = format!(r#"{{"shrunk-mahalanobis":{{"floor":{floor}}}}}"#);
    let density = r#"{"local-density":{"neighbors":3,"distance":"standardized"}}"#;
    let rows: Vec<(&str, Vec<&str>)> = vec![
        ("nearest, standardised", vec![r#"{"knn":{"distance":"standardized"}}"#]),
        ("nearest, cosine", vec![r#"{"knn":{}}"#]),
        ("local density 3, standardised", vec![density]),
        (
            "local density 1, standardised",
            vec![r#"{"local-density":{"neighbors":1,"distance":"standardized"}}"#],
        ),
        ("mahalanobis", vec![r#"{"mahalanobis":{"distance":"euclidean"}}"#]),
        ("shrunk mahalanobis", vec![&shrunk]),
        ("8 bands, standardised", vec![r#"{"sub-band":{"bands":8,"distance":"standardized"}}"#]),
        ("variance minimum, standardised", vec![r#"{"var-min":{"distance":"standardized"}}"#]),
        ("variance minimum, 8 bands", vec![r#"{"var-min":{"bands":8,"distance":"standardized"}}"#]),
        ("local density 3 + shrunk mahalanobis", vec![density, &shrunk]),
    ];
    let parsed = |(name, texts): (&str, Vec<&str>)| {
        let backends = texts.iter().map(|text| serde_json::from_str(text));
        Ok((name.to_owned(), backends.collect::<Result<_, _>>()?))
    };
    rows.into_iter().map(parsed).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("expected a folder of .npy arrays")?;
    let seeds: u64 = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let pairs = read_pairs(Path::new(&folder))?;
    let detectors = detectors()?;
    println!("detector,references,auc");
    for references in [10, 30, 100] {
        for (name, backends) in &detectors {
            let mut aucs = Vec::new();
            for (normals, anomalies) in &pairs {
                for seed in 0..seeds {
                    aucs.push(auc_of(backends, normals, anomalies, references, Seed::new(seed))?);
                }
            }
            let mean = aucs.iter().sum::<f64>() / aucs.len() as f64;
            println!("{name},{references},{mean:.4}");
        }
    }
    Ok(())
}

type Pair = (Array2<f32>, Array2<f32>);

fn read_pairs(folder: &Path) -> Result<Vec<Pair>, Box<dyn Error>> {
    let mut normals: Vec<_> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    normals.retain(|path| path.to_string_lossy().ends_with("_normal.npy"));
    normals.sort();
    if normals.is_empty() {
        return Err(format!("no *_normal.npy in `{}`", folder.display()).into());
    }
    let pair = |path: &std::path::PathBuf| {
        let anomalies = path.to_string_lossy().replace("_normal.npy", "_anomaly.npy");
        Ok((npy::read(path)?, npy::read(Path::new(&anomalies))?))
    };
    normals.iter().map(pair).collect()
}

fn auc_of(
    backends: &[BackendConfig],
    normals: &Array2<f32>,
    anomalies: &Array2<f32>,
    references: usize,
    seed: Seed,
) -> Result<f64, Box<dyn Error>> {
    let known = normals.nrows() * 2 / 3;
    let mut rows: Vec<usize> = (0..known).collect();
    rows.shuffle(&mut seed.rng());
    rows.truncate(references);
    let embeddings = normals.select(Axis(0), &rows);
    let domains = vec![None; rows.len()];
    let groups: Vec<String> = rows.iter().map(|row| format!("{row:06}")).collect();
    let references = References::new(embeddings.view(), &domains, &groups, seed)?;
    let tested = concatenate![Axis(0), normals.slice(s![known.., ..]), *anomalies];
    let scores = match backends {
        [one] => one.fit(&references)?.score(tested.view())?,
        several => {
            let members: Vec<Member> = several
                .iter()
                .map(|backend| Member {
                    name: backend.name().to_owned(),
                    backend: backend.clone(),
                    references,
                })
                .collect();
            let views: Vec<ArrayView2<f32>> = vec![tested.view(); members.len()];
            Fusion::fit(&members, Rule::Mean)?.score(&views)?
        }
    };
    Ok(auc(&scores[..normals.nrows() - known], &scores[normals.nrows() - known..]))
}

/// Share of pairs in which the anomaly scores higher; ties count half.
fn auc(normal: &[f64], anomalous: &[f64]) -> f64 {
    let mut sorted = normal.to_vec();
    sorted.sort_by(f64::total_cmp);
    let below = |&score: &f64| {
        let less = sorted.partition_point(|&other| other < score);
        let not_more = sorted.partition_point(|&other| other <= score);
        f64::midpoint(less as f64, not_more as f64)
    };
    anomalous.iter().map(below).sum::<f64>() / (normal.len() * anomalous.len()) as f64
}
