//! What the branches of an encoder are made of: layers with their norms folded in, and their lists
//! of tensors and costs.

mod cost;
mod dense;
mod named;
mod plain;
mod switches;
mod tensor_list;

pub(crate) use cost::Cost;
pub use dense::{FoldedDense, FoldedNorm};
pub(crate) use named::Layers;
pub use plain::padding_before;
pub(crate) use plain::{Convolution, Map, Squeeze};
pub use switches::{SQUEEZE_RATIO, STEM_KERNEL, Switches};
pub(crate) use tensor_list::TensorList;
