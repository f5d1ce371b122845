//! What control systems are shown: pictures of every machine, made from the same views as the pages, for the
//! doors of `offkey-industry`.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, PoisonError},
    time::Duration,
};

use offkey_core::with_causes;
use offkey_industry::picture::{AlarmState, EventTally, MachinePicture, Plant, Troubles};
use offkey_monitor::watch::Clock;
use tokio::{
    net::TcpListener,
    sync::{broadcast::error::RecvError, watch},
    task::JoinHandle,
    time,
};

use crate::{
    alarm::{Hidden, Operating, Phase},
    config::{Config, MachineConfig, shown_machines},
    engine::{Live, Shared},
    liveness::Trouble,
    machine::MachineView,
    prepare::ServiceError,
    store::StoreError,
};

/// How often a picture is taken.
const EVERY: Duration = Duration::from_millis(250);
/// Events read of a machine at the start: enough to find its latest acknowledgement.
const MOST_EVENTS: usize = 1000;

/// The doors, open.
pub struct Doors {
    order: Option<Vec<String>>,
    machines: watch::Sender<Vec<(String, String)>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Doors {
    /// Opens the doors of a configuration; without any of them nothing is started. Has to be called within a
    /// tokio runtime.
    ///
    /// # Errors
    /// [`ServiceError`] when a door cannot be opened.
    pub fn open(
        config: &Config,
        store: &Path,
        shared: Arc<Shared>,
        clock: Arc<dyn Clock>,
    ) -> Result<Option<Self>, ServiceError> {
        if config.modbus.is_none() && config.opcua.is_none() {
            return Ok(None);
        }
        let order = config.modbus.as_ref().and_then(|modbus| modbus.machines.clone());
        let (machines, shown) = watch::channel(shown_machines(order.as_deref(), &config.machines));
        let (to, pictures) = watch::channel(Arc::default());
        let mut tasks = doors(config, store, &pictures)?;
        let photographer = Photographer { shared, clock, tallies: BTreeMap::new(), beat: 0 };
        tasks.push(tokio::spawn(photographer.run(shown, to)));
        Ok(Some(Self { order, machines, tasks }))
    }

    /// The machines that there are from now on.
    pub fn change(&self, machines: &BTreeMap<String, MachineConfig>) {
        self.machines.send_replace(shown_machines(self.order.as_deref(), machines));
    }

    /// Closes them.
    pub fn close(self) {
        for task in self.tasks {
            task.abort();
        }
    }
}

fn doors(
    config: &Config,
    store: &Path,
    pictures: &watch::Receiver<Arc<Plant>>,
) -> Result<Vec<JoinHandle<()>>, ServiceError> {
    // Only OPC UA keeps something: its certificates.
    #[cfg(not(feature = "opcua"))]
    let _ = store;
    let mut tasks = Vec::new();
    #[cfg(feature = "modbus")]
    if let Some(modbus) = &config.modbus {
        let listener = listen("modbus", &modbus.listen)?;
        let limits = offkey_industry::modbus::Limits {
            // Without an order of their own all have a block, also those that come later.
            blocks: modbus.machines.as_ref().map_or(usize::MAX, Vec::len),
            allow: modbus.nets(),
            connections: modbus.connections,
            idle: Duration::from_millis(modbus.idle.ms()),
        };
        tracing::info!("Modbus TCP on {}", modbus.listen);
        let serving = offkey_industry::modbus::serve(listener, pictures.clone(), limits);
        tasks.push(tokio::spawn(serving));
    }
    #[cfg(feature = "opcua")]
    if let Some(opcua) = &config.opcua {
        let listener = listen("opcua", &opcua.listen)?;
        let local = listener.local_addr()?;
        let settings = offkey_industry::opcua::Settings {
            host: opcua.host.clone().unwrap_or_else(|| host_of(&opcua.listen)),
            port: local.port(),
            unprotected: opcua.unprotected,
            folder: store.join("opcua"),
            sessions: opcua.sessions,
        };
        if opcua.unprotected {
            tracing::warn!("OPC UA: clients may connect without signature and encryption");
        }
        let door = offkey_industry::opcua::Door::new(settings)?;
        tracing::info!("OPC UA on opc.tcp://{local}/");
        let pictures = pictures.clone();
        tasks.push(tokio::spawn(async move {
            if let Err(error) = door.serve(listener, pictures).await {
                tracing::error!("{}", with_causes(&error));
            }
        }));
    }
    Ok(tasks)
}

/// The name by which clients reach this computer, from the address that is listened on.
#[cfg(feature = "opcua")]
fn host_of(listen: &str) -> String {
    let host = listen.rsplit_once(':').map_or(listen, |(host, _)| host).trim_matches(['[', ']']);
    let anywhere = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_unspecified());
    if anywhere { offkey_industry::opcua::host_name() } else { host.to_owned() }
}

