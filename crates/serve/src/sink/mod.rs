//! Where alarms go. Every message waits in the outbox until its sink has taken it; a sink that cannot be
//! reached is tried again, at first soon and then less often, and what is given up is counted.

pub mod broker;
mod command;
mod deliver;
mod home_assistant;
mod jsonl;
mod mail;
mod mqtt;
mod webhook;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    config::{SecretError, SinkConfig},
    engine::{Message, Shared},
    store::{EventRow, OutboxRow, StoreError},
};

pub use deliver::{Deliver, Failure};
pub use home_assistant::discovery;
pub use mqtt::MqttSink;

/// How a sink fares.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct SinkHealth {
    /// Why nothing gets through at present; none: all is well.
    pub trouble: Option<String>,
}

/// How every sink fares, by name.
pub type SinksHealth = Arc<Mutex<BTreeMap<String, SinkHealth>>>;

/// Waits between attempts: doubled each time, within bounds.
#[derive(Debug, Clone, Copy)]
pub struct BackOff {
    next: Duration,
}

const LEAST: Duration = Duration::from_millis(500);
const MOST: Duration = Duration::from_mins(2);
/// How often the outbox is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Messages taken at once.
const BATCH: usize = 16;

impl Default for BackOff {
    fn default() -> Self {
        Self { next: LEAST }
    }
}

impl BackOff {
    /// The wait after one more failure.
    pub fn fail(&mut self) -> Duration {
        let wait = self.next;
        self.next = (2 * self.next).min(MOST);
        wait
    }

    /// An attempt went well.
    pub fn succeed(&mut self) {
        *self = Self::default();
    }
}

/// An event as sinks get it.
pub fn message(event: &EventRow, title: &str) -> String {
    let time = jiff::Timestamp::from_millisecond(event.at_ms).unwrap_or_default();
    serde_json::json!({
        "id": event.id,
        "machine": event.machine,
        "title": title,
        "time": time.to_string(),
        "time_ms": event.at_ms,
        "kind": event.kind,
        "alarm": event.alarm,
        "reason": event.reason,
        "score": event.score,
        "p_value": event.p_value,
        "clip": event.clip,
        "who": event.who,
    })
    .to_string()
}

/// A sink that delivers from a thread; MQTT has a task of its own instead.
///
/// # Errors
/// [`SecretError`] when its secret cannot be had.
pub fn open(config: &SinkConfig, beside: &Path) -> Result<Option<Box<dyn Deliver>>, SecretError> {
    Ok(Some(match config {
        SinkConfig::Mqtt(_) => return Ok(None),
        SinkConfig::Webhook { url, secret } => {
            let secret = secret.as_ref().map(|secret| secret.read(beside)).transpose()?;
            Box::new(webhook::Webhook::new(url, secret))
        }
        SinkConfig::Command { run, within } => {
            Box::new(command::CommandSink::new(run.clone(), Duration::from_millis(within.ms())))
        }
        SinkConfig::Mail(mail) => Box::new(mail::Mail::new(mail, beside)?),
        SinkConfig::Jsonl { path } => Box::new(jsonl::Jsonl::new(&beside.join(path))),
        SinkConfig::Journal {} => Box::new(jsonl::Journal),
    }))
}

/// Whether a sink's secrets can be had.
///
/// # Errors
/// [`SecretError`] when one cannot.
pub fn check(config: &SinkConfig, beside: &Path) -> Result<(), SecretError> {
    if let SinkConfig::Mqtt(mqtt) = config {
        broker::check(mqtt, beside)?;
    }
    open(config, beside).map(|_| ())
}

/// Delivers what waits for a sink, until it is told to stop.
pub struct Worker {
    /// The sink's name.
    pub name: String,
    /// What delivers.
    pub sink: Box<dyn Deliver>,
    /// The outbox.
    pub shared: Arc<Shared>,
    /// Who is told of deliveries.
    pub to: SyncSender<Message>,
    /// How sinks fare.
    pub health: SinksHealth,
    /// Whether to stop.
    pub stop: Arc<AtomicBool>,
}

