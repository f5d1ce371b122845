//! From a name or a file, its base and single changes to a recipe that is checked.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use offkey_infer::ConfigError;
use offkey_score::BackendConfig;
use serde::Deserialize;

use crate::{
    error::{RecipeError, closest},
    limits,
    path::{Refusal, follow, put, replaced},
    recipe::{BUILT_IN, ModelConfig, Recipe},
};

/// Bases one behind the other.
const MOST_BASES: usize = 8;
/// Samples of a clip: an hour at 16 kHz.
const MOST_SAMPLES: usize = 57_600_000;

/// A recipe as it was found, before it is read.
struct Source {
    name: String,
    text: String,
    /// Where a base that is no built-in recipe is looked for.
    folder: PathBuf,
}

impl Recipe {
    /// Finds a recipe by built-in name or file, and changes single values of it.
    ///
    /// A file may begin with `base = "NAME"`: what it does not say is then taken from that recipe, built in or a file
    /// beside it. `overrides` are `dotted.key=value`, values in TOML's syntax; a bare word is a string. A key that names
    /// an alternative (`backend.gmm.components=2`) takes the place of the one before.
    ///
    /// # Errors
    /// [`RecipeError`], with the line for errors in a file and with the key for those in an override.
    pub fn load(name: &str, overrides: &[String]) -> Result<Self, RecipeError> {
        let source = Source::find(name, Path::new(""))?;
        if overrides.is_empty() {
            return Self::parse(&source);
        }
        let mut changes = Changes::of(as_value(&Self::parse(&source)?));
        for text in overrides {
            let (key, value) = key_and_value(text)?;
            changes.set(key, value)?;
        }
        changes.recipe(name)?.checked(name)
    }

    /// A recipe as it is written, comments included.
    ///
    /// # Errors
    /// [`RecipeError`] when there is neither such a built-in name nor such a file.
    pub fn text(name: &str) -> Result<String, RecipeError> {
        Ok(Source::find(name, Path::new(""))?.text)
    }

    /// Reads the resolved recipe of a run.
    ///
    /// # Errors
    /// [`RecipeError`] when it is absent or not valid.
    pub fn read(path: &Path) -> Result<Self, RecipeError> {
        let text = fs::read_to_string(path)
            .map_err(|source| RecipeError::Io { path: path.to_owned(), source })?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Self::parse(&Source { name: path.display().to_string(), text, folder })
    }

    fn parse(source: &Source) -> Result<Self, RecipeError> {
        let name = &source.name;
        let table: toml::Table =
            toml::from_str(&source.text).map_err(|error| invalid(name, error))?;
        if table.contains_key(BASE) {
            return resolved(source, MOST_BASES)?.beside(&source.folder).checked(name);
        }
        toml::from_str::<Self>(&source.text)
            .map_err(|error| invalid(name, error))?
            .beside(&source.folder)
            .checked(name)
    }

    /// The same recipe, where a file it names lies in a folder.
    fn beside(mut self, folder: &Path) -> Self {
        if let ModelConfig::Onnx(foreign) = &mut self.model {
            foreign.file = folder.join(&foreign.file);
        }
        self
    }

    /// Refuses numbers outside their range, and parts that do not go together.
    fn checked(mut self, name: &str) -> Result<Self, RecipeError> {
        if let ModelConfig::Onnx(foreign) = &mut self.model {
            // A run's recipe has to name the same file wherever it is read.
            foreign.file = std::path::absolute(&foreign.file).unwrap_or(foreign.file.clone());
        }
        limits::check(name, &as_value(&self))?;
        let together = |key, source| RecipeError::Together { name: name.to_owned(), key, source };
        if let ModelConfig::Network(network) = &self.model {
            match network.encoder.validate() {
                // Whoever brings a branch of another crate says later what it can take.
                Ok(()) | Err(ConfigError::UnknownBranch { .. }) => {}
                Err(error) => return Err(together("model.network.encoder", error.into())),
            }
        }
        let (_, samples) = self.clip_shape();
        if samples > MOST_SAMPLES {
            let problem = format!("a clip of {samples} samples, expected {MOST_SAMPLES} at most");
            return Err(together("model", problem.into()));
        }
        match (&self.model, &self.backend) {
            (ModelConfig::Autoencoder(_), BackendConfig::Column(config)) if config.column < 3 => {
                Ok(self)
            }
            (ModelConfig::Autoencoder(_), backend) => {
                Err(RecipeError::Backend { name: name.to_owned(), backend: backend.name() })
            }
            (
                ModelConfig::Network(_)
                | ModelConfig::Statistics(_)
                | ModelConfig::Pooled(_)
                | ModelConfig::Onnx(_),
                _,
            ) => Ok(self),
        }
    }
}

