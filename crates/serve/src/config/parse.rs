//! TOML to configuration, without stopping at the first error: an entry that cannot be read is told with
//! its line, taken out, and reading goes on.

use std::{collections::BTreeMap, fmt, ops::Range};

use offkey_core::wrong_kind;
use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};

/// One thing wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// Everything wrong with a configuration, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    /// The errors; at least one.
    pub errors: Vec<ConfigError>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, ConfigError { line, what }) in self.errors.iter().enumerate() {
            let before = if index > 0 { "\n" } else { "" };
            write!(f, "{before}line {line}: {what}")?;
        }
        Ok(())
    }
}

/// Reads what can be read and collects what cannot.
pub(super) struct Reading<'i> {
    text: &'i str,
    root: DeTable<'i>,
    errors: Vec<ConfigError>,
}

/// Longest name of a machine or sink.
const LONGEST_NAME: usize = 64;

/// Why a name cannot be used: it becomes part of topics, addresses and folders.
fn bad_name(name: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let good = !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(allowed);
    (!good).then(|| {
        format!("the name `{name}` cannot be used, expected at most {LONGEST_NAME} of a-z, 0-9, - and _; put what people call it into `title`")
    })
}

impl<'i> Reading<'i> {
    /// Takes a text apart; what is broken in it is told.
    pub(super) fn new(text: &'i str) -> Self {
        let (root, broken) = DeTable::parse_recoverable(text);
        let mut reading = Self { text, root: root.into_inner(), errors: Vec::new() };
        for error in broken {
            reading.tell(error.span(), error.message());
        }
        reading
    }

    /// What was collected, in the order of lines.
    pub(super) fn into_errors(self) -> Vec<ConfigError> {
        let mut errors = self.errors;
        errors.sort();
        errors.dedup();
        errors
    }

    /// Tells what is wrong with the entry at a path of keys; with the nearest table where it is absent.
    pub(super) fn wrong(&mut self, path: &[&str], what: impl Into<String>) {
        let mut table = &self.root;
        let mut span = 0..0;
        for key in path {
            let Some((found, value)) = table.iter().find(|(name, _)| name.get_ref() == key) else {
                break;
            };
            span = if value.get_ref().is_table() { found.span() } else { value.span() };
            match value.get_ref() {
                DeValue::Table(inner) => table = inner,
                _ => break,
            }
        }
        let what = what.into();
        self.tell(Some(span), &what);
    }

    fn tell(&mut self, span: Option<Range<usize>>, what: &str) {
        let span = span.unwrap_or(0..0);
        let at = self.text.floor_char_boundary(span.start.min(self.text.len()));
        let line = self.text[..at].matches('\n').count() + 1;
        let there = self.text.get(span).unwrap_or_default();
        self.errors.push(ConfigError { line, what: in_words(what, there) });
    }

