//! A model on its way: what it is, and its file.

use serde::{Deserialize, Serialize};

use crate::{
    key::{PublicKey, SigningKey},
    names::bad_name,
    signed::{Kind, SignedError, open, seal},
};

/// What a model is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Its name, the same for all of its versions.
    pub name: String,
    /// Its version.
    pub version: String,
    /// When it was packed, as in `2026-11-29T06:00:00Z`.
    pub made: String,
    /// What is to be said of it.
    #[serde(default)]
    pub note: String,
}

/// A model that was unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// What it is.
    pub manifest: Manifest,
    /// The model's file.
    pub model: Vec<u8>,
}

/// Why a model that came is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Its signature is not in order.
    #[error(transparent)]
    Signed(#[from] SignedError),
    /// What it is cannot be read.
    #[error("what the model is cannot be read: {problem}")]
    Manifest {
        /// Why.
        problem: String,
    },
    /// It is another one.
    #[error("expected `{wanted}`, found `{found}`: the file lies in the wrong place")]
    Other {
        /// Name and version asked for.
        wanted: String,
        /// Name and version in it.
        found: String,
    },
}

/// Where a version of a model lies within a place.
pub fn path_of(name: &str, version: &str) -> String {
    format!("models/{name}/{version}.model")
}

/// Packs a model.
///
/// # Errors
/// A sentence, for names that cannot be used.
pub fn pack(
    manifest: &Manifest,
    model: &[u8],
    key: Option<&SigningKey>,
) -> Result<Vec<u8>, String> {
    let bad = bad_name("name", &manifest.name).or_else(|| bad_name("version", &manifest.version));
    if let Some(why) = bad {
        return Err(why);
    }
    let head = serde_json::to_vec(manifest).expect("plain data has a JSON form");
    Ok(seal(Kind::Model, &[&head, &b"\n"[..], model].concat(), key))
}

/// Unpacks the version of a model that was asked for: another one in its place is refused, however well signed.
///
/// # Errors
/// [`BundleError`] when it is another one, or nobody answers for it.
pub fn unpack(
    bytes: &[u8],
    keys: &[PublicKey],
    name: &str,
    version: &str,
) -> Result<Unpacked, BundleError> {
    let content = open(Kind::Model, bytes, keys)?;
    let problem =
        |problem: &dyn std::fmt::Display| BundleError::Manifest { problem: problem.to_string() };
    let end = content.iter().position(|byte| *byte == b'\n').ok_or(problem(&"it has no end"))?;
    let manifest: Manifest =
        serde_json::from_slice(&content[..end]).map_err(|error| problem(&error))?;
    if (manifest.name.as_str(), manifest.version.as_str()) != (name, version) {
        let found = format!("{} {}", manifest.name, manifest.version);
        return Err(BundleError::Other { wanted: format!("{name} {version}"), found });
    }
    Ok(Unpacked { manifest, model: content[end + 1..].to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_comes_out_as_it_went_in_and_only_in_its_own_place() {
        let manifest = Manifest {
            name: "press".to_owned(),
            version: "3".to_owned(),
            made: "2026-11-29T00:00:00Z".to_owned(),
            note: "after the overhaul\nof November".to_owned(),
        };
        let model: Vec<u8> = (0..=255).collect();
        let packed = pack(&manifest, &model, None).expect("good names");
        let unpacked = unpack(&packed, &[], "press", "3").expect("in order");
        assert_eq!(unpacked, Unpacked { manifest: manifest.clone(), model });
        assert!(matches!(unpack(&packed, &[], "press", "4"), Err(BundleError::Other { .. })));
        let bad = Manifest { version: "../3".to_owned(), ..manifest };
        assert!(pack(&bad, b"", None).is_err());
    }
}
