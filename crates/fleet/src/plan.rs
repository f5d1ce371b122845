//! Which computer uses which version of which model: one text for all of them, signed and numbered.

use offkey_core::Digest;
use serde::{Deserialize, Serialize};

use crate::names::{bad_name, is_meant};

/// Where the plan lies within a place.
pub const PLAN: &str = "plan.signed";

/// The plan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Rises with every plan: a computer never goes back to an earlier one.
    #[serde(default)]
    pub number: u64,
    /// Which models go where; for a machine the first that means it.
    #[serde(default, rename = "model")]
    pub models: Vec<ModelPlan>,
}

/// Where one model goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelPlan {
    /// Its name.
    pub name: String,
    /// The machines that it is for, as in `press` or `press-*`.
    pub machines: Vec<String>,
    /// The computers that it is for; absent: all.
    #[serde(default = "all", skip_serializing_if = "is_all")]
    pub nodes: Vec<String>,
    /// The version that they use.
    pub version: String,
    /// A version that some of them try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<NextPlan>,
}

/// A version that some computers try.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NextPlan {
    /// The version.
    pub version: String,
    /// How they try it.
    #[serde(rename = "as")]
    pub mode: Mode,
    /// The share of computers, from 0 to 1. Which ones never depends on the version, and a larger share has them too.
    #[serde(default)]
    pub share: f64,
    /// Computers that try it whatever the share.
    #[serde(default)]
    pub nodes: Vec<String>,
}

/// How a version is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Beside the one in use: it judges the same sound, is compared, and calls nobody.
    Shadow,
    /// In its place.
    Live,
}

/// A version of a model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version {
    /// The model's name.
    pub name: String,
    /// The version.
    pub version: String,
}

/// What a plan wants for one machine of one computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// What judges.
    pub live: Version,
    /// What is tried beside it.
    pub shadow: Option<Version>,
}

fn all() -> Vec<String> {
    vec!["*".to_owned()]
}

