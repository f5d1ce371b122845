//! From the configuration to what the service runs with: rules, sources, models.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use offkey_monitor::{
    EventRule, Listening,
    watch::{Folder, GrowingFile, Source},
};
use offkey_signal::{PcmFormat, SampleKind};

use crate::{
    alarm::{AlarmRule, OperatingRule, Schedule, ScheduleError},
    config::{Config, MachineConfig, RawConfig, SampleConfig, SourceConfig, Span},
    engine::MachineSetup,
    liveness::LivenessRule,
    machine::MachineRule,
    source::{Places, StreamSource, command_opener, usual_form},
    store::{Quota, Retention},
};

/// Without a rule of its own a live source counts as stalled after so long.
const STALLED_AFTER_MS: u64 = 10_000;
/// How often folders are looked at.
const POLL: Duration = Duration::from_millis(500);
const MB: u64 = 1 << 20;

/// Where the service keeps its things.
#[derive(Debug, Clone)]
pub struct Folders {
    /// The folder of the configuration file, which relative paths start from.
    pub beside: PathBuf,
    /// The store.
    pub store: PathBuf,
}

impl Folders {
    /// Folders of a configuration file: relative ones begin where it lies.
    pub fn beside(config: &Config, path: &Path) -> Self {
        let beside = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let beside = beside.unwrap_or(Path::new("."));
        Self { beside: beside.to_owned(), store: beside.join(&config.store.folder) }
    }

    /// Recordings sent to a machine that were not heard yet.
    pub fn uploads(&self, machine: &str) -> PathBuf {
        self.store.join("uploads").join(machine)
    }

    /// Sounds that people called faults of a machine.
    pub fn faults(&self, machine: &str) -> PathBuf {
        self.store.join("faults").join(machine)
    }

    /// Normal recordings to learn a machine from.
    pub fn normals(&self, machine: &str) -> PathBuf {
        self.store.join("normals").join(machine)
    }

    /// The model file of a machine: as configured, or where the browser's learning puts it.
    pub fn model(&self, name: &str, machine: &MachineConfig) -> PathBuf {
        match &machine.model {
            Some(path) => self.beside.join(path),
            None => self.store.join("models").join(format!("{name}.offkey")),
        }
    }
}

/// What is kept for how long.
pub fn retention(config: &Config) -> Retention {
    Retention {
        windows_days: Some(config.store.windows_days),
        minutes_days: Some(config.store.minutes_days),
        events_days: Some(config.store.events_days),
    }
}

/// How every machine is treated.
///
/// # Errors
/// [`ScheduleError`] for a schedule that cannot be read, which a checked configuration does not have.
pub fn machines(
    config: &Config,
    folders: &Folders,
) -> Result<BTreeMap<String, MachineSetup>, ScheduleError> {
    let all: Vec<String> = config.sinks.keys().cloned().collect();
    let of = |(name, machine): (&String, &MachineConfig)| {
        let sinks = machine.sinks.clone().unwrap_or_else(|| all.clone());
        let escalate_to = machine.escalate_to.clone().unwrap_or_else(|| sinks.clone());
        let uploads = matches!(machine.source, SourceConfig::Upload {});
        let setup = MachineSetup {
            rule: rule(name, machine)?,
            title: machine.title.clone().unwrap_or_else(|| name.clone()),
            sinks,
            escalate_to,
            keep: machine.sound.keep,
            before_ms: machine.sound.before.ms(),
            sound_days: machine.sound.days,
            quota: Quota {
                machine_bytes: machine.sound.mb * MB,
                total_bytes: config.store.sound_mb * MB,
            },
            uploads: uploads.then(|| folders.uploads(name)),
        };
        Ok((name.clone(), setup))
    };
    config.machines.iter().map(of).collect()
}

fn rule(name: &str, machine: &MachineConfig) -> Result<MachineRule, ScheduleError> {
    let alarm = &machine.alarm;
    let condition = match alarm.cusum_limit {
        Some(limit) => EventRule::Cusum { allowance: alarm.cusum_allowance, limit },
        None => EventRule::Count {
            alarms: alarm.alarms,
            windows: alarm.windows,
            calm_windows: alarm.calm_windows,
        },
    };
    let live = matches!(
        machine.source,
        SourceConfig::Command { .. } | SourceConfig::Microphone(_) | SourceConfig::File { .. }
    );
    let usual = live.then_some(STALLED_AFTER_MS);
    Ok(MachineRule {
        name: name.to_owned(),
        alarm: AlarmRule {
            condition,
            latch: alarm.latch,
            cooldown_ms: alarm.cooldown.ms(),
            escalate_after_ms: alarm.escalate_after.iter().map(|span| span.ms()).collect(),
        },
        operating: OperatingRule {
            off_below_db: machine.operating.off_below_db,
            windows: machine.operating.windows,
            grace_ms: machine.operating.grace.ms(),
        },
        schedule: Schedule::new(&machine.schedule.suppress, machine.schedule.time_zone.as_deref())?,
        liveness: LivenessRule {
            stalled_after_ms: machine.liveness.stalled_after.map(Span::ms).or(usual),
            silent_after_ms: machine.liveness.silent_after.ms(),
            clipped_share: machine.liveness.clipped_share,
            clipped_after_ms: machine.liveness.clipped_after.ms(),
            unlike_windows: alarm.windows,
        },
    })
}

/// The source of a machine, and how far it was heard by what the store remembers. Uploads whose end was on disk
/// before the service started are removed; the recorder removes the others.
pub fn source(
    name: &str,
    machine: &MachineConfig,
    folders: &Folders,
    position: &BTreeMap<String, String>,
) -> (Box<dyn Source>, Places) {
    let nobody = Listening::of_any(usual_form(None));
    let folder = |root, but| Folder::new(root, but, nobody.clone(), POLL, false);
    let file = match &machine.source {
        SourceConfig::File { path, .. } => Some(folders.beside.join(path)),
        _ => None,
    };
    let places = Places::new(position, file.as_deref());
    let source: Box<dyn Source> = match &machine.source {
        // The sound of an alarm that is kept would be heard, and alarm, again.
        SourceConfig::Folder(root) => {
            Box::new(folder(folders.beside.join(root), Some(folders.store.clone())))
        }
        SourceConfig::Upload {} => {
            let root = folders.uploads(name);
            for place in places.heard() {
                // One that cannot be removed is passed over as heard.
                let _ = std::fs::remove_file(root.join(place));
            }
            Box::new(folder(root, None).of_whole_recordings())
        }
        SourceConfig::File { path, raw } => {
            let path = folders.beside.join(path);
            let place = path.display().to_string();
            Box::new(GrowingFile::new(path, place, format(*raw), nobody, false))
        }
        SourceConfig::Command { run, raw } => {
            Box::new(StreamSource::new(command_opener(run.clone(), format(*raw))))
        }
        SourceConfig::Microphone(microphone) => {
            let microphone = (microphone != "default").then(|| microphone.clone());
            let open = crate::source::microphone_opener(microphone);
            Box::new(StreamSource::new(open))
        }
    };
    (source, places)
}

fn format(raw: RawConfig) -> PcmFormat {
    let sample = match raw.sample {
        SampleConfig::I16 => SampleKind::I16,
        SampleConfig::I24 => SampleKind::I24,
        SampleConfig::I32 => SampleKind::I32,
        SampleConfig::F32 => SampleKind::F32,
    };
    PcmFormat { rate_hz: raw.rate_hz, channels: raw.channels, sample }
}
