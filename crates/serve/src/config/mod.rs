//! The one configuration file, as read and checked: every error at once, each at its line.

mod address;
mod check;
mod control;
mod fleet;
mod industry;
mod parse;
mod read;
mod sinks;
mod text;
mod values;

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

pub use control::shown_machines;
pub use fleet::FleetConfig;
pub use industry::{ModbusConfig, OpcUaConfig};
pub use parse::{ConfigError, ConfigErrors};
pub use sinks::{MailConfig, MqttConfig, SinkConfig};
pub(crate) use text::text_of;
pub use values::{Keep, Secret, SecretError, Span};

/// A commented configuration that checks and starts as it is.
pub const STARTER: &str = include_str!("starter.toml");

/// The configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where things are stored, and for how long.
    pub store: StoreConfig,
    /// The pages and the interface for programs.
    pub web: WebConfig,
    /// Modbus TCP, for control systems; absent: not spoken.
    pub modbus: Option<ModbusConfig>,
    /// OPC UA, for control systems; absent: not spoken.
    pub opcua: Option<OpcUaConfig>,
    /// This computer within a fleet; absent: it is in none.
    pub fleet: Option<FleetConfig>,
    /// The machines, by name.
    pub machines: BTreeMap<String, MachineConfig>,
    /// Where alarms go, by name.
    pub sinks: BTreeMap<String, SinkConfig>,
}

/// Where things are stored, and for how long.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// The folder; relative to the configuration file.
    pub folder: PathBuf,
    /// Windows are written together this often; alarms at once.
    pub commit_every: Span,
    /// Days that single windows are kept.
    pub windows_days: u32,
    /// Days that minutes of windows are kept; hours and days are kept for ever.
    pub minutes_days: u32,
    /// Days that events are kept.
    pub events_days: u32,
    /// Megabytes of sound of all machines together.
    pub sound_mb: u64,
}

/// The pages and the interface for programs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebConfig {
    /// Address and port. Anything but loopback needs a password or a token.
    pub listen: String,
    /// Password for people, or its argon2 hash.
    pub password: Option<Secret>,
    /// Token for programs, sent as `Authorization: Bearer`.
    pub token: Option<Secret>,
    /// Certificate chain in PEM form: the pages then speak HTTPS. Read again on SIGHUP.
    pub certificate: Option<PathBuf>,
    /// The private key of the certificate, in PEM form.
    pub key: Option<PathBuf>,
    /// Whether a proxy in front speaks HTTPS: cookies are then marked `Secure`, and the proxy's
    /// `X-Forwarded-For` says who asks.
    pub behind_https: bool,
    /// Largest upload in megabytes.
    pub upload_mb: u64,
    /// Recipe that the browser's learning uses; the default one of `offkey learn` if absent.
    pub learn_recipe: Option<PathBuf>,
}

/// One machine.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineConfig {
    /// What people call it; the name if absent.
    #[serde(default)]
    pub title: Option<String>,
    /// Where it stands.
    #[serde(default)]
    pub place: Option<String>,
    /// The model file; relative to the configuration file. Absent: learned in the browser.
    #[serde(default)]
    pub model: Option<PathBuf>,
    /// Where its sound comes from.
    pub source: SourceConfig,
    /// When it alarms.
    #[serde(default)]
    pub alarm: AlarmConfig,
    /// How to know that it runs.
    #[serde(default)]
    pub operating: OperatingConfig,
    /// When it calls nobody.
    #[serde(default)]
    pub schedule: ScheduleConfig,
    /// When its source counts as dead.
    #[serde(default)]
    pub liveness: LivenessConfig,
    /// What sound is kept.
    #[serde(default)]
    pub sound: SoundConfig,
    /// Sinks that hear of it; absent: all.
    #[serde(default)]
    pub sinks: Option<Vec<String>>,
    /// Sinks that hear of it when nobody acknowledges; absent: the same.
    #[serde(default)]
    pub escalate_to: Option<Vec<String>>,
}

/// Where sound comes from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SourceConfig {
    /// A folder that recordings are written to, with its subfolders.
    Folder(PathBuf),
    /// A file that grows.
    File {
        /// The file.
        path: PathBuf,
        /// Form of raw samples; a WAV header goes before it.
        #[serde(default)]
        raw: RawConfig,
    },
    /// A command whose standard output is sound.
    Command {
        /// Program and arguments; no shell.
        run: Vec<String>,
        /// Form of raw samples; a WAV header goes before it.
        #[serde(default)]
        raw: RawConfig,
    },
    /// A microphone of this computer; `default` is the system's.
    Microphone(String),
    /// Recordings sent to `POST /api/machines/NAME/sound`.
    Upload {},
}

