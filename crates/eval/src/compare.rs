//! A model beside the baselines: how far apart their AUCs are on the same clips, and how sure that is.

use std::collections::{BTreeMap, BTreeSet};

use offkey_core::{
    ScoreRow, Year, recognise_year,
    stats::{self, Interval, t_interval},
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    BootstrapConfig, EvalError,
    bootstrap::Sampler,
    evaluate::test_clips,
    official::Formula,
    result_rows::{Areas, result_rows},
};

/// A model beside the baselines, over all machines and machine by machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// All machines together: the mean over all rows of results.
    pub all: Compared,
    /// Each machine: the mean over its rows.
    pub machines: Vec<Compared>,
}

/// Some rows of results: what the model reaches on them, and what the baselines do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// The machine; empty for all machines.
    pub machine: String,
    /// Rows with normal and anomalous clips.
    pub rows: usize,
    /// Normal clips of these rows.
    pub normal: usize,
    /// Anomalous clips of these rows.
    pub anomalous: usize,
    /// Mean AUC of the model over these rows.
    pub auc: Estimate,
    /// Mean over rows of the official source AUC; none where a row lacks it.
    pub auc_source: Option<Estimate>,
    /// Mean over rows of the official target AUC; none where a row lacks it.
    pub auc_target: Option<Estimate>,
    /// The baselines that scored the same clips, in the order given.
    pub baselines: Vec<Lead>,
    /// What the intervals are drawn over.
    pub drawn: Drawn,
}

/// A number and its 95 % interval, where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// Its interval.
    pub interval: Option<Interval>,
}

/// A baseline, and how far the model is ahead of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lead {
    /// Name of the baseline.
    pub name: String,
    /// Its mean AUC over the same rows.
    pub auc: f64,
    /// AUC of the model less that of the baseline, paired.
    pub lead: Estimate,
}

/// What an interval is drawn over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drawn {
    /// Recordings within each row, by bootstrap.
    Recordings,
    /// Rows of results, by Student's t: they have too few recordings to draw from.
    Rows,
    /// Seeds, by Student's t.
    Seeds,
}

impl Compared {
    /// The baseline with the highest AUC.
    pub fn best_baseline(&self) -> Option<&Lead> {
        self.baselines.iter().rev().max_by(|a, b| a.auc.total_cmp(&b.auc))
    }
}

/// Areas of one row of results, of the model and of each baseline.
#[derive(Clone, Copy, Default)]
struct Area {
    auc: f64,
    source: Option<f64>,
    target: Option<f64>,
}

/// One set of scores: areas of its rows, in every resample.
struct Scored {
    areas: Vec<Area>,
    resamples: Vec<Vec<Area>>,
}

/// Compares scores of a model with those that baselines gave the same clips; none where no row has both
/// normal and anomalous clips. A baseline that scored other clips is left out.
///
/// Model and baselines are compared within the same resamples of recordings, so that a clip that is hard
/// for both does not blur their difference.
///
/// # Errors
/// As [`crate::evaluate_with`].
pub fn compare(
    rows: &[ScoreRow],
    baselines: &[(String, Vec<ScoreRow>)],
    year: Option<Year>,
    config: &BootstrapConfig,
) -> Result<Option<Comparison>, EvalError> {
    let clips = test_clips(rows)?;
    let all: Vec<_> = rows.iter().map(|row| &row.clip).collect();
    let by_domain = Formula::of(year.or_else(|| recognise_year(&all))).scores_domains_apart();
    let of_rows = result_rows(&clips, by_domain);
    let ranked: Vec<usize> =
        (0..of_rows.len()).filter(|&row| of_rows[row].metrics().auc.is_some()).collect();
    if ranked.is_empty() {
        return Ok(None);
    }
    let model = scored(rows, by_domain, &ranked, config)?;
    let same = |other: &[ScoreRow]| names(other) == names(rows);
    let others: Vec<(&str, Scored)> = baselines
        .iter()
        .filter(|(_, other)| same(other))
        .map(|(name, other)| Ok((name.as_str(), scored(other, by_domain, &ranked, config)?)))
        .collect::<Result<_, EvalError>>()?;
    let samplers: Vec<Sampler> = ranked.iter().map(|&row| Sampler::new(&of_rows[row])).collect();
    let counts: Vec<(usize, usize)> = ranked
        .iter()
        .map(|&row| of_rows[row].metrics())
        .map(|metrics| (metrics.normal, metrics.anomalous))
        .collect();
    let compared = |machine: &str, rows: &[usize]| {
        let of_machine = Part { rows, samplers: &samplers, counts: &counts, config };
        of_machine.compared(machine, &model, &others)
    };
    let mut of_machine: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, &row) in ranked.iter().enumerate() {
        of_machine.entry(of_rows[row].machine).or_default().push(at);
    }
    let every: Vec<usize> = (0..ranked.len()).collect();
    Ok(Some(Comparison {
        all: compared("", &every),
        machines: of_machine.into_iter().map(|(name, rows)| compared(name, &rows)).collect(),
    }))
}