/// The key by which a recipe names the one it starts from.
const BASE: &str = "base";

impl Source {
    /// A built-in recipe, or a file; a relative one is looked for in a folder.
    fn find(name: &str, folder: &Path) -> Result<Self, RecipeError> {
        if let Some(built_in) = BUILT_IN.iter().find(|recipe| recipe.name == name) {
            let (name, text) = (name.to_owned(), built_in.toml.to_owned());
            return Ok(Self { name, text, folder: PathBuf::new() });
        }
        let path = folder.join(name);
        let text = fs::read_to_string(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => RecipeError::Unknown {
                name: name.to_owned(),
                known: BUILT_IN.map(|recipe| recipe.name).join(", "),
                close: closest(name, BUILT_IN.iter().map(|recipe| recipe.name)),
            },
            _ => RecipeError::Io { path: path.clone(), source },
        })?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self { name: name.to_owned(), text, folder })
    }
}

/// A recipe's own table laid over that of its base.
fn resolved(source: &Source, bases: usize) -> Result<Recipe, RecipeError> {
    let name = &source.name;
    let mut own: toml::Table =
        toml::from_str(&source.text).map_err(|error| invalid(name, error))?;
    let Some(base) = own.remove(BASE) else { return from_value(name, toml::Value::Table(own)) };
    let base = base.as_str().ok_or_else(|| RecipeError::Value {
        key: BASE.to_owned(),
        found: base.to_string(),
        problem: "expected the name of a recipe".to_owned(),
    })?;
    if bases == 0 {
        return Err(RecipeError::Bases { name: name.clone(), most: MOST_BASES });
    }
    let base = resolved(&Source::find(base, &source.folder)?, bases - 1)?;
    let mut changes = Changes::of(as_value(&base));
    changes.overlay("", &own)?;
    changes.recipe(name)
}

/// One `key=value`, taken apart.
fn key_and_value(text: &str) -> Result<(&str, toml::Value), RecipeError> {
    let (key, value) = text
        .split_once('=')
        .filter(|(key, _)| !key.trim().is_empty())
        .ok_or_else(|| RecipeError::Override { text: text.to_owned() })?;
    Ok((key.trim(), parse_value(value.trim())))
}

/// A recipe's table that is being changed.
struct Changes {
    before: toml::Value,
    table: toml::Value,
    /// Keys of another alternative than the recipe had, which took its place.
    switched: Vec<Switched>,
}

/// A key of an alternative that a recipe does not have, as `model.network` of one without a network.
struct Switched {
    key: String,
    value: toml::Value,
    wanted: String,
    found: String,
}

impl Changes {
    fn of(table: toml::Value) -> Self {
        Self { before: table.clone(), table, switched: Vec::new() }
    }

    /// Sets every value of a table, and of the tables in it.
    fn overlay(&mut self, below: &str, table: &toml::Table) -> Result<(), RecipeError> {
        for (name, value) in table {
            let key = if below.is_empty() { name.clone() } else { format!("{below}.{name}") };
            match value {
                toml::Value::Table(inner) if !inner.is_empty() => self.overlay(&key, inner)?,
                _ => self.set(&key, value.clone())?,
            }
        }
        Ok(())
    }

    fn set(&mut self, key: &str, value: toml::Value) -> Result<(), RecipeError> {
        let parts: Vec<&str> = key.split('.').collect();
        let steps = follow::<Recipe>(&parts, &value)
            .map_err(|why| refused(&self.table, key, &parts, &value, why))?;
        if let Some((at, found)) = replaced(&self.table, &parts, &steps) {
            let (table, wanted) = (parts[..at].join("."), parts[..=at].join("."));
            let (key, value, found) = (key.to_owned(), value.clone(), format!("{table}.{found}"));
            self.switched.push(Switched { key, value, wanted, found });
        }
        if put(&mut self.table, &parts, &steps, value) {
            return Ok(());
        }
        Err(RecipeError::Shorter { key: key.to_owned() })
    }