fn listen(door: &'static str, address: &str) -> Result<TcpListener, ServiceError> {
    let failed = |source| ServiceError::Door { door, address: address.to_owned(), source };
    let listener = std::net::TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    TcpListener::from_std(listener).map_err(failed)
}

/// Takes pictures.
struct Photographer {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    tallies: BTreeMap<String, EventTally>,
    beat: u64,
}

impl Photographer {
    async fn run(
        mut self,
        mut machines: watch::Receiver<Vec<(String, String)>>,
        to: watch::Sender<Arc<Plant>>,
    ) {
        let mut live = self.shared.live.subscribe();
        let first = machines.borrow_and_update().clone();
        self.count_again(&first).await;
        let mut ticks = time::interval(EVERY);
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    let plant = self.picture(&machines.borrow());
                    if to.send(Arc::new(plant)).is_err() {
                        return;
                    }
                }
                changed = machines.changed() => match changed {
                    Ok(()) => {
                        let now = machines.borrow_and_update().clone();
                        self.count_again(&now).await;
                    }
                    Err(_) => return,
                },
                told = live.recv() => match told {
                    Ok(Live::Event(event)) => {
                        self.tallies.entry(event.machine.clone()).or_default().take(&event.id, &event.kind);
                    }
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => {
                        let now = machines.borrow().clone();
                        self.count_again(&now).await;
                    }
                    Err(RecvError::Closed) => return,
                },
            }
        }
    }

    /// Counts events from the store, where those told as they happened are not all.
    async fn count_again(&mut self, machines: &[(String, String)]) {
        let (shared, names) = (Arc::clone(&self.shared), machines.to_vec());
        let counted = tokio::task::spawn_blocking(move || count(&shared, &names)).await;
        match counted {
            Ok(Ok(tallies)) => self.tallies = tallies,
            Ok(Err(error)) => {
                tracing::warn!("events cannot be counted: {}", with_causes(&error));
            }
            // The service ends.
            Err(_) => {}
        }
    }

    fn picture(&mut self, machines: &[(String, String)]) -> Plant {
        self.beat += 1;
        let at_ms = self.clock.now().unix_ms;
        let views = self.shared.views.read().unwrap_or_else(PoisonError::into_inner);
        let nothing = EventTally::default();
        let picture = |(name, title): &(String, String)| match views.get(name) {
            Some(view) => of(view, title, self.tallies.get(name).unwrap_or(&nothing), at_ms),
            None => MachinePicture::unknown(name, title, at_ms),
        };
        Plant { at_ms, beat: self.beat, machines: machines.iter().map(picture).collect() }
    }
}

