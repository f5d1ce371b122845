//! Follows the plan: fetches models, takes them into use, tries them, and does what people here decide otherwise.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
    thread,
    time::{Duration, Instant},
};

use offkey_core::with_causes;
use offkey_fleet::{
    fetch::fetch,
    key::{KeyError, PublicKey},
    node::{Change, Node, NodeError},
    place::{Place, PlaceError},
    plan::Version,
    state::Held,
};

use crate::{
    config::{FleetConfig, SecretError},
    ear::Trial,
    engine::{Ask, Message, Shared},
    judge::other_windows,
    models::{self, ModelError, Models},
    setup::Folders,
};

/// Why this computer cannot follow a plan, or a wish.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FleetError {
    /// A key cannot be had.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The token cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The store cannot be used.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The node refuses.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The model refuses.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// No models come from elsewhere.
    #[error("`[fleet]` has no `store`: its models come from nowhere")]
    NoStore,
    /// Models are being taken into use.
    #[error("models are being taken into use just now: try again in a minute")]
    Busy,
}

/// Follows the plan.
pub struct Follower {
    node: Option<Mutex<Node>>,
    models: Arc<Models>,
    shared: Arc<Shared>,
    to: SyncSender<Message>,
    every: Duration,
    /// What is known, for who asks while models are being fetched.
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    machines: Vec<String>,
    held: BTreeMap<String, Held>,
    plan: Option<u64>,
    troubles: Vec<String>,
}

/// Which models a machine has, as pages show it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ModelState {
    /// The one in use; none: one of its own.
    pub model: Option<String>,
    /// Whether an earlier one is kept.
    pub has_earlier: bool,
    /// The earlier one; none: one of its own.
    pub earlier: Option<String>,
    /// The one that is tried.
    pub tried: Option<String>,
    /// Whether somebody here decided otherwise than the plan.
    pub by_hand: bool,
    /// A version that cannot be used, and why.
    pub refused: Option<String>,
}

/// How often it looks whether to stop.
const LOOK: Duration = Duration::from_millis(200);

impl Follower {
    /// Follows what a configuration names.
    ///
    /// # Errors
    /// [`FleetError`] when a key, a secret or a folder cannot be used.
    pub fn open(
        config: &FleetConfig,
        folders: &Folders,
        models: Arc<Models>,
        shared: Arc<Shared>,
        to: SyncSender<Message>,
    ) -> Result<Self, FleetError> {
        let beside = &folders.beside;
        let keys = config.keys.iter().map(|path| PublicKey::read(&beside.join(path)));
        let keys = keys.collect::<Result<Vec<PublicKey>, KeyError>>()?;
        let node = match &config.store {
            None => None,
            Some(store) => {
                let token = config.token.as_ref().map(|token| token.read(beside)).transpose()?;
                let place = Place::new(store, beside, token, config.ca.as_deref())?;
                let folder = folders.store.join("fleet");
                Some(Mutex::new(Node::open(&config.node, place, keys, &folder)?))
            }
        };
        let every = Duration::from_millis(config.every.ms());
        Ok(Self { node, models, shared, to, every, known: RwLock::default() })
    }

