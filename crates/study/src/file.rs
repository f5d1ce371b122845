//! A study as written: recipes times factors times trials times data sets, in one TOML file.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use offkey::{Recipe, RecipeError};
use serde::{Deserialize, Serialize};

/// A study file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyFile {
    /// Short name, used for files.
    pub name: String,
    /// The question, in a sentence.
    pub question: String,
    /// Recipe every cell starts from.
    pub recipe: String,
    /// Changes of the recipe common to all cells, as `--set` takes them.
    #[serde(default)]
    pub set: Vec<String>,
    /// Trials of each cell: trial k has seed k, and takes fold k where the data has folds.
    #[serde(default = "default_trials")]
    pub trials: u64,
    /// Data sets by name; `synthetic` is made where it is not bound to a path.
    #[serde(default = "default_data")]
    pub data: Vec<String>,
    /// What varies. Cells are all combinations of levels.
    pub factors: Vec<Factor>,
    /// Single cells beside the grid, to confirm a finding at another size.
    #[serde(default)]
    pub confirm: Vec<Confirmation>,
}

/// One thing that varies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factor {
    /// Its name, a column of the results.
    pub name: String,
    /// The level others are compared with, trial by trial; none: the first.
    #[serde(default)]
    pub reference: Option<String>,
    /// Its values.
    pub levels: Vec<Level>,
}

impl Factor {
    /// The level that others are compared with.
    pub(crate) fn base(&self) -> &String {
        self.reference.as_ref().unwrap_or(&self.levels[0].name)
    }
}

/// One value of a factor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// Its name, as tables show it.
    pub name: String,
    /// Recipe to start from instead of the study's.
    #[serde(default)]
    pub recipe: Option<String>,
    /// Changes of the recipe. Noise may come from recordings that the command line binds:
    /// `audio.noise.kind.recordings='{NAME}'`.
    #[serde(default)]
    pub set: Vec<String>,
}

/// A cell beside the grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// Its name, as tables show it.
    pub name: String,
    /// Level of every factor.
    pub levels: BTreeMap<String, String>,
    /// Further changes of the recipe.
    #[serde(default)]
    pub set: Vec<String>,
    /// Trials; none: as many as the study's.
    #[serde(default)]
    pub trials: Option<u64>,
}

/// Why a study cannot be run as written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyFileError {
    /// Neither a built-in name nor a file.
    #[error("no study `{name}`: there is no such file, and the built-in ones are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The built-in names.
        known: String,
    },
    /// The file cannot be read.
    #[error("cannot read study `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The text is not a study.
    #[error("study `{name}` is not valid")]
    Invalid {
        /// Its name or file.
        name: String,
        /// The cause, with its line.
        source: Box<toml::de::Error>,
    },
    /// A study without factors, levels or trials.
    #[error("study `{name}` has no {what}")]
    Empty {
        /// Its name.
        name: String,
        /// What is missing.
        what: String,
    },
    /// A level or factor that does not exist.
    #[error("study `{name}`: there is no {what} `{found}`, expected one of: {expected}")]
    NoSuch {
        /// The study.
        name: String,
        /// Factor or level.
        what: &'static str,
        /// As written.
        found: String,
        /// Those there are.
        expected: String,
    },
    /// A cell whose recipe is not valid.
    #[error("study `{name}`: cell `{cell}` has no valid recipe")]
    Cell {
        /// The study.
        name: String,
        /// The cell.
        cell: String,
        /// The cause.
        source: Box<RecipeError>,
    },
    /// A binding is not `NAME=PATH`.
    #[error("cannot bind data with `{text}`, expected `NAME=PATH`; a path may contain `{{trial}}`")]
    Binding {
        /// As given.
        text: String,
    },
}

/// A study that is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltInStudy {
    /// Its name.
    pub name: &'static str,
    /// Its file.
    pub toml: &'static str,
}

/// Every built-in study.
pub const BUILT_IN_STUDIES: [BuiltInStudy; 9] = [
    BuiltInStudy { name: "losses", toml: include_str!("../../../recipes/studies/losses.toml") },
    BuiltInStudy {
        name: "auxiliary-task",
        toml: include_str!("../../../recipes/studies/auxiliary-task.toml"),
    },
    BuiltInStudy {
        name: "attributes",
        toml: include_str!("../../../recipes/studies/attributes.toml"),
    },
    BuiltInStudy {
        name: "compactness",
        toml: include_str!("../../../recipes/studies/compactness.toml"),
    },
    BuiltInStudy { name: "noise", toml: include_str!("../../../recipes/studies/noise.toml") },
    BuiltInStudy {
        name: "recorded-noise",
        toml: include_str!("../../../recipes/studies/recorded-noise.toml"),
    },
    BuiltInStudy {
        name: "converged-noise",
        toml: include_str!("../../../recipes/studies/converged-noise.toml"),
    },
    BuiltInStudy { name: "ablation", toml: include_str!("../../../recipes/studies/ablation.toml") },
    BuiltInStudy { name: "backends", toml: include_str!("../../../recipes/studies/backends.toml") },
];

fn default_trials() -> u64 {
    5
}

fn default_data() -> Vec<String> {
    vec!["synthetic".to_owned()]
}

