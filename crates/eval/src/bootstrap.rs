//! Bootstrap intervals that resample recordings.

use std::collections::{BTreeMap, BTreeSet};

use offkey_core::{Condition, Domain, Seed};
use rand::RngExt;
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

/// A two-sided percentile interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
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
        percentile_interval(resamples.iter().filter_map(get).collect(), config.coverage)
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

/// The conditions and domains that the clips of one recording have.
type Mixture = BTreeSet<(Option<Condition>, Option<Domain>)>;

/// Draws resamples of one row.
struct Sampler<'a> {
    ranked: RankedRow<'a>,
    clips: usize,
    /// Recordings of equal mixture together; a recording is the indices of its clips.
    strata: Vec<Vec<Vec<usize>>>,
    varies: bool,
}

impl<'a> Sampler<'a> {
    fn new(section: &'a ResultRow<'a>) -> Self {
        let mut recordings: BTreeMap<&str, (Mixture, Vec<usize>)> = BTreeMap::new();
        for (index, row) in section.clips.iter().enumerate() {
            let (mixture, clips) = recordings.entry(&row.clip.group).or_default();
            mixture.insert((row.clip.condition, row.clip.domain));
            clips.push(index);
        }
        let with = |condition: Condition| {
            let has =
                |mixture: &Mixture| mixture.iter().any(|(found, _)| *found == Some(condition));
            recordings.values().filter(|(mixture, _)| has(mixture)).count()
        };
        let varies = with(Condition::Normal) > 1 && with(Condition::Anomaly) > 1;
        let mut strata: BTreeMap<Mixture, Vec<Vec<usize>>> = BTreeMap::new();
        for (mixture, clips) in recordings.into_values() {
            strata.entry(mixture).or_default().push(clips);
        }
        let strata = strata.into_values().collect();
        Self { ranked: section.ranked(), clips: section.clips.len(), strata, varies }
    }

    fn draw(&self, seed: Seed) -> Areas {
        if !self.varies {
            return self.ranked.areas(&vec![1.0; self.clips]);
        }
        let mut rng = seed.rng();
        let mut weights = vec![0.0; self.clips];
        for recordings in &self.strata {
            for _ in recordings {
                for &clip in &recordings[rng.random_range(0..recordings.len())] {
                    weights[clip] += 1.0;
                }
            }
        }
        self.ranked.areas(&weights)
    }
}

/// Percentiles, linear between neighbours, that leave equal shares outside on both sides.
fn percentile_interval(mut values: Vec<f64>, coverage: f64) -> Option<Interval> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let percentile = |share: f64| {
        let position = share.clamp(0.0, 1.0) * last as f64;
        let below = position.floor() as usize;
        let above = (below + 1).min(last);
        values[below] + (position - below as f64) * (values[above] - values[below])
    };
    let outside = (1.0 - coverage) / 2.0;
    Some(Interval { low: percentile(outside), high: percentile(1.0 - outside) })
}
