//! Rows of results: the clips of one machine and section, in 2021 of one domain too.

use std::collections::BTreeMap;

use offkey_core::{Condition, Domain, ScoreRow, stats};

/// The scored clips of one row of results.
#[derive(Debug, Clone)]
pub(crate) struct ResultRow<'a> {
    pub(crate) machine: &'a str,
    pub(crate) section: &'a str,
    pub(crate) domain: Option<Domain>,
    pub(crate) clips: Vec<&'a ScoreRow>,
}

/// The four areas that official scores and their intervals are made of.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Areas {
    pub(crate) auc: Option<f64>,
    pub(crate) pauc: Option<f64>,
    pub(crate) auc_source: Option<f64>,
    pub(crate) auc_target: Option<f64>,
}

impl Areas {
    /// Arithmetic means over rows.
    pub(crate) fn mean(rows: impl Iterator<Item = Self> + Clone) -> Self {
        let mean = |get: fn(Self) -> Option<f64>| {
            stats::mean(&rows.clone().filter_map(get).collect::<Vec<_>>())
        };
        Self {
            auc: mean(|areas| areas.auc),
            pauc: mean(|areas| areas.pauc),
            auc_source: mean(|areas| areas.auc_source),
            auc_target: mean(|areas| areas.auc_target),
        }
    }
}

/// Sorts clips into rows by machine and section, and by domain where domains are scored apart.
pub(crate) fn result_rows<'a>(clips: &[&'a ScoreRow], by_domain: bool) -> Vec<ResultRow<'a>> {
    let mut rows: BTreeMap<(&str, &str, Option<Domain>), Vec<&ScoreRow>> = BTreeMap::new();
    for row in clips {
        let domain = row.clip.domain.filter(|_| by_domain);
        rows.entry((&row.clip.machine, &row.clip.section, domain)).or_default().push(row);
    }
    rows.into_iter()
        .map(|((machine, section, domain), clips)| ResultRow { machine, section, domain, clips })
        .collect()
}

impl ResultRow<'_> {
    /// A value of the normal clips and of the anomalous ones, of some domains.
    pub(crate) fn split<T>(
        &self,
        domain: impl Fn(Option<Domain>) -> bool,
        value: impl Fn(&ScoreRow) -> T,
    ) -> (Vec<T>, Vec<T>) {
        let of = |condition: Condition| {
            self.clips
                .iter()
                .filter(|row| row.clip.condition == Some(condition) && domain(row.clip.domain))
                .map(|row| value(row))
                .collect()
        };
        (of(Condition::Normal), of(Condition::Anomaly))
    }

    /// What the row is called in notes.
    pub(crate) fn name(&self) -> String {
        let domain = self.domain.map(|domain| format!(" {domain}")).unwrap_or_default();
        format!("{} {}{domain}", self.machine, self.section)
    }
}
