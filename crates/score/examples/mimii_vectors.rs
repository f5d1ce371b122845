//! Measures every backend on averaged log-mel vectors of real machines with a real domain shift.
//!
//! `cargo run --release -p offkey-score --example mimii_vectors [ROTATIONS [NAME [TARGETS]]]`
//! prints one table, of those backends whose name contains NAME. The data lie in `$OFFKEY_TEST_DATA/mimii_vectors` (`../shared/data` without the variable): per
//! machine id, signal-to-noise ratio and condition one array `[recordings, 128]`. Two thirds of
//! the normals train: source at +6 dB, TARGETS (ten) recordings at -6 dB. The rest and all anomalies
//! test, at both. Rotation `r` of five starts the split at row `r/5`. Labels are used for the
//! numbers alone.

#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

use std::{
    error::Error,
    path::{Path, PathBuf},
    time::Instant,
};

use ndarray::{Array2, Axis, concatenate};
use offkey_core::{Domain, Seed, table::read_npy};
use offkey_eval::auc;
use offkey_score::{
    BackendConfig, CovarianceOf, DensityNorm, Distance, DomainNormConfig, FittedTo, FusionConfig,
    KnnConfig, LocalDensityConfig, MahalanobisConfig, References,
};

const MACHINES: [(&str, &str); 4] = [("fan", "00"), ("fan", "02"), ("pump", "00"), ("pump", "02")];
const ROTATIONS: usize = 5;
const TARGETS: usize = 10;

/// One machine id and rotation.
struct Split {
    /// Source references first, then the target's.
    references: Array2<f32>,
    domains: Vec<Option<Domain>>,
    groups: Vec<String>,
    source_normals: Array2<f32>,
    target_normals: Array2<f32>,
    /// Of both domains, as the official metric takes them.
    anomalies: Array2<f32>,
}

/// Official AUC of source, target, and both.
type Aucs = [f64; 3];

