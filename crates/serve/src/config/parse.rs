//! TOML to configuration, without stopping at the first error: an entry that cannot be read is told with
//! its line, taken out, and reading goes on.

use std::{collections::BTreeMap, fmt, ops::Range};

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};

use super::{Config, MachineConfig, SinkConfig, StoreConfig, WebConfig, check};

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

impl Config {
    /// Reads and checks a configuration whole.
    ///
    /// # Errors
    /// [`ConfigErrors`] with everything that is wrong.
    pub fn read(text: &str) -> Result<Self, ConfigErrors> {
        let (root, broken) = DeTable::parse_recoverable(text);
        let mut reading = Reading { text, root: root.into_inner(), errors: Vec::new() };
        for error in broken {
            reading.tell(error.span(), error.message());
        }
        let config = Self {
            store: reading.section::<StoreConfig>("store"),
            web: reading.section::<WebConfig>("web"),
            machines: reading.named::<MachineConfig>("machine"),
            sinks: reading.named::<SinkConfig>("sink"),
        };
        reading.refuse_others();
        check::check(&config, &mut reading);
        let mut errors = reading.errors;
        errors.sort();
        errors.dedup();
        if errors.is_empty() { Ok(config) } else { Err(ConfigErrors { errors }) }
    }
}

impl<'i> Reading<'i> {
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
        let at = span.map_or(0, |span| span.start).min(self.text.len());
        let line = self.text[..self.text.floor_char_boundary(at)].matches('\n').count() + 1;
        self.errors.push(ConfigError { line, what: what.to_owned() });
    }

    fn entry(&self, name: &str) -> Option<Spanned<DeValue<'i>>> {
        let entry = self.root.iter().find(|(key, _)| key.get_ref() == name);
        entry.map(|(_, value)| value.clone())
    }

    fn section<T: DeserializeOwned + Default>(&mut self, name: &str) -> T {
        self.entry(name).and_then(|value| self.value(value)).unwrap_or_default()
    }

    fn named<T: DeserializeOwned>(&mut self, name: &str) -> BTreeMap<String, T> {
        let Some(entry) = self.entry(name) else { return BTreeMap::new() };
        let span = entry.span();
        let DeValue::Table(table) = entry.into_inner() else {
            let what = format!("`{name}` must be a table of tables, as in `[{name}.NAME]`");
            self.tell(Some(span), &what);
            return BTreeMap::new();
        };
        let mut found = BTreeMap::new();
        for (key, value) in table {
            if let Some(problem) = check::bad_name(key.get_ref()) {
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

    fn refuse_others(&mut self) {
        let known = ["store", "web", "machine", "sink"];
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

    fn errors(text: &str) -> Vec<(usize, String)> {
        let found = Config::read(text).err().map_or(Vec::new(), |errors| errors.errors);
        found.into_iter().map(|error| (error.line, error.what)).collect()
    }

    const GOOD: &str = "[machine.pump]\nmodel = \"pump.offkey\"\nsource = { folder = \"in\" }\n";

    #[test]
    fn the_starter_checks() {
        assert_eq!(errors(super::super::STARTER), []);
    }

    #[test]
    fn a_short_configuration_has_its_defaults() {
        let config = Config::read(GOOD).expect("a good configuration");
        assert_eq!(config.web, WebConfig::default());
        assert_eq!(config.machines["pump"].alarm.windows, 5);
    }

    #[test]
    fn every_error_is_told_at_its_line() {
        let text = "[web]\nlisten = 7\nbogus = 1\n\n[machine.pump]\nsource = { folder = \"in\" }\n\
                    colour = \"red\"\n[machine.pump.alarm]\nwindows = \"x\"\ncooldown = \"3 weeks\"\n";
        let found = errors(text);
        let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 3, 7, 9, 10], "{found:?}");
        assert!(found[4].1.contains("3 weeks"), "{found:?}");
    }

    #[test]
    fn one_slip_is_one_error() {
        let found = errors("[machine.pump]\nsource = { uploads = {} }\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0 == 2 && found[0].1.contains("`upload`"), "{found:?}");
    }

    #[test]
    fn broken_toml_is_told_at_its_line() {
        let found = errors("[web]\nlisten = \n");
        assert_eq!(found.first().map(|(line, _)| *line), Some(2), "{found:?}");
    }

    #[test]
    fn unknown_sections_and_missing_keys_are_told() {
        let found = errors("[machine.pump]\nmodel = \"x\"\n[sinks.a]\njournal = {}\n");
        assert!(
            found.iter().any(|(line, what)| *line == 1 && what.contains("source")),
            "{found:?}"
        );
        assert!(found.iter().any(|(line, what)| *line == 3 && what.contains("sinks")), "{found:?}");
    }
}
