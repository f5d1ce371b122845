//! `docs/reference/service.md` says of every key of the service's configuration its type, default and meaning. It is made
//! here from the types and compared with the page: `OFFKEY_WRITE_REFERENCE=1` writes it.

use std::{collections::BTreeMap, env, fmt::Write, fs, path::Path};

use offkey_serve::config::Config;

const PATH: &str = "../../docs/reference/service.md";
const FILES: [&str; 4] = ["mod.rs", "sinks.rs", "fleet.rs", "industry.rs"];

/// Section, its type, and a configuration with a key in it that there is not.
const SECTIONS: [(&str, &str, &str); 16] = [
    ("[store]", "StoreConfig", "[store]\n?"),
    ("[web]", "WebConfig", "[web]\n?"),
    ("[machine.NAME]", "MachineConfig", "[machine.a]\nsource = { upload = {} }\n?"),
    ("source", "SourceConfig", "[machine.a.source]\n?"),
    ("raw", "RawConfig", "[machine.a]\nsource = { file = { path = \"x\", raw = { ? } } }\n"),
    ("[machine.NAME.alarm]", "AlarmConfig", "[machine.a.alarm]\n?"),
    ("[machine.NAME.operating]", "OperatingConfig", "[machine.a.operating]\n?"),
    ("[machine.NAME.schedule]", "ScheduleConfig", "[machine.a.schedule]\n?"),
    ("[machine.NAME.liveness]", "LivenessConfig", "[machine.a.liveness]\n?"),
    ("[machine.NAME.sound]", "SoundConfig", "[machine.a.sound]\n?"),
    ("[sink.NAME]", "SinkConfig", "[sink.a]\n?"),
    ("mqtt", "MqttConfig", "[sink.a.mqtt]\n?"),
    ("mail", "MailConfig", "[sink.a.mail]\n?"),
    ("[fleet]", "FleetConfig", "[fleet]\n?"),
    ("[modbus]", "ModbusConfig", "[modbus]\n?"),
    ("[opcua]", "OpcUaConfig", "[opcua]\n?"),
];

/// A struct, or an enum whose alternatives are keys.
#[derive(Default)]
struct Type {
    doc: String,
    keys: Vec<Key>,
    all_default: bool,
}

struct Key {
    name: String,
    /// Whether it is one of several, of which one is there.
    is_choice: bool,
    kind: String,
    doc: String,
    /// As in `#[serde(default = "…")]`; empty: the default of its type.
    default: Option<String>,
}

/// All that the files say.
struct Source {
    types: BTreeMap<String, Type>,
    /// Values of defaults, by type and key, or by function.
    defaults: BTreeMap<(String, String), String>,
}

impl Source {
    fn read() -> Self {
        let mut source = Self { types: BTreeMap::new(), defaults: BTreeMap::new() };
        for file in FILES {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config").join(file);
            source.take(&fs::read_to_string(path).expect("a file of the configuration"));
        }
        source
    }

    fn take(&mut self, text: &str) {
        let lines: Vec<&str> = text.lines().collect();
        let (mut doc, mut all_default) = (String::new(), false);
        let mut at = 0;
        while at < lines.len() {
            let line = lines[at];
            if let Some(said) = line.strip_prefix("/// ") {
                doc += &format!("{said} ");
            } else if line.starts_with("#[serde(") {
                all_default |= line.contains("default");
            } else if let Some(name) = named(line, "pub struct ").or(named(line, "pub enum ")) {
                let end = at + lines[at..].iter().position(|line| *line == "}").expect("an end");
                let keys = keys_of(&lines[at + 1..end], line.starts_with("pub enum"));
                let doc = std::mem::take(&mut doc);
                self.types.insert(name, Type { doc, keys, all_default });
                (at, all_default) = (end, false);
            } else if let Some(name) = line.strip_prefix("impl Default for ") {
                let name = name.trim_end_matches(" {").to_owned();
                let end = at + lines[at..].iter().position(|line| *line == "}").expect("an end");
                let body = lines[at..end].join(" ");
                let inner = body.rsplit_once("Self {").map_or("", |(_, inner)| inner);
                let inner = inner.split('}').next().unwrap_or_default();
                for part in inner.split(", ") {
                    if let Some((key, value)) = part.trim().split_once(": ") {
                        let value = value.trim_end_matches(',').to_owned();
                        self.defaults.insert((name.clone(), key.to_owned()), value);
                    }
                }
                at = end;
            } else if let Some(rest) = line.strip_prefix("fn ")
                && let Some((name, _)) = rest.split_once("() -> ")
            {
                let value = lines[at + 1].trim().to_owned();
                self.defaults.insert((String::new(), name.to_owned()), value);
            }
            if !line.starts_with("///") && !line.starts_with('#') {
                doc.clear();
            }
            at += 1;
        }
    }

