//! The page of recipe keys: the types walked from the recipe down.

use std::collections::BTreeMap;

use offkey::Recipe;

use crate::source::{Doc, Part, Type};

const HEAD: &str = "\
# Recipe keys

For a researcher who writes or changes a recipe. A test makes this page from the types, so it is complete.

A recipe is a TOML file. `offkey run --recipe FILE --set KEY=VALUE` changes single keys, and `base = \"NAME\"` in a file starts from another
recipe. Unknown keys and numbers outside their range are refused. `offkey recipes NAME --resolved` prints a recipe with every default.

*required*: the key has no default. *none*: the key may be absent, and then nothing is done. `N` is a place in a list, counted from 0.
";

/// The recipe that the changes of a table start from.
pub(crate) const BASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/least.toml");

/// The page, and what it is made of.
pub(crate) struct Page {
    pub(crate) text: String,
    pub(crate) tables: Vec<Table>,
}

/// One table of the page: the parts of one key.
pub(crate) struct Table {
    /// The key, with the places that were filled in.
    pub(crate) key: String,
    /// What leads from the shortest recipe to one that has this key.
    pub(crate) changes: Vec<String>,
    /// Names of its parts.
    pub(crate) parts: Vec<String>,
}

impl Table {
    pub(crate) fn below(&self, part: &str) -> String {
        below(&self.key, part)
    }
}

struct Walk<'a> {
    types: &'a BTreeMap<String, Type>,
    page: Page,
}

impl Page {
    pub(crate) fn of(types: &BTreeMap<String, Type>) -> Self {
        let page = Self { text: HEAD.to_owned(), tables: Vec::new() };
        let mut walk = Walk { types, page };
        walk.table("", &types["Recipe"], &[]);
        walk.page
    }
}

impl Walk<'_> {
    /// The settings or alternatives of a key, then what is below each.
    fn table(&mut self, key: &str, of: &Type, changes: &[String]) {
        let parts = of.parts.iter().map(|part| part.name.clone()).collect();
        self.page.tables.push(Table { key: key.to_owned(), changes: changes.to_vec(), parts });
        // Words alone stand in the row of their key.
        if of.is_word() {
            return;
        }
        self.heading(key, &of.doc);
        let rows: Vec<String> =
            of.parts.iter().map(|part| self.row(key, of, part, changes)).collect();
        self.page.text += if of.is_enum {
            "\n| one of | settings | effect |\n| --- | --- | --- |\n"
        } else {
            "\n| key | type | default | range | effect |\n| --- | --- | --- | --- | --- |\n"
        };
        self.page.text += &rows.concat();
        for part in &of.parts {
            self.below(key, part, changes);
        }
    }

    fn heading(&mut self, key: &str, doc: &Doc) {
        let title =
            if key.is_empty() { "The recipe".to_owned() } else { format!("`{}`", shown(key)) };
        self.page.text += &format!("\n## {title}\n\n{}\n", doc.text);
        if !doc.source.is_empty() {
            self.page.text += &format!("\nSource: {}\n", doc.source);
        }
    }

    fn row(&self, key: &str, of: &Type, part: &Part, changes: &[String]) -> String {
        let whole = below(key, &part.name);
        let effect = cell(&part.doc.text);
        if of.is_enum {
            let settings = match (&part.own, self.inner(&part.kind)) {
                (Some(_), _) | (None, Some(_)) => "table".to_owned(),
                (None, None) if part.kind.is_empty() => "none".to_owned(),
                (None, None) => spoken(&part.kind),
            };
            let settings = match Recipe::range(&whole) {
                Some((low, high)) if settings != "none" && settings != "table" => {
                    format!("{settings}, {} to {}", number(low), number(high))
                }
                _ => settings,
            };
            let name = match settings.as_str() {
                "none" => format!("{} = \"{}\"", shown(key), part.name),
                _ => shown(&whole),
            };
            return format!("| `{name}` | {settings} | {effect} |\n");
        }
        let range = match Recipe::range(&whole) {
            Some((low, high)) if is_number(&part.kind) => {
                format!("{} to {}", number(low), number(high))
            }
            _ => String::new(),
        };
        let default = if part.may_be_absent || of.all_default {
            default(&whole, changes)
        } else {
            "required".to_owned()
        };
        let mut effect = effect;
        let kind = match self.inner(&part.kind) {
            Some(inner) if inner.is_word() => {
                for word in &inner.parts {
                    effect += &cell(&format!(" `\"{}\"`: {}", word.name, word.doc.text));
                }
                "one of".to_owned()
            }
            Some(inner) if inner.is_enum => "one of".to_owned(),
            Some(_) => "table".to_owned(),
            None => spoken(&part.kind),
        };
        let kind = if part.kind.contains("Vec<") && self.inner(&part.kind).is_some() {
            "list of tables".to_owned()
        } else {
            kind
        };
        format!("| `{}` | {kind} | {default} | {range} | {effect} |\n", shown(&whole))
    }

    fn below(&mut self, key: &str, part: &Part, changes: &[String]) {
        let inner = part.own.clone().or_else(|| self.inner(&part.kind).cloned());
        let Some(inner) = inner else { return };
        let mut whole = below(key, &part.name);
        // A backend inside a backend has the keys that are listed already.
        if part.kind.contains("BackendConfig") && key.contains("backend") {
            return;
        }
        let mut changes = changes.to_vec();
        if part.kind.contains("Vec<") {
            changes.push(format!("{whole}=[{}]", self.least(&part.kind)));
            whole = below(&whole, "0");
        } else {
            let least = match &part.own {
                Some(own) => self.least_table(own),
                None => self.least(&part.kind),
            };
            changes.push(format!("{whole}={least}"));
            if whole == "model.autoencoder" {
                changes.push("backend.column={}".to_owned());
            }
        }
        self.table(&whole, &inner, &changes);
    }

    /// The type of ours that a field holds.
    fn inner(&self, kind: &str) -> Option<&Type> {
        self.types.get(bare(kind))
    }

    /// The shortest value of a type.
    fn least(&self, kind: &str) -> String {
        let Some(inner) = self.inner(kind) else {
            return match bare(kind) {
                "String" | "PathBuf" => "\"x\"".to_owned(),
                "bool" => "false".to_owned(),
                "f64" | "f32" => "0.5".to_owned(),
                "u32" => "16000".to_owned(),
                _ => "2".to_owned(),
            };
        };
        if !inner.is_enum {
            return self.least_table(inner);
        }
        let part = &inner.parts[0];
        match (&part.own, part.kind.as_str()) {
            (None, "") => format!("\"{}\"", part.name),
            (None, kind) => format!("{{{}={}}}", part.name, self.least(kind)),
            (Some(own), _) => format!("{{{}={}}}", part.name, self.least_table(own)),
        }
    }

    fn least_table(&self, of: &Type) -> String {
        let required = of.parts.iter().filter(|part| !part.may_be_absent && !of.all_default);
        let entries: Vec<String> =
            required.map(|part| format!("{}={}", part.name, self.least(&part.kind))).collect();
        format!("{{{}}}", entries.join(","))
    }
}