fn is_all(nodes: &[String]) -> bool {
    nodes == ["*"]
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

impl Plan {
    /// Reads a plan and checks it whole.
    ///
    /// # Errors
    /// Everything that is wrong, a line each.
    pub fn read(text: &str) -> Result<Self, String> {
        let plan: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut wrong = Vec::new();
        for (index, model) in plan.models.iter().enumerate() {
            let before = wrong.len();
            wrong.extend(bad_name("name", &model.name));
            wrong.extend(bad_name("version", &model.version));
            if model.machines.is_empty() || model.nodes.is_empty() {
                wrong.push(
                    "`machines` and `nodes` name at least one each, or `*` for all".to_owned(),
                );
            }
            if let Some(next) = &model.next {
                wrong.extend(bad_name("version", &next.version));
                if !(0.0..=1.0).contains(&next.share) {
                    wrong.push(format!("`share` is {}, expected from 0 to 1", next.share));
                }
                if next.share == 0.0 && next.nodes.is_empty() {
                    wrong.push("nobody tries `next`: give it a `share` or `nodes`".to_owned());
                }
                if next.version == model.version {
                    wrong.push(format!(
                        "`next` is the version that is in use already, {}",
                        next.version
                    ));
                }
            }
            for line in &mut wrong[before..] {
                *line = format!("[[model]] {}, `{}`: {line}", index + 1, model.name);
            }
        }
        if wrong.is_empty() { Ok(plan) } else { Err(wrong.join("\n")) }
    }

    /// All versions that it names.
    pub fn versions(&self) -> Vec<Version> {
        let of = |model: &ModelPlan| {
            let next = model.next.as_ref().map(|next| &next.version);
            let versions = std::iter::once(&model.version).chain(next);
            let named =
                |version: &String| Version { name: model.name.clone(), version: version.clone() };
            versions.map(named).collect::<Vec<Version>>()
        };
        let mut all: Vec<Version> = self.models.iter().flat_map(of).collect();
        all.sort();
        all.dedup();
        all
    }

    /// What it wants for a machine of a computer; none: it says nothing of that one.
    pub fn wanted(&self, node: &str, machine: &str) -> Option<Wanted> {
        let any = |patterns: &[String], name: &str| patterns.iter().any(|p| is_meant(p, name));
        let model = self
            .models
            .iter()
            .find(|model| any(&model.machines, machine) && any(&model.nodes, node))?;
        let named =
            |version: &str| Version { name: model.name.clone(), version: version.to_owned() };
        let tries = model
            .next
            .as_ref()
            .filter(|next| any(&next.nodes, node) || place_in_line(node, &model.name) < next.share);
        Some(match tries {
            Some(NextPlan { version, mode: Mode::Live, .. }) => {
                Wanted { live: named(version), shadow: None }
            }
            Some(NextPlan { version, mode: Mode::Shadow, .. }) => {
                Wanted { live: named(&model.version), shadow: Some(named(version)) }
            }
            None => Wanted { live: named(&model.version), shadow: None },
        })
    }
}

/// Where a computer stands in the line of those that try a model, from 0 to 1.
fn place_in_line(node: &str, model: &str) -> f64 {
    let mut digest = Digest::new();
    digest.add_field(node);
    digest.add_field(model);
    let [a, b, c, d, ..] = digest.finish();
    f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = "number = 7\n[[model]]\nname = \"press\"\nmachines = [\"press-*\"]\nversion = \"3\"\n\
        [model.next]\nversion = \"4\"\nas = \"shadow\"\nshare = 0.1\nnodes = [\"pilot\"]\n\
        [[model]]\nname = \"fan\"\nmachines = [\"*\"]\nnodes = [\"hall-2-*\"]\nversion = \"1\"\n";

    fn named(name: &str, version: &str) -> Version {
        Version { name: name.to_owned(), version: version.to_owned() }
    }

    fn tries(plan: &Plan) -> Vec<usize> {
        let of = |index: &usize| {
            plan.wanted(&format!("node-{index}"), "press-1")
                .is_some_and(|wanted| wanted.shadow.is_some())
        };
        (0..5000).filter(of).collect()
    }

    #[test]
    fn machines_and_computers_are_told_apart() {
        let plan = Plan::read(PLAN).expect("a good plan");
        let wanted = plan.wanted("pilot", "press-1").expect("it is meant");
        assert_eq!((wanted.live, wanted.shadow), (named("press", "3"), Some(named("press", "4"))));
        let fan = plan.wanted("hall-2-07", "fan").expect("it is meant");
        assert_eq!((fan.live, fan.shadow), (named("fan", "1"), None));
        assert_eq!(plan.wanted("hall-3-01", "fan"), None);
        let live = Plan::read(&PLAN.replace("shadow", "live")).expect("a good plan");
        assert_eq!(live.wanted("pilot", "press-1").expect("it is meant").live, named("press", "4"));
        assert_eq!(plan.versions().len(), 3);
    }

    #[test]
    fn a_share_is_a_share_and_a_larger_one_has_the_same_computers() {
        let few = tries(&Plan::read(PLAN).expect("a good plan"));
        // Of 5,000 draws with a tenth: 500, give or take four deviations of 21.
        assert!((415..=585).contains(&few.len()), "{}", few.len());
        let many = tries(&Plan::read(&PLAN.replace("0.1", "0.5")).expect("a good plan"));
        assert!(few.iter().all(|node| many.contains(node)) && many.len() > 2000);
        assert_eq!(few, tries(&Plan::read(&PLAN.replace("\"4\"", "\"5\"")).expect("a good plan")));
        assert_eq!(tries(&Plan::read(&PLAN.replace("0.1", "1.0")).expect("good")).len(), 5000);
    }

    #[test]
    fn what_makes_no_sense_is_told_together() {
        let bad = PLAN.replace("0.1", "1.5").replace("\"4\"", "\"../4\"").replace("\"1\"", "\"\"");
        let told = Plan::read(&bad).expect_err("a bad plan");
        for part in ["`share` is 1.5", "`../4`", "[[model]] 2, `fan`"] {
            assert!(told.contains(part), "{part} in {told}");
        }
        assert!(Plan::read("[[model]]\nname = \"a\"\n").is_err());
        assert!(Plan::read("[[models]]\n").is_err());
    }
}