    /// The machines that there are from now on.
    pub fn watch(&self, machines: Vec<String>) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).machines = machines;
    }

    /// Looks at the plan from time to time until it is told to stop.
    pub fn run(&self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            self.look();
            let until = Instant::now() + self.every;
            while Instant::now() < until && !stop.load(Ordering::Relaxed) {
                thread::sleep(LOOK);
            }
        }
    }

    /// Looks at the plan once, and does what it wants.
    pub fn look(&self) {
        let Some(node) = &self.node else { return };
        let lock = || node.lock().unwrap_or_else(PoisonError::into_inner);
        let machines = self.known.read().unwrap_or_else(PoisonError::into_inner).machines.clone();
        // A store that hangs holds nobody up: what people decide here needs the computer alone.
        let fetched = fetch(lock, &machines);
        let mut node = lock();
        let (changes, mut troubles) = node.changes(&machines, fetched);
        for change in changes {
            let done = self.change(&mut node, &change);
            if let Err(error) = done {
                troubles.push(format!("`{}`: {}", machine_of(&change), with_causes(&error)));
            }
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.troubles != troubles {
            for trouble in &troubles {
                tracing::warn!("fleet: {trouble}");
            }
            if troubles.is_empty() {
                tracing::info!("fleet: the plan is followed again");
            }
        }
        known.troubles = troubles;
        drop(known);
        self.publish(&node);
    }

    fn change(&self, node: &mut Node, change: &Change) -> Result<(), FleetError> {
        let made = match change {
            Change::Live { machine, model, .. } => {
                self.models.install(machine, model, &node.previous_path(machine))
            }
            Change::Shadow { machine, version, model } => {
                self.try_out(machine, version, model).map(|()| false)
            }
            Change::NoShadow { machine } => {
                self.shared.ear(machine).try_out(None);
                Ok(false)
            }
        };
        let had_model = match made {
            Ok(had_model) => had_model,
            Err(error) => {
                // A model in use that another program changes just now is no fault of the new one.
                if !matches!(error, ModelError::Io { .. }) {
                    node.refused(change, &with_causes(&error))?;
                }
                return Err(error.into());
            }
        };
        let is_news = node.is_news(change);
        node.done(change, had_model)?;
        if !is_news {
            return Ok(());
        }
        let number = node.plan_number().unwrap_or_default();
        match change {
            Change::Live { machine, version, .. } => {
                self.note(
                    machine,
                    "model.changed",
                    format!("{version} judges now, by plan {number}"),
                    "fleet",
                );
            }
            Change::Shadow { machine, version, .. } => {
                self.note(
                    machine,
                    "model.tried",
                    format!("{version} is tried, by plan {number}"),
                    "fleet",
                );
            }
            Change::NoShadow { machine } => {
                self.note(machine, "model.trial_over", format!("by plan {number}"), "fleet");
            }
        }
        Ok(())
    }

    fn try_out(&self, machine: &str, version: &Version, model: &[u8]) -> Result<(), ModelError> {
        let judge = models::read(std::path::Path::new(&version.to_string()), model)?;
        if let Some(live) = self.models.judge(machine)
            && let Some(why) = other_windows(judge.windows(), live.windows())
        {
            let what = why.replace("its `idle_model` judges", "it judges");
            return Err(ModelError::Refused { reason: what });
        }
        let model = version.to_string();
        self.shared.ear(machine).try_out(Some(Trial { model, judge }));
        Ok(())
    }

    /// Goes back to the model before, and stays there until the plan wants something else.
    ///
    /// # Errors
    /// [`FleetError`] when there is none, or it cannot be used.
    pub fn go_back(&self, machine: &str, who: &str) -> Result<(), FleetError> {
        let mut node = self.at_once()?;
        if node.held(machine).is_none_or(|held| held.previous.is_none()) {
            let (machine, what) = (machine.to_owned(), "earlier model");
            return Err(NodeError::Nothing { machine, what }.into());
        }
        self.models.swap(machine, &node.previous_path(machine))?;
        node.went_back(machine)?;
        self.decided(&node, machine, "model.changed", "back to the model before", who);
        Ok(())
    }

    /// Takes the model that is tried into use (`promote`), or drops it.
    ///
    /// # Errors
    /// [`FleetError`] when nothing is tried, or it cannot be used.
    pub fn end_trial(&self, machine: &str, promote: bool, who: &str) -> Result<(), FleetError> {
        let mut node = self.at_once()?;
        let tried = node.held(machine).and_then(|held| held.shadow.clone());
        if let Some(tried) = tried.filter(|_| promote) {
            let model = node.model(&tried)?;
            self.models.install(machine, &model, &node.previous_path(machine))?;
        }
        node.ended_trial(machine, promote)?;
        self.shared.ear(machine).try_out(None);
        let (kind, what) = if promote {
            ("model.changed", "the model that was tried judges now")
        } else {
            ("model.trial_over", "the model that was tried is dropped")
        };
        self.decided(&node, machine, kind, what, who);
        Ok(())
    }

    /// A model was learned here, and is in use.
    pub fn learned_here(&self, machine: &str) {
        let Some(node) = &self.node else { return };
        let mut node = node.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = node.learned_here(machine) {
            tracing::warn!("fleet: `{machine}`: {}", with_causes(&error));
        }
        self.publish(&node);
    }

    fn at_once(&self) -> Result<MutexGuard<'_, Node>, FleetError> {
        let node = self.node.as_ref().ok_or(FleetError::NoStore)?;
        match node.try_lock() {
            Ok(node) => Ok(node),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => Err(FleetError::Busy),
        }
    }

    fn decided(&self, node: &Node, machine: &str, kind: &'static str, what: &str, who: &str) {
        let now = node.held(machine).and_then(|held| held.live.as_ref());
        let now = now.map_or_else(|| "one of its own".to_owned(), ToString::to_string);
        self.note(machine, kind, format!("{what}; in use: {now}"), who);
        self.publish(node);
    }

    fn note(&self, machine: &str, kind: &'static str, reason: String, who: &str) {
        tracing::info!("`{machine}`: {reason}");
        let (machine, who) = (machine.to_owned(), who.to_owned());
        let ask = Ask::Model { kind, reason };
        // Without a recorder the service is stopping.
        let _ = self.to.send(Message::Ask { machine, ask, who, answer: None });
    }

    /// Shows who asks what a computer holds now.
    fn publish(&self, node: &Node) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let held = known
            .machines
            .iter()
            .filter_map(|machine| Some((machine.clone(), node.held(machine)?.clone())));
        known.held = held.collect();
        known.plan = node.plan_number();
    }

    /// Number of the plan that is followed, and what keeps it from being followed.
    pub fn standing(&self) -> (Option<u64>, Vec<String>) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        (known.plan, known.troubles.clone())
    }

    /// Which models a machine has; none: the plan says nothing of it.
    pub fn state(&self, machine: &str) -> Option<ModelState> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let held = known.held.get(machine)?;
        let earlier = held.previous.as_ref();
        Some(ModelState {
            model: held.live.as_ref().map(ToString::to_string),
            has_earlier: earlier.is_some(),
            earlier: earlier.and_then(|before| Some(before.version.as_ref()?.to_string())),
            tried: held.shadow.as_ref().map(ToString::to_string),
            by_hand: held.by_hand.is_some(),
            refused: held
                .refused
                .as_ref()
                .map(|refused| format!("{}: {}", refused.version, refused.why)),
        })
    }
}

fn machine_of(change: &Change) -> &str {
    match change {
        Change::Live { machine, .. }
        | Change::Shadow { machine, .. }
        | Change::NoShadow { machine } => machine,
    }
}