    fn default(&self, of: &str, key: &Key) -> String {
        let written = match &key.default {
            Some(function) if !function.is_empty() => {
                self.defaults.get(&(String::new(), function.clone()))
            }
            _ => self.defaults.get(&(of.to_owned(), key.name.clone())),
        };
        let all_default = self.types[of].all_default;
        match written {
            Some(value) => shown(value),
            None if key.kind.starts_with("Option") => String::new(),
            None if key.default.is_none() && !all_default => "required".to_owned(),
            None if key.kind.starts_with("Vec") => "none".to_owned(),
            None if key.kind == "bool" => "`false`".to_owned(),
            None if key.kind.starts_with(char::is_uppercase) && !key.is_choice => {
                "its own".to_owned()
            }
            None => String::new(),
        }
    }
}

fn named(line: &str, begin: &str) -> Option<String> {
    Some(line.strip_prefix(begin)?.trim_end_matches(" {").to_owned())
}

/// Fields of a struct, or alternatives of an enum with their settings.
fn keys_of(lines: &[&str], is_enum: bool) -> Vec<Key> {
    let (mut keys, mut doc, mut default, mut above) = (Vec::new(), String::new(), None, None);
    for line in lines {
        let deep = is_enum && line.starts_with("        ");
        let line = line.trim();
        if let Some(said) = line.strip_prefix("/// ") {
            doc += &format!("{said} ");
        } else if let Some(given) = line.strip_prefix("#[serde(default") {
            default = Some(given.split('"').nth(1).unwrap_or_default().to_owned());
        } else if line == "}," {
            above = None;
        } else if !line.is_empty() {
            let doc = std::mem::take(&mut doc).trim().to_owned();
            let (name, kind) = if is_enum && !deep {
                let name: String = line.chars().take_while(|c| c.is_alphanumeric()).collect();
                let kind = line.split_once('(').map_or("", |(_, kind)| kind.trim_end_matches("),"));
                (snake(&name), if kind.is_empty() { "table" } else { kind })
            } else {
                let (name, kind) =
                    line.trim_start_matches("pub ").split_once(": ").expect("a field");
                (name.to_owned(), kind.trim_end_matches(','))
            };
            if is_enum && !deep && line.ends_with('{') {
                above = Some(name.clone());
            }
            let name = match &above {
                Some(above) if deep => format!("{above}.{name}"),
                _ => name,
            };
            let default = if is_enum && !deep { Some(String::new()) } else { default.take() };
            let is_choice = is_enum && !deep;
            keys.push(Key { name, is_choice, kind: kind.to_owned(), doc, default });
        }
    }
    keys
}

fn snake(name: &str) -> String {
    let small = name.chars().flat_map(|c| {
        let mark = c.is_uppercase().then_some('_');
        mark.into_iter().chain(c.to_lowercase())
    });
    small.collect::<String>().trim_start_matches('_').to_owned()
}

