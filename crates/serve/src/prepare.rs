//! What has to be in order before anything starts: the configuration, and everything that it names.

use std::{
    io,
    path::{Path, PathBuf},
};

use offkey_core::with_causes;
use offkey_fleet::{key::PublicKey, place::Place};
use offkey_monitor::watch::only_whole;

use crate::{
    config::{
        Config, ConfigErrors, FleetConfig, MachineConfig, SecretError, SinkConfig, SourceConfig,
        shown_machines, text_of,
    },
    fleet::FleetError,
    judge::other_windows,
    models,
    setup::Folders,
    sink,
    source::not_growing,
    store::StoreError,
    web::{Access, AccessError, Certificate, TlsError},
};

/// Why the service cannot start, or cannot take a new configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The configuration cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The configuration is wrong.
    #[error("`{}` cannot be used:\n{errors}{}", path.display(), each_on_its_line(problems))]
    Config {
        /// The file.
        path: PathBuf,
        /// Everything wrong with it.
        errors: ConfigErrors,
        /// What is not in order of what the rest of it names.
        problems: Vec<String>,
    },
    /// The store cannot be used.
    #[error("the store cannot be used")]
    Store(#[from] StoreError),
    /// Nobody could be let in.
    #[error("the pages cannot be protected")]
    Access(#[from] AccessError),
    /// The certificate cannot be used.
    #[error("the pages cannot be encrypted")]
    Tls(#[from] TlsError),
    /// A sink's secret cannot be had.
    #[error("the sink `{sink}` cannot be used")]
    Secret {
        /// The sink.
        sink: String,
        /// Why.
        source: SecretError,
    },
    /// Something that the configuration names is not in order.
    #[error("`{}` is well written, but:\n{}", path.display(), problems.join("\n"))]
    Unready {
        /// The configuration.
        path: PathBuf,
        /// Everything that is not in order.
        problems: Vec<String>,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The address of a door for control systems cannot be listened on.
    #[error("cannot listen on `{address}` for `[{door}]`")]
    Door {
        /// The section of the configuration.
        door: &'static str,
        /// The address.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// OPC UA cannot be started.
    #[cfg(feature = "opcua")]
    #[error(transparent)]
    OpcUa(#[from] offkey_industry::opcua::OpcUaError),
    /// The fleet cannot be followed.
    #[error("`[fleet]` cannot be followed")]
    Fleet(#[from] FleetError),
    /// The system refuses a thread or a signal.
    #[error("the system refuses")]
    System(#[from] std::io::Error),
    /// A schedule that cannot be read.
    #[error(transparent)]
    Schedule(#[from] crate::alarm::ScheduleError),
}

impl ServiceError {
    /// Advice, where there is some.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("`offkey-serve --init > serve.toml` writes a configuration to begin with")
            }
            Self::Listen { source, .. } => match source.kind() {
                io::ErrorKind::AddrInUse => Some(
                    "another program listens there, perhaps an earlier offkey-serve: end it, or write another port into `listen` of `[web]`",
                ),
                io::ErrorKind::AddrNotAvailable => Some(
                    "this computer has no such address: `listen` of `[web]` takes one of its own, or 0.0.0.0 for all of them",
                ),
                io::ErrorKind::PermissionDenied => {
                    Some("ports below 1024 are for the system: write a larger one into `listen`")
                }
                _ => None,
            },
            Self::Door { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => Some(
                "ports below 1024 are for the system: write a larger one into `listen`, or let the unit have CAP_NET_BIND_SERVICE",
            ),
            Self::Store(StoreError::InUse { .. }) => {
                Some("end the other offkey-serve first, or write another `folder` into `[store]`")
            }
            Self::Store(StoreError::Io { .. }) => {
                Some("`folder` of `[store]` has to be a folder that this user may write to")
            }
            _ => None,
        }
    }
}

fn each_on_its_line(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("\n{problem}")).collect()
}

/// Reads and checks a configuration file.
///
/// # Errors
/// [`ServiceError::Read`] or [`ServiceError::Config`].
pub fn read_config(path: &Path) -> Result<Config, ServiceError> {
    in_order(path, |_, _| Vec::new())
}

/// Reads and checks a configuration file and what keeps the service from starting with it: secrets and certificates.
///
/// # Errors
/// [`ServiceError`] with everything that is wrong, together.
pub fn read_ready(path: &Path) -> Result<Config, ServiceError> {
    in_order(path, secrets)
}

/// Reads a configuration. What is wrong with it, and with what it names, is told together.
fn in_order(
    path: &Path,
    look: impl FnOnce(&Config, &Folders) -> Vec<String>,
) -> Result<Config, ServiceError> {
    let text =
        text_of(path).map_err(|source| ServiceError::Read { path: path.to_owned(), source })?;
    let (config, errors) = Config::read_what_can_be(&text);
    let problems = look(&config, &Folders::beside(&config, path));
    let path = path.to_owned();
    match (errors.is_empty(), problems.is_empty()) {
        (true, true) => Ok(config),
        (true, false) => Err(ServiceError::Unready { path, problems }),
        (false, _) => Err(ServiceError::Config { path, errors: ConfigErrors { errors }, problems }),
    }
}

/// What is not in order of the secrets and certificates of a configuration.
fn secrets(config: &Config, folders: &Folders) -> Vec<String> {
    let beside = &folders.beside;
    let certificate = Certificate::of(&config.web, beside).err().map(|error| with_causes(&error));
    let access = Access::new(&config.web, beside).err().map(|error| with_causes(&error));
    let sinks = config.sinks.iter().filter_map(|(name, sink)| {
        let error = sink::check(sink, beside).err()?;
        Some(format!("sink `{name}`: {}", with_causes(&error)))
    });
    let fleet = config.fleet.iter().flat_map(|fleet| of_fleet(fleet, beside));
    certificate.into_iter().chain(access).chain(sinks).chain(fleet).collect()
}

fn of_fleet(fleet: &FleetConfig, beside: &Path) -> Vec<String> {
    let keys = fleet.keys.iter().filter_map(|key| {
        PublicKey::read(&beside.join(key)).err().map(|error| with_causes(&error))
    });
    let secret = |found: Result<(), SecretError>| found.err().map(|error| with_causes(&error));
    let token = fleet.token.as_ref().and_then(|token| secret(token.read(beside).map(|_| ())));
    let health = fleet.health.as_ref().and_then(|mqtt| secret(sink::broker::check(mqtt, beside)));
    let place = fleet.store.as_ref().and_then(|store| {
        let place = Place::new(store, beside, None, fleet.ca.as_deref());
        place.err().map(|error| with_causes(&error))
    });
    let wrong = keys.chain(token).chain(health).chain(place);
    wrong.map(|what| format!("fleet: {what}")).collect()
}

/// The map of Modbus registers of a configuration, as comma-separated values.
///
/// # Errors
/// [`ServiceError::Read`] or [`ServiceError::Config`].
pub fn registers(path: &Path) -> Result<String, ServiceError> {
    let config = read_config(path)?;
    let order = config.modbus.as_ref().and_then(|modbus| modbus.machines.as_deref());
    let shown = shown_machines(order, &config.machines);
    let names = shown.iter().take(config.blocks()).map(|(name, _)| name.as_str());
    Ok(offkey_industry::modbus::describe(&names.collect::<Vec<_>>()))
}

const WITHOUT_MACHINE: &str = "has no mistake and names no machine: the service would start and watch nothing; \
    add a machine as `[machine.NAME]` with its `source`: `offkey-serve --init` prints an example";

/// Looks at everything that a configuration names, without starting anything: what is there, in a sentence
/// each.
///
/// # Errors
/// [`ServiceError`] for whatever would keep it from starting, or a machine from being heard.
pub fn check(path: &Path) -> Result<Vec<String>, ServiceError> {
    let mut notes = Vec::new();
    let config = in_order(path, |config, folders| {
        let mut problems = secrets(config, folders);
        for (name, sink) in &config.sinks {
            if let SinkConfig::Command { run, .. } = sink {
                problems.extend(no_program(run).map(|why| format!("sink `{name}`: {why}")));
            }
        }
        for (name, machine) in &config.machines {
            let of = |what| format!("machine `{name}`: {what}");
            let found = look_at(name, machine, config, folders);
            notes.extend(found.notes.into_iter().map(of));
            problems.extend(found.problems.into_iter().map(of));
        }
        let store = config.fleet.as_ref().and_then(|fleet| fleet.store.as_deref());
        if let Some(store) = store.filter(|store| !store.is_empty() && !store.contains("://"))
            && !folders.beside.join(store).is_dir()
        {
            notes.push(format!("fleet: `{store}` is no folder yet"));
        }
        problems
    })?;
    let count = offkey_core::counted;
    let found = match (config.machines.len(), count(config.sinks.len(), "sink")) {
        (0, _) => WITHOUT_MACHINE.to_owned(),
        (machines, sinks) => format!("is in order: {}, {sinks}", count(machines, "machine")),
    };
    let mut said = vec![format!("`{}` {found}", path.display())];
    said.append(&mut notes);
    Ok(said)
}

/// What is to be known of a machine before it is listened to.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// What is not there yet, and need not be.
    pub(crate) notes: Vec<String>,
    /// What keeps it from being heard.
    pub(crate) problems: Vec<String>,
}

/// Looks at everything that a machine of a configuration names.
pub(crate) fn look_at(
    name: &str,
    machine: &MachineConfig,
    config: &Config,
    folders: &Folders,
) -> Looked {
    let Looked { mut notes, mut problems } = Looked::default();
    let mut load = |path: &Path| {
        let loaded = models::load(path).map_err(|error| with_causes(&error));
        loaded.map_err(|why| problems.push(why)).ok()
    };
    let model = folders.model(name, machine);
    // A folder that may not be looked into is no absent model: reading it says so.
    let judge = if matches!(model.try_exists(), Ok(false)) {
        notes.push(no_model(&model, machine, config));
        None
    } else {
        load(&model)
    };
    let idle = machine.operating.idle_model.as_ref();
    let idle = idle.and_then(|idle| load(&folders.beside.join(idle)));
    if let (Some(idle), Some(judge)) = (idle, judge) {
        problems.extend(other_windows(idle.windows(), judge.windows()));
    }
    match &machine.source {
        SourceConfig::Command { run, .. } => problems.extend(no_program(run)),
        SourceConfig::Folder(folder) if lies_in(&folders.beside.join(folder), &folders.store) => {
            problems.push(format!(
                "`{}` lies in the store, whose own sound would be heard again: name another folder",
                folder.display()
            ));
        }
        SourceConfig::Folder(folder) if !folders.beside.join(folder).is_dir() => {
            notes.push(format!("`{}` is no folder yet", folder.display()));
        }
        SourceConfig::File { path, .. }
            if let Some(form) = only_whole(&folders.beside.join(path)) =>
        {
            problems.push(format!("`{}`: {}", path.display(), not_growing(&form)));
        }
        SourceConfig::File { path, .. } if is_special(&folders.beside.join(path)) => {
            let path = path.display();
            problems.push(format!(
                "`{path}` is no regular file, and so cannot be followed: hear a pipe or a device by `command = {{ run = [\"cat\", \"{path}\"] }}`, a folder by `folder`"
            ));
        }
        SourceConfig::File { path, .. } if !folders.beside.join(path).exists() => {
            notes.push(format!("`{}` is not there yet", path.display()));
        }
        _ => {}
    }
    Looked { notes, problems }
}

/// Whether a folder is another one or lies in it; false where one of them is not there yet.
fn lies_in(folder: &Path, other: &Path) -> bool {
    match (folder.canonicalize(), other.canonicalize()) {
        (Ok(folder), Ok(other)) => folder.starts_with(other),
        _ => false,
    }
}

/// Whether there is something at a path that is no regular file.
fn is_special(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|data| !data.is_file())
}

/// That a machine has no model yet, and where it comes from.
fn no_model(path: &Path, machine: &MachineConfig, config: &Config) -> String {
    let path = path.display();
    let no = if machine.model.is_some() {
        format!("no model yet at `{path}`, which `model` names")
    } else {
        format!("no model yet at `{path}`")
    };
    if config.fleet.as_ref().is_some_and(|fleet| fleet.store.is_some()) {
        return format!("{no}: the store of `[fleet]` brings it, if its plan names this machine");
    }
    if machine.model.is_some() {
        return format!("{no}: copy it there, or learn it in the browser");
    }
    format!("{no}: learn it in the browser")
}

/// Why a program cannot be started, as far as that can be seen.
fn no_program(run: &[String]) -> Option<String> {
    let program = run.first()?;
    let found = if program.contains('/') {
        Path::new(program).is_file()
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    };
    (!found).then(|| format!("the program `{program}` is not there"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::monitor;

    fn checked(text: &str) -> Result<Vec<String>, ServiceError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("serve.toml");
        std::fs::write(&path, text).expect("a configuration");
        std::fs::write(folder.path().join("broken.offkey"), "no model").expect("a file");
        check(&path)
    }

    #[test]
    fn everything_that_is_named_is_looked_at() {
        let text = "[web]\npassword = { file = \"absent\" }\ncertificate = \"absent.pem\"\nkey = \"k\"\n\
            [machine.a]\nmodel = \"broken.offkey\"\nsource = { upload = {} }\n\
            [machine.b]\nsource = { command = { run = [\"no-such-program-here\"] } }\n\
            [sink.s]\ncommand = { run = [\"/no/such/program\"] }\n\
            [sink.m]\nmqtt = { url = \"mqtts://b\", ca = \"broken.offkey\" }\n\
            [fleet]\nnode = \"n\"\nstore = \"https://s\"\nkeys = [\"absent.pub\"]\nca = \"broken.offkey\"\n";
        let told = checked(text).expect_err("problems").to_string();
        for part in [
            "absent.pem",
            "the secret in",
            "machine `a`",
            "`no-such-program-here`",
            "sink `s`",
            "sink `m`: no certificate authority in PEM form",
            "fleet: cannot use the key",
            "fleet: no certificate authority in",
        ] {
            assert!(told.contains(part), "{part} in {told}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_and_with_what_it_names_is_told_together() {
        let text = "[web]\npassword = { file = \"absent\" }\nbogus = 1\n\
            [machine.a]\nmodel = \"broken.offkey\"\nsource = { upload = {} }\ncolour = 1\n\
            [machine.b]\nsource = { uploads = {} }\n[sink.s]\ncommand = { run = [\"/no/such/program\"] }\n";
        let told = checked(text).expect_err("problems").to_string();
        for part in [
            "line 3: unknown field `bogus`",
            "line 7: unknown field `colour`",
            "line 9",
            "the secret in",
            "machine `a`",
            "sink `s`",
        ] {
            assert!(told.contains(part), "{part} in {told}");
        }
    }

    #[test]
    fn a_model_of_the_machine_at_rest_judges_the_windows_of_its_own_model() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("serve.toml");
        let text = "[machine.a]\nmodel = \"own.offkey\"\nsource = { upload = {} }\n\
            [machine.a.operating]\nidle_model = \"idle.offkey\"\n";
        std::fs::write(&path, text).expect("a configuration");
        monitor(4096).save(&folder.path().join("own.offkey")).expect("room");
        monitor(4096).save(&folder.path().join("idle.offkey")).expect("room");
        check(&path).expect("in order");
        monitor(8192).save(&folder.path().join("idle.offkey")).expect("room");
        let told = check(&path).expect_err("other windows").to_string();
        for part in ["machine `a`", "windows of 0.512 s", "windows of 0.256 s", "learn one"] {
            assert!(told.contains(part), "{part} in {told}");
        }
    }

    #[test]
    fn everything_that_is_wrong_with_a_machine_is_told_at_once() {
        let text = "[machine.a]\nmodel = \"broken.offkey\"\n\
            source = { command = { run = [\"no-such-program-here\"] } }\n\
            [machine.a.operating]\nidle_model = \"absent.offkey\"\n\
            [machine.a.schedule]\nsuppress = [\"weekend\", \"mon 25:00-26:00\"]\ntime_zone = \"Mars/Base\"\n";
        let told = checked(text).expect_err("problems").to_string();
        let parts = [
            "broken.offkey",
            "absent.offkey",
            "`no-such-program-here`",
            "line 7: cannot read `weekend`",
            "line 7: cannot read `mon 25:00-26:00`",
            "line 8: no time zone `Mars/Base`",
        ];
        for part in parts {
            assert!(told.contains(part), "{part} in {told}");
        }
    }

    #[test]
    fn a_model_that_is_not_there_says_where_it_comes_from() {
        let own = "[machine.a]\nmodel = \"own.offkey\"\nsource = { upload = {} }\n";
        let said = checked(own).expect("in order").join("\n");
        assert!(said.contains("own.offkey`, which `model` names: copy it there"), "{said}");
        let fleet =
            "[machine.a]\nsource = { upload = {} }\n[fleet]\nnode = \"n\"\nstore = \"models\"\n";
        let said = checked(fleet).expect("in order").join("\n");
        assert!(said.contains("`[fleet]` brings it") && !said.contains("browser"), "{said}");
    }

    #[test]
    fn a_file_of_a_form_that_is_heard_only_whole_is_refused_with_what_to_do() {
        let text = "[machine.a]\nsource = { file = { path = \"later.caf\" } }\n";
        let told = checked(text).expect_err("a problem").to_string();
        assert!(told.contains("heard only when it is whole") && told.contains("folder"), "{told}");
        let wav = checked(&text.replace("caf", "wav")).expect("in order");
        assert!(wav.iter().any(|line| line.contains("not there yet")), "{wav:?}");
    }

    #[test]
    fn what_is_no_regular_file_is_not_followed() {
        let told = checked("[machine.a]\nsource = { file = { path = \"/dev/null\" } }\n");
        let told = told.expect_err("a device").to_string();
        let store = "[store]\nfolder = \".\"\n[machine.a]\nsource = { folder = \".\" }\n";
        let in_store = checked(store).expect_err("its own sound").to_string();
        assert!(in_store.contains("`.` lies in the store"), "{in_store}");
        assert!(told.contains("`/dev/null` is no regular file") && told.contains("cat"), "{told}");
    }

    #[test]
    fn a_store_that_is_no_folder_yet_is_named() {
        let text =
            "[machine.a]\nsource = { upload = {} }\n[fleet]\nnode = \"n\"\nstore = \"models\"\n";
        let said = checked(text).expect("in order");
        assert!(said.iter().any(|line| line.contains("`models` is no folder yet")), "{said:?}");
    }

    #[test]
    fn what_may_come_later_is_said_and_is_no_problem() {
        let said = checked("[machine.a]\nsource = { folder = \"in\" }\n").expect("in order");
        assert!(said[0].ends_with("is in order: 1 machine, 0 sinks"), "{said:?}");
        assert!(said[1].contains("no model yet") && said[2].contains("no folder yet"), "{said:?}");
        assert!(checked("").is_ok_and(|said| said[0].contains("watch nothing")));
    }
}
