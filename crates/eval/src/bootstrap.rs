//! Bootstrap intervals that resample recordings.

use std::collections::BTreeSet;

use offkey_core::{
    Clip, Condition, Domain, Seed,
    stats::{GroupBootstrap, Interval, NoInterval},
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    HeadlineIntervals, Note, SectionMetrics,
    official::Formula,
    ranked::RankedRow,
    result_rows::{Areas, ResultRow},
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

impl BootstrapConfig {
    /// The seed of one row in one resample: everything drawn from the same rows draws the same recordings.
    pub(crate) fn seed_of(&self, resample: usize, row: usize) -> Seed {
        self.seed.child("bootstrap").child(resample).child(row)
    }
}

/// Fewest recordings of each condition with which a row has an interval. A bootstrap over fewer
/// covers far less than it says: of two values a 95 % interval covers about half.
const LEAST_RECORDINGS: usize = 3;
/// Fewest recordings of one condition and domain: a single one never varies.
const LEAST_OF_KIND: usize = 2;

/// One resample of everything.
struct Resample {
    rows: Vec<Areas>,
    headline: Areas,
    official_score: Option<f64>,
}

/// Fills the intervals of each row in and returns those of the headline, and why there are none
/// where there are none.
///
/// A row whose recordings cannot be drawn, because a kind has a single one, stays as it is in every
/// resample. Intervals of the headline would be too narrow then, and are left out.
pub(crate) fn add_intervals(
    config: &BootstrapConfig,
    formula: Formula,
    sections: &[ResultRow],
    metrics: &mut [SectionMetrics],
) -> (HeadlineIntervals, Vec<Note>) {
    let samplers: Vec<Sampler> = sections.iter().map(Sampler::new).collect();
    let ranked = || samplers.iter().filter(|sampler| sampler.has_areas);
    let drawn = ranked().filter(|sampler| sampler.varies()).count();
    if drawn == 0 {
        return (HeadlineIntervals::default(), notes(&samplers, metrics, &[]));
    }
    let resamples: Vec<Resample> = (0..config.resamples)
        .into_par_iter()
        .map_init(Vec::new, |counts, draw| {
            resample(config, draw, formula, sections, &samplers, counts)
        })
        .collect();
    let interval = |get: &dyn Fn(&Resample) -> Option<f64>| {
        Interval::of_resamples(resamples.iter().filter_map(get), config.coverage)
            .filter(|interval| interval.low < interval.high)
    };
    for (index, (row, sampler)) in metrics.iter_mut().zip(&samplers).enumerate() {
        if sampler.too_few.is_none() {
            row.auc_interval = interval(&|resample| resample.rows[index].auc);
            row.pauc_interval = interval(&|resample| resample.rows[index].pauc);
            row.auc_source_interval = interval(&|resample| resample.rows[index].auc_source);
            row.auc_target_interval = interval(&|resample| resample.rows[index].auc_target);
        }
    }
    let notes = notes(&samplers, metrics, &resamples);
    if drawn < ranked().count() {
        return (HeadlineIntervals::default(), notes);
    }
    let intervals = HeadlineIntervals {
        official_score: interval(&|resample| resample.official_score),
        auc: interval(&|resample| resample.headline.auc),
        auc_source: interval(&|resample| resample.headline.auc_source),
        auc_target: interval(&|resample| resample.headline.auc_target),
        pauc: interval(&|resample| resample.headline.pauc),
    };
    (intervals, notes)
}

/// Why rows have no interval of their AUC, and why the means have none.
fn notes(samplers: &[Sampler], metrics: &[SectionMetrics], resamples: &[Resample]) -> Vec<Note> {
    let mut notes = Vec::new();
    for (row, sampler) in metrics.iter().zip(samplers) {
        let (Some(auc), None) = (row.auc, row.auc_interval) else { continue };
        let constant = NoInterval::NoSpread { value: auc };
        let reason = sampler.too_few.clone().unwrap_or(constant);
        notes.push(Note::NoInterval { of: sampler.name.clone(), reason });
    }
    let fixed = samplers.iter().filter(|sampler| sampler.has_areas && !sampler.varies()).count();
    let ranked = samplers.iter().filter(|sampler| sampler.has_areas).count();
    if fixed > 0 {
        let what = "rows with enough recordings to draw from".to_owned();
        let reason = NoInterval::TooFew { what, found: ranked - fixed, least: ranked };
        notes.push(Note::NoInterval { of: "the means".to_owned(), reason });
    } else if let Some(first) = resamples.first().and_then(|resample| resample.headline.auc)
        && resamples
            .iter()
            .all(|r| r.headline.auc.is_some_and(|auc| auc.to_bits() == first.to_bits()))
    {
        let reason = NoInterval::NoSpread { value: first };
        notes.push(Note::NoInterval { of: "the mean AUC".to_owned(), reason });
    }
    notes
}

fn resample(
    config: &BootstrapConfig,
    number: usize,
    formula: Formula,
    sections: &[ResultRow],
    samplers: &[Sampler],
    counts: &mut Vec<u32>,
) -> Resample {
    let draw =
        |(row, sampler): (usize, &Sampler)| sampler.draw(config.seed_of(number, row), counts);
    let rows: Vec<Areas> = samplers.iter().enumerate().map(draw).collect();
    let paired: Vec<(&ResultRow, Areas)> = sections.iter().zip(rows.iter().copied()).collect();
    Resample {
        headline: Areas::mean(rows.iter().copied()),
        official_score: formula.score(&paired),
        rows,
    }
}

fn group_and_kind(clip: &Clip) -> (&str, (Option<Condition>, Option<Domain>)) {
    (&clip.group, (clip.condition, clip.domain))
}

/// Draws resamples of one row.
pub(crate) struct Sampler {
    name: String,
    ranked: RankedRow,
    /// Recordings of equal mixtures of conditions and domains are drawn apart.
    recordings: GroupBootstrap,
    /// Whether there are clips of both conditions.
    has_areas: bool,
    /// Why the row has no interval of its own.
    pub(crate) too_few: Option<NoInterval>,
}

impl Sampler {
    pub(crate) fn new(row: &ResultRow) -> Self {
        let clips = || row.clips.iter().map(|row| &row.clip);
        let labelled = || clips().filter(|clip| clip.condition.is_some());
        let with = |condition: Condition| {
            let of = clips().filter(|clip| clip.condition == Some(condition));
            of.map(|clip| &clip.group).collect::<BTreeSet<_>>().len()
        };
        let [normal, anomalous] = [Condition::Normal, Condition::Anomaly].map(with);
        let fewest = GroupBootstrap::new(labelled().map(group_and_kind)).fewest_groups();
        let too_few = |what: &str, found, least| {
            (found < least).then(|| NoInterval::TooFew { what: what.to_owned(), found, least })
        };
        Self {
            name: row.name(),
            ranked: RankedRow::new(row),
            recordings: GroupBootstrap::new(clips().map(group_and_kind)),
            has_areas: normal > 0 && anomalous > 0,
            too_few: too_few("normal recordings", normal, LEAST_RECORDINGS)
                .or_else(|| too_few("anomalous recordings", anomalous, LEAST_RECORDINGS))
                .or_else(|| {
                    too_few("recordings of one condition and domain", fewest, LEAST_OF_KIND)
                }),
        }
    }

    /// Whether resamples differ in every kind of recording.
    pub(crate) fn varies(&self) -> bool {
        match &self.too_few {
            None => true,
            Some(NoInterval::TooFew { found, .. }) => *found >= LEAST_OF_KIND,
            Some(_) => false,
        }
    }

    /// The areas of the clips as they are.
    pub(crate) fn as_scored(&self) -> Areas {
        self.ranked.areas(|_| 1)
    }

    /// The areas of one resample.
    pub(crate) fn draw(&self, seed: Seed, counts: &mut Vec<u32>) -> Areas {
        if !self.varies() {
            return self.as_scored();
        }
        self.recordings.draw(seed, counts);
        let groups = self.recordings.groups();
        self.ranked.areas(|clip| counts[groups[clip] as usize])
    }
}
