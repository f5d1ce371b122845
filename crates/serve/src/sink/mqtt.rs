//! MQTT 5: the state of every machine as a retained topic, events from the outbox, commands from others.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc::SyncSender},
    time::{Duration, Instant},
};

use offkey_core::cause_in_words;
use rumqttc::{
    AsyncClient, Event, EventLoop, Incoming, LastWill, MqttOptions, PublishOptions, PublishResult,
    QoS, mqttbytes::v5::PubAckReason,
};
use serde_json::json;
use tokio::{sync::watch, task::JoinHandle, time};

use super::{Done, SinksHealth, broker, discovery, due, fares};
use crate::{
    alarm::{Command, Hidden, Operating},
    config::{MqttConfig, SecretError, Span},
    engine::{Ask, Live, Message, Shared},
    machine::MachineView,
    store::OutboxRow,
};

/// How often scores are published while nothing else changes.
const SCORE_EVERY: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(200);
/// How long a broker may take to acknowledge.
const WITHIN: Duration = Duration::from_secs(10);
/// How long an event waits for somebody who subscribes; brokers acknowledge what nobody hears.
const WAIT_FOR_SUBSCRIBER: Duration = Duration::from_mins(1);
const RECONNECT: Duration = Duration::from_secs(2);

/// A connection to a broker.
pub struct MqttSink {
    name: String,
    config: MqttConfig,
    options: MqttOptions,
    shared: Arc<Shared>,
    to: SyncSender<Message>,
    health: SinksHealth,
    titles: BTreeMap<String, String>,
}

/// What was last published of a machine.
type Published = Arc<Mutex<BTreeMap<String, (String, Instant)>>>;

impl MqttSink {
    /// A sink for machines with these titles.
    ///
    /// # Errors
    /// [`SecretError`] when password or certificate cannot be read.
    pub fn new(
        name: &str,
        config: &MqttConfig,
        beside: &Path,
        titles: BTreeMap<String, String>,
        shared: Arc<Shared>,
        to: SyncSender<Message>,
        health: SinksHealth,
    ) -> Result<Self, SecretError> {
        let mut options = broker::options(config, &config.client, beside)?;
        let will = LastWill::new(
            format!("{}/status", config.prefix),
            "offline",
            QoS::AtLeastOnce,
            true,
            None,
        );
        options.set_last_will(will);
        let (name, config) = (name.to_owned(), config.clone());
        Ok(Self { name, config, options, shared, to, health, titles })
    }

    /// Starts it on the current runtime; it ends when `stop` turns true.
    pub fn start(self, stop: watch::Receiver<bool>) -> JoinHandle<()> {
        tokio::spawn(self.run(stop))
    }

    async fn run(self, mut stop: watch::Receiver<bool>) {
        let (client, events) = AsyncClient::builder(self.options.clone()).capacity(64).build();
        let sink = Arc::new(self);
        let published: Published = Arc::default();
        let (connected, is_connected) = watch::channel(false);
        let tasks = [
            tokio::spawn(Arc::clone(&sink).poll(
                client.clone(),
                events,
                connected,
                Arc::clone(&published),
            )),
            tokio::spawn(Arc::clone(&sink).deliver(client.clone(), is_connected.clone())),
            tokio::spawn(Arc::clone(&sink).follow(client.clone(), is_connected, published)),
        ];
        let _ = stop.wait_for(|stop| *stop).await;
        // The will is for crashes only; a proper end says so itself.
        let status = format!("{}/status", sink.config.prefix);
        let offline = sink.publish(&client, &status, "offline".to_owned(), true);
        let _ = time::timeout(Duration::from_secs(1), offline).await;
        let _ = client.disconnect().await;
        time::sleep(Duration::from_millis(100)).await;
        for task in tasks {
            task.abort();
        }
    }

