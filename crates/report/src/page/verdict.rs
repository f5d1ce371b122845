//! The page's first line: does this model detect faults, against which baseline, where not.

use askama::Template;
use offkey_core::stats::Interval;
use offkey_eval::{Compared, Comparison, Estimate, Lead};

use super::{
    PageData,
    counts::{Counts, Key, Outcome},
    words::{drawn_over, listed, plural, range},
};
use crate::markup::Markup;

/// How far a reader may rely on the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Good,
    Mixed,
    Bad,
    Unknown,
}

impl Standing {
    pub(crate) fn key(self) -> Key {
        Key(match self {
            Self::Good => "good",
            Self::Mixed => "mixed",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
        })
    }
}

/// On which side of chance an AUC lies, as far as its interval tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Above,
    Around,
    Below,
    Unknown,
}

const CHANCE: f64 = 0.5;
/// With fewer normal or faulty clips than this an interval that reaches chance is no evidence of anything.
const FEWEST_CLIPS: usize = 10;

/// The side of a value that an interval lies on.
fn side(estimate: &Estimate, value: f64) -> Side {
    match estimate.interval {
        None => Side::Unknown,
        Some(Interval { low, .. }) if low > value => Side::Above,
        Some(Interval { high, .. }) if high < value => Side::Below,
        Some(_) => Side::Around,
    }
}

/// On which side of chance a model lies.
pub(crate) fn side_of_chance(compared: &Compared) -> Side {
    side(&compared.auc, CHANCE)
}

/// On which side of a baseline.
pub(crate) fn side_of_baseline(lead: &Lead) -> Side {
    side(&lead.lead, 0.0)
}

/// One fact below the headline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) name: &'static str,
    pub(crate) text: String,
}

/// The verdict.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "verdict.html")]
pub(crate) struct Verdict {
    pub(crate) standing: Standing,
    pub(crate) headline: String,
    pub(crate) facts: Vec<Fact>,
}

/// The verdict as markup; nothing where the page shows no test of a model.
pub(crate) fn verdict(data: &PageData) -> Markup {
    let counts = Counts::of(data.sections.iter().flat_map(|section| &section.rows));
    let verdict = match &data.comparison {
        Some(comparison) => compared(comparison, &counts, data.trials.len()),
        None if counts.all() > 0 => unlabelled(&counts),
        None => return Markup::default(),
    };
    Markup::of(&verdict)
}

fn unlabelled(counts: &Counts) -> Verdict {
    let (alarms, clips) = (counts.get(Outcome::Alarm), counts.all());
    let found = format!(
        "{alarms} of {} {} above the threshold of their section.",
        plural(clips, "test clip"),
        if alarms == 1 { "lies" } else { "lie" }
    );
    let why =
        "No section has both normal and anomalous test clips, so AUC and mistakes are unknown.";
    Verdict {
        standing: Standing::Unknown,
        headline: "Cannot tell whether this model detects faults: labelled test clips are missing"
            .to_owned(),
        facts: vec![
            Fact { name: "Why", text: why.to_owned() },
            Fact { name: "At the threshold", text: found },
        ],
    }
}

fn compared(comparison: &Comparison, counts: &Counts, seeds: usize) -> Verdict {
    let all = &comparison.all;
    let (standing, headline) = headline(comparison);
    let facts = [
        Some(Fact { name: "How well", text: how_well(all, seeds) }),
        Some(Fact { name: "Against what", text: against_what(all, seeds) }),
        where_not(comparison).map(|text| Fact { name: "Where not", text }),
        at_the_threshold(counts).map(|text| Fact { name: "At the threshold", text }),
    ];
    Verdict { standing, headline, facts: facts.into_iter().flatten().collect() }
}

/// The one sentence, from intervals alone.
fn headline(comparison: &Comparison) -> (Standing, String) {
    let all = &comparison.all;
    match side_of_chance(all) {
        Side::Unknown => {
            let what = "Cannot tell whether this model detects faults: too few recordings or seeds";
            return (Standing::Unknown, what.to_owned());
        }
        Side::Around if all.normal.min(all.anomalous) < FEWEST_CLIPS => {
            let what = format!(
                "Cannot tell whether this model detects faults: only {} and {}",
                plural(all.normal, "normal clip"),
                plural(all.anomalous, "faulty one")
            );
            return (Standing::Unknown, what);
        }
        Side::Around => {
            let what = "No evidence that this model detects faults: its AUC may be chance";
            return (Standing::Bad, what.to_owned());
        }
        Side::Below => {
            let what = "This model is the wrong way round: faults score lower than normal clips";
            return (Standing::Bad, what.to_owned());
        }
        Side::Above => {}
    }
    let machines = comparison.machines.len();
    let detected = comparison.machines.iter().filter(|c| side_of_chance(c) == Side::Above).count();
    let place = match (machines, detected) {
        (1, _) => String::new(),
        (2, 2) => " on both machines".to_owned(),
        (all, found) if all == found => format!(" on all {all} machines"),
        (all, 0) => format!(" on average, but on none of {all} machines for certain"),
        (all, found) => format!(" on {found} of {all} machines"),
    };
    let (is_ahead, against) = match all.best_baseline().map(side_of_baseline) {
        Some(Side::Above) => (true, ", better than plain statistics"),
        Some(Side::Below) => (false, ", but plain statistics detect them better"),
        Some(Side::Around | Side::Unknown) => {
            (false, ", but is not clearly better than plain statistics")
        }
        None => (false, "; there is no baseline to compare it with"),
    };
    let is_everywhere = machines == 1 || detected == machines;
    let standing = if is_ahead && is_everywhere { Standing::Good } else { Standing::Mixed };
    (standing, format!("Detects faults{place}{against}"))
}

