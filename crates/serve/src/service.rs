//! Everything together: recorder, listeners, sinks, pages; started, changed while it runs, stopped.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use offkey_core::{cause_in_words, with_causes};
use offkey_monitor::watch::{Clock, SystemClock};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, broadcast, watch},
};

use crate::{
    config::{Config, Keep, MachineConfig, SinkConfig, SourceConfig},
    engine::{Message, Recorder, Shared},
    fleet::RunningFleet,
    listen::Listener,
    metrics::Metrics,
    models::{ModelError, Models},
    prepare::{ServiceError, look_at, read_ready},
    setup::{self, Folders},
    sink::{self, MqttSink, SinksHealth, Worker},
    store::{ClipStore, Store},
    web::{self, Access, App, Certificate, Door, Peer, Shown},
};

/// Messages that wait for the recorder at most; who is faster waits. A message may hold the sound of a window.
const MOST_MESSAGES: usize = 64;
const MOST_LIVE: usize = 512;

/// The running service.
pub struct Service {
    path: PathBuf,
    folders: Folders,
    config: Config,
    shared: Arc<Shared>,
    app: Arc<App>,
    to: SyncSender<Message>,
    recorder: Option<JoinHandle<()>>,
    listeners: BTreeMap<String, Running>,
    sinks: BTreeMap<String, RunningSink>,
    health: SinksHealth,
    clock: Arc<dyn Clock>,
    certificate: Option<Arc<Certificate>>,
    listener: Option<std::net::TcpListener>,
    fleet: Option<RunningFleet>,
    #[cfg(any(feature = "modbus", feature = "opcua"))]
    doors: Option<crate::industry::Doors>,
}

/// A machine being heard.
struct Running {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

enum RunningSink {
    Thread { stop: Arc<AtomicBool>, thread: JoinHandle<()> },
    Task { stop: watch::Sender<bool>, task: tokio::task::JoinHandle<()> },
}

impl Service {
    /// Starts everything but the pages. Has to be called within a tokio runtime.
    ///
    /// # Errors
    /// [`ServiceError`] for whatever keeps it from starting.
    pub fn start(path: &Path) -> Result<Self, ServiceError> {
        let config = read_ready(path)?;
        let folders = Folders::beside(&config, path);
        // First what another service may have taken: nothing is touched before that is known.
        let listener = listen(&config.web.listen)?;
        let certificate = Certificate::of(&config.web, &folders.beside)?;
        let store = Store::open(&folders.store)?;
        for report in &store.health().repairs {
            tracing::error!("{report}");
        }
        let clips = ClipStore::new(&folders.store);
        sweep(&store, &clips);
        let shared = Arc::new(Shared {
            store: Mutex::new(store),
            clips,
            views: RwLock::default(),
            live: broadcast::channel(MOST_LIVE).0,
            metrics: Metrics::default(),
            ears: RwLock::default(),
        });
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let (to, messages) = sync_channel(MOST_MESSAGES);
        let recorder = Recorder::new(
            Arc::clone(&shared),
            Arc::clone(&clock),
            config.store.commit_every.ms(),
            setup::retention(&config),
        );
        let recorder = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || recorder.run(&messages))?;
        let health = SinksHealth::default();
        let models = Arc::new(Models::default());
        let fleet = RunningFleet::open(&config, &folders, &models, &shared, &clock, &to)?;
        let app = Arc::new(App {
            shared: Arc::clone(&shared),
            to: to.clone(),
            models,
            fleet: fleet.as_ref().map(RunningFleet::follower),
            sinks: Arc::clone(&health),
            machines: RwLock::default(),
            folders: folders.clone(),
            access: Access::new(&config.web, &folders.beside)?,
            clock: Arc::clone(&clock),
            learn_recipe: config
                .web
                .learn_recipe
                .as_ref()
                .map(|recipe| folders.beside.join(recipe)),
            upload_bytes: config.web.upload_mb << 20,
            uploads: Semaphore::new(web::MOST_UPLOADS),
        });
        let none = Config { machines: BTreeMap::new(), sinks: BTreeMap::new(), ..config.clone() };
        #[cfg(any(feature = "modbus", feature = "opcua"))]
        let doors = {
            let (shared, clock) = (Arc::clone(&shared), Arc::clone(&clock));
            crate::industry::Doors::open(&config, &folders.store, shared, clock)?
        };
        let mut service = Self {
            path: path.to_owned(),
            folders,
            config: none,
            shared,
            app,
            to,
            recorder: Some(recorder),
            listeners: BTreeMap::new(),
            sinks: BTreeMap::new(),
            health,
            clock,
            certificate,
            listener: Some(listener),
            fleet,
            #[cfg(any(feature = "modbus", feature = "opcua"))]
            doors,
        };
        service.change_to(config)?;
        Ok(service)
    }