    /// Keeps the connection up, and takes commands.
    async fn poll(
        self: Arc<Self>,
        client: AsyncClient,
        mut events: EventLoop,
        connected: watch::Sender<bool>,
        published: Published,
    ) {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                    published.lock().unwrap_or_else(PoisonError::into_inner).clear();
                    fares(&self.health, &self.name, None);
                    // Publishing waits for this loop, so it must not be waited for here.
                    tokio::spawn(Arc::clone(&self).greet(client.clone(), connected.clone()));
                }
                Ok(Event::Incoming(Incoming::Publish(publish))) => {
                    let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                    let text = String::from_utf8_lossy(&publish.payload).into_owned();
                    if !publish.retain {
                        self.command(&topic, text.trim());
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    connected.send_replace(false);
                    fares(
                        &self.health,
                        &self.name,
                        Some(format!("the broker cannot be reached: {}", cause_in_words(&error))),
                    );
                    time::sleep(RECONNECT).await;
                }
            }
        }
    }

    /// Says who is there, after every connection.
    async fn greet(self: Arc<Self>, client: AsyncClient, connected: watch::Sender<bool>) {
        let prefix = &self.config.prefix;
        let filter = format!("{prefix}/machine/+/command");
        let mut done = client.subscribe(filter, QoS::AtLeastOnce).await.is_ok();
        if self.config.home_assistant {
            for (machine, title) in &self.titles {
                let client_name = self.config.client.replace(['/', ' '], "_");
                let topic = format!("homeassistant/device/{client_name}_{machine}/config");
                let message = discovery(prefix, &client_name, machine, title).to_string();
                done &= self.publish(&client, &topic, message, true).await;
            }
        }
        done &= self.publish(&client, &format!("{prefix}/status"), "online".to_owned(), true).await;
        connected.send_replace(done);
    }

    /// Publishes the state of machines as it changes.
    async fn follow(
        self: Arc<Self>,
        client: AsyncClient,
        mut connected: watch::Receiver<bool>,
        published: Published,
    ) {
        let mut live = self.shared.live.subscribe();
        loop {
            if connected.wait_for(|connected| *connected).await.is_err() {
                return;
            }
            // States that are missing: all after a connection, the latest after a burst.
            let views = self.shared.views.read().unwrap_or_else(PoisonError::into_inner).clone();
            for view in views.values().filter(|view| self.titles.contains_key(&view.name)) {
                self.show(&client, view, &published).await;
            }
            match time::timeout(SCORE_EVERY, live.recv()).await {
                Ok(Ok(Live::Machine(view))) if self.titles.contains_key(&view.name) => {
                    self.show(&client, &view, &published).await;
                }
                Ok(Err(tokio::sync::broadcast::error::RecvError::Closed)) => return,
                _ => {}
            }
        }
    }

    async fn show(&self, client: &AsyncClient, view: &MachineView, published: &Published) {
        let essence = format!(
            "{:?}{:?}{}{:?}{:?}",
            view.phase, view.hidden, view.alarm, view.operating, view.troubles
        );
        {
            let mut published = published.lock().unwrap_or_else(PoisonError::into_inner);
            let due = published
                .get(&view.name)
                .is_none_or(|(before, when)| *before != essence || when.elapsed() >= SCORE_EVERY);
            if !due {
                return;
            }
            published.insert(view.name.clone(), (essence, Instant::now()));
        }
        let topic = format!("{}/machine/{}/state", self.config.prefix, view.name);
        let sent = self.publish(client, &topic, state_message(view), true).await;
        if !sent {
            published.lock().unwrap_or_else(PoisonError::into_inner).remove(&view.name);
        }
    }

    /// Delivers events from the outbox; each leaves it when the broker has acknowledged it.
    async fn deliver(self: Arc<Self>, client: AsyncClient, mut connected: watch::Receiver<bool>) {
        let mut done = Done::default();
        let mut first: BTreeMap<String, Instant> = BTreeMap::new();
        loop {
            if connected.wait_for(|connected| *connected).await.is_err() {
                return;
            }
            let rows = due(&self.shared, &self.name, &mut done).unwrap_or_default();
            for row in rows {
                let since = *first.entry(row.id.clone()).or_insert_with(Instant::now);
                let outcome = match self.send_event(&client, &row).await {
                    Some(true) => "delivered",
                    Some(false) if since.elapsed() >= WAIT_FOR_SUBSCRIBER => "unheard",
                    Some(false) | None => break,
                };
                first.remove(&row.id);
                done.ids.insert(row.id.clone());
                let (to, sink) = (self.to.clone(), self.name.clone());
                let told = tokio::task::spawn_blocking(move || {
                    to.send(Message::Delivered { sink, id: row.id, outcome }).is_ok()
                });
                if !matches!(told.await, Ok(true)) {
                    return;
                }
            }
            time::sleep(LOOK).await;
        }
    }

    /// Whether somebody heard an event; none: the broker did not acknowledge.
    async fn send_event(&self, client: &AsyncClient, row: &OutboxRow) -> Option<bool> {
        let event: serde_json::Value = serde_json::from_str(&row.message).ok()?;
        let machine = event["machine"].as_str()?;
        let topic = format!("{}/machine/{machine}/event", self.config.prefix);
        let options = PublishOptions::new(QoS::AtLeastOnce);
        let sending = async {
            client
                .publish_tracked(topic, row.message.clone(), options)
                .await
                .ok()?
                .wait_async()
                .await
                .ok()
        };
        match time::timeout(WITHIN, sending).await.ok()?? {
            PublishResult::Qos1(ack) => match ack.reason {
                PubAckReason::Success => Some(true),
                PubAckReason::NoMatchingSubscribers => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    async fn publish(
        &self,
        client: &AsyncClient,
        topic: &str,
        message: String,
        retain: bool,
    ) -> bool {
        let options = PublishOptions::new(QoS::AtLeastOnce).retain(retain);
        let sending = client.publish(topic.to_owned(), message, options);
        matches!(time::timeout(WITHIN, sending).await, Ok(Ok(())))
    }

    fn command(&self, topic: &str, text: &str) {
        let head = format!("{}/machine/", self.config.prefix);
        let machine = topic.strip_prefix(&head).and_then(|rest| rest.strip_suffix("/command"));
        let (Some(machine), Some(ask)) = (machine, ask_of(text)) else {
            tracing::warn!(
                "sink `{}`: no command is `{}`",
                self.name,
                text.chars().take(40).collect::<String>()
            );
            return;
        };
        let who = format!("mqtt/{}", self.name);
        let message = Message::Ask { machine: machine.to_owned(), ask, who, answer: None };
        let to = self.to.clone();
        tokio::task::spawn_blocking(move || to.send(message).is_ok());
    }
}

/// What a command asks for.
fn ask_of(text: &str) -> Option<Ask> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    Some(match word {
        "acknowledge" => Ask::Alarm(Command::Acknowledge),
        "reset" => Ask::Alarm(Command::Reset),
        "unshelve" => Ask::Alarm(Command::Unshelve),
        "shelve" => Ask::Alarm(Command::Shelve { for_ms: rest.parse::<Span>().ok()?.ms() }),
        "running" => Ask::Running(Some(true)),
        "off" => Ask::Running(Some(false)),
        "by-sound" => Ask::Running(None),
        _ => return None,
    })
}

/// The state of a machine as it is published.
fn state_message(view: &MachineView) -> String {
    let state = match view.hidden {
        Some(Hidden::Shelved) => json!("shelved"),
        Some(Hidden::Suppressed) => json!("suppressed"),
        None => json!(view.phase),
    };
    json!({
        "state": state,
        "active": view.hidden.is_none() && view.phase.is_active(),
        "alarm": view.alarm,
        "since_ms": view.since_ms,
        "reason": view.reason,
        "operating": view.operating,
        "judged": view.operating == Operating::Running,
        "source_ok": view.troubles.is_empty(),
        "troubles": view.troubles.iter().map(|(trouble, _)| trouble.name()).collect::<Vec<_>>(),
        "score": view.last.as_ref().and_then(|last| last.score),
        "p_value": view.last.as_ref().and_then(|last| last.p_value),
        "level_db": view.last.as_ref().and_then(|last| last.level_db),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_understood_or_refused() {
        assert_eq!(ask_of("acknowledge"), Some(Ask::Alarm(Command::Acknowledge)));
        assert_eq!(ask_of("shelve 2h"), Some(Ask::Alarm(Command::Shelve { for_ms: 7_200_000 })));
        assert_eq!(ask_of("off"), Some(Ask::Running(Some(false))));
        for text in ["", "shelve", "shelve for ever", "rm -rf /"] {
            assert_eq!(ask_of(text), None, "{text}");
        }
    }
}
