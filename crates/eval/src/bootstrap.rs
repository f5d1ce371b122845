//! Bootstrap intervals that resample recordings.

use std::collections::BTreeSet;

use offkey_core::{
    Condition, Seed,
    stats::{GroupBootstrap, Interval},
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    HeadlineIntervals, SectionMetrics,
    evaluate::headline_areas,
    official::Formula,
    result_rows::{Areas, RankedRow, ResultRow},
};

/// How intervals are made.
///
/// Within a row of results, recordings (`group`) are drawn with replacement as whole ones, apart
/// for each mixture of conditions and domains, so that every resample has the same terms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BootstrapConfig {
    /// Resamples drawn. 1,000 settle the ends of a 95 % interval to about a tenth of its length.
    pub resamples: usize,
    /// Coverage of the interval, 0.95 by custom.
    pub coverage: f64,
    /// Seed of the draws.
    pub seed: Seed,
}

impl Default for BootstrapConfig {
    fn default() -> Self {
        Self { resamples: 1000, coverage: 0.95, seed: Seed::new(0) }
    }
}

/// One resample of everything.
struct Resample {
    rows: Vec<Areas>,
    headline: Areas,
    official_score: Option<f64>,
}

/// Fills the intervals of each row in and returns those of the headline.
///
/// A row whose normals or whose anomalies all come from one recording has no interval and stays as
/// it is in every resample; without any other row the headline has none either.
pub(crate) fn add_intervals(
    config: &BootstrapConfig,
    formula: Formula,
    sections: &[ResultRow],
    metrics: &mut [SectionMetrics],
) -> HeadlineIntervals {
    let samplers: Vec<Sampler> = sections.iter().map(Sampler::new).collect();
    if samplers.iter().all(|sampler| !sampler.varies) {
        return HeadlineIntervals::default();
    }
    let resamples: Vec<Resample> = (0..config.resamples)
        .into_par_iter()
        .map(|draw| {
            resample(config.seed.child("bootstrap").child(draw), formula, sections, &samplers)
        })
        .collect();
    let interval = |get: &dyn Fn(&Resample) -> Option<f64>| {
        Interval::of_resamples(resamples.iter().filter_map(get), config.coverage)
    };
    for (index, (row, sampler)) in metrics.iter_mut().zip(&samplers).enumerate() {
        if sampler.varies {
            row.auc_interval = interval(&|resample| resample.rows[index].auc);
            row.pauc_interval = interval(&|resample| resample.rows[index].pauc);
            row.auc_source_interval = interval(&|resample| resample.rows[index].auc_source);
            row.auc_target_interval = interval(&|resample| resample.rows[index].auc_target);
        }
    }
    HeadlineIntervals {
        official_score: interval(&|resample| resample.official_score),
        auc: interval(&|resample| resample.headline.auc),
        auc_source: interval(&|resample| resample.headline.auc_source),
        auc_target: interval(&|resample| resample.headline.auc_target),
        pauc: interval(&|resample| resample.headline.pauc),
    }
}

fn resample(
    seed: Seed,
    formula: Formula,
    sections: &[ResultRow],
    samplers: &[Sampler],
) -> Resample {
    let rows: Vec<Areas> =
        samplers.iter().enumerate().map(|(row, sampler)| sampler.draw(seed.child(row))).collect();
    let paired: Vec<(&ResultRow, Areas)> = sections.iter().zip(rows.iter().copied()).collect();
    Resample {
        headline: headline_areas(rows.iter().copied()),
        official_score: formula.score(&paired),
        rows,
    }
}

/// Draws resamples of one row.
struct Sampler<'a> {
    ranked: RankedRow<'a>,
    clips: usize,
    /// Recordings of equal mixtures of conditions and domains are drawn apart.
    recordings: GroupBootstrap,
    varies: bool,
}

impl<'a> Sampler<'a> {
    fn new(section: &'a ResultRow<'a>) -> Self {
        let clips = || section.clips.iter().map(|row| &row.clip);
        let with = |condition: Condition| {
            let of = clips().filter(|clip| clip.condition == Some(condition));
            of.map(|clip| &clip.group).collect::<BTreeSet<_>>().len()
        };
        Self {
            ranked: section.ranked(),
            clips: section.clips.len(),
            recordings: GroupBootstrap::new(
                clips().map(|clip| (&clip.group, (clip.condition, clip.domain))),
            ),
            varies: with(Condition::Normal) > 1 && with(Condition::Anomaly) > 1,
        }
    }

    fn draw(&self, seed: Seed) -> Areas {
        if self.varies {
            self.ranked.areas(&self.recordings.draw(seed))
        } else {
            self.ranked.areas(&vec![1.0; self.clips])
        }
    }
}
