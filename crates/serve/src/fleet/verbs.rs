//! `offkey-serve fleet …`: what the person does who answers for the models of many computers.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Subcommand};
use offkey_core::{in_words, with_causes, write_whole};
use offkey_fleet::{
    key::{PublicKey, SigningKey},
    model::{Manifest, pack, path_of, unpack},
    node::plan_of,
    plan::{PLAN, Plan},
    signed::{Kind, seal},
};
use offkey_infer::Compute;
use offkey_monitor::Monitor;

use super::{
    Asked, Server,
    status::{ask, now_ms},
};
use crate::{
    config::{MqttConfig, Secret, Span},
    prepare::read_config,
};

/// What is asked for.
#[derive(Subcommand)]
pub enum FleetVerb {
    /// Make a key: one file signs and stays with you, the other, `.pub`, goes to every computer.
    Keygen {
        /// Where the key is written.
        key: PathBuf,
    },
    /// Put a version of a model into a store.
    Publish {
        /// The store's folder.
        store: PathBuf,
        /// The model, as `offkey learn` wrote it.
        model: PathBuf,
        /// Its name, the same for all versions.
        #[arg(long)]
        name: String,
        /// The version.
        #[arg(long)]
        version: String,
        /// What is to be said of it.
        #[arg(long, default_value = "")]
        note: String,
        /// The key that signs.
        #[arg(long)]
        key: Option<PathBuf>,
    },
    /// Put a plan into a store: which computers use and try which versions.
    Plan {
        /// The store's folder.
        store: PathBuf,
        /// The plan.
        plan: PathBuf,
        /// The key that signs.
        #[arg(long)]
        key: Option<PathBuf>,
    },
    /// Say how all computers fare, as a broker was told.
    Status(Status),
}

/// Which broker, and how.
#[derive(Args)]
pub struct Status {
    /// A configuration whose `health` of `[fleet]` names the broker.
    config: Option<PathBuf>,
    /// The broker instead, as in `mqtts://broker:8883`.
    #[arg(long, required_unless_present = "config", conflicts_with = "config")]
    broker: Option<String>,
    /// First part of every topic.
    #[arg(long, default_value = "offkey", conflicts_with = "config")]
    prefix: String,
    /// User name.
    #[arg(long, conflicts_with = "config")]
    user: Option<String>,
    /// File with the password.
    #[arg(long, conflicts_with = "config", requires = "user")]
    password_file: Option<PathBuf>,
    /// Certificate authority of the broker, where it is not a public one.
    #[arg(long, conflicts_with = "config")]
    ca: Option<PathBuf>,
    /// Only computers that are not well.
    #[arg(long)]
    bad: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// Longest wait.
    #[arg(long, default_value = "30s")]
    within: Span,
    /// Most computers.
    #[arg(long, default_value_t = 20_000)]
    most: usize,
}

/// Does it: what there is to say, or why not.
///
/// # Errors
/// A sentence that says what was tried and what to do.
pub fn run(verb: FleetVerb) -> Result<String, String> {
    match verb {
        FleetVerb::Keygen { key } => {
            let public = SigningKey::make(&key).map_err(|error| with_causes(&error))?;
            Ok(format!(
                "wrote `{}`: it signs; keep it where nobody else can read it\nwrote `{}`: put it on every computer, and name it in `keys` of `[fleet]`\n",
                key.display(),
                public.display()
            ))
        }
        FleetVerb::Publish { store, model, name, version, note, key } => {
            let made = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            publish(&store, &model, &Manifest { name, version, made, note }, key.as_deref())
        }
        FleetVerb::Plan { store, plan, key } => plan_out(&store, &plan, key.as_deref()),
        FleetVerb::Status(status) => tell_status(&status),
    }
}

fn signing(key: Option<&Path>) -> Result<Option<SigningKey>, String> {
    key.map(SigningKey::read).transpose().map_err(|error| with_causes(&error))
}