/// Form of raw samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawConfig {
    /// Samples per second and channel.
    pub rate_hz: u32,
    /// Channels.
    pub channels: u16,
    /// Kind of one sample.
    pub sample: SampleConfig,
}

/// Kind of one sample, little endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SampleConfig {
    /// 16-bit integer.
    I16,
    /// 24-bit integer.
    I24,
    /// 32-bit integer.
    I32,
    /// 32-bit float.
    F32,
}

/// When a machine alarms.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlarmConfig {
    /// Windows that alarm...
    pub alarms: usize,
    /// ...among so many begin an alarm.
    pub windows: usize,
    /// Windows without alarm that end it.
    pub calm_windows: usize,
    /// Instead of counting: the alarm begins when a sum of scores reaches this, and ends when it is back
    /// at zero. `watch --alarms cusum` uses 4.
    pub cusum_limit: Option<f64>,
    /// What is added to every score of that sum. Normal scores lie below zero by more on average.
    pub cusum_allowance: f64,
    /// Whether an alarm stays until somebody resets it.
    pub latch: bool,
    /// A new alarm within this time after the last is the same one.
    pub cooldown: Span,
    /// Times without acknowledgement after which `escalate_to` hears of it.
    pub escalate_after: Vec<Span>,
}

/// How to know that a machine runs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OperatingConfig {
    /// Below this level, in decibels relative to full scale, it is off.
    pub off_below_db: Option<f64>,
    /// A model of its sound at rest.
    pub idle_model: Option<PathBuf>,
    /// Windows in a row that have to agree.
    pub windows: usize,
    /// Time after a start that is not judged.
    pub grace: Span,
}

/// When a machine calls nobody.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleConfig {
    /// Spans of the week, as in `mon-fri 18:00-06:00`.
    pub suppress: Vec<String>,
    /// Time zone, as in `Europe/Berlin`; absent: the system's.
    pub time_zone: Option<String>,
}

/// When a source counts as dead.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LivenessConfig {
    /// No sound for so long; for folders and uploads absent means that there is no rule.
    pub stalled_after: Option<Span>,
    /// Digital silence for so long.
    pub silent_after: Span,
    /// Clipping in a share of samples...
    pub clipped_share: f64,
    /// ...for so long.
    pub clipped_after: Span,
}

/// What sound is kept.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SoundConfig {
    /// What is kept of the sound around alarms.
    pub keep: Keep,
    /// Time before an alarm's first window.
    pub before: Span,
    /// Days that it is kept.
    pub days: u32,
    /// Megabytes of this machine.
    pub mb: u64,
}

impl Default for StoreConfig {
    /// Windows for a year, sound in two gigabytes.
    fn default() -> Self {
        Self {
            folder: "offkey-data".into(),
            commit_every: Span::from_s(5),
            windows_days: 366,
            minutes_days: 1830,
            events_days: 3660,
            sound_mb: 2000,
        }
    }
}

impl Default for WebConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7080".to_owned(),
            password: None,
            token: None,
            certificate: None,
            key: None,
            behind_https: false,
            upload_mb: 100,
            learn_recipe: None,
        }
    }
}

impl Default for RawConfig {
    fn default() -> Self {
        Self { rate_hz: 16_000, channels: 1, sample: SampleConfig::I16 }
    }
}

impl Default for AlarmConfig {
    /// Three of five windows, over after five calm ones.
    fn default() -> Self {
        Self {
            alarms: 3,
            windows: 5,
            calm_windows: 5,
            cusum_limit: None,
            cusum_allowance: 1.0,
            latch: false,
            cooldown: Span::from_s(0),
            escalate_after: Vec::new(),
        }
    }
}

impl Default for OperatingConfig {
    fn default() -> Self {
        Self { off_below_db: None, idle_model: None, windows: 3, grace: Span::from_s(0) }
    }
}

impl Default for LivenessConfig {
    /// Within seconds, and not by a moment of silence between two words.
    fn default() -> Self {
        Self {
            stalled_after: None,
            silent_after: Span::from_s(3),
            clipped_share: 0.01,
            clipped_after: Span::from_s(3),
        }
    }
}

impl Default for SoundConfig {
    fn default() -> Self {
        Self { keep: Keep::Sound, before: Span::from_s(10), days: 90, mb: 200 }
    }
}
