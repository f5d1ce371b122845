//! Named tensors of a module, out of it and back into it.

use std::path::Path;

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    tensor::{Device, Tensor, TensorData},
};
use ndarray::Array2;
use offkey_infer::{
    ModelError,
    weights::{NamedTensor, NamedTensors},
};

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

/// A matrix as an array.
pub(crate) fn to_array(tensor: Tensor<2>) -> Array2<f32> {
    let [rows, columns] = tensor.dims();
    Array2::from_shape_vec((rows, columns), values_of(tensor)).expect("rows x columns values")
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