fn publish(
    store: &Path,
    model: &Path,
    manifest: &Manifest,
    key: Option<&Path>,
) -> Result<String, String> {
    let key = signing(key)?;
    let bytes = fs::read(model)
        .map_err(|error| format!("cannot read `{}`: {}", model.display(), in_words(&error)))?;
    Monitor::read(model, &bytes, Compute::default()).map_err(|error| with_causes(&error))?;
    let packed = pack(manifest, &bytes, key.as_ref())?;
    let path = store.join(path_of(&manifest.name, &manifest.version));
    if let Ok(there) = fs::read(&path) {
        let same = unpack(&there, &[], &manifest.name, &manifest.version)
            .is_ok_and(|unpacked| unpacked.model == bytes);
        if !same {
            return Err(format!(
                "`{}` is there already, with another model: computers that have that version would never fetch this one; take another version",
                path.display()
            ));
        }
    }
    write_whole(&path, &packed)
        .map_err(|error| format!("cannot write `{}`: {}", path.display(), in_words(&error)))?;
    let by = key.map_or_else(
        || "without a signature: computers with `keys` refuse it".to_owned(),
        |key| format!("signed with the key {}", key.public().name()),
    );
    Ok(format!("wrote `{}`, {by}\n", path.display()))
}

fn plan_out(store: &Path, path: &Path, key: Option<&Path>) -> Result<String, String> {
    let key = signing(key)?;
    let keys: Vec<PublicKey> = key.iter().map(SigningKey::public).collect();
    let text = fs::read_to_string(path)
        .map_err(|error| format!("cannot read `{}`: {}", path.display(), in_words(&error)))?;
    let mut plan =
        Plan::read(&text).map_err(|wrong| format!("`{}` is no plan:\n{wrong}", path.display()))?;
    let mut problems = Vec::new();
    for version in plan.versions() {
        let file = store.join(path_of(&version.name, &version.version));
        let problem = match fs::read(&file) {
            Err(error) => Some(format!(
                "{version}: cannot read `{}`: {}; put it there with `offkey-serve fleet publish`",
                file.display(),
                in_words(&error)
            )),
            Ok(bytes) => unpack(&bytes, &keys, &version.name, &version.version)
                .err()
                .map(|error| format!("{version}: {}", with_causes(&error))),
        };
        problems.extend(problem);
    }
    if !problems.is_empty() {
        return Err(format!("the plan was not written:\n{}", problems.join("\n")));
    }
    let there = store.join(PLAN);
    let before = fs::read(&there).ok().and_then(|bytes| plan_of(&bytes, &[]).ok());
    let before = before.map_or(0, |plan| plan.number);
    if plan.number > 0 && plan.number <= before {
        return Err(format!(
            "the plan has number {}, and the one in the store has {before}: computers never go back. Leave `number` out, and it is the next one",
            plan.number
        ));
    }
    if plan.number == 0 {
        plan.number = before + 1;
    }
    let text = toml::to_string(&plan).map_err(|error| error.to_string())?;
    write_whole(&there, &seal(Kind::Plan, text.as_bytes(), key.as_ref()))
        .map_err(|error| format!("cannot write `{}`: {}", there.display(), in_words(&error)))?;
    Ok(format!("wrote plan {} to `{}`\n", plan.number, there.display()))
}

fn tell_status(status: &Status) -> Result<String, String> {
    let server = match (&status.config, &status.broker) {
        (Some(path), _) => {
            let config = read_config(path).map_err(|error| with_causes(&error))?;
            let mqtt = config.fleet.and_then(|fleet| fleet.health);
            let mqtt = mqtt.ok_or_else(|| {
                format!("`{}` names no broker: `health` of `[fleet]` is absent", path.display())
            })?;
            let beside = path.parent().map(Path::to_owned).unwrap_or_default();
            Server { mqtt, beside }
        }
        (None, broker) => {
            let url = broker.clone().unwrap_or_default();
            let mqtt = MqttConfig {
                url,
                client: "offkey".to_owned(),
                prefix: status.prefix.clone(),
                user: status.user.clone(),
                password: status.password_file.clone().map(Secret::File),
                ca: status.ca.clone(),
                home_assistant: false,
            };
            Server { mqtt, beside: PathBuf::new() }
        }
    };
    if server.mqtt.address().is_none() {
        return Err(format!(
            "`{}` is no broker, expected as in `mqtt://broker:1883` or `mqtts://broker:8883`",
            server.mqtt.url
        ));
    }
    let asked = Asked { within: Duration::from_millis(status.within.ms()), most: status.most };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let table = runtime.block_on(ask(&server, asked)).map_err(|error| with_causes(&error))?;
    let now_ms = now_ms();
    if status.json {
        let rows = table.rows(now_ms);
        let text = serde_json::to_string_pretty(&rows).map_err(|error| error.to_string())?;
        return Ok(text + "\n");
    }
    if table.is_empty() {
        return Ok("no computer has told this broker how it fares: `health` of `[fleet]` names the broker\n".to_owned());
    }
    Ok(table.text(now_ms, status.bad))
}
