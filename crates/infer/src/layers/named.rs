//! The weights of one branch, by the names of their layers.

use super::dense::{FoldedDense, FoldedNorm};
use crate::weights::{NamedTensor, NamedTensors};

/// Weights under a prefix, by the names of their layers.
pub(crate) struct Layers<'a> {
    pub(crate) weights: &'a NamedTensors,
    pub(crate) prefix: String,
}

impl<'a> Layers<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&'a NamedTensor> {
        self.weights.0.get(&format!("{}.{name}", self.prefix))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(crate) fn values(&self, name: &str) -> &'a [f32] {
        &self.get(name).expect("the weights are all of the architecture's").values
    }

    pub(crate) fn bias(&self, layer: &str) -> Option<&'a [f32]> {
        self.get(&format!("{layer}.bias")).map(|tensor| &tensor.values[..])
    }

    /// Gamma and beta, where the norm has them.
    pub(crate) fn affine(&self, norm: &str) -> Vec<&'a [f32]> {
        let parts = ["gamma", "beta"].map(|part| self.get(&format!("{norm}.{part}")));
        parts.into_iter().flatten().map(|tensor| &tensor.values[..]).collect()
    }

    /// Hidden layers with norm and `ReLU`, then a linear one.
    pub(crate) fn dense_stack(&self, hidden: usize) -> Vec<FoldedDense> {
        let hidden = (0..hidden).map(|layer| {
            let dense = format!("hidden.{layer}.dense");
            let norm = self.norm(&format!("hidden.{layer}.norm"));
            let weight = self.values(&format!("{dense}.weight"));
            FoldedDense::before_norm(weight, self.bias(&dense), &norm)
        });
        let last = self.get("last.weight").expect("the weights are all of the architecture's");
        let last = FoldedDense::linear(last.values.clone(), last.shape[0], self.bias("last"));
        hidden.chain([last]).collect()
    }

    pub(crate) fn norm(&self, name: &str) -> FoldedNorm {
        let part = |part: &str| self.get(&format!("{name}.{part}")).map(|t| &t.values[..]);
        FoldedNorm::new(
            (part("gamma"), part("beta")),
            self.values(&format!("{name}.running_mean")),
            self.values(&format!("{name}.running_variance")),
        )
    }
}