fn names(rows: &[ScoreRow]) -> BTreeSet<(&str, &str, &str)> {
    rows.iter()
        .map(|row| (row.clip.machine.as_str(), row.clip.section.as_str(), row.clip.name.as_str()))
        .collect()
}

fn scored(
    rows: &[ScoreRow],
    by_domain: bool,
    ranked: &[usize],
    config: &BootstrapConfig,
) -> Result<Scored, EvalError> {
    let clips = test_clips(rows)?;
    let of_rows = result_rows(&clips, by_domain);
    let samplers: Vec<Sampler> = ranked.iter().map(|&row| Sampler::new(&of_rows[row])).collect();
    let area = |areas: Areas| Area {
        auc: areas.auc.unwrap_or(0.5),
        source: areas.auc_source,
        target: areas.auc_target,
    };
    let resamples = (0..config.resamples)
        .into_par_iter()
        .map_init(Vec::new, |counts, draw| {
            let row = |(&row, sampler): (&usize, &Sampler)| {
                area(sampler.draw(config.seed_of(draw, row), counts))
            };
            ranked.iter().zip(&samplers).map(row).collect()
        })
        .collect();
    let areas = samplers.iter().map(|sampler| area(sampler.as_scored())).collect();
    Ok(Scored { areas, resamples })
}

/// Some of the rows.
struct Part<'a> {
    rows: &'a [usize],
    samplers: &'a [Sampler],
    counts: &'a [(usize, usize)],
    config: &'a BootstrapConfig,
}

impl Part<'_> {
    fn compared(&self, machine: &str, model: &Scored, others: &[(&str, Scored)]) -> Compared {
        let drawn = self.drawn();
        let auc = |area: &Area| Some(area.auc);
        let mut own = self.estimate(drawn, model, None, auc).unwrap_or(NONE);
        own.interval = own.interval.or_else(|| self.of_perfect(own.value));
        own.interval = own.interval.map(|interval| interval.clipped(0.0, 1.0));
        let leads = others.iter().filter_map(|(name, other)| {
            let lead = self.estimate(drawn, model, Some(other), auc)?;
            Some(Lead { name: (*name).to_owned(), auc: own.value - lead.value, lead })
        });
        let sum = |of: fn(&(usize, usize)) -> usize| {
            self.rows.iter().map(|&row| of(&self.counts[row])).sum()
        };
        Compared {
            machine: machine.to_owned(),
            rows: self.rows.len(),
            normal: sum(|counts| counts.0),
            anomalous: sum(|counts| counts.1),
            auc: own,
            auc_source: self.estimate(drawn, model, None, |area| area.source),
            auc_target: self.estimate(drawn, model, None, |area| area.target),
            baselines: leads.collect(),
            drawn,
        }
    }

    /// Recordings, where each row has enough of them to draw from.
    fn drawn(&self) -> Drawn {
        let is_single = self.rows.len() == 1;
        let can_draw = |&row: &usize| {
            let sampler = &self.samplers[row];
            if is_single { sampler.too_few.is_none() } else { sampler.varies() }
        };
        if self.rows.iter().all(can_draw) { Drawn::Recordings } else { Drawn::Rows }
    }

    /// Mean over the rows, of the model alone or less another's; none where a row lacks it.
    fn estimate(
        &self,
        drawn: Drawn,
        model: &Scored,
        less: Option<&Scored>,
        of: fn(&Area) -> Option<f64>,
    ) -> Option<Estimate> {
        let values = |areas: &[Area], less: Option<&[Area]>| -> Option<Vec<f64>> {
            let value = |&row: &usize| {
                let less = less.map_or(Some(0.0), |less| of(&less[row]))?;
                Some(of(&areas[row])? - less)
            };
            self.rows.iter().map(value).collect()
        };
        let rows = values(&model.areas, less.map(|less| less.areas.as_slice()))?;
        let interval = match drawn {
            Drawn::Recordings => {
                let draws = (0..model.resamples.len()).filter_map(|draw| {
                    let less = less.map(|less| less.resamples[draw].as_slice());
                    stats::mean(&values(&model.resamples[draw], less)?)
                });
                Interval::of_resamples(draws, self.config.coverage)
            }
            Drawn::Rows | Drawn::Seeds => t_interval(&rows, self.config.coverage),
        };
        let interval = interval.filter(|interval| interval.low < interval.high);
        Some(Estimate { value: stats::mean(&rows)?, interval })
    }

    /// Where every pair is ranked right, resamples do not vary. The lower end is then that of
    /// Clopper and Pearson for as many successes without failure as the rarer condition has clips.
    fn of_perfect(&self, auc: f64) -> Option<Interval> {
        let rarer = |&row: &usize| self.counts[row].0.min(self.counts[row].1);
        let trials: usize = self.rows.iter().map(rarer).sum();
        let outside = (1.0 - self.config.coverage) / 2.0;
        (auc >= 1.0 && trials > 0)
            .then(|| Interval { low: outside.powf(1.0 / trials as f64), high: 1.0 })
    }
}

