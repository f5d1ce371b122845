//! Where the feature `onnx` is absent: nothing can be loaded, and the error says so.

use std::convert::Infallible;

use super::{error::ForeignError, tensor::Tensor};

/// A loaded ONNX file; there is none.
#[derive(Debug)]
pub struct Session(Infallible);

impl Session {
    /// Loads a file's bytes.
    ///
    /// # Errors
    /// [`ForeignError::NotBuilt`], always.
    pub fn load(_bytes: &[u8]) -> Result<Self, ForeignError> {
        Err(ForeignError::NotBuilt)
    }

    /// Names of the inputs.
    pub fn inputs(&self) -> &[String] {
        match self.0 {}
    }

    /// The outputs for inputs.
    ///
    /// # Errors
    /// None: there is no session to call it on.
    pub fn run(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, ForeignError> {
        match self.0 {}
    }
}
