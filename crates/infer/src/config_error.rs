//! Why an architecture cannot be built, and the bounds of its sizes.

/// Why an architecture cannot be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A branch of another crate that nobody registered.
    #[error("the branch `{name}` is not known, {}", match known.as_slice() {
        [] => "no branch of another crate is registered".to_owned(),
        known => format!("expected one of {}", known.join(", ")),
    })]
    UnknownBranch {
        /// The name in the recipe.
        name: String,
        /// What is registered.
        known: Vec<String>,
    },
    /// No branch at all.
    #[error("the encoder has no branches, expected at least one")]
    NoBranches,
    /// A count that must not be zero, or that must match another.
    #[error("branch {branch}: `{field}` is {found}, expected {expected}")]
    Branch {
        /// Position in the list of branches.
        branch: usize,
        /// The setting.
        field: &'static str,
        /// Its value.
        found: String,
        /// What would have been accepted.
        expected: &'static str,
    },
    /// Rate and length do not make a clip.
    #[error("`{field}` is {found}, expected a positive, finite number")]
    Clip {
        /// The setting.
        field: &'static str,
        /// Its value.
        found: String,
    },
    /// A size that no network has.
    #[error("`{field}` is {found}, expected {expected}")]
    Size {
        /// The setting.
        field: &'static str,
        /// Its value.
        found: String,
        /// What would have been accepted.
        expected: &'static str,
    },
    /// The clip is shorter than a layer needs.
    #[error("branch {branch}: clips of {clip_samples} samples are too short for `{layer}`")]
    TooShort {
        /// Position in the list of branches.
        branch: usize,
        /// Samples of a clip.
        clip_samples: usize,
        /// The first layer that has nothing left to work on.
        layer: &'static str,
    },
}

/// Most layers of one kind.
pub(crate) const MOST_LAYERS: usize = 64;
/// Largest number of channels, or length of a kernel.
const LARGEST: usize = 65_536;

/// Refuses sizes that no network has, before anything is reserved for them.
pub(crate) fn small(field: &'static str, values: &[usize]) -> Result<(), ConfigError> {
    if values.len() <= MOST_LAYERS && values.iter().all(|&value| value <= LARGEST) {
        return Ok(());
    }
    let mut found = format!("{:?}", &values[..values.len().min(MOST_LAYERS)]);
    if values.len() > MOST_LAYERS {
        found += &format!(" and {} more", values.len() - MOST_LAYERS);
    }
    let expected = "at most 64 numbers, each at most 65,536";
    Err(ConfigError::Size { field, found, expected })
}

pub(crate) fn positive(
    branch: usize,
    field: &'static str,
    values: &[usize],
) -> Result<(), ConfigError> {
    if !values.is_empty() && values.iter().all(|&value| value > 0) {
        return Ok(());
    }
    Err(ConfigError::Branch {
        branch,
        field,
        found: format!("{values:?}"),
        expected: "at least one number, all positive",
    })
}