const NONE: Estimate = Estimate { value: 0.5, interval: None };

impl Comparison {
    /// The mean of several seeds' comparisons, with Student's t intervals over seeds; none without
    /// any, or where they have other machines or baselines. Fewer than three have no interval.
    pub fn over_seeds(seeds: &[Self], coverage: f64) -> Option<Self> {
        let first = seeds.first()?;
        let machines = (0..first.machines.len()).map(|index| {
            let of_seed = |seed: &Self| seed.machines.get(index).cloned();
            mean(&seeds.iter().map(of_seed).collect::<Option<Vec<_>>>()?, coverage)
        });
        Some(Self {
            all: mean(&seeds.iter().map(|seed| seed.all.clone()).collect::<Vec<_>>(), coverage)?,
            machines: machines.collect::<Option<_>>()?,
        })
    }
}

fn mean(seeds: &[Compared], coverage: f64) -> Option<Compared> {
    let first = seeds.first()?;
    let alike = |seed: &Compared| {
        seed.machine == first.machine
            && seed.baselines.len() == first.baselines.len()
            && seed.baselines.iter().zip(&first.baselines).all(|(a, b)| a.name == b.name)
    };
    if !seeds.iter().all(alike) {
        return None;
    }
    let estimate = |values: Vec<f64>| {
        // Seeds that all agree say nothing about other clips.
        let interval =
            t_interval(&values, coverage).filter(|interval| interval.low < interval.high);
        Some(Estimate { value: stats::mean(&values)?, interval })
    };
    let optional = |of: fn(&Compared) -> Option<Estimate>| {
        let values = seeds.iter().map(|seed| of(seed).map(|estimate| estimate.value));
        values.collect::<Option<Vec<f64>>>().and_then(estimate)
    };
    let lead = |(index, lead): (usize, &Lead)| {
        let of_seed = |of: fn(&Lead) -> f64| -> Vec<f64> {
            seeds.iter().map(|seed| of(&seed.baselines[index])).collect()
        };
        Some(Lead {
            name: lead.name.clone(),
            auc: stats::mean(&of_seed(|lead| lead.auc))?,
            lead: estimate(of_seed(|lead| lead.lead.value))?,
        })
    };
    let mut auc = estimate(seeds.iter().map(|seed| seed.auc.value).collect())?;
    auc.interval = auc.interval.map(|interval| interval.clipped(0.0, 1.0));
    Some(Compared {
        auc,
        auc_source: optional(|seed| seed.auc_source),
        auc_target: optional(|seed| seed.auc_target),
        baselines: first.baselines.iter().enumerate().map(lead).collect::<Option<_>>()?,
        drawn: Drawn::Seeds,
        ..first.clone()
    })
}

#[cfg(test)]
mod tests {
    use offkey_core::{Clip, Condition, Split};

    use super::*;

