//! References in an order of their own, so that nothing depends on the order they came in.

use std::collections::BTreeMap;

use ndarray::{Array2, Axis};
use offkey_core::{Domain, Seed};

use crate::References;

/// Folds in which references are scored by the others.
const FOLDS: usize = 5;

/// Owned references in canonical order: by domain, recording, then embedding.
#[derive(Debug, Clone)]
pub(crate) struct Normals {
    /// `[clips, dims]`.
    pub(crate) embeddings: Array2<f32>,
    pub(crate) domains: Vec<Option<Domain>>,
    pub(crate) groups: Vec<String>,
    pub(crate) seed: Seed,
    /// Where each row stood in the references as given.
    pub(crate) origin: Vec<usize>,
}

impl Normals {
    pub(crate) fn new(references: &References) -> Self {
        let embeddings = references.embeddings();
        let (domains, groups) = (references.domains(), references.groups());
        let bits = |row: usize| embeddings.row(row).into_iter().map(|value| value.to_bits());
        let mut origin: Vec<usize> = (0..embeddings.nrows()).collect();
        origin.sort_by(|&a, &b| {
            let names = (domains[a], &groups[a]).cmp(&(domains[b], &groups[b]));
            names.then_with(|| bits(a).cmp(bits(b)))
        });
        Self {
            embeddings: embeddings.select(Axis(0), &origin),
            domains: origin.iter().map(|&row| domains[row]).collect(),
            groups: origin.iter().map(|&row| groups[row].clone()).collect(),
            seed: references.seed(),
            origin,
        }
    }

    pub(crate) fn clips(&self) -> usize {
        self.domains.len()
    }

    /// Rows of the target domain, or of all others.
    pub(crate) fn rows_of(&self, target: bool) -> Vec<usize> {
        (0..self.clips()).filter(|&row| is_target(self.domains[row]) == target).collect()
    }

    /// Some rows as references of their own.
    pub(crate) fn subset(&self, rows: &[usize]) -> Self {
        Self {
            embeddings: self.embeddings.select(Axis(0), rows),
            domains: rows.iter().map(|&row| self.domains[row]).collect(),
            groups: rows.iter().map(|&row| self.groups[row].clone()).collect(),
            seed: self.seed,
            origin: rows.iter().map(|&row| self.origin[row]).collect(),
        }
    }

    /// The same references with some columns of their embeddings.
    pub(crate) fn columns(&self, columns: &[usize]) -> Self {
        Self { embeddings: self.embeddings.select(Axis(1), columns), ..self.clone() }
    }

    /// Units that are held out as one: recordings, or clips where there is one recording only.
    pub(crate) fn units(&self) -> Vec<usize> {
        let mut units = BTreeMap::new();
        for group in &self.groups {
            let next = units.len();
            units.entry(group.as_str()).or_insert(next);
        }
        if units.len() > 1 {
            self.groups.iter().map(|group| units[group.as_str()]).collect()
        } else {
            (0..self.clips()).collect()
        }
    }

    /// The fold of each row: recordings stay whole, and those of each domain are dealt evenly.
    pub(crate) fn folds(&self) -> Vec<usize> {
        let units = self.units();
        let mut fold_of_unit: BTreeMap<usize, usize> = BTreeMap::new();
        let mut dealt = [0, 0];
        for (row, &unit) in units.iter().enumerate() {
            let hand = &mut dealt[usize::from(is_target(self.domains[row]))];
            fold_of_unit.entry(unit).or_insert_with(|| {
                *hand += 1;
                (*hand - 1) % FOLDS
            });
        }
        units.iter().map(|unit| fold_of_unit[unit]).collect()
    }
}

/// Whether a clip is of the target domain; one of unknown domain counts as source.
pub(crate) fn is_target(domain: Option<Domain>) -> bool {
    domain == Some(Domain::Target)
}