fn main() -> Result<(), Box<dyn Error>> {
    let rotations = std::env::args().nth(1).map_or(Ok(ROTATIONS), |text| text.parse())?;
    let targets = std::env::args().nth(3).map_or(Ok(TARGETS), |text| text.parse())?;
    let mut splits: Vec<Vec<Split>> = Vec::new();
    for (machine, id) in MACHINES {
        let split = |rotation| Split::read(machine, id, rotation, targets);
        splits.push((0..rotations).map(split).collect::<Result<_, _>>()?);
    }
    println!(
        "| backend | distance | source | target | both | target: {} | seconds |",
        MACHINES.map(|(machine, id)| format!("{machine} {id}")).join(", ")
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let wanted = std::env::args().nth(2).unwrap_or_default();
    for (name, config, distance) in configs() {
        if !name.contains(&wanted) {
            continue;
        }
        let start = Instant::now();
        let mut by_machine: Vec<Vec<Aucs>> = Vec::new();
        for machine in &splits {
            let of_machine = machine.iter().map(|split| split.measure(&config));
            by_machine.push(of_machine.collect::<Result<_, _>>()?);
        }
        let seconds = start.elapsed().as_secs_f64() / (MACHINES.len() * rotations) as f64;
        print_row(&name, distance, &by_machine, seconds);
    }
    Ok(())
}

/// Means over machines with the deviation over rotations, and the target AUC of each machine.
fn print_row(name: &str, distance: Distance, by_machine: &[Vec<Aucs>], seconds: f64) {
    let rotations = by_machine[0].len();
    let column = |index: usize| {
        let trial = |r: usize| mean(by_machine.iter().map(|machine| machine[r][index]));
        let trials: Vec<f64> = (0..rotations).map(trial).collect();
        let center = mean(trials.iter().copied());
        let squares: f64 = trials.iter().map(|trial| (trial - center).powi(2)).sum();
        let deviation = (squares / (rotations.max(2) - 1) as f64).sqrt();
        format!("{center:.3} ± {deviation:.3}")
    };
    let target = |machine: &Vec<Aucs>| format!("{:.2}", mean(machine.iter().map(|aucs| aucs[1])));
    println!(
        "| {name} | {} | {} | {} | {} | {} | {seconds:.2} |",
        format!("{distance:?}").to_lowercase(),
        column(0),
        column(1),
        column(2),
        by_machine.iter().map(target).collect::<Vec<_>>().join(", ")
    );
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

/// Every backend in every distance, then the variants.
fn configs() -> Vec<(String, BackendConfig, Distance)> {
    let distances =
        [Distance::Cosine, Distance::Euclidean, Distance::Standardized, Distance::Whitened];
    let mut configs = Vec::new();
    for config in BackendConfig::all().into_iter().filter(|config| config.name() != "column") {
        for distance in distances {
            configs.push((
                config.name().to_owned(),
                config.clone().with_distance(distance),
                distance,
            ));
        }
    }
    for (name, config) in variants() {
        for distance in [Distance::Standardized, Distance::Whitened] {
            configs.push((name.to_owned(), config.clone().with_distance(distance), distance));
        }
    }
    configs
}

fn variants() -> Vec<(&'static str, BackendConfig)> {
    let knn = BackendConfig::Knn(KnnConfig::default());
    let mahalanobis = BackendConfig::Mahalanobis(MahalanobisConfig::default());
    let density = |neighbors, norm| {
        let config = LocalDensityConfig { neighbors, norm, ..LocalDensityConfig::default() };
        BackendConfig::LocalDensity(config)
    };
    let source_norm = |of: &BackendConfig| {
        BackendConfig::DomainNorm(DomainNormConfig {
            of: Box::new(of.clone()),
            fitted_to: FittedTo::Source,
            ..DomainNormConfig::default()
        })
    };
    let each = MahalanobisConfig { covariance: CovarianceOf::Each, ..MahalanobisConfig::default() };
    vec![
        ("mahalanobis, covariance each", BackendConfig::Mahalanobis(each)),
        ("local-density, ratio, 1", density(1, DensityNorm::Ratio)),
        ("local-density, ratio, 16", density(16, DensityNorm::Ratio)),
        ("local-density, difference, 4", density(4, DensityNorm::Difference)),
        (
            "domain-norm of mahalanobis",
            BackendConfig::DomainNorm(DomainNormConfig {
                of: Box::new(mahalanobis.clone()),
                ..DomainNormConfig::default()
            }),
        ),
        ("domain-norm of source knn", source_norm(&knn)),
        ("domain-norm of source mahalanobis", source_norm(&mahalanobis)),
        (
            "fusion of mahalanobis and domain-norms",
            BackendConfig::Fusion(FusionConfig {
                members: vec![mahalanobis.clone(), source_norm(&mahalanobis), source_norm(&knn)],
                ..FusionConfig::default()
            }),
        ),
    ]
}

impl Split {
    fn read(
        machine: &str,
        id: &str,
        rotation: usize,
        targets: usize,
    ) -> Result<Self, Box<dyn Error>> {
        let array = |snr: &str, condition: &str| {
            read_npy(&folder().join(format!("{machine}_id_{id}_snr_{snr}_{condition}.npy")))
        };
        let (clean, noisy) = (array("p6db", "normal")?, array("m6db", "normal")?);
        let recordings = clean.nrows();
        let first = rotation * recordings / ROTATIONS;
        let rows: Vec<usize> = (0..recordings).map(|row| (row + first) % recordings).collect();
        let (train, test) = rows.split_at(2 * recordings / 3);
        let (targets, sources) = train.split_at(targets.min(train.len()));
        let references = [clean.select(Axis(0), sources), noisy.select(Axis(0), targets)];
        let domains =
            [vec![Some(Domain::Source); sources.len()], vec![Some(Domain::Target); targets.len()]];
        Ok(Self {
            references: concatenate(Axis(0), &[references[0].view(), references[1].view()])?,
            domains: domains.concat(),
            groups: sources.iter().chain(targets).map(|row| format!("{row:05}")).collect(),
            source_normals: clean.select(Axis(0), test),
            target_normals: noisy.select(Axis(0), test),
            anomalies: concatenate(
                Axis(0),
                &[array("p6db", "anomaly")?.view(), array("m6db", "anomaly")?.view()],
            )?,
        })
    }

    fn measure(&self, config: &BackendConfig) -> Result<Aucs, Box<dyn Error>> {
        let seed = Seed::new(0);
        let references =
            References::new(self.references.view(), &self.domains, &self.groups, seed)?;
        let backend = config.fit(&references)?;
        let source = backend.score(self.source_normals.view())?;
        let target = backend.score(self.target_normals.view())?;
        let anomalies = backend.score(self.anomalies.view())?;
        let both = [source.as_slice(), target.as_slice()].concat();
        let auc = |normals: &[f64]| auc(normals, &anomalies).ok_or("a condition is absent");
        Ok([auc(&source)?, auc(&target)?, auc(&both)?])
    }
}

fn folder() -> PathBuf {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let root = std::env::var("OFFKEY_TEST_DATA").unwrap_or_else(|_| default.to_owned());
    Path::new(&root).join("mimii_vectors")
}
