//! Named tensors and their file.
//!
//! A name is the path of fields that leads to the tensor, as in `branches.1.blocks.0.conv1.weight`.
//! Files are safetensors: plain numbers that no reader executes.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::Path,
};

use offkey_core::write_whole;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::ModelError;

/// Key of the note in a file's header.
const NOTE: &str = "offkey";

/// Tensors by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NamedTensors(pub BTreeMap<String, NamedTensor>);

/// Shape and row-major values.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// Length of every dimension.
    pub shape: Vec<usize>,
    /// The numbers, the last dimension running fastest.
    pub values: Vec<f32>,
}

impl NamedTensors {
    /// Adds another module's tensors under a prefix.
    pub fn extend(&mut self, prefix: &str, others: Self) {
        self.0.extend(others.0.into_iter().map(|(name, t)| (format!("{prefix}.{name}"), t)));
    }

    /// Takes out what [`NamedTensors::extend`] added under a prefix.
    #[must_use]
    pub fn take(&mut self, prefix: &str) -> Self {
        let start = format!("{prefix}.");
        let all = std::mem::take(&mut self.0);
        let (taken, rest) = all.into_iter().partition(|(name, _)| name.starts_with(&start));
        self.0 = rest;
        let taken: BTreeMap<String, NamedTensor> = taken;
        Self(taken.into_iter().map(|(name, t)| (name[start.len()..].to_owned(), t)).collect())
    }

    /// Writes the file, with a note in its header, so that it is either complete or as it was
    /// before.
    ///
    /// # Errors
    /// [`ModelError::Io`] when the file cannot be written.
    pub fn write(&self, path: &Path, note: Option<String>) -> Result<(), ModelError> {
        write_atomically(path, &self.to_bytes(path, note)?)
    }

    /// The file's bytes; `path` stands for it in errors.
    ///
    /// # Errors
    /// [`ModelError::Damaged`] when the tensors cannot be written in this form.
    pub fn to_bytes(&self, path: &Path, note: Option<String>) -> Result<Vec<u8>, ModelError> {
        let bytes: Vec<(&String, &[usize], Vec<u8>)> = self
            .0
            .iter()
            .map(|(name, tensor)| {
                let bytes = tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
                (name, tensor.shape.as_slice(), bytes)
            })
            .collect();
        let views = bytes.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes);
            (name.as_str(), view.expect("four bytes a number"))
        });
        let header = note.map(|note| HashMap::from([(NOTE.to_owned(), note)]));
        safetensors::serialize(views, header).map_err(|error| damaged(path, &error))
    }

    /// Reads a file of float32 tensors and the note in its header.
    ///
    /// # Errors
    /// [`ModelError::Io`] when it cannot be read, [`ModelError::Damaged`] when it is not whole.
    pub fn read(path: &Path) -> Result<(Self, Option<String>), ModelError> {
        Self::from_bytes(path, &fs::read(path).map_err(io_error(path))?)
    }

    /// Reads a file's bytes; `path` stands for it in errors.
    ///
    /// # Errors
    /// [`ModelError::Damaged`] when they are not whole.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<(Self, Option<String>), ModelError> {
        let (_, header) =
            SafeTensors::read_metadata(bytes).map_err(|error| damaged(path, &error))?;
        let note = header.metadata().as_ref().and_then(|notes| notes.get(NOTE).cloned());
        let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(path, &error))?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.tensors() {
            if view.dtype() != Dtype::F32 {
                let problem = format!("`{name}` is {:?}, expected F32", view.dtype());
                return Err(ModelError::Damaged { path: path.to_owned(), problem });
            }
            let values = view.data().as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b));
            let tensor = NamedTensor { shape: view.shape().to_vec(), values: values.collect() };
            tensors.insert(name, tensor);
        }
        Ok((Self(tensors), note))
    }

    /// Name of the first tensor that holds a number that is not finite.
    pub fn first_not_finite(&self) -> Option<&str> {
        let broken = |tensor: &NamedTensor| tensor.values.iter().any(|value| !value.is_finite());
        self.0.iter().find(|(_, tensor)| broken(tensor)).map(|(name, _)| name.as_str())
    }

    /// Makes sure that these are all the tensors of an architecture, finite, and no others.
    ///
    /// # Errors
    /// [`ModelError`] naming the first tensor that does not fit; `path` stands for the file.
    pub(crate) fn check(
        &self,
        expected: &[(String, Vec<usize>)],
        path: &Path,
    ) -> Result<(), ModelError> {
        let mismatch = |tensor: &str, found: String, expected: String| ModelError::Mismatch {
            path: path.to_owned(),
            tensor: tensor.to_owned(),
            found,
            expected,
        };
        for (name, shape) in expected {
            match self.0.get(name) {
                Some(tensor) if tensor.shape == *shape => {}
                other => {
                    let found = other.map_or("absent".to_owned(), |t| format!("{:?}", t.shape));
                    return Err(mismatch(name, found, format!("{shape:?}")));
                }
            }
        }
        let known: std::collections::BTreeSet<&str> =
            expected.iter().map(|(name, _)| name.as_str()).collect();
        match self.0.iter().find(|(name, _)| !known.contains(name.as_str())) {
            Some((name, tensor)) => {
                Err(mismatch(name, format!("{:?}", tensor.shape), "no tensor".to_owned()))
            }
            None => self.check_finite(path),
        }
    }

    /// Refuses weights that are no numbers.
    pub(crate) fn check_finite(&self, path: &Path) -> Result<(), ModelError> {
        match self.first_not_finite() {
            Some(name) => {
                let problem = format!("`{name}` holds numbers that are not finite");
                Err(ModelError::Damaged { path: path.to_owned(), problem })
            }
            None => Ok(()),
        }
    }
}

/// [`write_whole`], with the path in the error.
///
/// # Errors
/// [`ModelError::Io`] when the file cannot be written.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    write_whole(path, bytes).map_err(io_error(path))
}

/// An error of the file system on a path.
pub fn io_error(path: &Path) -> impl FnOnce(io::Error) -> ModelError + '_ {
    move |source| ModelError::Io { path: path.to_owned(), source }
}

/// A file that is not what it should be.
pub fn damaged(path: &Path, problem: &dyn std::fmt::Display) -> ModelError {
    ModelError::Damaged { path: path.to_owned(), problem: problem.to_string() }
}
