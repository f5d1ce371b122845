//! Adam, with a state that is kept by the parameters' names and can be saved with them.

use std::collections::BTreeMap;

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
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
    /// Share of every kernel that a step takes off, times the learning rate.
    weight_decay: f64,
    steps: usize,
    moments: BTreeMap<String, Moments>,
}

/// What a step uses of the learning rate and of the gradient.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shares {
    pub(crate) rate: f64,
    pub(crate) gradient: f64,
}

impl Shares {
    pub(crate) const ALL: Self = Self { rate: 1.0, gradient: 1.0 };
}

/// Squared length of a module's gradients.
pub(crate) fn squared_length<M: Module>(module: &M, gradients: &Gradients) -> f64 {
    let mut sum = SquaredLength { gradients, sum: 0.0 };
    module.visit(&mut sum);
    sum.sum
}

struct SquaredLength<'a> {
    gradients: &'a Gradients,
    sum: f64,
}

impl ModuleVisitor for SquaredLength<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            self.sum += f64::from(values_of(gradient.square().sum())[0]);
        }
    }
}

/// Running mean of a parameter's gradient and of its square, flat.
#[derive(Debug, Clone)]
struct Moments {
    first: Tensor<1>,
    second: Tensor<1>,
}

impl Adam {
    pub(crate) fn new(learning_rate: f64, l2_penalty: f64) -> Self {
        let moments = BTreeMap::new();
        Self { learning_rate, l2_penalty, weight_decay: 0.0, steps: 0, moments }
    }

    pub(crate) fn with_weight_decay(self, weight_decay: f64) -> Self {
        Self { weight_decay, ..self }
    }

    /// Steps every parameter that has a gradient. The gradients of this module are used up.
    pub(crate) fn step<M: Module>(
        &mut self,
        module: M,
        gradients: &mut Gradients,
        shares: Shares,
    ) -> M {
        self.steps += 1;
        module.map(&mut Stepper { path: FieldPath::default(), adam: self, gradients, shares })
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
    fn stepped(
        &mut self,
        name: String,
        value: Tensor<1>,
        gradient: Tensor<1>,
        shares: Shares,
    ) -> Tensor<1> {
        let is_kernel = name.ends_with("weight");
        let learning_rate = self.learning_rate * shares.rate;
        let gradient =
            if shares.gradient < 1.0 { gradient.mul_scalar(shares.gradient) } else { gradient };
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
        let (rate, epsilon) = corrected(learning_rate, self.steps);
        let value = if is_kernel && self.weight_decay > 0.0 {
            value.mul_scalar(1.0 - learning_rate * self.weight_decay)
        } else {
            value
        };
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
    shares: Shares,
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
        let (value, gradient) = (value.inner().reshape([count]), gradient.reshape([count]));
        let new = self.adam.stepped(name, value, gradient, self.shares);
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
        let (value, gradient) = (tensor(value), tensor(gradient));
        let new = adam.stepped("gamma".to_owned(), value, gradient, Shares::ALL);
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
    fn weight_decay_shrinks_kernels_alone_whatever_the_gradient() {
        let device = Device::flex();
        let stepped = |name: &str, weight_decay: f64| {
            let mut adam = Adam::new(0.1, 0.0).with_weight_decay(weight_decay);
            adam.steps += 1;
            let tensor = |x: f32| Tensor::from_floats([x], &device);
            values_of(adam.stepped(name.to_owned(), tensor(2.0), tensor(3.0), Shares::ALL))[0]
        };
        // Adam's first step is as long as the learning rate; 0.1 x 0.5 of 2.0 goes beside it.
        approx::assert_abs_diff_eq!(stepped("conv.weight", 0.5), 1.8, epsilon = 1e-6);
        approx::assert_abs_diff_eq!(stepped("conv.weight", 0.0), 1.9, epsilon = 1e-6);
        approx::assert_abs_diff_eq!(stepped("norm.gamma", 0.5), 1.9, epsilon = 1e-6);
    }

    #[test]
    fn shares_shorten_the_step_and_the_gradient() {
        let device = Device::flex();
        let tensor = |x: f32| Tensor::from_floats([x], &device);
        let stepped = |shares: Shares| {
            let mut adam = Adam::new(0.1, 0.0);
            adam.steps += 1;
            let new = adam.stepped("gamma".to_owned(), tensor(2.0), tensor(3.0), shares);
            (values_of(new)[0], values_of(adam.moments["gamma"].first.clone())[0])
        };
        let (value, moment) = stepped(Shares { rate: 0.25, gradient: 0.5 });
        approx::assert_abs_diff_eq!(value, 1.975, epsilon = 1e-6);
        approx::assert_abs_diff_eq!(moment, 0.15, epsilon = 1e-6);
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
