//! Published per-clip scores and the published results made of them: every row must come out.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests panic, and say when they skip"
)]

use std::path::{Path, PathBuf};

use offkey_core::{Year, score_files::read_score_files, stats};
use offkey_eval::{MetricMeans, Metrics, SectionMetrics, evaluate_with, harmonic_mean};

/// As printed by the publishers, whose own sums round differently.
const TOLERANCE: f64 = 1e-9;

#[test]
fn every_published_row_of_2021_is_reproduced() {
    for name in ["dcase2021_dev_autoencoder", "dcase2021_dev_mobilenetv2"] {
        let Some(folder) = test_folder(name) else { return };
        let metrics = evaluate(&folder, Some(Year::Y2021));
        let published = published(&folder);
        assert_eq!(published.iter().filter(|row| !row.is_mean()).count(), 42, "{name}");
        assert_eq!(metrics.per_section.len(), 42, "{name}");
        for row in &published {
            row.check(&metrics);
        }
    }
}

#[test]
fn every_published_row_of_mlperf_tiny_is_reproduced() {
    let Some(folder) = test_folder("mlperf_tiny_toycar") else { return };
    let metrics = evaluate(&folder, Some(Year::Y2020));
    let published = published(&folder);
    assert_eq!(published.len(), 5);
    for row in &published {
        row.check(&metrics);
    }
}

#[test]
fn the_year_is_recognised_from_published_names() {
    for (name, year) in
        [("dcase2021_dev_autoencoder", Year::Y2021), ("mlperf_tiny_toycar", Year::Y2020)]
    {
        let Some(folder) = test_folder(name) else { return };
        assert_eq!(evaluate(&folder, None).year, Some(year));
    }
}

fn evaluate(folder: &Path, year: Option<Year>) -> Metrics {
    evaluate_with(&read_score_files(folder).unwrap().rows, year, None).unwrap()
}

fn test_folder(name: &str) -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let root = std::env::var("OFFKEY_TEST_DATA").unwrap_or_else(|_| default.to_owned());
    let folder = Path::new(&root).join("metrics").join(name);
    if !folder.is_dir() {
        eprintln!("skipped: {} absent", folder.display());
        return None;
    }
    Some(folder)
}

/// One line of a published result: section and domain (or the name of a mean), then numbers.
struct PublishedRow {
    machine: String,
    section: String,
    domain: String,
    numbers: Vec<f64>,
}

/// Blocks of a machine's name, a header, and rows; at the end means over everything.
fn published(folder: &Path) -> Vec<PublishedRow> {
    let path = folder.join("result.csv");
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_path(path).unwrap();
    let mut machine = String::new();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.unwrap();
        let fields: Vec<&str> = record.iter().map(str::trim).collect();
        match fields.as_slice() {
            [name] => (*name).clone_into(&mut machine),
            ["section" | "id" | "", ..] => {}
            fields => rows.push(row(&machine, fields)),
        }
    }
    rows
}

fn row(machine: &str, fields: &[&str]) -> PublishedRow {
    let has_domain = fields[1].parse::<f64>().is_err();
    let numbers = if has_domain { &fields[2..] } else { &fields[1..] };
    PublishedRow {
        machine: machine.to_owned(),
        section: fields[0].to_owned(),
        domain: if has_domain { fields[1].to_owned() } else { String::new() },
        numbers: numbers.iter().map(|number| number.parse().unwrap()).collect(),
    }
}

impl PublishedRow {
    fn is_mean(&self) -> bool {
        self.section.starts_with(|first: char| first.is_alphabetic())
    }

    fn check(&self, metrics: &Metrics) {
        let found = if self.is_mean() { self.mean(metrics) } else { self.row(metrics) };
        for (column, (&expected, found)) in self.numbers.iter().zip(found).enumerate() {
            let found = found.unwrap();
            assert!(
                (found - expected).abs() < TOLERANCE,
                "{} {} {} column {column}: {found} != {expected}",
                self.machine,
                self.section,
                self.domain
            );
        }
    }

    fn row(&self, metrics: &Metrics) -> [Option<f64>; 5] {
        let domain = |row: &SectionMetrics| row.domain.map(|d| d.to_string()).unwrap_or_default();
        let is_same = |row: &&SectionMetrics| {
            row.machine == self.machine && row.section == self.section && domain(row) == self.domain
        };
        let row = metrics.per_section.iter().find(is_same).unwrap();
        [row.auc, row.pauc, row.precision, row.recall, row.f1]
    }

    fn mean(&self, metrics: &Metrics) -> [Option<f64>; 5] {
        if let Some((kind, _)) = self.section.split_once(" mean over all") {
            return total(metrics, kind);
        }
        let machine = metrics.per_machine.iter().find(|row| row.machine == self.machine).unwrap();
        let MetricMeans { auc, pauc, precision, recall, f1, .. } = match self.section.as_str() {
            "arithmetic mean" | "Average" => machine.arithmetic,
            "harmonic mean" => machine.harmonic,
            other => panic!("unknown mean `{other}`"),
        };
        [auc, pauc, precision, recall, f1]
    }
}

fn total(metrics: &Metrics, kind: &str) -> [Option<f64>; 5] {
    let mean = match kind {
        "arithmetic" => stats::mean,
        "harmonic" => harmonic_mean,
        other => panic!("unknown mean `{other}`"),
    };
    let columns: [fn(&SectionMetrics) -> Option<f64>; 5] =
        [|row| row.auc, |row| row.pauc, |row| row.precision, |row| row.recall, |row| row.f1];
    columns.map(|column| mean(&metrics.per_section.iter().filter_map(column).collect::<Vec<_>>()))
}