    /// The recipe with all changes.
    fn recipe(self, name: &str) -> Result<Recipe, RecipeError> {
        let Self { before, table, switched } = self;
        from_value(name, table).map_err(|error| {
            // An alternative that is complete by its defaults may take another's place; one that lacks something
            // was meant for another recipe.
            let is_incomplete = |switched: &&Switched| {
                let mut alone = Self::of(before.clone());
                let set = alone.set(&switched.key, switched.value.clone());
                set.is_ok() && from_value(name, alone.table).is_err()
            };
            match switched.iter().find(is_incomplete) {
                None => error,
                Some(Switched { key, wanted, found, .. }) => RecipeError::OtherKind {
                    name: name.to_owned(),
                    key: key.clone(),
                    wanted: wanted.clone(),
                    found: found.clone(),
                },
            }
        })
    }
}

fn refused(
    table: &toml::Value,
    key: &str,
    parts: &[&str],
    value: &toml::Value,
    why: Refusal,
) -> RecipeError {
    let key = key.to_owned();
    match why {
        Refusal::Unknown { at, expected } => {
            let part = parts[at].to_owned();
            let whole = |close: &str| [&parts[..at], &[close], &parts[at + 1..]].concat().join(".");
            let close = closest(&part, expected.iter().copied()).map(whole);
            let close = close.or_else(|| ending_alike(table, &key));
            RecipeError::Key { close, part, expected: expected.join(", "), key }
        }
        Refusal::Deeper { at } => {
            let part = parts[..at].join(".");
            RecipeError::Deeper { key, part }
        }
        Refusal::Value { problem } => RecipeError::Value { key, found: value.to_string(), problem },
    }
}

/// The one key of a table that ends as what was typed.
fn ending_alike(table: &toml::Value, typed: &str) -> Option<String> {
    let mut keys = Vec::new();
    every_key(table, String::new(), &mut keys);
    let ending = format!(".{typed}");
    let mut alike = keys.into_iter().filter(|key| key.ends_with(&ending));
    alike.next().filter(|_| alike.next().is_none())
}

fn every_key(value: &toml::Value, key: String, found: &mut Vec<String>) {
    for (name, value) in value.as_table().into_iter().flatten() {
        let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
        found.push(key.clone());
        every_key(value, key, found);
    }
}

fn parse_value(text: &str) -> toml::Value {
    toml::from_str::<toml::Table>(&format!("value = {text}"))
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

fn as_value(recipe: &Recipe) -> toml::Value {
    toml::Value::try_from(recipe).expect("a recipe has string keys only")
}

fn from_value(name: &str, table: toml::Value) -> Result<Recipe, RecipeError> {
    Recipe::deserialize(table).map_err(|error| invalid(name, error))
}

fn invalid(name: &str, error: toml::de::Error) -> RecipeError {
    RecipeError::Invalid { name: name.to_owned(), source: Box::new(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_another_kind_of_model_is_named_with_what_the_recipe_has() {
        let key = "model.network.training.length.steps";
        for (name, has) in [
            ("fusion", "model.pooled"),
            ("log-mel-statistics", "model.statistics"),
            ("autoencoder", "model.autoencoder"),
        ] {
            let error = Recipe::load(name, &[format!("{key}=20")]).expect_err("no network");
            let told = error.to_string();
            for words in [key, name, "no `model.network`", has] {
                assert!(told.contains(words), "{words}: {told}");
            }
            assert!(error.hint().is_some_and(|hint| hint.contains("offkey recipes")), "{name}");
        }
        // In a file that builds on such a recipe, too.
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mine.toml");
        let text = "base = \"fusion\"\n[model.network.training.length]\nsteps = 20\n";
        fs::write(&path, text).expect("room");
        let error = Recipe::load(&path.display().to_string(), &[]).expect_err("no network");
        assert!(error.to_string().contains("no `model.network`"), "{error}");
    }

    #[test]
    fn an_alternative_that_needs_nothing_more_takes_the_place_of_another() {
        let changes = ["backend.gmm.components=2".to_owned()];
        let recipe = Recipe::load("paper", &changes).expect("complete by its defaults");
        assert_eq!(recipe.backend.name(), "gmm");
        let error = Recipe::load("paper", &["backend.gmm.components=x".to_owned()]);
        assert!(matches!(error, Err(RecipeError::Value { .. })), "{error:?}");
    }
}