/// A value as it is written in a configuration.
fn shown(value: &str) -> String {
    let seconds = value.strip_prefix("Span::from_s(").and_then(|rest| rest.strip_suffix(')'));
    if let Some(seconds) = seconds {
        return match seconds.parse() {
            Ok(0) => "`\"0s\"`".to_owned(),
            Ok(s) if s % 60 == 0 => format!("`\"{}m\"`", s / 60),
            Ok(s) => format!("`\"{s}s\"`"),
            Err(_) => unreachable!("whole seconds: {seconds}"),
        };
    }
    match value {
        "None" => String::new(),
        "Vec::new()" => "none".to_owned(),
        "Keep::Sound" => "`true`".to_owned(),
        _ => {
            let bare = value.trim_end_matches(".to_owned()").trim_end_matches(".into()");
            let bare = bare
                .strip_prefix("SampleConfig::")
                .map_or_else(|| bare.to_owned(), |word| format!("\"{}\"", word.to_lowercase()));
            let is_number = bare.chars().all(|c| c.is_ascii_digit() || c == '_');
            format!("`{}`", if is_number { bare.replace('_', "") } else { bare })
        }
    }
}

fn kind_in_words(kind: &str) -> String {
    let inner = |outer: &str| kind.strip_prefix(outer).and_then(|rest| rest.strip_suffix('>'));
    if let Some(kind) = inner("Option<") {
        return kind_in_words(kind);
    }
    if let Some(kind) = inner("Vec<") {
        return format!("list of {}", kind_in_words(kind));
    }
    match kind {
        "String" => "text",
        "PathBuf" => "path",
        "bool" => "true or false",
        "u16" | "u32" | "u64" | "usize" => "whole number",
        "f64" => "number",
        "Span" => "length of time",
        "Secret" => "secret",
        "Keep" => "true, false or `\"features\"`",
        "SampleConfig" => "`\"i16\"`, `\"i24\"`, `\"i32\"` or `\"f32\"`",
        "SourceConfig" => "one of [source](#source)",
        "RawConfig" => "table, see [raw](#raw)",
        "MqttConfig" => "table, see [mqtt](#mqtt)",
        "MailConfig" => "table, see [mail](#mail)",
        _ => "table",
    }
    .to_owned()
}

fn page(source: &Source) -> String {
    let mut text = "# Keys of the service\n\nFor the person who writes `serve.toml`. Made from the types by `crates/serve/tests/reference.rs`; do not edit it.\n\n\
        A length of time is text as in `\"90s\"`, `\"10m\"`, `\"2h\"` or `\"7d\"`. A secret is `{ file = \"PATH\" }` or `{ env = \"NAME\" }`. \
        Relative paths begin where the configuration lies. `offkey serve --init` prints a commented configuration.\n"
        .to_owned();
    for (section, of, _) in SECTIONS {
        let found = &source.types[of];
        let _ = write!(text, "\n## `{section}`\n\n{}\n\n", found.doc.trim());
        text += "| key | type | default | meaning |\n| --- | --- | --- | --- |\n";
        for key in &found.keys {
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} |",
                key.name,
                kind_in_words(&key.kind),
                source.default(of, key),
                key.doc.replace('|', "\\|")
            );
        }
    }
    text
}

#[test]
fn the_page_of_the_service_s_keys_is_that_of_the_types() {
    let page = page(&Source::read());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PATH);
    if env::var_os("OFFKEY_WRITE_REFERENCE").is_some() {
        fs::write(&path, &page).expect("room");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "{PATH} is not what the types say; write it by `OFFKEY_WRITE_REFERENCE=1 cargo test -p offkey-serve --test reference`"
    );
}

/// The types themselves name their keys, so nothing that the reader of the source misses goes unnoticed.
#[test]
fn every_key_that_the_types_know_is_on_the_page() {
    let source = Source::read();
    for (section, of, text) in SECTIONS {
        let text = text.replace('?', "no_such_key = 1");
        let told = Config::read(&text).expect_err("there is no such key").to_string();
        let known = told.split("unknown ").find(|part| part.contains("`no_such_key`"));
        let known = known.unwrap_or_else(|| panic!("{section}: {told}"));
        let known = known.split('\n').next().unwrap_or_default().split('`');
        let mut known: Vec<&str> = known.skip(3).step_by(2).collect();
        let keys = source.types[of].keys.iter().map(|key| key.name.as_str());
        let mut keys: Vec<&str> = keys.filter(|name| !name.contains('.')).collect();
        known.sort_unstable();
        keys.sort_unstable();
        assert_eq!(keys, known, "{section}");
    }
}