fn count(
    shared: &Shared,
    machines: &[(String, String)],
) -> Result<BTreeMap<String, EventTally>, StoreError> {
    let reader = shared.store.lock().unwrap_or_else(PoisonError::into_inner).reader()?;
    let mut tallies = BTreeMap::new();
    for (name, _) in machines {
        let mut events = reader.events(Some(name), i64::MAX, MOST_EVENTS)?;
        events.sort_by_key(|event| {
            offkey_industry::picture::EventNumber::of(&event.id).unwrap_or_default()
        });
        let mut tally = EventTally::default();
        for event in &events {
            tally.take(&event.id, &event.kind);
        }
        tallies.insert(name.clone(), tally);
    }
    Ok(tallies)
}

/// A machine's picture.
fn of(view: &MachineView, title: &str, tally: &EventTally, at_ms: i64) -> MachinePicture {
    let state = state_of(view);
    let last = view.last.as_ref();
    let troubles = view.troubles.iter().map(|(trouble, _)| match trouble {
        Trouble::Stalled => Troubles::STALLED,
        Trouble::Ended => Troubles::ENDED,
        Trouble::Silent => Troubles::SILENT,
        Trouble::Clipped => Troubles::CLIPPED,
        Trouble::OtherMicrophone => Troubles::OTHER_MICROPHONE,
    });
    MachinePicture {
        name: view.name.clone(),
        title: title.to_owned(),
        at_ms,
        state,
        since_ms: view.since_ms,
        alarm: view.alarm,
        running: view.operating == Operating::Running,
        troubles: troubles.fold(Troubles::default(), Troubles::and),
        score: last.and_then(|last| last.score),
        p_value: last.and_then(|last| last.p_value),
        level_db: last.and_then(|last| last.level_db),
        window_ms: last.map(|last| last.at_ms),
        unacknowledged: tally.waiting(state),
        event: tally.latest().map(str::to_owned),
        reason: view.reason.clone(),
    }
}

fn state_of(view: &MachineView) -> AlarmState {
    match (view.hidden, view.phase) {
        (Some(Hidden::Shelved), _) => AlarmState::Shelved,
        (Some(Hidden::Suppressed), _) => AlarmState::Suppressed,
        (None, Phase::Normal) => AlarmState::Normal,
        (None, Phase::ActiveUnacknowledged) => AlarmState::ActiveUnacknowledged,
        (None, Phase::ActiveAcknowledged) => AlarmState::ActiveAcknowledged,
        (None, Phase::ReturnedUnacknowledged) => AlarmState::ReturnedUnacknowledged,
        (None, Phase::LatchedUnacknowledged) => AlarmState::LatchedUnacknowledged,
        (None, Phase::LatchedAcknowledged) => AlarmState::LatchedAcknowledged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;

    #[test]
    fn states_have_the_names_of_the_other_doors() {
        let mut view = Machine::new(0).view("pump");
        for phase in [
            Phase::Normal,
            Phase::ActiveUnacknowledged,
            Phase::ActiveAcknowledged,
            Phase::ReturnedUnacknowledged,
            Phase::LatchedUnacknowledged,
            Phase::LatchedAcknowledged,
        ] {
            view.phase = phase;
            assert_eq!(serde_json::json!(phase), serde_json::json!(state_of(&view).name()));
        }
        view.hidden = Some(Hidden::Shelved);
        assert_eq!(state_of(&view), AlarmState::Shelved);
        view.hidden = Some(Hidden::Suppressed);
        assert_eq!(state_of(&view), AlarmState::Suppressed);
    }

    #[test]
    fn every_trouble_has_its_bit() {
        let mut view = Machine::new(0).view("pump");
        let all = [
            Trouble::Stalled,
            Trouble::Ended,
            Trouble::Silent,
            Trouble::Clipped,
            Trouble::OtherMicrophone,
        ];
        view.troubles = all.map(|trouble| (trouble, String::new())).to_vec();
        let picture = of(&view, "Pump", &EventTally::default(), 7);
        assert_eq!((picture.troubles.bits(), picture.at_ms), (31, 7));
        assert_eq!((picture.score, picture.window_ms, picture.event), (None, None, None));
    }
}
