//! What all requests share, and what they ask of it.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock, mpsc::SyncSender},
};

use axum::http::StatusCode;
use offkey_monitor::watch::Clock;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, oneshot};

use super::{
    access::{Access, Who},
    error::Refusal,
};
use crate::{
    engine::{Ask, Message, Shared},
    fleet::Follower,
    models::Models,
    setup::Folders,
    sink::SinksHealth,
    store::Reader,
};

/// What all requests share.
pub struct App {
    /// Store, sounds, views, live events, numbers.
    pub shared: Arc<Shared>,
    /// Where wishes go.
    pub to: SyncSender<Message>,
    /// The models.
    pub models: Arc<Models>,
    /// The models that come from elsewhere; none: this computer is in no fleet.
    pub fleet: Option<Arc<Follower>>,
    /// How sinks fare.
    pub sinks: SinksHealth,
    /// The machines as configured.
    pub machines: RwLock<BTreeMap<String, Shown>>,
    /// Where things are kept.
    pub folders: Folders,
    /// Who may come in.
    pub access: Access,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Recipe that learning uses.
    pub learn_recipe: Option<std::path::PathBuf>,
    /// Bytes of the largest upload.
    pub upload_bytes: u64,
    /// Uploads at the same time.
    pub uploads: Semaphore,
}

/// What pages show of a machine's configuration.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Shown {
    /// What people call it.
    pub title: String,
    /// Where it stands.
    pub place: Option<String>,
    /// Kind of its source, as in `folder`.
    pub source: &'static str,
    /// What is kept around alarms: `sound`, `features` or `nothing`.
    pub keeps: &'static str,
}

impl App {
    /// Refuses machines that there are not: names never become paths before that.
    pub(super) fn known(&self, name: &str) -> Result<(), Refusal> {
        let machines = self.machines.read().unwrap_or_else(PoisonError::into_inner);
        if machines.contains_key(name) { Ok(()) } else { Err(Refusal::no_machine(name)) }
    }

    /// Asks the store, away from the threads that serve requests.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        ask: impl FnOnce(&Reader) -> Result<T, crate::store::StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let path = self.shared.store.lock().unwrap_or_else(PoisonError::into_inner).path();
        let found = tokio::task::spawn_blocking(move || {
            Reader::open(&path).and_then(|reader| ask(&reader))
        });
        Ok(found.await??)
    }

    /// Asks the recorder for something; whether anything changed.
    pub(super) async fn ask(&self, machine: &str, ask: Ask, who: &Who) -> Result<bool, Refusal> {
        let (answer, answered) = oneshot::channel();
        let (machine, who) = (machine.to_owned(), who.0.clone());
        let message = Message::Ask { machine, ask, who, answer: Some(answer) };
        let to = self.to.clone();
        let gone = || {
            Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the service is stopping: ask again when it runs",
            )
        };
        if !tokio::task::spawn_blocking(move || to.send(message).is_ok()).await? {
            return Err(gone());
        }
        answered.await.map_err(|_| gone())
    }

    /// All that pages show of a machine.
    pub(super) fn shown(&self, name: &str) -> Value {
        let shown = self.machines.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let view =
            self.shared.views.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        json!({ "name": name, "machine": shown, "view": view, "model": self.models.view(name), "model_problem": self.models.problem(name), "fleet": self.fleet.as_ref().and_then(|fleet| fleet.state(name)) })
    }

    /// The models that come from elsewhere.
    pub(super) fn follower(&self) -> Result<Arc<Follower>, Refusal> {
        self.fleet.clone().ok_or_else(|| {
            Refusal::new(
                StatusCode::NOT_FOUND,
                "this computer is in no fleet: its configuration has no `[fleet]`",
            )
        })
    }
}
