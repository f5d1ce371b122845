//! Everything measured on one row of results but its intervals.

use offkey_core::Domain;

use crate::{
    ByDomain, DecisionRates, OwnDomain, SectionMetrics, auc, bounded_f1_ev, decision_rates, f1_ev,
    harmonic_mean, pauc,
    ranked::RankedRow,
    result_rows::{Areas, ResultRow},
};

impl ResultRow<'_> {
    /// Everything measured on this row but its intervals.
    pub(crate) fn metrics(&self) -> SectionMetrics {
        let (normal, anomalous) = self.split(|_| true, |row| row.score);
        let areas = RankedRow::new(self).areas(|_| 1);
        let rates = self.decision_rates(|_| true);
        SectionMetrics {
            machine: self.machine.to_owned(),
            section: self.section.to_owned(),
            domain: self.domain,
            auc: areas.auc,
            pauc: areas.pauc,
            auc_source: areas.auc_source,
            auc_target: areas.auc_target,
            own_domain: if self.domain.is_none() { self.own_domain() } else { None },
            normal: normal.len(),
            anomalous: anomalous.len(),
            unlabelled: self.clips.len() - normal.len() - anomalous.len(),
            precision: rates.map(|rates| rates.precision),
            recall: rates.map(|rates| rates.recall),
            f1: rates.map(|rates| rates.f1),
            decisions: ByDomain {
                source: self.decision_rates(|domain| domain == Some(Domain::Source)),
                target: self.decision_rates(|domain| domain == Some(Domain::Target)),
            },
            f1_ev: f1_ev(&normal, &anomalous).ok(),
            f1_ev_bounded: bounded_f1_ev(&normal, &anomalous).ok(),
            auc_interval: None,
            pauc_interval: None,
            auc_source_interval: None,
            auc_target_interval: None,
        }
    }

    /// Normals and anomalies of the same domain; none where no clip has a domain.
    pub(crate) fn own_domain(&self) -> Option<OwnDomain> {
        if self.clips.iter().all(|row| row.clip.domain.is_none()) {
            return None;
        }
        let of = |domain: Domain| self.split(|found| found == Some(domain), |row| row.score);
        let source = of(Domain::Source);
        let target = of(Domain::Target);
        let mixed = self.split(|_| true, |row| row.score);
        let mut own = OwnDomain {
            auc_source: auc(&source.0, &source.1),
            auc_target: auc(&target.0, &target.1),
            auc_mixed: auc(&mixed.0, &mixed.1),
            pauc_source: pauc(&source.0, &source.1),
            pauc_target: pauc(&target.0, &target.1),
            pauc_mixed: pauc(&mixed.0, &mixed.1),
            harmonic_mean: None,
        };
        own.harmonic_mean = harmonic_mean(&own.areas().into_iter().flatten().collect::<Vec<_>>());
        Some(own)
    }

    /// Rates of the clips of some domains; none where a labelled one has no decision or there is
    /// no anomalous one, of which recall could be.
    fn decision_rates(&self, domain: impl Fn(Option<Domain>) -> bool) -> Option<DecisionRates> {
        let (normal, anomalous) = self.split(domain, |row| row.decision);
        let normal: Vec<bool> = normal.into_iter().collect::<Option<_>>()?;
        let anomalous: Vec<bool> = anomalous.into_iter().collect::<Option<_>>()?;
        (!anomalous.is_empty()).then(|| decision_rates(&normal, &anomalous))
    }
}

impl OwnDomain {
    /// The six areas, without their mean.
    pub(crate) fn areas(&self) -> [Option<f64>; 6] {
        [
            self.auc_source,
            self.auc_target,
            self.auc_mixed,
            self.pauc_source,
            self.pauc_target,
            self.pauc_mixed,
        ]
    }
}

impl SectionMetrics {
    pub(crate) fn areas(&self) -> Areas {
        Areas {
            auc: self.auc,
            pauc: self.pauc,
            auc_source: self.auc_source,
            auc_target: self.auc_target,
        }
    }
}
