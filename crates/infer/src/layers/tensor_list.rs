//! The tensors of an encoder, by name and shape, as its branches list them: what a file of weights must hold.
//!
//! The order is that of the layers, from sound to embedding, and the same in training.

use super::switches::{SQUEEZE_RATIO, Switches};

/// The tensors of an encoder, as its branches name them one after the other.
pub(crate) struct TensorList {
    switches: Switches,
    prefix: String,
    tensors: Vec<(String, Vec<usize>)>,
}

impl TensorList {
    /// No tensors yet.
    pub(crate) fn new(switches: Switches) -> Self {
        Self { switches, prefix: String::new(), tensors: Vec::new() }
    }

    /// What follows belongs to this part.
    pub(crate) fn enter(&mut self, prefix: String) {
        self.prefix = prefix;
    }

    /// All of them.
    pub(crate) fn finish(self) -> Vec<(String, Vec<usize>)> {
        self.tensors
    }

    pub(crate) fn add(&mut self, name: &str, shape: &[usize]) {
        self.tensors.push((format!("{}.{name}", self.prefix), shape.to_vec()));
    }

    /// A convolution or dense layer.
    pub(crate) fn kernel(&mut self, name: &str, shape: &[usize]) {
        self.add(&format!("{name}.weight"), shape);
        if self.switches.bias {
            self.add(&format!("{name}.bias"), &shape[..1]);
        }
    }

    pub(crate) fn norm(&mut self, name: &str, features: usize) {
        let affine: &[&str] =
            if self.switches.batch_norm_affine { &["gamma", "beta"] } else { &[] };
        for part in affine.iter().chain(&["running_mean", "running_variance"]) {
            self.add(&format!("{name}.{part}"), &[features]);
        }
    }

    pub(crate) fn squeeze(&mut self, name: &str, channels: usize) {
        if self.switches.squeeze_excitation {
            let hidden = channels.div_ceil(SQUEEZE_RATIO);
            self.kernel(&format!("{name}.reduce"), &[hidden, channels]);
            self.kernel(&format!("{name}.expand"), &[channels, hidden]);
        }
    }

    pub(crate) fn block(
        &mut self,
        index: usize,
        inputs: usize,
        outputs: usize,
        norms: bool,
        halves: bool,
    ) {
        let name = |part: &str| format!("blocks.{index}.{part}");
        if norms {
            self.norm(&name("input_norm"), inputs);
        }
        self.kernel(&name("conv1"), &[outputs, inputs, 3, 3]);
        self.norm(&name("norm"), outputs);
        self.kernel(&name("conv2"), &[outputs, outputs, 3, 3]);
        self.squeeze(&name("squeeze"), outputs);
        if halves {
            self.kernel(&name("shortcut"), &[outputs, inputs, 1, 1]);
        }
    }
}