impl Worker {
    /// Starts it.
    ///
    /// # Errors
    /// [`std::io::Error`] when the system has no thread left.
    pub fn start(self) -> std::io::Result<JoinHandle<()>> {
        thread::Builder::new().name(format!("sink {}", self.name)).spawn(move || self.run())
    }

    fn run(mut self) {
        let mut back_off = BackOff::default();
        let mut done = Done::default();
        while !self.stop.load(Ordering::Relaxed) {
            let rows = match due(&self.shared, &self.name, &mut done) {
                Ok(rows) => rows,
                Err(error) => {
                    self.fares(Some(offkey_core::with_causes(&error)));
                    Vec::new()
                }
            };
            let mut wait = LOOK;
            for row in rows {
                match self.sink.deliver(&row) {
                    Ok(()) => {
                        back_off.succeed();
                        self.fares(None);
                        self.over(row, "delivered", &mut done);
                    }
                    Err(Failure::Later(why)) => {
                        self.fares(Some(why));
                        wait = back_off.fail();
                        break;
                    }
                    Err(Failure::Never(why)) => {
                        tracing::error!(
                            "sink `{}` refuses `{}` for good: {why}",
                            self.name,
                            row.id
                        );
                        self.over(row, "refused", &mut done);
                    }
                }
                if self.stop.load(Ordering::Relaxed) {
                    return;
                }
            }
            self.rest(wait);
        }
    }

    fn over(&self, row: OutboxRow, outcome: &'static str, done: &mut Done) {
        done.ids.insert(row.id.clone());
        let sink = self.name.clone();
        // Without a recorder the message stays in the outbox, and is delivered again.
        let _ = self.to.send(Message::Delivered { sink, id: row.id, outcome });
    }

    fn rest(&self, wait: Duration) {
        let until = Instant::now() + wait;
        while Instant::now() < until && !self.stop.load(Ordering::Relaxed) {
            thread::sleep(LOOK.min(until.saturating_duration_since(Instant::now())));
        }
    }

    fn fares(&self, trouble: Option<String>) {
        fares(&self.health, &self.name, trouble);
    }
}

/// Messages delivered that the store may still show.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) ids: BTreeSet<String>,
}

/// Messages for a sink that were not delivered yet.
pub(crate) fn due(
    shared: &Shared,
    sink: &str,
    done: &mut Done,
) -> Result<Vec<OutboxRow>, StoreError> {
    let store = shared.store.lock().unwrap_or_else(PoisonError::into_inner);
    let mut rows = store.due(sink, BATCH + done.ids.len())?;
    drop(store);
    done.ids.retain(|id| rows.iter().any(|row| row.id == *id));
    rows.retain(|row| !done.ids.contains(&row.id));
    rows.truncate(BATCH);
    Ok(rows)
}

/// Remembers how a sink fares; says so where that changed.
pub(crate) fn fares(health: &SinksHealth, name: &str, trouble: Option<String>) {
    let mut health = health.lock().unwrap_or_else(PoisonError::into_inner);
    let now = health.entry(name.to_owned()).or_default();
    if now.trouble == trouble {
        return;
    }
    if let Some(why) = &trouble {
        tracing::warn!("sink `{name}`: {why}; its messages wait");
    } else {
        tracing::info!("sink `{name}` takes messages again");
    }
    now.trouble = trouble;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_within_bounds_and_shrink_after_success() {
        let mut back_off = BackOff::default();
        let waits: Vec<Duration> = (0..12).map(|_| back_off.fail()).collect();
        assert!(waits.is_sorted());
        assert_eq!((waits[0], waits[11]), (LEAST, MOST));
        back_off.succeed();
        assert_eq!(back_off.fail(), LEAST);
    }
}
