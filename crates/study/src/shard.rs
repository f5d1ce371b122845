//! A share of a study's jobs, for one of several machines that work on it.

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::plan::{Plan, expected_training_s};

/// One of `count` shares of a study. Each machine runs its own; together they run every job once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    number: usize,
    count: usize,
}

/// A text is not one of the shares of a study.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a share of a study, expected `K/N` with K from 1 to N, as in `3/8`")]
pub struct ShardError {
    /// As given.
    pub text: String,
}

impl FromStr for Shard {
    type Err = ShardError;

    /// Reads `K/N`: share K of N, counted from 1.
    fn from_str(text: &str) -> Result<Self, ShardError> {
        let parsed = text.split_once('/').and_then(|(number, count)| {
            Some(Self { number: number.parse().ok()?, count: count.parse().ok()? })
        });
        parsed
            .filter(|shard| (1..=shard.count).contains(&shard.number))
            .ok_or_else(|| ShardError { text: text.to_owned() })
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.count)
    }
}

/// Seconds that a job is taken to need beside its training, for embedding and scoring. Only its being above 0 matters:
/// models that are not trained are dealt out evenly too.
const BESIDE_TRAINING_S: f64 = 5.0;

impl Plan {
    /// The jobs of one share, in the order of the whole plan.
    ///
    /// Jobs with the same trained model stay together, so no two machines write to one model. Each group goes to
    /// the share with the least expected work so far. It depends on the plan alone, not on what is done already.
    #[must_use]
    pub fn share(self, shard: Shard) -> Self {
        let mut work: BTreeMap<String, f64> = BTreeMap::new();
        let mut order: Vec<String> = Vec::new();
        for job in &self.jobs {
            let seconds = work.entry(job.model_key()).or_insert_with_key(|key| {
                order.push(key.clone());
                expected_training_s(&job.cell.recipe)
            });
            *seconds += BESIDE_TRAINING_S;
        }
        let mut loads = vec![0.0_f64; shard.count.min(order.len())];
        let mut own = BTreeMap::new();
        for key in &order {
            let least = (0..loads.len())
                .min_by(|&a, &b| loads[a].total_cmp(&loads[b]))
                .expect("a group has a share to go to");
            loads[least] += work[key];
            own.insert(key, least + 1 == shard.number);
        }
        let jobs: Vec<_> = self.jobs.into_iter().filter(|job| own[&job.model_key()]).collect();
        Self::of(jobs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BUILT_IN_STUDIES, StudyFile, plan::plan};

    #[test]
    fn a_share_is_a_number_from_one_to_the_count() {
        for good in ["1/1", "3/8", "8/8"] {
            assert_eq!(good.parse::<Shard>().expect("a share").to_string(), good);
        }
        for wrong in ["0/8", "9/8", "x", "", "/", "1/0", "0/0", "1/2/3", "-1/2", "1 /2", "1.0/2"] {
            let error = wrong.parse::<Shard>().expect_err("not a share").to_string();
            assert!(error.contains(&format!("`{wrong}`")) && error.contains("K/N"), "{error}");
        }
    }

    #[test]
    fn shares_are_a_partition_that_keeps_models_together_and_work_even() {
        for study in &BUILT_IN_STUDIES[..2] {
            let whole = plan(&StudyFile::load(study.name).expect("built in"), &[]).expect("valid");
            for count in [1, 3, 8, 40] {
                let shares: Vec<Plan> = (1..=count)
                    .map(|number| whole.clone().share(Shard { number, count }))
                    .collect();
                let total: usize = shares.iter().map(|share| share.jobs.len()).sum();
                let trainings: usize = shares.iter().map(|share| share.trainings).sum();
                assert_eq!(
                    (total, trainings),
                    (whole.jobs.len(), whole.trainings),
                    "{}",
                    study.name
                );
                for share in &shares {
                    let mut rest = whole.jobs.iter();
                    assert!(
                        share.jobs.iter().all(|job| rest.any(|other| other == job)),
                        "in order"
                    );
                }
                let most = shares.iter().map(|share| share.expected_s).fold(0.0, f64::max);
                let even = whole.expected_s / count as f64;
                let one = whole.jobs.iter().map(|job| expected_training_s(&job.cell.recipe));
                let one = one.fold(0.0, f64::max);
                let slack = BESIDE_TRAINING_S * whole.jobs.len() as f64;
                assert!(most <= even + one + slack, "{}: {most} of {even}", study.name);
            }
        }
    }
}
