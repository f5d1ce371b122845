//! Which clips are worth showing one by one.

use std::collections::BTreeSet;

use offkey_core::{Condition, ScoreRow};

use super::{
    data::{Role, SectionScores},
    relative::Scale,
};

/// A clip worth showing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pick<'a> {
    /// Why.
    pub role: Role,
    /// The clip and its score.
    pub row: &'a ScoreRow,
    /// Its section's threshold.
    pub threshold: Option<f64>,
}

/// A clip with its place among the scores of its section.
struct Ranked<'a> {
    row: &'a ScoreRow,
    threshold: Option<f64>,
    /// Its relative score: scores of different sections have different scales.
    standing: f64,
}

/// Up to `each` clips of every role: worst false alarms, worst misses, then the most anomalous and
/// the most normal of the others. Every clip is picked once; ties keep the order of the rows.
pub fn picks(sections: &[SectionScores], each: usize) -> Vec<Pick<'_>> {
    let mut ranked: Vec<Ranked> = sections.iter().flat_map(ranked).collect();
    ranked.sort_by(|a, b| b.standing.total_cmp(&a.standing));
    let is_wrong = |ranked: &Ranked, condition, decision| {
        ranked.row.clip.condition == Some(condition) && ranked.row.decision == Some(decision)
    };
    let falling = 0..ranked.len();
    let rising = || (0..ranked.len()).rev();
    let mut taken = BTreeSet::new();
    let mut picked = Vec::new();
    let mut take = |role: Role, indices: Vec<usize>| {
        let free: Vec<usize> =
            indices.into_iter().filter(|i| !taken.contains(i)).take(each).collect();
        taken.extend(free.iter().copied());
        picked.extend(free.into_iter().map(|index| {
            let Ranked { row, threshold, .. } = ranked[index];
            Pick { role, row, threshold }
        }));
    };
    let false_alarm = |i: &usize| is_wrong(&ranked[*i], Condition::Normal, true);
    let miss = |i: &usize| is_wrong(&ranked[*i], Condition::Anomaly, false);
    take(Role::FalseAlarm, falling.clone().filter(false_alarm).collect());
    take(Role::Miss, rising().filter(miss).collect());
    take(Role::MostAnomalous, falling.collect());
    take(Role::MostNormal, rising().collect());
    picked
}

fn ranked(section: &SectionScores) -> Vec<Ranked<'_>> {
    let Some(scale) = Scale::of(section) else { return Vec::new() };
    let of = section.rows.iter().filter(|row| row.score.is_finite());
    let threshold = section.threshold;
    of.map(|row| Ranked { row, threshold, standing: scale.relative(row.score) }).collect()
}

#[cfg(test)]
mod tests {
    use offkey_core::{Clip, Split};

    use super::*;

    fn section(machine: &str, scale: f64) -> SectionScores {
        let row = |index: usize| {
            let name = format!("{machine}_{index}");
            let score = scale * index as f64;
            let is_anomaly = index == 2 || index > 6;
            ScoreRow {
                clip: Clip {
                    path: name.clone().into(),
                    group: name.clone(),
                    name,
                    machine: machine.to_owned(),
                    section: "00".to_owned(),
                    domain: None,
                    split: Split::Test,
                    condition: Some(if is_anomaly {
                        Condition::Anomaly
                    } else {
                        Condition::Normal
                    }),
                    attributes: String::new(),
                },
                score,
                decision: Some(index > 5),
            }
        };
        SectionScores {
            machine: machine.to_owned(),
            section: "00".to_owned(),
            threshold: Some(5.5 * scale),
            held_out: vec![],
            rows: (0..10).map(row).collect(),
        }
    }

    #[test]
    fn each_role_gets_its_clips_whatever_the_scale_of_a_section() {
        let sections = [section("fan", 1.0), section("pump", 100.0)];
        let named: Vec<(Role, &str)> = picks(&sections, 2)
            .iter()
            .map(|pick| (pick.role, pick.row.clip.name.as_str()))
            .collect();
        assert_eq!(
            named,
            [
                (Role::FalseAlarm, "fan_6"),
                (Role::FalseAlarm, "pump_6"),
                (Role::Miss, "pump_2"),
                (Role::Miss, "fan_2"),
                (Role::MostAnomalous, "fan_9"),
                (Role::MostAnomalous, "pump_9"),
                (Role::MostNormal, "pump_0"),
                (Role::MostNormal, "fan_0"),
            ]
        );
        assert!(picks(&[], 3).is_empty() && picks(&sections, 0).is_empty());
    }
}