impl StudyFile {
    /// Finds a study by built-in name or file.
    ///
    /// # Errors
    /// [`StudyFileError`], with the line for errors in a file, and with the cell whose recipe is not
    /// valid.
    pub fn load(name: &str) -> Result<Self, StudyFileError> {
        let text = match BUILT_IN_STUDIES.iter().find(|study| study.name == name) {
            Some(study) => study.toml.to_owned(),
            None => read(name)?,
        };
        let study: Self = toml::from_str(&text).map_err(|source| StudyFileError::Invalid {
            name: name.to_owned(),
            source: Box::new(source),
        })?;
        study.require(!study.factors.is_empty(), "factors")?;
        study.require(study.trials > 0, "trials")?;
        study.require(!study.data.is_empty(), "data")?;
        for factor in &study.factors {
            study.require(!factor.levels.is_empty(), &format!("levels of `{}`", factor.name))?;
            if let Some(reference) = &factor.reference {
                study.level(factor, reference)?;
            }
        }
        study.cells()?;
        Ok(study)
    }

    /// Runs every cell so many times, confirmations included.
    pub fn set_trials(&mut self, trials: u64) {
        self.trials = trials;
        for confirmation in &mut self.confirm {
            confirmation.trials = confirmation.trials.map(|own| own.min(trials));
        }
    }

    /// Every cell: the grid in the order of the file, then the confirmations.
    ///
    /// # Errors
    /// [`StudyFileError`] naming the cell whose recipe is not valid.
    pub fn cells(&self) -> Result<Vec<Cell>, StudyFileError> {
        let mut combinations: Vec<Vec<&Level>> = vec![Vec::new()];
        for factor in &self.factors {
            combinations = combinations
                .into_iter()
                .flat_map(|levels| {
                    factor.levels.iter().map(move |level| [levels.as_slice(), &[level]].concat())
                })
                .collect();
        }
        let mut cells = Vec::new();
        for levels in combinations {
            cells.push(self.cell(None, &levels, &[], self.trials)?);
        }
        for confirmation in &self.confirm {
            let levels = self.named_levels(&confirmation.levels)?;
            let trials = confirmation.trials.unwrap_or(self.trials);
            cells.push(self.cell(Some(&confirmation.name), &levels, &confirmation.set, trials)?);
        }
        Ok(cells)
    }

    fn named_levels(
        &self,
        names: &BTreeMap<String, String>,
    ) -> Result<Vec<&Level>, StudyFileError> {
        if let Some(name) = names.keys().find(|name| self.factors.iter().all(|f| f.name != **name))
        {
            let expected = self.factors.iter().map(|f| f.name.as_str());
            return Err(self.no_such("factor", name, expected));
        }
        self.factors
            .iter()
            .map(|factor| match names.get(&factor.name) {
                Some(level) => self.level(factor, level),
                None => Err(self.no_such(
                    "level for factor",
                    &factor.name,
                    factor.levels.iter().map(|level| level.name.as_str()),
                )),
            })
            .collect()
    }

    fn level<'a>(&self, factor: &'a Factor, name: &str) -> Result<&'a Level, StudyFileError> {
        factor.levels.iter().find(|level| level.name == name).ok_or_else(|| {
            self.no_such("level", name, factor.levels.iter().map(|level| level.name.as_str()))
        })
    }

    fn cell(
        &self,
        name: Option<&str>,
        levels: &[&Level],
        further: &[String],
        trials: u64,
    ) -> Result<Cell, StudyFileError> {
        let names: Vec<String> = levels.iter().map(|level| level.name.clone()).collect();
        let name = name.map_or_else(|| names.join(", "), str::to_owned);
        let base = levels.iter().rev().find_map(|level| level.recipe.as_deref());
        let base = base.unwrap_or(&self.recipe);
        let common = if base == self.recipe { self.set.as_slice() } else { &[] };
        let changes: Vec<String> = common
            .iter()
            .chain(levels.iter().flat_map(|level| &level.set))
            .chain(further)
            .cloned()
            .collect();
        let recipe = Recipe::load(base, &changes).map_err(|source| StudyFileError::Cell {
            name: self.name.clone(),
            cell: name.clone(),
            source: Box::new(source),
        })?;
        Ok(Cell { name, levels: names, recipe, trials })
    }

    fn require(&self, holds: bool, what: &str) -> Result<(), StudyFileError> {
        if holds {
            return Ok(());
        }
        Err(StudyFileError::Empty { name: self.name.clone(), what: what.to_owned() })
    }

    fn no_such<'a>(
        &self,
        what: &'static str,
        found: &str,
        expected: impl Iterator<Item = &'a str>,
    ) -> StudyFileError {
        StudyFileError::NoSuch {
            name: self.name.clone(),
            what,
            found: found.to_owned(),
            expected: expected.collect::<Vec<_>>().join(", "),
        }
    }
}

fn read(name: &str) -> Result<String, StudyFileError> {
    let path = Path::new(name);
    fs::read_to_string(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => StudyFileError::Unknown {
            name: name.to_owned(),
            known: BUILT_IN_STUDIES.map(|study| study.name).join(", "),
        },
        _ => StudyFileError::Io { path: path.to_owned(), source },
    })
}

/// One combination of levels, with its recipe.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// How tables name it.
    pub name: String,
    /// One level a factor.
    pub levels: Vec<String>,
    /// The recipe.
    pub recipe: Recipe,
    /// How many trials.
    pub trials: u64,
}
