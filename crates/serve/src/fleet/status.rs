//! Asks a broker how all computers fare.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use offkey_core::cause_in_words;
use offkey_fleet::{
    health::{LONGEST, all_topics},
    table::Table,
};
use rumqttc::{
    AsyncClient, Event, Incoming, IncomingPacketSizeLimit, PublishOptions, QoS, SubscribeFilter,
};
use tokio::time;

use crate::{
    config::{MqttConfig, SecretError},
    sink::broker,
};

/// The broker, and where files of its settings lie.
pub struct Server {
    /// Its settings.
    pub mqtt: MqttConfig,
    /// Relative files begin here.
    pub beside: PathBuf,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Longest wait.
    pub within: Duration,
    /// Most computers.
    pub most: usize,
}

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// A secret cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The broker cannot be asked.
    #[error("the broker `{url}` cannot be asked: {problem}")]
    Broker {
        /// Its address.
        url: String,
        /// Why.
        problem: String,
    },
    /// The broker did not answer to the end.
    #[error(
        "the broker `{url}` had not told all after {seconds} s, {found} computers so far: give it longer with `--within`"
    )]
    Slow {
        /// Its address.
        url: String,
        /// The wait.
        seconds: u64,
        /// Computers that were told.
        found: usize,
    },
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// Asks once: what the broker kept of every computer. A message of our own, sent after the question, comes back after
/// all of that, and ends the wait.
///
/// # Errors
/// [`StatusError`] when the broker cannot be asked, or does not come to an end.
pub(super) async fn ask(server: &Server, asked: Asked) -> Result<Table, StatusError> {
    let Server { mqtt, beside } = server;
    let url = mqtt.url.clone();
    let broken = |problem: String| StatusError::Broker { url: url.clone(), problem };
    let client = format!("{}-status-{}-{}", mqtt.client, std::process::id(), now_ms() % 100_000);
    let mut options = broker::options(mqtt, &client, beside)?;
    let largest = u32::try_from(2 * LONGEST).unwrap_or(u32::MAX);
    options.set_incoming_packet_size_limit(IncomingPacketSizeLimit::Bytes(largest));
    let (sender, mut events) = AsyncClient::builder(options).capacity(8).build();
    let mut table = Table::new(&mqtt.prefix, asked.most);
    let ours = format!("{}/fleet-status/{client}", mqtt.prefix);
    let all = async {
        loop {
            match events.poll().await.map_err(|error| broken(cause_in_words(&error)))? {
                Event::Incoming(Incoming::ConnAck(_)) => {
                    // At most once: what a broker keeps it sends whole then, without a bound on what waits.
                    let filters = [all_topics(&mqtt.prefix), ours.clone()]
                        .map(|topic| SubscribeFilter::new(topic, QoS::AtMostOnce));
                    sender
                        .try_subscribe_many(filters)
                        .map_err(|error| broken(cause_in_words(&error)))?;
                }
                Event::Incoming(Incoming::SubAck(_)) => {
                    let options = PublishOptions::new(QoS::AtLeastOnce);
                    let sent = sender.try_publish(ours.clone(), "all was told", options);
                    sent.map_err(|error| broken(cause_in_words(&error)))?;
                }
                Event::Incoming(Incoming::Publish(publish)) => {
                    let topic = String::from_utf8_lossy(&publish.topic);
                    if *topic == ours {
                        return Ok(());
                    }
                    table.take(&topic, &publish.payload);
                }
                _ => {}
            }
        }
    };
    let waited = time::timeout(asked.within, all).await;
    // Without a goodbye the broker notices all the same.
    drop(sender);
    match waited {
        Ok(Ok(())) => Ok(table),
        Ok(Err(error)) => Err(error),
        Err(_) => {
            let (seconds, found) = (asked.within.as_secs(), table.len());
            Err(StatusError::Slow { url, seconds, found })
        }
    }
}