/// What a key is where a recipe does not say.
fn default(key: &str, changes: &[String]) -> String {
    let recipe = Recipe::load(BASE, changes).unwrap_or_else(|error| {
        panic!("{changes:?}: {}", std::error::Error::source(&error).unwrap_or(&error))
    });
    let whole: toml::Value = toml::from_str(&recipe.to_toml()).unwrap();
    match at(&whole, key) {
        None => "none".to_owned(),
        Some(toml::Value::Table(table)) => match table.keys().next() {
            Some(name) if table.len() == 1 => format!("`{name}`"),
            _ => "as below".to_owned(),
        },
        Some(toml::Value::String(text)) if text.is_empty() => "empty".to_owned(),
        Some(value) => cell(&format!("`{}`", inline(value))),
    }
}

fn at<'a>(value: &'a toml::Value, key: &str) -> Option<&'a toml::Value> {
    key.split('.').try_fold(value, |value, part| match value {
        toml::Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        _ => value.get(part),
    })
}

fn inline(value: &toml::Value) -> String {
    match value {
        toml::Value::Table(table) => {
            let entries: Vec<String> =
                table.iter().map(|(key, value)| format!("{key} = {}", inline(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
            let names: Vec<String> = items
                .iter()
                .map(|item| match item.as_table().and_then(|table| table.keys().next()) {
                    Some(name) => name.clone(),
                    None => inline(item),
                })
                .collect();
            format!("[{}]", names.join(", "))
        }
        toml::Value::Array(items) => {
            format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn bare(kind: &str) -> &str {
    let mut kind = kind;
    while let Some(inner) = ["Option<", "Box<", "Vec<"]
        .iter()
        .find_map(|outer| kind.strip_prefix(outer)?.strip_suffix('>'))
    {
        kind = inner;
    }
    kind.rsplit("::").next().unwrap()
}

fn is_number(kind: &str) -> bool {
    matches!(bare(kind), "u16" | "u32" | "u64" | "usize" | "NonZeroUsize" | "f32" | "f64")
}

/// A Rust type as people say it.
fn spoken(kind: &str) -> String {
    let single = match bare(kind) {
        "u16" | "u32" | "u64" | "usize" | "NonZeroUsize" => "integer",
        "f32" | "f64" => "number",
        "bool" => "true or false",
        "PathBuf" => "path",
        _ => "text",
    };
    let many = kind.contains("Vec<");
    if many { format!("list: {single}") } else { single.to_owned() }
}

fn number(bound: f64) -> String {
    if bound != 0.0 && (bound.abs() < 1e-3 || bound.abs() >= 1e6) {
        format!("{bound:e}")
    } else {
        format!("{}", (bound * 1e4).round() / 1e4)
    }
}

fn below(key: &str, part: &str) -> String {
    if key.is_empty() { part.to_owned() } else { format!("{key}.{part}") }
}

/// A key as the page shows it: places in lists are `N`.
fn shown(key: &str) -> String {
    let parts = key.split('.').map(|part| if part == "0" { "N" } else { part });
    parts.collect::<Vec<_>>().join(".")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
