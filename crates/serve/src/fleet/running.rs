//! The fleet's models and its broker while the service runs: one thread, one task.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
    thread::{self, JoinHandle},
};

use offkey_monitor::watch::Clock;
use tokio::{sync::watch, task};

use super::{FleetError, Follower, tell};
use crate::{
    config::Config,
    engine::{Message, Shared},
    models::Models,
    setup::Folders,
};

/// What runs.
pub struct RunningFleet {
    follower: Arc<Follower>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    quiet: watch::Sender<bool>,
    telling: Option<task::JoinHandle<()>>,
}

impl RunningFleet {
    /// Begins to tell how this computer fares; models are followed from [`RunningFleet::follow`] on. None: it is in no
    /// fleet. Has to be called within a runtime.
    ///
    /// # Errors
    /// [`FleetError`] when a key, a secret or a folder cannot be used.
    pub fn open(
        config: &Config,
        folders: &Folders,
        models: &Arc<Models>,
        shared: &Arc<Shared>,
        clock: &Arc<dyn Clock>,
        to: &SyncSender<Message>,
    ) -> Result<Option<Self>, FleetError> {
        let Some(fleet) = &config.fleet else { return Ok(None) };
        let (models, shared) = (Arc::clone(models), Arc::clone(shared));
        let follower =
            Follower::open(fleet, folders, Arc::clone(&models), Arc::clone(&shared), to.clone())?;
        let follower = Arc::new(follower);
        let (quiet, quieted) = watch::channel(false);
        let clock = Arc::clone(clock);
        let telling = tell(fleet, folders, Arc::clone(&follower), shared, models, clock, quieted)?;
        Ok(Some(Self { follower, stop: Arc::default(), thread: None, quiet, telling }))
    }

    /// Who follows the plan.
    pub fn follower(&self) -> Arc<Follower> {
        Arc::clone(&self.follower)
    }

    /// Follows the plan for these machines from now on.
    ///
    /// # Errors
    /// [`io::Error`] when the system has no thread left.
    pub fn follow(&mut self, machines: Vec<String>) -> io::Result<()> {
        self.follower.watch(machines);
        if self.thread.is_none() {
            let (follower, stop) = (Arc::clone(&self.follower), Arc::clone(&self.stop));
            let named = thread::Builder::new().name("fleet".to_owned());
            self.thread = Some(named.spawn(move || follower.run(&stop))?);
        }
        Ok(())
    }

    /// Stops it; a task that is to be waited for.
    pub fn stop(self) -> Option<task::JoinHandle<()>> {
        self.stop.store(true, Ordering::Relaxed);
        self.quiet.send_replace(true);
        // A model that is being fetched is fetched again at the next start.
        drop(self.thread);
        self.telling
    }
}
