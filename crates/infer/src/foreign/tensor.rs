//! What a runtime takes and gives.

/// Numbers of a shape, by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Name of the input or output.
    pub name: String,
    /// Length of every dimension.
    pub shape: Vec<usize>,
    /// The numbers, the last dimension running fastest.
    pub values: Vec<f32>,
}