fn how_well(all: &Compared, seeds: usize) -> String {
    let over = drawn_over(all.drawn, all.rows, seeds);
    let interval = match range(&all.auc).as_str() {
        "" => format!(", no interval{over}"),
        range => format!(" (95 % interval{over}: {range})"),
    };
    format!(
        "AUC {:.3}{interval}, from {} and {}. Chance is 0.5.",
        all.auc.value,
        plural(all.normal, "normal clip"),
        plural(all.anomalous, "faulty one")
    )
}

fn against_what(all: &Compared, seeds: usize) -> String {
    let Some(best) = all.best_baseline() else {
        return "No baseline was fitted to these clips.".to_owned();
    };
    let of = match all.baselines.len() {
        1 => "Baseline without training".to_owned(),
        count => format!("Best of {count} baselines without training"),
    };
    let over = drawn_over(all.drawn, all.rows, seeds);
    let interval = best.lead.interval.map_or_else(String::new, |interval| {
        format!(" (95 % interval{over}: {})", more_or_less(interval))
    });
    let lead = match best.lead.value {
        lead if lead.abs() < 0.0005 => "the same".to_owned(),
        lead if lead > 0.0 => format!("{lead:.3} more"),
        lead => format!("{:.3} less", -lead),
    };
    format!("{of}: {}, AUC {:.3}. The model has {lead}{interval}.", best.name, best.auc)
}

/// As in `0.09 to 0.23 less` or `0.02 less to 0.11 more`.
fn more_or_less(Interval { low, high }: Interval) -> String {
    if low >= 0.0 {
        format!("{low:.2} to {high:.2} more")
    } else if high <= 0.0 {
        format!("{:.2} to {:.2} less", -high, -low)
    } else {
        format!("{:.2} less to {high:.2} more", -low)
    }
}

