//! What a computer remembers of its models, whatever happens to it: a small file beside the models that it fetched.

use std::{collections::BTreeMap, fs, io, path::Path};

use offkey_core::write_whole;
use serde::{Deserialize, Serialize};

use crate::plan::{Version, Wanted};

/// What a computer remembers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Number of the latest plan.
    pub plan_number: u64,
    /// Says whether the plan in its place is still that one.
    pub tag: Option<String>,
    /// Every machine that a plan spoke of.
    pub machines: BTreeMap<String, Held>,
}

/// The models of one machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Held {
    /// The version in use; none: a model of its own.
    pub live: Option<Version>,
    /// What was in use before, and is kept.
    pub previous: Option<Before>,
    /// The version that is tried beside it. It is loaded anew after every start.
    #[serde(skip)]
    pub shadow: Option<Version>,
    /// The version that is tried, across starts: a trial is told once.
    pub tried: Option<Version>,
    /// Somebody here decided otherwise, when the plan wanted this. A plan that wants something else counts again.
    pub by_hand: Option<Wanted>,
    /// A version that could not be used, and why; it is not tried again.
    pub refused: Option<Refused>,
}

/// A model that was in use before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Its version; none: the machine's own.
    pub version: Option<Version>,
}

/// A version that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The version.
    pub version: Version,
    /// Why.
    pub why: String,
}

impl State {
    /// What was remembered. A file that cannot be read is set aside, and everything begins anew: what is wanted is
    /// then fetched again.
    ///
    /// # Errors
    /// Whatever the system refuses.
    pub fn read(path: &Path) -> io::Result<Self> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        if let Ok(state) = serde_json::from_slice(&bytes) {
            return Ok(state);
        }
        fs::rename(path, path.with_added_extension("damaged"))?;
        Ok(Self::default())
    }

    /// Remembers it: whole, or as it was before.
    ///
    /// # Errors
    /// Whatever the system refuses.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        write_whole(path, &serde_json::to_vec_pretty(self).expect("plain data has a JSON form"))
    }
}
