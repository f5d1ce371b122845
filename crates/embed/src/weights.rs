//! Named tensors of a module, out of it and back into it, and their file.
//!
//! A name is the path of fields that leads to the tensor, as in
//! `branches.1.blocks.0.conv1.weight`. Files are safetensors: plain numbers that no reader
//! executes.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::Path,
};

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    tensor::{Device, Tensor, TensorData},
};
use ndarray::Array2;
use offkey_core::write_whole;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::ModelError;

/// Key of the note in a file's header.
const NOTE: &str = "offkey";

/// Tensors by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct NamedTensors(pub(crate) BTreeMap<String, NamedTensor>);

/// Shape and row-major values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NamedTensor {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// The path of fields to where a traversal is. An enumeration adds no step: only one variant is
/// there.
#[derive(Debug, Default)]
pub(crate) struct FieldPath(Vec<String>);

impl FieldPath {
    pub(crate) fn enter(&mut self, name: &str, container: &str) {
        if !container.starts_with("Enum") {
            self.0.push(name.to_owned());
        }
    }

    pub(crate) fn leave(&mut self, container: &str) {
        if !container.starts_with("Enum") {
            self.0.pop();
        }
    }

    pub(crate) fn name(&self) -> String {
        self.0.join(".")
    }
}

/// All tensors of a module, running statistics included.
pub(crate) fn collect<M: Module>(module: &M) -> NamedTensors {
    let mut collector = Collector::default();
    module.visit(&mut collector);
    collector.tensors
}

#[derive(Default)]
struct Collector {
    path: FieldPath,
    tensors: NamedTensors,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        self.path.leave(container_type);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = NamedTensor { shape: param.dims().to_vec(), values: values_of(param.val()) };
        self.tensors.0.insert(self.path.name(), tensor);
    }
}

/// The numbers of a tensor, row-major.
pub(crate) fn values_of<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_into_vec().expect("the data has just been made f32")
}

/// A matrix on the device.
pub(crate) fn to_tensor(array: &Array2<f32>, device: &Device) -> Tensor<2> {
    let values: Vec<f32> = array.iter().copied().collect();
    Tensor::from_data(TensorData::new(values, [array.nrows(), array.ncols()]), device)
}

/// Puts tensors back into a module of the same architecture.
///
/// # Errors
/// [`ModelError::Mismatch`] naming the first tensor that is absent, of another shape, or unknown.
pub(crate) fn restore<M: Module>(
    module: M,
    tensors: NamedTensors,
    path: &Path,
) -> Result<M, ModelError> {
    let mut restorer = Restorer { path: FieldPath::default(), tensors, problem: None };
    let module = module.map(&mut restorer);
    let unknown = restorer.tensors.0.pop_first();
    let unknown =
        unknown.map(|(name, tensor)| (name, format!("{:?}", tensor.shape), "no tensor".to_owned()));
    match restorer.problem.or(unknown) {
        None => Ok(module),
        Some((tensor, found, expected)) => {
            Err(ModelError::Mismatch { path: path.to_owned(), tensor, found, expected })
        }
    }
}

/// A parameter with as many other numbers, trained as before or not.
pub(crate) fn with_values<const D: usize>(
    param: Param<Tensor<D>>,
    values: Vec<f32>,
) -> Param<Tensor<D>> {
    param.map(|old| {
        let new = Tensor::from_data(TensorData::new(values, old.dims()), &old.device());
        if old.is_require_grad() { new.require_grad() } else { new }
    })
}

struct Restorer {
    path: FieldPath,
    tensors: NamedTensors,
    /// Name, found and expected shape of the first tensor that does not fit.
    problem: Option<(String, String, String)>,
}

impl ModuleMapper for Restorer {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        self.path.leave(container_type);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.name();
        let expected = param.dims().to_vec();
        match self.tensors.0.remove(&name) {
            Some(tensor) if tensor.shape == expected => with_values(param, tensor.values),
            other => {
                let found = other.map_or("absent".to_owned(), |t| format!("{:?}", t.shape));
                self.problem.get_or_insert((name, found, format!("{expected:?}")));
                param
            }
        }
    }
}

impl NamedTensors {
    /// Adds another module's tensors under a prefix.
    pub(crate) fn extend(&mut self, prefix: &str, others: Self) {
        self.0.extend(others.0.into_iter().map(|(name, t)| (format!("{prefix}.{name}"), t)));
    }

    /// Takes out what [`NamedTensors::extend`] added under a prefix.
    pub(crate) fn take(&mut self, prefix: &str) -> Self {
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
    pub(crate) fn write(&self, path: &Path, note: Option<String>) -> Result<(), ModelError> {
        write_atomically(path, &self.to_bytes(path, note)?)
    }

    /// The file's bytes; `path` stands for it in errors.
    pub(crate) fn to_bytes(
        &self,
        path: &Path,
        note: Option<String>,
    ) -> Result<Vec<u8>, ModelError> {
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
    pub(crate) fn read(path: &Path) -> Result<(Self, Option<String>), ModelError> {
        Self::from_bytes(path, &fs::read(path).map_err(io_error(path))?)
    }

    /// Reads a file's bytes; `path` stands for it in errors.
    pub(crate) fn from_bytes(
        path: &Path,
        bytes: &[u8],
    ) -> Result<(Self, Option<String>), ModelError> {
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
    pub(crate) fn first_not_finite(&self) -> Option<&str> {
        let broken = |tensor: &NamedTensor| tensor.values.iter().any(|value| !value.is_finite());
        self.0.iter().find(|(_, tensor)| broken(tensor)).map(|(name, _)| name.as_str())
    }
}

/// [`write_whole`], with the path in the error.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    write_whole(path, bytes).map_err(io_error(path))
}

pub(crate) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> ModelError + '_ {
    move |source| ModelError::Io { path: path.to_owned(), source }
}

pub(crate) fn damaged(path: &Path, problem: &dyn std::fmt::Display) -> ModelError {
    ModelError::Damaged { path: path.to_owned(), problem: problem.to_string() }
}
