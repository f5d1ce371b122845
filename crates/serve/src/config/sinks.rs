//! Where alarms go, as it is written.

use std::path::PathBuf;

use serde::Deserialize;

use super::values::{Secret, Span};

/// Where alarms go.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SinkConfig {
    /// An MQTT 5 broker.
    Mqtt(MqttConfig),
    /// A web address that events are posted to.
    Webhook {
        /// The address.
        url: String,
        /// Key of the signature in `X-Offkey-Signature`.
        #[serde(default)]
        secret: Option<Secret>,
    },
    /// A program that is started for each event; it reads the event as JSON.
    Command {
        /// Program and arguments; no shell.
        run: Vec<String>,
        /// Longest time it may take.
        #[serde(default = "half_a_minute")]
        within: Span,
    },
    /// E-mail.
    Mail(MailConfig),
    /// A file that one line of JSON per event is appended to.
    Jsonl {
        /// The file.
        path: PathBuf,
    },
    /// Standard error, as journald takes it.
    Journal {},
}

/// An MQTT broker.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MqttConfig {
    /// Address, as in `mqtt://broker:1883` or `mqtts://broker:8883`.
    pub url: String,
    /// Name of this client; it must be the only one of that name.
    #[serde(default = "offkey")]
    pub client: String,
    /// First part of every topic.
    #[serde(default = "offkey")]
    pub prefix: String,
    /// User name.
    #[serde(default)]
    pub user: Option<String>,
    /// Password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Certificate authority of the broker, where it is not a public one.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Whether Home Assistant is told of the machines.
    #[serde(default)]
    pub home_assistant: bool,
}

/// E-mail.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// Server and port, as in `smtps://mail.example.org:465` or `smtp://mail.example.org:587`.
    pub server: String,
    /// User name.
    #[serde(default)]
    pub user: Option<String>,
    /// Password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Sender.
    pub from: String,
    /// Receivers.
    pub to: Vec<String>,
}

fn half_a_minute() -> Span {
    Span::from_s(30)
}

fn offkey() -> String {
    "offkey".to_owned()
}
