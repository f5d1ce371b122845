//! Tells a broker how this computer fares: a small message that the broker keeps, so that whoever asks later finds it.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use offkey_fleet::health::{Health, MachineHealth, ShadowHealth, topic};
use offkey_monitor::watch::Clock;
use rumqttc::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, PublishOptions, QoS};
use tokio::{sync::watch, task::JoinHandle, time};

use super::Follower;
use crate::{
    config::{FleetConfig, MqttConfig, SecretError},
    engine::Shared,
    machine::MachineView,
    models::Models,
    setup::Folders,
    sink::broker,
    store::Reader,
};

const RECONNECT: Duration = Duration::from_secs(2);
/// How long a message may take to leave.
const WITHIN: Duration = Duration::from_secs(10);

/// What is told, and whom.
struct Teller {
    node: String,
    prefix: String,
    every: Duration,
    follower: Arc<Follower>,
    shared: Arc<Shared>,
    models: Arc<Models>,
    clock: Arc<dyn Clock>,
}

/// Tells the broker of `health`, where there is one, until `stop` turns true. Has to be called within a runtime.
///
/// # Errors
/// [`SecretError`] when its password or certificate cannot be had.
pub fn tell(
    config: &FleetConfig,
    folders: &Folders,
    follower: Arc<Follower>,
    shared: Arc<Shared>,
    models: Arc<Models>,
    clock: Arc<dyn Clock>,
    stop: watch::Receiver<bool>,
) -> Result<Option<JoinHandle<()>>, SecretError> {
    let Some(mqtt) = &config.health else { return Ok(None) };
    let options = broker::options(mqtt, &client_of(mqtt, &config.node), &folders.beside)?;
    let teller = Teller {
        node: config.node.clone(),
        prefix: mqtt.prefix.clone(),
        every: Duration::from_millis(config.health_every.ms()),
        follower,
        shared,
        models,
        clock,
    };
    Ok(Some(tokio::spawn(teller.run(options, stop))))
}

/// Two clients of one name would throw each other out.
fn client_of(mqtt: &MqttConfig, node: &str) -> String {
    format!("{}-fleet-{node}", mqtt.client)
}

impl Teller {
    async fn run(self, options: MqttOptions, mut stop: watch::Receiver<bool>) {
        let (client, events) = AsyncClient::builder(options).capacity(8).build();
        let (connected, is_connected) = watch::channel(false);
        let tasks = [
            tokio::spawn(keep_connected(events, connected)),
            tokio::spawn(self.repeat(client.clone(), is_connected)),
        ];
        let _ = stop.wait_for(|stop| *stop).await;
        let _ = client.disconnect().await;
        time::sleep(Duration::from_millis(100)).await;
        for task in tasks {
            task.abort();
        }
    }

    async fn repeat(self, client: AsyncClient, mut connected: watch::Receiver<bool>) {
        let topic = topic(&self.prefix, &self.node);
        let teller = Arc::new(self);
        loop {
            if connected.wait_for(|connected| *connected).await.is_err() {
                return;
            }
            let asked = Arc::clone(&teller);
            // The store is read for it.
            let Ok(message) = tokio::task::spawn_blocking(move || asked.message()).await else {
                return;
            };
            let options = PublishOptions::new(QoS::AtLeastOnce).retain(true);
            let sending = client.publish(topic.clone(), message, options);
            let _ = time::timeout(WITHIN, sending).await;
            // After a new connection it is told at once.
            let _ = time::timeout(teller.every, connected.wait_for(|connected| !*connected)).await;
        }
    }

    fn message(&self) -> String {
        let (plan, mut troubles) = self.follower.standing();
        let health = self.shared.health();
        troubles.extend(health.trouble.map(|why| format!("the store cannot be written: {why}")));
        let path = self.shared.store.lock().unwrap_or_else(PoisonError::into_inner).path();
        let reader = Reader::open(&path).ok();
        let views = self.shared.views.read().unwrap_or_else(PoisonError::into_inner).clone();
        let machines = views.into_iter().map(|(name, view)| {
            let told = self.machine(&name, &view, reader.as_ref());
            (name, told)
        });
        let health = Health {
            node: self.node.clone(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            at_ms: self.clock.now().unix_ms,
            every_s: self.every.as_secs().max(1),
            plan,
            troubles,
            machines: machines.collect(),
        };
        serde_json::to_string(&health).expect("plain data has a JSON form")
    }

    fn machine(&self, name: &str, view: &MachineView, reader: Option<&Reader>) -> MachineHealth {
        let state = self.follower.state(name);
        let mut troubles: Vec<String> =
            view.troubles.iter().map(|(trouble, _)| trouble.name().to_owned()).collect();
        if self.models.problem(name).is_some() {
            troubles.push("model_unusable".to_owned());
        } else if self.models.view(name).is_none() {
            troubles.push("not_learned".to_owned());
        }
        if state.as_ref().is_some_and(|state| state.refused.is_some()) {
            troubles.push("model_refused".to_owned());
        }
        let shadow = state.as_ref().and_then(|state| state.tried.clone()).map(|model| {
            let compared = reader.and_then(|reader| reader.compared(name, &model).ok());
            let compared = compared.unwrap_or_default();
            ShadowHealth {
                model,
                windows: compared.windows,
                both: compared.both,
                only_live: compared.only_live,
                only_shadow: compared.only_shadow,
            }
        });
        let phase = serde_json::to_value(view.phase).ok();
        MachineHealth {
            state: phase.and_then(|phase| Some(phase.as_str()?.to_owned())).unwrap_or_default(),
            active: view.hidden.is_none() && view.phase.is_active(),
            troubles,
            model: state.and_then(|state| state.model),
            shadow,
        }
    }
}

async fn keep_connected(mut events: EventLoop, connected: watch::Sender<bool>) {
    let mut said = String::new();
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                said.clear();
                connected.send_replace(true);
            }
            Ok(_) => {}
            Err(error) => {
                connected.send_replace(false);
                let why = error.to_string();
                if why != said {
                    tracing::warn!("fleet: the broker of `health` cannot be reached: {why}");
                    said = why;
                }
                time::sleep(RECONNECT).await;
            }
        }
    }
}
