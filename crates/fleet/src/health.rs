//! How one computer fares, as it tells all who ask: a small JSON text that the broker keeps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Bytes of a message at most; what is larger is no health.
pub const LONGEST: usize = 256 << 10;

/// How a computer fares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Its name.
    pub node: String,
    /// Version of its program.
    pub program: String,
    /// When it said so, in milliseconds since 1970 by its own clock.
    pub at_ms: i64,
    /// It says so again after so many seconds: twice as long without a word is silence.
    pub every_s: u64,
    /// Number of the plan that it follows.
    #[serde(default)]
    pub plan: Option<u64>,
    /// What is wrong with the computer, a sentence each.
    #[serde(default)]
    pub troubles: Vec<String>,
    /// Its machines.
    #[serde(default)]
    pub machines: BTreeMap<String, MachineHealth>,
}

/// How a machine fares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MachineHealth {
    /// State of its alarm, as in `normal`.
    pub state: String,
    /// Whether an alarm is active.
    pub active: bool,
    /// What is wrong with its source or its model, a word each.
    #[serde(default)]
    pub troubles: Vec<String>,
    /// Name and version of its model; none: one of its own.
    #[serde(default)]
    pub model: Option<String>,
    /// What is tried beside it.
    #[serde(default)]
    pub shadow: Option<ShadowHealth>,
}

/// A model that is tried, and how often it agrees with the one in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowHealth {
    /// Name and version.
    pub model: String,
    /// Windows that both judged.
    pub windows: u64,
    /// Windows at which both alarm.
    pub both: u64,
    /// Windows at which only the one in use alarms.
    pub only_live: u64,
    /// Windows at which only the one that is tried alarms.
    pub only_shadow: u64,
}

/// The topic of a computer's health.
pub fn topic(prefix: &str, node: &str) -> String {
    format!("{prefix}/fleet/{node}/health")
}

/// The topics of all.
pub fn all_topics(prefix: &str) -> String {
    topic(prefix, "+")
}

/// Whose health a topic is.
pub fn node_of<'t>(prefix: &str, topic: &'t str) -> Option<&'t str> {
    let rest = topic.strip_prefix(prefix)?.strip_prefix("/fleet/")?;
    rest.strip_suffix("/health").filter(|node| !node.is_empty() && !node.contains('/'))
}
