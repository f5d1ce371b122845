//! The layers every branch is made of, as plain framework operations.

use burn::{
    module::{Module, Param, ParamId},
    tensor::{
        Device, Tensor, TensorData, activation,
        module::{batch_norm, batch_norm_train, conv1d, conv2d, max_pool2d},
        ops::{ConvOptions, MaxPoolOptions},
    },
};
use offkey_core::Seed;
use offkey_infer::{Compute, EncoderConfig, SQUEEZE_RATIO};
use offkey_kernels::spectrogram::Buffers;
use rand::RngExt;

use crate::{engine::Idle, tensors::with_values};

/// Added to variances before the square root, as in the paper's Keras layers.
pub(crate) const NORM_EPSILON: f64 = 1e-3;

/// One pass through the network: evaluation uses running statistics, training those of the batch,
/// which it collects in the order of [`super::Network::norms_mut`].
pub(crate) enum Pass {
    #[cfg_attr(
        not(any(test, feature = "gpu")),
        expect(dead_code, reason = "on the processor `offkey-infer` evaluates")
    )]
    Evaluate,
    Train(Vec<BatchStatistics>),
}

/// Mean and population variance of a batch, per feature of one norm.
pub(crate) struct BatchStatistics {
    pub(crate) mean: Tensor<1>,
    pub(crate) variance: Tensor<1>,
}

/// What a layer is made with: switches of the architecture, a seed of its own, a device.
#[derive(Clone, Copy)]
pub(crate) struct Maker<'a> {
    pub(crate) config: &'a EncoderConfig,
    pub(crate) seed: Seed,
    pub(crate) device: &'a Device,
    pub(crate) compute: Compute,
    /// Working memory of the kernels of all branches.
    pub(crate) buffers: &'a Idle<Buffers>,
}

impl Maker<'_> {
    pub(crate) fn child(self, name: impl ToString) -> Self {
        Self { seed: self.seed.child(name), ..self }
    }

    /// A kernel drawn from Glorot's uniform distribution, `[out, in, receptive field..]`.
    fn kernel<const D: usize>(self, shape: [usize; D]) -> Param<Tensor<D>> {
        let receptive: usize = shape[2..].iter().product();
        let bound = (6.0 / ((shape[0] + shape[1]) * receptive) as f64).sqrt() as f32;
        let mut rng = self.seed.rng();
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|_| rng.random_range(-bound..bound)).collect();
        Param::from_data(TensorData::new(values, shape), self.device)
    }

    fn bias(self, features: usize) -> Option<Param<Tensor<1>>> {
        self.config.bias.then(|| self.constant(features, 0.0))
    }

    fn constant(self, features: usize, value: f32) -> Param<Tensor<1>> {
        Param::from_data(TensorData::new(vec![value; features], [features]), self.device)
    }

    pub(crate) fn conv1d(
        self,
        inputs: usize,
        outputs: usize,
        kernel: usize,
        stride: usize,
    ) -> Conv1d {
        Conv1d { weight: self.kernel([outputs, inputs, kernel]), bias: self.bias(outputs), stride }
    }

    pub(crate) fn conv2d(
        self,
        inputs: usize,
        outputs: usize,
        kernel: usize,
        stride: usize,
    ) -> Conv2d {
        Conv2d {
            weight: self.kernel([outputs, inputs, kernel, kernel]),
            bias: self.bias(outputs),
            stride,
        }
    }

    pub(crate) fn dense(self, inputs: usize, outputs: usize) -> Dense {
        Dense { weight: self.kernel([outputs, inputs]), bias: self.bias(outputs) }
    }

    pub(crate) fn norm(self, features: usize) -> BatchNorm {
        let affine = self.config.batch_norm_affine;
        let buffer = |value| {
            let tensor = Tensor::full([features], value, self.device);
            Param::initialized(ParamId::new(), tensor)
        };
        BatchNorm {
            gamma: affine.then(|| self.constant(features, 1.0)),
            beta: affine.then(|| self.constant(features, 0.0)),
            running_mean: buffer(0.0),
            running_variance: buffer(1.0),
        }
    }

    pub(crate) fn squeeze(self, channels: usize) -> Option<SqueezeExcitation> {
        let hidden = channels.div_ceil(SQUEEZE_RATIO);
        self.config.squeeze_excitation.then(|| SqueezeExcitation {
            reduce: self.child("reduce").dense(channels, hidden),
            expand: self.child("expand").dense(hidden, channels),
        })
    }
}

/// One-dimensional convolution with "same" padding. Weight `[out, in, kernel]`.
#[derive(Module, Debug)]
pub(crate) struct Conv1d {
    pub(crate) weight: Param<Tensor<3>>,
    bias: Option<Param<Tensor<1>>>,
    stride: usize,
}

/// Two-dimensional convolution with a square kernel and "same" padding.
/// Weight `[out, in, kernel, kernel]`.
#[derive(Module, Debug)]
pub(crate) struct Conv2d {
    pub(crate) weight: Param<Tensor<4>>,
    bias: Option<Param<Tensor<1>>>,
    stride: usize,
}

/// Dense layer. Weight `[out, in]`.
#[derive(Module, Debug)]
pub(crate) struct Dense {
    pub(crate) weight: Param<Tensor<2>>,
    pub(crate) bias: Option<Param<Tensor<1>>>,
}

/// Batch normalisation of axis 1. The running statistics are no parameters: they get no gradient.
#[derive(Module, Debug)]
pub(crate) struct BatchNorm {
    pub(crate) gamma: Option<Param<Tensor<1>>>,
    pub(crate) beta: Option<Param<Tensor<1>>>,
    pub(crate) running_mean: Param<Tensor<1>>,
    pub(crate) running_variance: Param<Tensor<1>>,
}