    fn entry(&self, name: &str) -> Option<Spanned<DeValue<'i>>> {
        let entry = self.root.iter().find(|(key, _)| key.get_ref() == name);
        entry.map(|(_, value)| value.clone())
    }

    pub(super) fn section<T: DeserializeOwned + Default>(&mut self, name: &str) -> T {
        self.entry(name).and_then(|value| self.value(value)).unwrap_or_default()
    }

    pub(super) fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        self.entry(name).and_then(|value| self.value(value))
    }

    pub(super) fn named<T: DeserializeOwned>(&mut self, name: &str) -> BTreeMap<String, T> {
        let Some(entry) = self.entry(name) else { return BTreeMap::new() };
        let span = entry.span();
        let DeValue::Table(table) = entry.into_inner() else {
            let what = format!("`{name}` must be a table of tables, as in `[{name}.NAME]`");
            self.tell(Some(span), &what);
            return BTreeMap::new();
        };
        let mut found = BTreeMap::new();
        for (key, value) in table {
            if let Some(problem) = bad_name(key.get_ref()) {
                self.tell(Some(key.span()), &problem);
            }
            let at = key.span();
            if let Some(value) = self.value_at(value, &at) {
                found.insert(key.into_inner().into_owned(), value);
            }
        }
        found
    }

    fn value<T: DeserializeOwned>(&mut self, value: Spanned<DeValue<'i>>) -> Option<T> {
        let at = value.span();
        self.value_at(value, &at)
    }

    /// Reads a value; after an error the entry it lies in is taken out, so that the next can be found.
    fn value_at<T: DeserializeOwned>(
        &mut self,
        mut value: Spanned<DeValue<'i>>,
        at: &Range<usize>,
    ) -> Option<T> {
        let mut taken: Vec<Range<usize>> = Vec::new();
        loop {
            let error = match T::deserialize(ValueDeserializer::from(value.clone())) {
                Ok(read) => return Some(read),
                Err(error) => error,
            };
            let span = error.span().unwrap_or_else(|| at.clone());
            if !self.follows(error.message(), &taken) {
                self.tell(Some(span.clone()), error.message());
            }
            if !take_out(value.get_mut(), &span) {
                return None;
            }
            taken.push(span);
        }
    }

    /// Whether an error is there only because of what was taken out.
    fn follows(&self, message: &str, taken: &[Range<usize>]) -> bool {
        let began_with = |span: &Range<usize>, field: &str| {
            let before = &self.text[..self.text.floor_char_boundary(span.start)];
            let line = before.rfind('\n').map_or(0, |at| at + 1);
            self.text[line..].trim_start().starts_with(field)
        };
        let missing =
            message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        match missing {
            Some(field) => taken.iter().any(|span| began_with(span, field)),
            None => !taken.is_empty() && message.starts_with("wanted exactly"),
        }
    }

    pub(super) fn refuse_others(&mut self) {
        let known = ["store", "web", "modbus", "opcua", "fleet", "machine", "sink"];
        let others: Vec<(Range<usize>, String)> = self
            .root
            .iter()
            .filter(|(key, _)| !known.contains(&key.get_ref().as_ref()))
            .map(|(key, _)| (key.span(), key.get_ref().to_string()))
            .collect();
        for (span, key) in others {
            let what = format!("unknown section `{key}`, expected one of {}", known.join(", "));
            self.tell(Some(span), &what);
        }
    }
}

/// What a parser says, as a person would.
fn in_words(message: &str, there: &str) -> String {
    match message {
        "duplicate key" => format!("`{there}` is here a second time"),
        "invalid type: unit variant, expected newtype variant" | "wanted string or table" => {
            "settings are missing: this kind is written with them, as in `{ folder = \"PATH\" }`".to_owned()
        }
        _ if message.starts_with("wanted exactly 1 element") => {
            "exactly one kind stands here, with all of its settings inside: there is none, or another key beside it"
                .to_owned()
        }
        _ if message.starts_with("unknown field `memory") => format!(
            "`{there}` is not there any more: a sum of scores begins an alarm at `cusum_limit`, with `cusum_allowance`"
        ),
        _ if message.ends_with("expected a string") => {
            format!("{} (a time as in \"30s\")", wrong_kind(message))
        }
        _ => wrong_kind(message),
    }
}

/// Takes out the innermost entry whose key or value covers a place; false when there is none.
fn take_out(value: &mut DeValue<'_>, place: &Range<usize>) -> bool {
    let DeValue::Table(table) = value else { return false };
    let covers = |span: Range<usize>| span.start <= place.start && place.end <= span.end;
    // The span of a table is that of its header, so its entries are searched in any case.
    if table.iter_mut().any(|(_, inner)| take_out(inner.get_mut(), place)) {
        return true;
    }
    let found = table
        .iter()
        .find(|(key, value)| covers(key.span()) || covers(value.span()))
        .map(|(key, _)| key.clone());
    found.is_some_and(|key| table.remove(&key).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parser_s_words_become_a_person_s() {
        let said = |text: &str| {
            let mut reading = Reading::new(text);
            let _: BTreeMap<String, crate::config::MachineConfig> = reading.named("machine");
            let errors = reading.into_errors();
            errors.into_iter().map(|error| error.what).collect::<Vec<_>>().join("; ")
        };
        assert!(said("[machine.a]\n[machine.a]\n").contains("`a` is here a second time"));
        let old = "[machine.a]\nsource = { folder = \"in\" }\n[machine.a.alarm]\nmemory = 4.0\n";
        assert!(said(old).contains("`cusum_limit`"), "{}", said(old));
        let source = |written: &str| said(&format!("[machine.a]\nsource = {written}\n"));
        for (written, words) in [
            ("{}", "exactly one kind stands here"),
            ("\"folder\"", "settings are missing"),
            ("7", "settings are missing"),
            ("{ folder = 7 }", "found the number `7`, expected a path in quotes"),
            (
                "{ upload = {} }\n[machine.a.liveness]\nstalled_after = 30",
                "in quotes (a time as in \"30s\")",
            ),
        ] {
            assert!(source(written).contains(words), "{written}: {}", source(written));
        }
    }
}