    /// Twelve normal and twelve anomalous clips a machine; anomalies lie `ahead` above normals that are
    /// spread over 0 to 1.
    fn rows(machines: &[&str], clips: usize, ahead: f64) -> Vec<ScoreRow> {
        let clip = |machine: &str, index: usize| Clip {
            path: format!("{machine}{index}").into(),
            name: format!("{machine}{index}"),
            group: format!("{machine}{index}"),
            machine: machine.to_owned(),
            section: "00".to_owned(),
            domain: None,
            split: Split::Test,
            condition: Some(if index < clips { Condition::Normal } else { Condition::Anomaly }),
            attributes: String::new(),
        };
        let row = |machine: &str, index: usize| {
            let spread = (index % clips) as f64 / clips as f64;
            let ahead = if index < clips { 0.0 } else { ahead };
            ScoreRow { clip: clip(machine, index), score: spread + ahead, decision: None }
        };
        machines.iter().flat_map(|m| (0..2 * clips).map(move |index| row(m, index))).collect()
    }

    fn against(rows: &[ScoreRow], baseline: Vec<ScoreRow>) -> Comparison {
        let config = BootstrapConfig { resamples: 200, ..BootstrapConfig::default() };
        let baselines = [("plain".to_owned(), baseline)];
        compare(rows, &baselines, None, &config).expect("valid rows").expect("labelled rows")
    }

    #[test]
    fn a_lead_has_an_interval_on_its_side_and_none_where_scores_are_the_same() {
        let (machines, few) = (["fan", "pump"], 12);
        let ahead = against(&rows(&machines, few, 0.7), rows(&machines, few, 0.1));
        assert_eq!(ahead.machines.len(), 2);
        for compared in ahead.machines.iter().chain([&ahead.all]) {
            assert_eq!(compared.drawn, Drawn::Recordings);
            let lead = &compared.baselines[0].lead;
            assert!(lead.interval.is_some_and(|i| i.low > 0.0 && i.low < lead.value), "{lead:?}");
            let sum = compared.baselines[0].auc + lead.value;
            assert!((sum - compared.auc.value).abs() < 1e-12);
        }
        let behind = against(&rows(&machines, few, 0.1), rows(&machines, few, 0.7));
        assert!(behind.all.baselines[0].lead.interval.is_some_and(|i| i.high < 0.0));
        let same = against(&rows(&machines, few, 0.4), rows(&machines, few, 0.4));
        assert_eq!(same.all.baselines[0].lead, Estimate { value: 0.0, interval: None });
    }

    #[test]
    fn an_auc_has_the_interval_that_its_evaluation_has() {
        let (rows, config) = (rows(&["fan", "pump"], 12, 0.4), BootstrapConfig::default());
        let metrics = crate::evaluate_with(&rows, None, Some(config)).expect("valid rows");
        let found = compare(&rows, &[], None, &config).expect("valid rows").expect("labelled rows");
        assert_eq!(found.all.auc.interval, metrics.intervals.expect("asked for").auc);
        assert_eq!(found.machines[1].auc.interval, metrics.per_section[1].auc_interval);
    }

    #[test]
    fn a_perfect_ranking_of_few_clips_proves_little() {
        let low = |clips| {
            let found = against(&rows(&["fan"], clips, 2.0), Vec::new());
            assert!(found.all.baselines.is_empty(), "the baseline scored other clips");
            found.all.auc.interval.expect("of a perfect ranking").low
        };
        assert!(low(3) < 0.5 && low(20) > 0.8);
    }

    #[test]
    fn rows_of_too_few_recordings_are_taken_as_they_are() {
        let machines = ["a", "b", "c", "d"];
        let mut few = rows(&machines, 1, 0.5);
        few[1].score = -1.0;
        let found = against(&few, rows(&machines, 1, -0.5));
        assert_eq!((found.all.drawn, found.all.auc.value), (Drawn::Rows, 0.75));
        assert!(found.all.auc.interval.is_some() && found.machines[0].auc.interval.is_none());
    }

    #[test]
    fn seeds_are_joined_and_unlike_ones_are_not() {
        let of = |ahead| against(&rows(&["fan"], 12, ahead), rows(&["fan"], 12, 0.1));
        let seeds = [of(0.3), of(0.4), of(0.5)];
        let joined = Comparison::over_seeds(&seeds, 0.95).expect("three alike");
        assert_eq!(joined.all.drawn, Drawn::Seeds);
        assert!(joined.all.baselines[0].lead.interval.is_some_and(|i| i.low > 0.0));
        let two = Comparison::over_seeds(&seeds[..2], 0.95).expect("two alike");
        assert!(two.all.auc.interval.is_none());
        let other = against(&rows(&["pump"], 12, 0.3), rows(&["pump"], 12, 0.1));
        assert!(Comparison::over_seeds(&[of(0.3), other], 0.95).is_none());
    }
}