    /// Where the pages are to be found.
    pub fn address(&self) -> &str {
        &self.config.web.listen
    }

    /// Reads the configuration again; what did not change goes on without a break.
    ///
    /// # Errors
    /// [`ServiceError`]; everything then goes on as before.
    pub fn reload(&mut self) -> Result<(), ServiceError> {
        let config = read_ready(&self.path)?;
        let doors = |of: &Config| (of.modbus.clone(), of.opcua.clone());
        if config.store != self.config.store || config.web != self.config.web {
            tracing::warn!("changes of `[store]` and `[web]` take effect at the next start");
        }
        if doors(&config) != doors(&self.config) {
            tracing::warn!("changes of `[modbus]` and `[opcua]` take effect at the next start");
        }
        if config.fleet != self.config.fleet {
            tracing::warn!("changes of `[fleet]` take effect at the next start");
        }
        self.refuse_deaf(&config)?;
        if let Some(certificate) = &self.certificate {
            certificate.read_again()?;
        }
        self.change_to(config)
    }

    /// Refuses a change after which a machine would not be judged: its model is damaged, absent, or does not fit.
    fn refuse_deaf(&self, config: &Config) -> Result<(), ServiceError> {
        let mut problems = Vec::new();
        for (name, machine) in &config.machines {
            let Some(old) = self.config.machines.get(name) else { continue };
            let path = self.folders.model(name, machine);
            let why = if machine.model != old.model && machine.model.is_some() && !path.exists() {
                vec![format!("there is no model at `{}`", path.display())]
            } else if machine == old {
                Vec::new()
            } else {
                look_at(name, machine, config, &self.folders).problems
            };
            problems.extend(why.into_iter().map(|why| format!("machine `{name}`: {why}")));
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(ServiceError::Unready { path: self.path.clone(), problems })
    }

    fn change_to(&mut self, config: Config) -> Result<(), ServiceError> {
        let setups = setup::machines(&config, &self.folders)?;
        // Sinks are opened first: a secret that cannot be had must not leave half a change.
        let mut opened = BTreeMap::new();
        for (name, sink) in &config.sinks {
            if self.config.sinks.get(name) != Some(sink) {
                let open = sink::open(sink, &self.folders.beside);
                let open =
                    open.map_err(|source| ServiceError::Secret { sink: name.clone(), source })?;
                opened.insert(name.clone(), open);
            }
        }
        let titles = |config: &Config| -> BTreeMap<String, String> {
            let title = |(name, machine): (&String, &MachineConfig)| {
                (name.clone(), machine.title.clone().unwrap_or_else(|| name.clone()))
            };
            config.machines.iter().map(title).collect()
        };
        let retitled = titles(&config) != titles(&self.config);
        self.stop_listeners(|name, old| {
            config.machines.get(name).is_none_or(|new| {
                new.source != old.source
                    || new.model != old.model
                    || new.sound.keep != old.sound.keep
                    || new.operating.idle_model != old.operating.idle_model
            })
        });
        let shown =
            config.machines.iter().map(|(name, machine)| (name.clone(), shown(name, machine)));
        *self.app.machines.write().unwrap_or_else(PoisonError::into_inner) = shown.collect();
        // Without a recorder nothing goes on anyway.
        let _ = self.to.send(Message::Machines(setups));
        let gone: Vec<String> = self
            .sinks
            .keys()
            .filter(|name| {
                let (old, new) = (self.config.sinks.get(*name), config.sinks.get(*name));
                old != new || (retitled && matches!(new, Some(SinkConfig::Mqtt(_))))
            })
            .cloned()
            .collect();
        for name in gone {
            self.stop_sink(&name);
        }
        self.config = config;
        #[cfg(any(feature = "modbus", feature = "opcua"))]
        if let Some(doors) = &self.doors {
            doors.change(&self.config.machines);
        }
        self.start_sinks(opened, &titles(&self.config))?;
        self.app.models.read_again();
        self.start_listeners();
        if let Some(fleet) = &mut self.fleet {
            fleet.follow(self.config.machines.keys().cloned().collect())?;
        }
        Ok(())
    }

    fn start_sinks(
        &mut self,
        mut opened: BTreeMap<String, Option<Box<dyn sink::Deliver>>>,
        titles: &BTreeMap<String, String>,
    ) -> Result<(), ServiceError> {
        for (name, config) in &self.config.sinks {
            if self.sinks.contains_key(name) {
                continue;
            }
            let (shared, to, health) =
                (Arc::clone(&self.shared), self.to.clone(), Arc::clone(&self.health));
            let running = match (config, opened.remove(name).flatten()) {
                (SinkConfig::Mqtt(mqtt), _) => {
                    let beside = &self.folders.beside;
                    let sink =
                        MqttSink::new(name, mqtt, beside, titles.clone(), shared, to, health);
                    let sink =
                        sink.map_err(|source| ServiceError::Secret { sink: name.clone(), source })?;
                    let (stop, stopped) = watch::channel(false);
                    RunningSink::Task { stop, task: sink.start(stopped) }
                }
                (_, Some(sink)) => {
                    let stop = Arc::new(AtomicBool::new(false));
                    let name = name.clone();
                    let worker = Worker { name, sink, shared, to, health, stop: Arc::clone(&stop) };
                    RunningSink::Thread { stop, thread: worker.start()? }
                }
                (_, None) => continue,
            };
            self.sinks.insert(name.clone(), running);
        }
        Ok(())
    }

    /// Hears every machine that is not heard yet. What keeps one from it is told, and leaves the others alone.
    fn start_listeners(&mut self) {
        for (name, machine) in &self.config.machines {
            if self.listeners.contains_key(name) {
                continue;
            }
            let path = self.folders.model(name, machine);
            if machine.model.is_some() && !path.exists() {
                tracing::warn!(
                    "`{name}` is not judged yet: there is no model at `{}`",
                    path.display()
                );
            }
            let judge = self.app.models.load(name, &path).unwrap_or_else(|error| {
                tracing::error!("`{name}` is not judged: {}", with_causes(&error));
                self.app.models.empty(name, &path, &error)
            });
            let idle = machine.operating.idle_model.as_ref().and_then(|idle| {
                let loaded = crate::models::load(&self.folders.beside.join(idle));
                loaded
                    .inspect_err(|error: &ModelError| {
                        tracing::error!("`{name}` at rest is not known: {}", with_causes(error));
                    })
                    .ok()
            });
            if matches!(machine.source, SourceConfig::Upload {})
                && let Err(error) = std::fs::create_dir_all(self.folders.uploads(name))
            {
                // An upload makes it once there is room, and is refused until then. Other machines are heard.
                tracing::error!("no uploads for `{name}` yet: {}", cause_in_words(&error));
            }
            let store = self.shared.store.lock().unwrap_or_else(PoisonError::into_inner);
            let position = store.position_of(name).unwrap_or_default();
            drop(store);
            let stop = Arc::new(AtomicBool::new(false));
            let (source, places) = setup::source(name, machine, &self.folders, &position);
            let listener = Listener {
                machine: name.clone(),
                source,
                places,
                judge,
                idle,
                to: self.to.clone(),
                clock: Arc::clone(&self.clock),
                ear: self.shared.ear(name),
                pictures: machine.sound.keep == Keep::Features,
                stop: Arc::clone(&stop),
            };
            let named = std::thread::Builder::new().name(format!("listen {name}"));
            match named.spawn(move || listener.run()) {
                Ok(thread) => {
                    self.listeners.insert(name.clone(), Running { stop, thread });
                }
                // The others are heard, and the next reload tries again.
                Err(error) => tracing::error!("`{name}` is not heard: {}", cause_in_words(&error)),
            }
        }
    }

    fn stop_listeners(&mut self, which: impl Fn(&str, &MachineConfig) -> bool) {
        let stopped: Vec<String> = self
            .config
            .machines
            .iter()
            .filter(|(name, old)| which(name, old))
            .map(|(name, _)| name.clone())
            .collect();
        for name in &stopped {
            if let Some(running) = self.listeners.get(name) {
                running.stop.store(true, Ordering::Relaxed);
            }
        }
        for name in stopped {
            if let Some(running) = self.listeners.remove(&name) {
                // A listener that panicked has stopped as well.
                let _ = running.thread.join();
            }
            self.shared.metrics.forget(&name);
        }
    }

    fn stop_sink(&mut self, name: &str) {
        match self.sinks.remove(name) {
            Some(RunningSink::Thread { stop, .. }) => stop.store(true, Ordering::Relaxed),
            Some(RunningSink::Task { stop, .. }) => {
                stop.send_replace(true);
            }
            None => {}
        }
        self.health.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Serves the pages until `stop` turns true; their address, as a browser takes it.
    ///
    /// # Errors
    /// [`ServiceError::System`] when the system does not let it listen.
    pub fn pages(
        &mut self,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(String, tokio::task::JoinHandle<std::io::Result<()>>), ServiceError> {
        let web = &self.config.web;
        let listener = match self.listener.take() {
            Some(listener) => listener,
            None => listen(&web.listen)?,
        };
        let local = listener.local_addr()?;
        let listener = TcpListener::from_std(listener)?;
        let door = Door::open(listener, self.certificate.clone(), web.behind_https)?;
        let router = web::router(Arc::clone(&self.app));
        let service = router.into_make_service_with_connect_info::<Peer>();
        let serving = tokio::spawn(async move {
            tokio::select! {
                served = axum::serve(door, service) => served,
                _ = stop.wait_for(|stop| *stop) => Ok(()),
            }
        });
        let encrypted = self.certificate.is_some();
        if !local.ip().is_loopback() && !encrypted && !web.behind_https {
            tracing::warn!(
                "passwords and tokens cross the network unencrypted: set `certificate` and `key` in `[web]`"
            );
        }
        let scheme = if encrypted { "https" } else { "http" };
        Ok((format!("{scheme}://{local}"), serving))
    }

    /// Stops everything; what is known is on disk afterwards.
    pub async fn stop(mut self) {
        self.stop_listeners(|_, _| true);
        #[cfg(any(feature = "modbus", feature = "opcua"))]
        if let Some(doors) = self.doors.take() {
            doors.close();
        }
        let mut tasks = Vec::new();
        if let Some(fleet) = self.fleet.take() {
            tasks.extend(fleet.stop());
        }
        for (_, sink) in std::mem::take(&mut self.sinks) {
            match sink {
                RunningSink::Thread { stop, thread } => {
                    stop.store(true, Ordering::Relaxed);
                    // A delivery under way may take its time; its message stays in the outbox.
                    drop(thread);
                }
                RunningSink::Task { stop, task } => {
                    stop.send_replace(true);
                    tasks.push(task);
                }
            }
        }
        for task in tasks {
            let _ = task.await;
        }
        let (to, recorder) = (self.to.clone(), self.recorder.take());
        let _ = tokio::task::spawn_blocking(move || {
            let _ = to.send(Message::Stop);
            recorder.map(JoinHandle::join)
        })
        .await;
    }
}

fn listen(address: &str) -> Result<std::net::TcpListener, ServiceError> {
    let failed = |source| ServiceError::Listen { address: address.to_owned(), source };
    let listener = std::net::TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

/// Sounds that a crash left without a row are removed.
fn sweep(store: &Store, clips: &ClipStore) {
    let rows = store.reader().and_then(|reader| reader.clips(None));
    if let Ok(rows) = rows
        && let Err(error) = clips.sweep(&rows)
    {
        tracing::warn!("sounds without a place stay: {}", with_causes(&error));
    }
}

fn shown(name: &str, machine: &MachineConfig) -> Shown {
    Shown {
        title: machine.title.clone().unwrap_or_else(|| name.to_owned()),
        place: machine.place.clone(),
        source: match &machine.source {
            SourceConfig::Folder(_) => "folder",
            SourceConfig::File { .. } => "file",
            SourceConfig::Command { .. } => "command",
            SourceConfig::Microphone(_) => "microphone",
            SourceConfig::Upload {} => "upload",
        },
        keeps: machine.sound.keep.name(),
    }
}
