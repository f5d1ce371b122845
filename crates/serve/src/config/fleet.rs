//! This computer within a fleet: where its models come from, who answers for them, and where it tells how it fares.

use std::path::PathBuf;

use offkey_fleet::{names::bad_name, place::is_web};
use serde::Deserialize;

use super::{
    address::{has_host, has_user},
    parse::Reading,
    sinks::MqttConfig,
    values::{Secret, Span},
};

/// This computer within a fleet.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetConfig {
    /// Its name; no other computer has it.
    pub node: String,
    /// Where models and the plan lie: a folder, or an address of the web. Absent: it only tells how it fares.
    #[serde(default)]
    pub store: Option<String>,
    /// Public keys. A model or plan that none of them answers for is refused.
    #[serde(default)]
    pub keys: Vec<PathBuf>,
    /// How often the store is looked at.
    #[serde(default = "five_minutes")]
    pub every: Span,
    /// Token for a store of the web, sent as `Authorization: Bearer`.
    #[serde(default)]
    pub token: Option<Secret>,
    /// Certificate authority of a store of the web, where it is not a public one.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// The broker that is told how this computer fares; absent: none.
    #[serde(default)]
    pub health: Option<MqttConfig>,
    /// How often it is told.
    #[serde(default = "a_minute")]
    pub health_every: Span,
}

fn five_minutes() -> Span {
    Span::from_s(300)
}

fn a_minute() -> Span {
    Span::from_s(60)
}

/// What must hold of it.
pub(super) fn check(fleet: &FleetConfig, reading: &mut Reading<'_>) {
    if let Some(why) = bad_name("name", &fleet.node) {
        reading.wrong(&["fleet", "node"], why);
    }
    match &fleet.store {
        Some(store) if store.is_empty() => {
            reading.wrong(&["fleet", "store"], "`store` is empty, expected a folder or an address");
        }
        Some(store) if !is_web(store) && store.contains("://") => {
            let what = "`store` is neither a folder nor an address of http:// or https://";
            reading.wrong(&["fleet", "store"], what);
        }
        Some(store) if is_web(store) && !has_host(store) => {
            let what =
                format!("`{store}` names no computer, expected as in `https://models.example.org`");
            reading.wrong(&["fleet", "store"], what);
        }
        Some(store) if has_user(store) => {
            let what = "an address with a user or a password in it would be shown in logs: leave it out, and use `token`";
            reading.wrong(&["fleet", "store"], what);
        }
        Some(store) if is_web(store) && fleet.keys.is_empty() => {
            let what = format!(
                "`{store}` is not this computer's own: name the public key of whoever answers for its models in `keys` (`offkey-serve fleet keygen`)"
            );
            reading.wrong(&["fleet", "store"], what);
        }
        None if fleet.health.is_none() => {
            let what = "`[fleet]` does nothing: give it `store`, `health` or both";
            reading.wrong(&["fleet"], what);
        }
        _ => {}
    }
    for (key, span) in [("every", fleet.every), ("health_every", fleet.health_every)] {
        if !(1000..=86_400_000).contains(&span.ms()) {
            reading.wrong(&["fleet", key], format!("`{key}` must be from 1s to 1d"));
        }
    }
}
