//! One computer's side: it remembers the plan and the models that were fetched, and says what is to change. Without a
//! connection everything stays as it is, and goes on from there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use offkey_core::write_whole;

use crate::{
    key::PublicKey,
    model::{BundleError, path_of, unpack},
    place::{Answer, Place, PlaceError},
    plan::{PLAN, Plan, Version, Wanted},
    signed::{Kind, SignedError, open},
    state::{Before, Held, Refused, State},
};

const STATE: &str = "state.json";

/// Why something cannot be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// It cannot be had.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The plan's signature is not in order.
    #[error("the plan is not followed")]
    Plan(#[from] SignedError),
    /// The plan cannot be read.
    #[error("the plan cannot be read: {problem}")]
    Text {
        /// Why.
        problem: String,
    },
    /// The plan is an earlier one.
    #[error(
        "the plan has number {found}, and number {known} was followed before: an earlier plan is not followed"
    )]
    Earlier {
        /// Its number.
        found: u64,
        /// The latest.
        known: u64,
    },
    /// A model that came is not taken.
    #[error("the model {version} is not taken")]
    Model {
        /// Which.
        version: Version,
        /// Why.
        source: BundleError,
    },
    /// A model is not here any more.
    #[error("{version} is not here any more: it is fetched again within minutes, try again then")]
    Away {
        /// Which.
        version: Version,
    },
    /// The system refuses.
    #[error("cannot use `{}`", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is nothing to go back to, or to promote.
    #[error("`{machine}` has no {what}")]
    Nothing {
        /// The machine.
        machine: String,
        /// What was asked for.
        what: &'static str,
    },
}

/// Something to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Another model is to judge.
    Live {
        /// The machine.
        machine: String,
        /// Which.
        version: Version,
        /// Its file.
        model: Vec<u8>,
    },
    /// A model is to be tried beside the one in use.
    Shadow {
        /// The machine.
        machine: String,
        /// Which.
        version: Version,
        /// Its file.
        model: Vec<u8>,
    },
    /// Nothing is to be tried any more.
    NoShadow {
        /// The machine.
        machine: String,
    },
}

/// What became of fetching: what went wrong with the plan, and with which models.
#[derive(Debug, Default)]
pub struct Fetched {
    pub(crate) troubles: Vec<String>,
    pub(crate) failed: BTreeMap<Version, String>,
}

/// One computer.
pub struct Node {
    name: String,
    place: Arc<Place>,
    keys: Vec<PublicKey>,
    folder: PathBuf,
    state: State,
    plan: Option<Plan>,
}

impl Node {
    /// A computer of that name, which keeps its things in a folder. The latest plan is followed from the start.
    ///
    /// # Errors
    /// [`NodeError::Io`] when the folder cannot be used.
    pub fn open(
        name: &str,
        place: Place,
        keys: Vec<PublicKey>,
        folder: &Path,
    ) -> Result<Self, NodeError> {
        let path = folder.join(STATE);
        let state =
            State::read(&path).map_err(|source| NodeError::Io { path: path.clone(), source })?;
        let kept = fs::read(folder.join(PLAN)).ok();
        let plan = kept.and_then(|bytes| plan_of(&bytes, &keys).ok());
        let (name, folder) = (name.to_owned(), folder.to_owned());
        Ok(Self { name, place: Arc::new(place), keys, folder, state, plan })
    }

    /// What it remembers of a machine.
    pub fn held(&self, machine: &str) -> Option<&Held> {
        self.state.machines.get(machine)
    }

    /// Number of the plan that it follows.
    pub fn plan_number(&self) -> Option<u64> {
        self.plan.as_ref().map(|plan| plan.number)
    }

    /// Where the model is kept that a machine used before.
    pub fn previous_path(&self, machine: &str) -> PathBuf {
        self.folder.join("previous").join(format!("{machine}.offkey"))
    }

    /// Where its plan and its models come from.
    pub(crate) fn place(&self) -> Arc<Place> {
        Arc::clone(&self.place)
    }

    /// Says whether the plan in its place is still the one that it follows.
    pub(crate) fn tag(&self) -> Option<String> {
        self.state.tag.clone().filter(|_| self.plan.is_some())
    }

    /// What is to change for these machines, and what keeps it from being done. `fetched` was made a
    /// moment ago for the same machines.
    pub fn changes(&self, machines: &[String], fetched: Fetched) -> (Vec<Change>, Vec<String>) {
        let Fetched { mut troubles, failed } = fetched;
        let Some(plan) = &self.plan else { return (Vec::new(), troubles) };
        let mut changes = Vec::new();
        for machine in machines {
            let Some(wanted) = plan.wanted(&self.name, machine) else { continue };
            self.change_of(machine, &wanted, &failed, &mut changes, &mut troubles);
        }
        self.tidy(plan, machines);
        (changes, troubles)
    }

