//! The official score of each year.

use std::collections::BTreeMap;

use offkey_core::{Year, stats};

use crate::{
    OfficialTerm, TermName, harmonic_mean,
    result_rows::{Areas, ResultRow},
};

/// How a year makes one number of many areas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Formula {
    /// 2020: per machine the mean of AUC and the mean of partial AUC over its ids; the mean of
    /// both over machines. The evaluator prints no total; taking it so is our choice.
    MachineMeans,
    /// 2021: harmonic mean of AUC and partial AUC of every section and domain.
    DomainRows,
    /// 2022 on (2026 taken alike, our choice): harmonic mean over sections of source AUC, target
    /// AUC and partial AUC, where an AUC sets the normals of one domain against all anomalies.
    DomainNormals,
}

impl Formula {
    pub(crate) fn of(year: Option<Year>) -> Self {
        match year {
            Some(Year::Y2020) => Self::MachineMeans,
            Some(Year::Y2021) => Self::DomainRows,
            Some(Year::Y2022 | Year::Y2023 | Year::Y2024 | Year::Y2025 | Year::Y2026) | None => {
                Self::DomainNormals
            }
        }
    }

    /// Whether a row of results is one domain of a section.
    pub(crate) fn scores_domains_apart(self) -> bool {
        self == Self::DomainRows
    }

    /// Every term of the formula, in row order.
    pub(crate) fn terms(self, rows: &[(&ResultRow, Areas)]) -> Vec<OfficialTerm> {
        let mut terms = Vec::new();
        for (section, areas) in rows {
            for (term, value) in self.terms_of(areas) {
                terms.push(OfficialTerm {
                    machine: section.machine.to_owned(),
                    section: section.section.to_owned(),
                    domain: section.domain,
                    term,
                    value,
                });
            }
        }
        terms
    }

    /// Rows with normal and anomalous clips that lack a domain which the formula names.
    pub(crate) fn without_domains(self, rows: &[(&ResultRow, Areas)]) -> usize {
        let lacks = |(row, areas): &&(&ResultRow, Areas)| match self {
            Self::MachineMeans => false,
            Self::DomainRows => areas.auc.is_some() && row.domain.is_none(),
            Self::DomainNormals => {
                areas.auc.is_some() && (areas.auc_source.is_none() || areas.auc_target.is_none())
            }
        };
        rows.iter().filter(lacks).count()
    }

    /// The score over the rows with normal and anomalous clips; none where one of them lacks a
    /// domain that the formula names, since a mean of the terms that are left is another score.
    pub(crate) fn score(self, rows: &[(&ResultRow, Areas)]) -> Option<f64> {
        if self.without_domains(rows) > 0 {
            return None;
        }
        match self {
            Self::MachineMeans => mean_over_machines(rows),
            Self::DomainRows | Self::DomainNormals => {
                let values = rows.iter().flat_map(|(_, areas)| self.terms_of(areas));
                harmonic_mean(&values.filter_map(|(_, value)| value).collect::<Vec<_>>())
            }
        }
    }

    fn terms_of(self, areas: &Areas) -> Vec<(TermName, Option<f64>)> {
        match self {
            Self::MachineMeans | Self::DomainRows => {
                vec![(TermName::Auc, areas.auc), (TermName::Pauc, areas.pauc)]
            }
            Self::DomainNormals => vec![
                (TermName::AucSource, areas.auc_source),
                (TermName::AucTarget, areas.auc_target),
                (TermName::Pauc, areas.pauc),
            ],
        }
    }
}

fn mean_over_machines(rows: &[(&ResultRow, Areas)]) -> Option<f64> {
    let mut machines: BTreeMap<&str, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for (section, areas) in rows {
        let (aucs, paucs) = machines.entry(section.machine).or_default();
        aucs.extend(areas.auc);
        paucs.extend(areas.pauc);
    }
    let means = machines.values().flat_map(|(aucs, paucs)| [aucs, paucs]);
    stats::mean(&means.filter_map(|values| stats::mean(values)).collect::<Vec<_>>())
}
