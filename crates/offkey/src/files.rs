//! Files of runs and studies: whole or absent, JSON among them.

use std::{fs, path::Path};

use offkey_core::write_whole;
use serde::{Serialize, de::DeserializeOwned};

use crate::OffkeyError;

/// [`write_whole`], with the path in the error.
///
/// # Errors
/// [`OffkeyError::Io`] when the file system refuses.
pub fn write_atomically(path: &Path, content: &[u8]) -> Result<(), OffkeyError> {
    write_whole(path, content).map_err(OffkeyError::io(path))
}

/// Writes a value as indented JSON.
///
/// # Errors
/// [`OffkeyError::Io`] when the file system refuses, [`OffkeyError::Json`] when the value cannot be JSON.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), OffkeyError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(OffkeyError::json(path))?;
    text.push(b'\n');
    write_atomically(path, &text)
}

/// Reads a JSON file.
///
/// # Errors
/// [`OffkeyError::Io`] when it cannot be read, [`OffkeyError::Json`] when it is something else.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, OffkeyError> {
    let text = fs::read(path).map_err(OffkeyError::io(path))?;
    serde_json::from_slice(&text).map_err(OffkeyError::json(path))
}