    /// Versions that these machines are to have and that are not here.
    pub(crate) fn lacking(&self, machines: &[String]) -> BTreeSet<Version> {
        let Some(plan) = &self.plan else { return BTreeSet::new() };
        let wanted =
            machines.iter().filter_map(|name| Some((name, plan.wanted(&self.name, name)?)));
        let versions = wanted.flat_map(|(machine, wanted)| self.due(machine, &wanted));
        versions
            .map(|(version, _)| version)
            .filter(|version| self.kept(version).is_none())
            .collect()
    }

    /// Follows a plan that came.
    pub(crate) fn take_plan(&mut self, answer: Answer) -> Result<(), NodeError> {
        let Answer::New { bytes, tag } = answer else { return Ok(()) };
        let plan = plan_of(&bytes, &self.keys)?;
        let known = self.state.plan_number;
        if plan.number < known {
            return Err(NodeError::Earlier { found: plan.number, known });
        }
        self.write(PLAN, &bytes)?;
        (self.state.plan_number, self.state.tag) = (plan.number, tag);
        self.plan = Some(plan);
        self.remember()
    }

    /// Keeps a model that came, if somebody answers for it.
    pub(crate) fn take_model(&self, version: &Version, answer: Answer) -> Result<(), NodeError> {
        let path = path_of(&version.name, &version.version);
        let Answer::New { bytes, .. } = answer else {
            return Err(NodeError::Text { problem: format!("`{path}` came without content") });
        };
        self.unpacked(version, &bytes)?;
        self.write(&path, &bytes)
    }

    /// Versions that a machine is to have now and has not, and whether each is to judge.
    fn due(&self, machine: &str, wanted: &Wanted) -> Vec<(Version, bool)> {
        let held = self.state.machines.get(machine).cloned().unwrap_or_default();
        if held.by_hand.as_ref() == Some(wanted) {
            return Vec::new();
        }
        let shadow = wanted.shadow.iter().map(|version| (version, false));
        std::iter::once((&wanted.live, true))
            .chain(shadow)
            .filter(|(version, is_live)| {
                let now = if *is_live { &held.live } else { &held.shadow };
                now.as_ref() != Some(*version)
            })
            .map(|(version, is_live)| (version.clone(), is_live))
            .collect()
    }

    fn change_of(
        &self,
        machine: &str,
        wanted: &Wanted,
        failed: &BTreeMap<Version, String>,
        changes: &mut Vec<Change>,
        troubles: &mut Vec<String>,
    ) {
        let held = self.state.machines.get(machine).cloned().unwrap_or_default();
        if held.by_hand.as_ref() == Some(wanted) {
            return;
        }
        if held.shadow.is_some() && held.shadow != wanted.shadow {
            changes.push(Change::NoShadow { machine: machine.to_owned() });
        }
        for (version, is_live) in self.due(machine, wanted) {
            if let Some(Refused { why, .. }) =
                held.refused.as_ref().filter(|r| r.version == version)
            {
                troubles.push(format!("`{machine}`: {version} cannot be used: {why}"));
                continue;
            }
            let Some(model) = self.kept(&version) else {
                // What came and went again within a moment is fetched at the next look.
                troubles.extend(failed.get(&version).map(|why| format!("`{machine}`: {why}")));
                return;
            };
            let machine = machine.to_owned();
            changes.push(if is_live {
                Change::Live { machine, version, model }
            } else {
                Change::Shadow { machine, version, model }
            });
        }
    }

    /// A model that was fetched before.
    ///
    /// # Errors
    /// [`NodeError::Away`] when it is not here, or nobody answers for it.
    pub fn model(&self, version: &Version) -> Result<Vec<u8>, NodeError> {
        self.kept(version).ok_or_else(|| NodeError::Away { version: version.clone() })
    }

    fn kept(&self, version: &Version) -> Option<Vec<u8>> {
        let path = self.folder.join(path_of(&version.name, &version.version));
        self.unpacked(version, &fs::read(path).ok()?).ok()
    }

    fn unpacked(&self, version: &Version, bytes: &[u8]) -> Result<Vec<u8>, NodeError> {
        let Version { name, version: number } = version;
        unpack(bytes, &self.keys, name, number)
            .map(|unpacked| unpacked.model)
            .map_err(|source| NodeError::Model { version: version.clone(), source })
    }

    /// Whether a change is news: what was tried before a start goes on after it.
    pub fn is_news(&self, change: &Change) -> bool {
        let Change::Shadow { machine, version, .. } = change else { return true };
        self.held(machine).is_none_or(|held| held.tried.as_ref() != Some(version))
    }

