//! A row's clips ranked once, so that resamples only differ in how often each clip counts.

use offkey_core::{Condition, Domain};

use crate::{
    curve::Sweep,
    result_rows::{Areas, ResultRow},
};

/// The labelled clips of a row, falling in score.
pub(crate) struct RankedRow {
    ranks: Vec<Rank>,
}

struct Rank {
    /// Place of the clip in its row.
    clip: u32,
    kind: Kind,
    /// Whether the next clip has a lower score.
    ends_tie: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    Normal(Option<Domain>),
    Anomaly,
}

/// Clips of each kind.
#[derive(Clone, Copy, Default)]
struct Counts {
    normal: u32,
    source: u32,
    target: u32,
    anomalous: u32,
}

impl Counts {
    fn add(&mut self, kind: Kind, count: u32) {
        match kind {
            Kind::Anomaly => self.anomalous += count,
            Kind::Normal(domain) => {
                self.normal += count;
                match domain {
                    Some(Domain::Source) => self.source += count,
                    Some(Domain::Target) => self.target += count,
                    None => {}
                }
            }
        }
    }
}

impl RankedRow {
    pub(crate) fn new(row: &ResultRow) -> Self {
        let mut order: Vec<(f64, u32, Kind)> = Vec::with_capacity(row.clips.len());
        for (index, clip) in row.clips.iter().enumerate() {
            let kind = match clip.clip.condition {
                Some(Condition::Normal) => Kind::Normal(clip.clip.domain),
                Some(Condition::Anomaly) => Kind::Anomaly,
                None => continue,
            };
            order.push((clip.score, index as u32, kind));
        }
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        let next = order.iter().skip(1).map(|(score, ..)| Some(*score)).chain([None]);
        let rank = |(&(score, clip, kind), next): (&(f64, u32, Kind), Option<f64>)| Rank {
            clip,
            kind,
            ends_tie: next != Some(score),
        };
        Self { ranks: order.iter().zip(next).map(rank).collect() }
    }

    /// The areas when every clip counts as often as `count` says of its place in the row.
    pub(crate) fn areas(&self, count: impl Fn(usize) -> u32) -> Areas {
        let mut total = Counts::default();
        for rank in &self.ranks {
            total.add(rank.kind, count(rank.clip as usize));
        }
        let anomalies = f64::from(total.anomalous);
        let mut all = Sweep::new(f64::from(total.normal), anomalies);
        let mut source = Sweep::new(f64::from(total.source), anomalies);
        let mut target = Sweep::new(f64::from(total.target), anomalies);
        let mut tied = Counts::default();
        for rank in &self.ranks {
            tied.add(rank.kind, count(rank.clip as usize));
            if rank.ends_tie {
                let normals = [tied.normal, tied.source, tied.target];
                for (sweep, normal) in [&mut all, &mut source, &mut target].into_iter().zip(normals)
                {
                    if let Some(sweep) = sweep {
                        sweep.pass(f64::from(normal), f64::from(tied.anomalous));
                    }
                }
                tied = Counts::default();
            }
        }
        Areas {
            auc: all.map(|sweep| sweep.auc()),
            pauc: all.map(|sweep| sweep.pauc()),
            auc_source: source.map(|sweep| sweep.auc()),
            auc_target: target.map(|sweep| sweep.auc()),
        }
    }
}