/// Machines and domains in which faults are not, or less well, detected.
fn where_not(comparison: &Comparison) -> Option<String> {
    let mut sentences = Vec::new();
    let of_side = |side: &[Side]| -> Vec<String> {
        let machines = comparison.machines.iter().filter(|c| side.contains(&side_of_chance(c)));
        machines.map(|c| format!("{} (AUC {:.3})", c.machine, c.auc.value)).collect()
    };
    let is_one = comparison.machines.len() == 1;
    let (chance, too_few) = (of_side(&[Side::Around, Side::Below]), of_side(&[Side::Unknown]));
    if !chance.is_empty() && !is_one {
        sentences.push(format!("Not told from chance: {}.", listed(&chance)));
    }
    if !too_few.is_empty() && !is_one {
        sentences.push(format!("Too few recordings to tell: {}.", listed(&too_few)));
    }
    sentences.extend(domains(&comparison.all));
    let behind: Vec<String> = match comparison.all.best_baseline() {
        Some(best) if !is_one && side_of_baseline(best) != Side::Below => comparison
            .machines
            .iter()
            .filter(|c| {
                let same = c.baselines.iter().find(|lead| lead.name == best.name);
                same.is_some_and(|lead| side_of_baseline(lead) == Side::Below)
            })
            .map(|c| c.machine.clone())
            .collect(),
        _ => Vec::new(),
    };
    if !behind.is_empty() {
        sentences.push(format!("Plain statistics are better on {}.", listed(&behind)));
    }
    if sentences.is_empty() && !is_one {
        sentences.push("No machine is at chance.".to_owned());
    }
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// A domain whose AUC may be chance, or lies wholly below the other's.
fn domains(all: &Compared) -> Option<String> {
    let (source, target) = (all.auc_source?, all.auc_target?);
    let named = [("source", source, target), ("target", target, source)];
    named.into_iter().find_map(|(name, own, other)| {
        let (own_range, other_range) = (own.interval?, other.interval?);
        let (value, than) = (own.value, other.value);
        if own_range.low <= CHANCE {
            return Some(format!("In the {name} domain the AUC, {value:.3}, may be chance."));
        }
        (own_range.high < other_range.low)
            .then(|| format!("The {name} domain is weaker: AUC {value:.3} against {than:.3}."))
    })
}

fn at_the_threshold(counts: &Counts) -> Option<String> {
    if !counts.is_judged() {
        return None;
    }
    let (found, wrong) = (counts.get(Outcome::Found), counts.get(Outcome::FalseAlarm));
    let (faults, normal) = (counts.anomalous(), counts.normal());
    let mut words = format!(
        "{found} of {} found; {} in {}.",
        plural(faults, "fault"),
        plural(wrong, "false alarm"),
        plural(normal, "normal clip")
    );
    if 2 * wrong > normal {
        words.push_str(" The threshold is too low: most normal clips raise an alarm.");
    } else if 2 * found < faults {
        words.push_str(" The threshold is too high: most faults are missed.");
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use offkey_eval::Drawn;

    use super::*;

    fn estimate(value: f64, around: f64) -> Estimate {
        let interval = (around > 0.0)
            .then(|| Interval { low: value - around, high: (value + around).min(1.0) });
        Estimate { value, interval }
    }

    fn of(machine: &str, auc: f64, lead: Option<f64>) -> Compared {
        let lead = lead.map(|lead| Lead {
            name: "fusion".to_owned(),
            auc: auc - lead,
            lead: estimate(lead, 0.05),
        });
        Compared {
            machine: machine.to_owned(),
            rows: 1,
            normal: 20,
            anomalous: 20,
            auc: estimate(auc, 0.1),
            auc_source: None,
            auc_target: None,
            baselines: lead.into_iter().collect(),
            drawn: Drawn::Recordings,
        }
    }

    fn said(all: Compared, machines: Vec<Compared>) -> (Standing, String) {
        headline(&Comparison { all, machines })
    }

    #[test]
    fn the_headline_follows_the_intervals() {
        let fan = || vec![of("fan", 0.9, None)];
        let cases = [
            (said(of("", 0.9, Some(0.2)), fan()), Standing::Good, "better than plain"),
            (said(of("", 0.9, Some(0.0)), fan()), Standing::Mixed, "not clearly better"),
            (said(of("", 0.8, Some(-0.2)), fan()), Standing::Mixed, "plain statistics detect"),
            (said(of("", 0.9, None), fan()), Standing::Mixed, "no baseline"),
            (said(of("", 0.55, Some(0.2)), fan()), Standing::Bad, "may be chance"),
            (said(of("", 0.3, Some(0.2)), fan()), Standing::Bad, "wrong way round"),
        ];
        for ((standing, words), expected, part) in cases {
            assert_eq!(standing, expected, "{words}");
            assert!(words.contains(part), "{words}");
        }
        let few = Compared { normal: 4, ..of("", 0.55, Some(0.2)) };
        let (standing, words) = said(few, fan());
        assert!(standing == Standing::Unknown && words.contains("only 4 normal clips"), "{words}");
        let mut unknown = of("", 0.9, Some(0.2));
        unknown.auc.interval = None;
        assert_eq!(said(unknown, fan()).0, Standing::Unknown);
    }

    #[test]
    fn machines_at_chance_are_counted_and_named() {
        let machines = vec![of("fan", 0.9, Some(0.2)), of("valve", 0.55, Some(-0.2))];
        let comparison = Comparison { all: of("", 0.75, Some(0.1)), machines };
        let (standing, words) = headline(&comparison);
        assert_eq!(standing, Standing::Mixed);
        assert!(words.contains("on 1 of 2 machines"), "{words}");
        let not = where_not(&comparison).expect("a weak machine");
        assert!(not.contains("chance: valve (AUC 0.550)"), "{not}");
        assert!(not.contains("Plain statistics are better on valve"), "{not}");
        let both = vec![of("fan", 0.9, None), of("pump", 0.9, None)];
        let strong = Comparison { all: of("", 0.9, Some(0.1)), machines: both };
        assert!(headline(&strong).1.contains("on both machines"));
        assert_eq!(where_not(&strong).as_deref(), Some("No machine is at chance."));
    }

    #[test]
    fn a_weaker_domain_is_said() {
        let mut all = of("", 0.8, None);
        all.auc_source = Some(estimate(0.9, 0.03));
        all.auc_target = Some(estimate(0.7, 0.05));
        assert!(domains(&all).is_some_and(|words| words.contains("target domain is weaker")));
        all.auc_target = Some(estimate(0.55, 0.1));
        assert!(domains(&all).is_some_and(|words| words.contains("may be chance")));
        all.auc_target = Some(estimate(0.88, 0.05));
        assert_eq!(domains(&all), None);
    }
}
