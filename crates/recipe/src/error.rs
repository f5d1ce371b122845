//! Why a recipe cannot be used.

use std::{io, path::PathBuf};

use offkey_core::ErrorKind;

/// Why a recipe cannot be used.
///
/// ```
/// use offkey_recipe::{Recipe, RecipeError};
///
/// let error = Recipe::load("defualt", &[]).expect_err("a slip of the fingers");
/// assert!(matches!(error, RecipeError::Unknown { close: Some("default"), .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// Neither a built-in name nor a file.
    #[error("no recipe `{name}`: there is no such file, and the built-in ones are {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The built-in names.
        known: String,
        /// The built-in name that is most like it.
        close: Option<&'static str>,
    },
    /// The file cannot be read.
    #[error("cannot read recipe `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The text is not a recipe.
    #[error("recipe `{name}` is not valid")]
    Invalid {
        /// The recipe's name or file.
        name: String,
        /// The cause, with its line where the recipe is a file.
        source: Box<toml::de::Error>,
    },
    /// Recipes that are each other's base.
    #[error("recipe `{name}` has more than {most} bases, one behind the other")]
    Bases {
        /// The recipe's name or file.
        name: String,
        /// How many are allowed.
        most: usize,
    },
    /// An autoencoder's scores would be compared as if they were embeddings.
    #[error(
        "recipe `{name}` scores an autoencoder by backend `{backend}`, expected `column`, 0 to 2: its scores are no embeddings to compare"
    )]
    Backend {
        /// The recipe's name or file.
        name: String,
        /// Its backend.
        backend: &'static str,
    },
    /// A number outside its range.
    #[error("recipe `{name}`: `{key}` is {found}, expected {} to {}", plain(*low), plain(*high))]
    Limit {
        /// The recipe's name or file.
        name: String,
        /// The number's key.
        key: String,
        /// Its value.
        found: f64,
        /// The smallest that makes sense.
        low: f64,
        /// The largest.
        high: f64,
    },
    /// Numbers that are valid alone and do not go together.
    #[error("recipe `{name}`: the settings of `{key}` do not go together")]
    Together {
        /// The recipe's name or file.
        name: String,
        /// The table they are in.
        key: &'static str,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An override is not `key=value`.
    #[error("cannot apply `{text}`, expected `key=value`")]
    Override {
        /// What was given.
        text: String,
    },
    /// A key that a recipe does not have.
    #[error("cannot set `{key}`: there is no `{part}`, expected one of {expected}")]
    Key {
        /// The whole key.
        key: String,
        /// The part that does not exist.
        part: String,
        /// Those that do.
        expected: String,
        /// The one that is most like it, as a whole key.
        close: Option<String>,
    },
    /// A key of another kind of model, or other part, than the recipe has.
    #[error("cannot set `{key}`: recipe `{name}` has no `{wanted}`, but `{found}`")]
    OtherKind {
        /// The recipe's name or file.
        name: String,
        /// The whole key.
        key: String,
        /// The part that the recipe does not have.
        wanted: String,
        /// What it has in its place.
        found: String,
    },
    /// A key that goes on behind a single value.
    #[error("cannot set `{key}`: there is nothing below `{part}`")]
    Deeper {
        /// The whole key.
        key: String,
        /// Its last part that exists.
        part: String,
    },
    /// A key that counts further than a list goes.
    #[error("cannot set `{key}`: the list has fewer items, counted from 0")]
    Shorter {
        /// The whole key.
        key: String,
    },
    /// A value of another kind than its key takes.
    #[error("cannot set `{key}` to `{found}`: {problem}")]
    Value {
        /// The whole key.
        key: String,
        /// The value.
        found: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl RecipeError {
    /// What kind of trouble it is: a recipe is chosen by whoever calls.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    /// What the reader can do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { close: Some(close), .. } => Some(format!("did you mean `{close}`?")),
            Self::Key { close: Some(close), .. } => Some(format!("did you mean `{close}`?")),
            Self::Override { .. } => {
                Some("as in `model.network.training.length.steps=20`".to_owned())
            }
            Self::Unknown { close: None, .. } => {
                Some("`offkey recipes` lists the built-in ones".to_owned())
            }
            Self::OtherKind { wanted, .. } => Some(match wanted.as_str() {
                "model.network" => "this recipe trains no network: leave the key out, or choose a recipe with a network, \
                                    as `--recipe small`; `offkey recipes` lists all"
                    .to_owned(),
                _ => "leave the key out, or choose another recipe; `offkey recipes NAME` prints what one holds"
                    .to_owned(),
            }),
            Self::Bases { .. } => Some("a recipe must not be its own base".to_owned()),
            Self::Io { .. } => offkey_core::io_hint(self).map(str::to_owned),
            Self::Key { close: None, .. }
            | Self::Invalid { .. }
            | Self::Backend { .. }
            | Self::Limit { .. }
            | Self::Together { .. }
            | Self::Deeper { .. }
            | Self::Shorter { .. }
            | Self::Value { .. } => None,
        }
    }
}

/// The candidate that is most like what was typed, where one is like it.
pub(crate) fn closest<'a>(
    typed: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    const ALIKE: f64 = 0.75;
    let likeness = |candidate: &'a str| (strsim::jaro_winkler(typed, candidate), candidate);
    let best = candidates.into_iter().map(likeness).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= ALIKE).then_some(best.1)
}

/// A bound as people write it: `0.5`, `100000`, `1e-12`.
fn plain(bound: f64) -> String {
    if bound != 0.0 && bound.abs() < 1e-3 { format!("{bound:e}") } else { bound.to_string() }
}