    /// A change was made. `had_model`: a model was in use before, and is kept.
    ///
    /// # Errors
    /// [`NodeError::Io`] when it cannot be remembered.
    pub fn done(&mut self, change: &Change, had_model: bool) -> Result<(), NodeError> {
        match change {
            Change::Live { machine, version, .. } => {
                let held = self.entry(machine);
                let before = Before { version: held.live.replace(version.clone()) };
                held.previous = if had_model { Some(before) } else { None };
                (held.by_hand, held.refused) = (None, None);
            }
            Change::Shadow { machine, version, .. } => {
                let held = self.entry(machine);
                (held.shadow, held.tried) = (Some(version.clone()), Some(version.clone()));
            }
            Change::NoShadow { machine } => {
                let held = self.entry(machine);
                (held.shadow, held.tried) = (None, None);
            }
        }
        self.remember()
    }

    /// A change could not be made: that version is not tried again until the plan wants another.
    ///
    /// # Errors
    /// [`NodeError::Io`] when it cannot be remembered.
    pub fn refused(&mut self, change: &Change, why: &str) -> Result<(), NodeError> {
        if let Change::Live { machine, version, .. } | Change::Shadow { machine, version, .. } =
            change
        {
            let (version, why) = (version.clone(), why.to_owned());
            self.entry(machine).refused = Some(Refused { version, why });
        }
        self.remember()
    }

    /// Somebody here went back to the model before: the plan is not followed for that machine until it wants
    /// something else.
    ///
    /// # Errors
    /// [`NodeError::Nothing`] when there is none.
    pub fn went_back(&mut self, machine: &str) -> Result<(), NodeError> {
        self.decided(machine, "earlier model", |held| {
            let before = held.previous.take()?;
            let now = std::mem::replace(&mut held.live, before.version);
            held.previous = Some(Before { version: now });
            Some(())
        })
    }

    /// Somebody here promoted what was tried (`true`), or dropped it.
    ///
    /// # Errors
    /// [`NodeError::Nothing`] when nothing is tried.
    pub fn ended_trial(&mut self, machine: &str, promoted: bool) -> Result<(), NodeError> {
        self.decided(machine, "model beside the one in use", |held| {
            let tried = held.shadow.take()?;
            held.tried = None;
            if promoted {
                held.previous = Some(Before { version: held.live.replace(tried) });
            }
            Some(())
        })
    }

    /// A model was learned here, and is in use: the plan is not followed for that machine until it wants something else.
    ///
    /// # Errors
    /// [`NodeError::Io`] when it cannot be remembered.
    pub fn learned_here(&mut self, machine: &str) -> Result<(), NodeError> {
        if !self.state.machines.contains_key(machine) {
            return Ok(());
        }
        self.decided(machine, "model", |held| {
            (held.live, held.previous, held.refused) = (None, None, None);
            Some(())
        })
    }

    fn decided(
        &mut self,
        machine: &str,
        what: &'static str,
        decide: impl FnOnce(&mut Held) -> Option<()>,
    ) -> Result<(), NodeError> {
        let wanted = self.plan.as_ref().and_then(|plan| plan.wanted(&self.name, machine));
        let held = self.entry(machine);
        decide(held).ok_or(NodeError::Nothing { machine: machine.to_owned(), what })?;
        held.by_hand = wanted;
        self.remember()
    }

    fn entry(&mut self, machine: &str) -> &mut Held {
        self.state.machines.entry(machine.to_owned()).or_default()
    }

    fn remember(&self) -> Result<(), NodeError> {
        let path = self.folder.join(STATE);
        self.state.write(&path).map_err(|source| NodeError::Io { path, source })
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), NodeError> {
        let path = self.folder.join(path);
        write_whole(&path, bytes).map_err(|source| NodeError::Io { path, source })
    }

    /// Removes models that neither the plan nor a machine of this computer needs.
    fn tidy(&self, plan: &Plan, machines: &[String]) {
        let mut needed: BTreeSet<Version> = BTreeSet::new();
        for machine in machines {
            if let Some(Wanted { live, shadow }) = plan.wanted(&self.name, machine) {
                needed.insert(live);
                needed.extend(shadow);
            }
            if let Some(held) = self.held(machine) {
                needed.extend(held.live.clone());
                needed.extend(held.shadow.clone());
            }
        }
        let needed: BTreeSet<PathBuf> = needed
            .iter()
            .map(|version| self.folder.join(path_of(&version.name, &version.version)))
            .collect();
        let models = fs::read_dir(self.folder.join("models")).into_iter().flatten().flatten();
        for folder in models {
            for file in fs::read_dir(folder.path()).into_iter().flatten().flatten() {
                if !needed.contains(&file.path()) {
                    // What stays is found again next time.
                    let _ = fs::remove_file(file.path());
                }
            }
        }
    }
}

/// The plan in a file.
///
/// # Errors
/// [`NodeError`] when it is none, or nobody answers for it.
pub fn plan_of(bytes: &[u8], keys: &[PublicKey]) -> Result<Plan, NodeError> {
    let text = open(Kind::Plan, bytes, keys)?;
    let text = std::str::from_utf8(text)
        .map_err(|error| NodeError::Text { problem: error.to_string() })?;
    Plan::read(text).map_err(|problem| NodeError::Text { problem })
}

#[cfg(test)]
mod tests;
