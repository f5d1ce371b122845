//! Adam, with a state that is kept by the parameters' names and can be saved with them.

use std::collections::BTreeMap;

use burn::{
    module::{Module, ModuleMapper, Param},
    tensor::{Device, Gradients, Tensor, TensorData},
};

use offkey_infer::weights::{NamedTensor, NamedTensors};

use crate::tensors::{FieldPath, values_of};

const DECAY_1: f64 = 0.9;
const DECAY_2: f64 = 0.999;
const EPSILON: f64 = 1e-7;

/// The optimiser of one module.
///
/// Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1,
/// with Keras's epsilon.
#[derive(Debug)]
pub(crate) struct Adam {
    learning_rate: f64,
    /// Factor of the sum of squared kernels in the loss.
    l2_penalty: f64,
    steps: usize,
    moments: BTreeMap<String, Moments>,
}

/// Running mean of a parameter's gradient and of its square, flat.
#[derive(Debug, Clone)]
struct Moments {
    first: Tensor<1>,
    second: Tensor<1>,
}

impl Adam {
    pub(crate) fn new(learning_rate: f64, l2_penalty: f64) -> Self {
        Self { learning_rate, l2_penalty, steps: 0, moments: BTreeMap::new() }
    }

    /// Steps every parameter that has a gradient. The gradients of this module are used up.
    pub(crate) fn step<M: Module>(&mut self, module: M, gradients: &mut Gradients) -> M {
        self.steps += 1;
        module.map(&mut Stepper { path: FieldPath::default(), adam: self, gradients })
    }

    /// The state as tensors, to be saved. Together with the number of steps it is complete.
    pub(crate) fn state(&self) -> NamedTensors {
        let mut tensors = NamedTensors::default();
        for (name, moments) in &self.moments {
            for (kind, tensor) in [("first", &moments.first), ("second", &moments.second)] {
                let tensor = NamedTensor {
                    shape: tensor.dims().to_vec(),
                    values: values_of(tensor.clone()),
                };
                tensors.0.insert(format!("{kind}.{name}"), tensor);
            }
        }
        tensors
    }

    /// Puts back a state. Moments that are not in pairs of one length are left out and begin anew.
    pub(crate) fn restore(&mut self, steps: usize, mut state: NamedTensors, device: &Device) {
        self.steps = steps;
        let mut second = state.take("second");
        let tensor = |t: NamedTensor| {
            let count = t.values.len();
            Tensor::from_data(TensorData::new(t.values, [count]), device)
        };
        for (name, first) in state.take("first").0 {
            if let Some(second) = second.0.remove(&name) {
                let moments = Moments { first: tensor(first), second: tensor(second) };
                self.moments.insert(name, moments);
            }
        }
    }

    /// The new value of one parameter, all flat and without autodiff.
    fn stepped(&mut self, name: String, value: Tensor<1>, gradient: Tensor<1>) -> Tensor<1> {
        let is_kernel = name.ends_with("weight");
        let gradient = if is_kernel && self.l2_penalty > 0.0 {
            gradient + value.clone().mul_scalar(2.0 * self.l2_penalty)
        } else {
            gradient
        };
        let first = gradient.clone().mul_scalar(1.0 - DECAY_1);
        let second = gradient.square().mul_scalar(1.0 - DECAY_2);
        let moments = match self.moments.remove(&name) {
            Some(old) => Moments {
                first: old.first.mul_scalar(DECAY_1) + first,
                second: old.second.mul_scalar(DECAY_2) + second,
            },
            None => Moments { first, second },
        };
        let (rate, epsilon) = corrected(self.learning_rate, self.steps);
        let deviation = moments.second.clone().sqrt().add_scalar(epsilon);
        let new = value - moments.first.clone().div(deviation).mul_scalar(rate);
        self.moments.insert(name, moments);
        new
    }
}

/// Learning rate and epsilon of a step, from 1, that make up for moments which began at zero.
fn corrected(learning_rate: f64, step: usize) -> (f64, f64) {
    let step = i32::try_from(step).unwrap_or(i32::MAX);
    let correction_1 = 1.0 - DECAY_1.powi(step);
    let correction_2 = (1.0 - DECAY_2.powi(step)).sqrt();
    (learning_rate * correction_2 / correction_1, EPSILON * correction_2)
}

struct Stepper<'a> {
    path: FieldPath,
    adam: &'a mut Adam,
    gradients: &'a mut Gradients,
}

impl ModuleMapper for Stepper<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        self.path.leave(container_type);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = param.val().grad_remove(self.gradients) else { return param };
        let name = self.path.name();
        let shape = param.dims();
        let count = param.shape().num_elements();
        let (id, value, mapper) = param.consume();
        let new =
            self.adam.stepped(name, value.inner().reshape([count]), gradient.reshape([count]));
        Param::from_mapped_value(id, new.reshape(shape).autodiff().require_grad(), mapper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same rule for one number, as the paper writes it.
    fn by_the_paper(gradients: &[f64], rate: f64) -> f64 {
        let (mut m, mut v, mut value) = (0.0, 0.0, 1.0);
        for (t, g) in (1..).zip(gradients) {
            m = DECAY_1 * m + (1.0 - DECAY_1) * g;
            v = DECAY_2 * v + (1.0 - DECAY_2) * g * g;
            let m_hat = m / (1.0 - DECAY_1.powi(t));
            let v_hat = v / (1.0 - DECAY_2.powi(t));
            value -= rate * m_hat / (v_hat.sqrt() + EPSILON);
        }
        value
    }

    fn step(adam: &mut Adam, value: f64, gradient: f64) -> f64 {
        let device = Device::flex();
        let tensor = |x: f64| Tensor::from_floats([x as f32], &device);
        adam.steps += 1;
        let new = adam.stepped("gamma".to_owned(), tensor(value), tensor(gradient));
        f64::from(values_of(new)[0])
    }

    #[test]
    fn steps_are_those_of_the_paper() {
        let gradients = [0.5, -0.25, 3.0, 1e-4];
        let mut adam = Adam::new(0.01, 0.0);
        let value = gradients.iter().fold(1.0, |value, &g| step(&mut adam, value, g));
        approx::assert_abs_diff_eq!(value, by_the_paper(&gradients, 0.01), epsilon = 1e-6);
    }

    #[test]
    fn a_restored_state_continues_with_the_same_steps() {
        let mut straight = Adam::new(0.01, 0.0);
        let first = step(&mut straight, 1.0, 0.5);
        let mut resumed = Adam::new(0.01, 0.0);
        resumed.restore(straight.steps, straight.state(), &Device::flex());
        let expected = step(&mut straight, first, -2.0);
        assert_eq!(step(&mut resumed, first, -2.0).to_bits(), expected.to_bits());
    }
}