/// Squeeze-and-excitation: channels scaled by what their means say.
///
/// Source: Hu, Shen and Sun, "Squeeze-and-Excitation Networks", CVPR 2018.
#[derive(Module, Debug)]
pub(crate) struct SqueezeExcitation {
    reduce: Dense,
    expand: Dense,
}

/// A parameter's numbers in one row, for the fast kernels.
pub(crate) fn flat<const D: usize>(param: &Param<Tensor<D>>) -> Tensor<1> {
    let count = param.shape().num_elements();
    param.val().reshape([count])
}

impl Conv1d {
    /// `[clips, in, positions]` to `[clips, out, positions / stride]`.
    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [_, _, kernel] = self.weight.dims();
        let padding = same_padding(x.dims()[2], kernel, self.stride);
        let options = ConvOptions::new_with_padding([self.stride], [padding], [1], 1);
        conv1d(x, self.weight.val(), self.bias.as_ref().map(Param::val), options)
    }
}

impl Conv2d {
    /// `[clips, in, frames, bins]` to `[clips, out, frames / stride, bins / stride]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, kernel, _] = self.weight.dims();
        let [_, _, frames, bins] = x.dims();
        let padding = [frames, bins].map(|size| same_padding(size, kernel, self.stride));
        let options = ConvOptions::new_with_padding([self.stride; 2], padding, [1, 1], 1);
        conv2d(x, self.weight.val(), self.bias.as_ref().map(Param::val), options)
    }
}

impl Dense {
    /// `[clips, in]` to `[clips, out]`.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let y = x.matmul(self.weight.val().transpose());
        match &self.bias {
            Some(bias) => y + bias.val().unsqueeze(),
            None => y,
        }
    }
}

impl BatchNorm {
    /// Gamma and beta, where the norm has them.
    pub(crate) fn affine(&self) -> impl Iterator<Item = Tensor<1>> {
        self.gamma.iter().chain(&self.beta).map(Param::val)
    }

    pub(crate) fn forward<const D: usize>(&self, x: Tensor<D>, pass: &mut Pass) -> Tensor<D> {
        let features = x.dims()[1];
        let device = x.device();
        let or_constant = |param: &Option<Param<Tensor<1>>>, value: f32| match param {
            Some(param) => param.val(),
            None => Tensor::full([features], value, &device),
        };
        let gamma = or_constant(&self.gamma, 1.0);
        let beta = or_constant(&self.beta, 0.0);
        match pass {
            Pass::Evaluate => batch_norm(
                x,
                gamma,
                beta,
                self.running_mean.val(),
                self.running_variance.val(),
                NORM_EPSILON,
            ),
            Pass::Train(statistics) => {
                let normed = batch_norm_train(x, gamma, beta, NORM_EPSILON);
                statistics.push(BatchStatistics { mean: normed.mean, variance: normed.variance });
                normed.output
            }
        }
    }

    /// Moves the running statistics towards those of a batch: `running + weight (batch - running)`.
    pub(crate) fn update_running(&mut self, batch: BatchStatistics, weight: f64) {
        let move_towards = |running: &Param<Tensor<1>>, new: Tensor<1>| {
            let old = running.val().inner();
            let moved = old.mul_scalar(1.0 - weight) + new.detach().inner().mul_scalar(weight);
            let tensor = if running.val().is_autodiff() { moved.autodiff() } else { moved };
            Param::initialized(running.id, tensor)
        };
        self.running_mean = move_towards(&self.running_mean, batch.mean);
        self.running_variance = move_towards(&self.running_variance, batch.variance);
    }
}

impl BatchNorm {
    /// Replaces the running statistics.
    pub(crate) fn set_running(&mut self, mean: Vec<f32>, variance: Vec<f32>) {
        self.running_mean = with_values(self.running_mean.clone(), mean);
        self.running_variance = with_values(self.running_variance.clone(), variance);
    }
}

impl SqueezeExcitation {
    /// The channels of `x`, `[clips, channels, positions]`, each scaled by a number in (0, 1).
    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [clips, channels, _] = x.dims();
        let means = x.clone().mean_dim(2).reshape([clips, channels]);
        let hidden = activation::relu(self.reduce.forward(means));
        let scale = activation::sigmoid(self.expand.forward(hidden));
        x * scale.reshape([clips, channels, 1])
    }
}

/// Max pooling without padding.
pub(crate) fn pool_valid(x: Tensor<4>, kernel: [usize; 2], stride: [usize; 2]) -> Tensor<4> {
    max_pool2d(x, MaxPoolOptions::new(kernel).with_stride(stride))
}

/// Max pooling 2x2 at stride 2 that keeps a last odd row or column.
pub(crate) fn pool_halves(x: Tensor<4>) -> Tensor<4> {
    max_pool2d(x, MaxPoolOptions::new([2, 2]).with_stride([2, 2]).with_ceil_mode(true))
}

/// Padding before and after so that the output has `size / stride` positions, rounded up; the odd
/// element goes to the end, as in the paper's Keras layers.
fn same_padding(size: usize, kernel: usize, stride: usize) -> (usize, usize) {
    let total = ((size.div_ceil(stride) - 1) * stride + kernel).saturating_sub(size);
    (total / 2, total - total / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_puts_the_odd_element_at_the_end() {
        let rows = [
            ((80_000, 256, 64), (96, 96)),
            ((40, 16, 4), (6, 6)),
            ((311, 7, 2), (3, 3)),
            ((77, 3, 2), (1, 1)),
            ((78, 3, 2), (0, 1)),
            ((5, 1, 2), (0, 0)),
        ];
        for ((size, kernel, stride), expected) in rows {
            assert_eq!(same_padding(size, kernel, stride), expected, "{size} {kernel} {stride}");
        }
    }
}
