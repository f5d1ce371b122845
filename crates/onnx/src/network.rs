//! The layers of a network, with their norms folded in where that changes nothing.

use offkey_infer::{
    BranchConfig, Encoder, FoldedDense, FoldedNorm, Magnitude, QUIETEST, STEM_KERNEL,
    SpectrumConfig, StftConfig, padding_before,
    weights::{NamedTensor, NamedTensors},
};
use offkey_signal::Stft;

use crate::{
    OnnxError,
    front::{Feature, Front},
    graph::{Graph, Setting, Value},
};

/// Shorter embeddings are not brought to length one: an embedding of zeros stays.
const LEAST_LENGTH: f32 = 1e-30;
/// Only who wrote it knows its layers.
const OUTSIDE: &str = "a network with a branch of another crate";

/// What a branch looks at.
fn feature_of(branch: &BranchConfig) -> Result<Feature, OnnxError> {
    match branch {
        BranchConfig::Spectrum(_) => Ok(Feature::Spectrum),
        BranchConfig::Stft(StftConfig { window, hop, .. }) => {
            Ok(Feature::Stft(Stft { window: *window, hop: *hop }))
        }
        BranchConfig::Custom(_) => Err(OnnxError::Kind { kind: OUTSIDE }),
    }
}

/// The embedding of length one, `[batch, dims]`.
pub(crate) fn embedding(
    graph: &mut Graph,
    front: &mut Front,
    encoder: &Encoder,
) -> Result<Value, OnnxError> {
    let config = encoder.config();
    let mut parts = Vec::new();
    for (index, branch) in config.branches.iter().enumerate() {
        let feature = feature_of(branch)?;
        let input = front.feature(graph, &feature)?;
        let shape = feature.shape(front.samples());
        let prefix = format!("branches.{index}");
        graph.enter(&prefix);
        let layers = Layers { weights: encoder.weights(), prefix };
        parts.push(match branch {
            BranchConfig::Spectrum(branch) => {
                let input = condition(graph, &input, branch.magnitude, false);
                spectrum(graph, &layers, branch, &input, shape[0])
            }
            BranchConfig::Stft(branch) => {
                let input = condition(graph, &input, branch.magnitude, branch.subtract_mean);
                stft(graph, &layers, branch, &input, [shape[0], shape[1]])
            }
            BranchConfig::Custom(_) => return Err(OnnxError::Kind { kind: OUTSIDE }),
        });
    }
    graph.enter("embedding");
    let parts: Vec<&Value> = parts.iter().collect();
    let joined = match parts[..] {
        [only] => only.clone(),
        _ => graph.node("Concat", &parts, &[Setting::Integer("axis", 1)]),
    };
    Ok(of_length_one(graph, &joined))
}

fn of_length_one(graph: &mut Graph, value: &Value) -> Value {
    let settings = [Setting::Integers("axes", &[1]), Setting::Integer("keepdims", 1)];
    let length = graph.node("ReduceL2", &[value], &settings);
    let least = graph.scalar(LEAST_LENGTH);
    let length = graph.node("Max", &[&length, &least], &[]);
    graph.node("Div", &[value, &length], &[])
}

/// Magnitudes as the branch's layers take them.
fn condition(graph: &mut Graph, input: &Value, magnitude: Magnitude, less_mean: bool) -> Value {
    let mut value = input.clone();
    if magnitude == Magnitude::Log {
        let quietest = graph.scalar(QUIETEST);
        value = graph.node("Max", &[&value, &quietest], &[]);
        value = graph.node("Log", &[&value], &[]);
    }
    if less_mean {
        let settings = [Setting::Integers("axes", &[1]), Setting::Integer("keepdims", 1)];
        let mean = graph.node("ReduceMean", &[&value], &settings);
        value = graph.node("Sub", &[&value, &mean], &[]);
    }
    value
}

fn relu(graph: &mut Graph, value: &Value) -> Value {
    graph.node("Relu", &[value], &[])
}

fn spectrum(
    graph: &mut Graph,
    layers: &Layers<'_>,
    config: &SpectrumConfig,
    input: &Value,
    bins: usize,
) -> Value {
    let mut x = graph.reshape(input, &[1, bins]);
    let mut size = [bins];
    for (index, (&taps, &stride)) in config.kernels.iter().zip(&config.strides).enumerate() {
        let step = Step { taps: [taps], stride: [stride] };
        (x, size) =
            layers.convolution(graph, &x, size, &format!("convolutions.{index}"), step, None);
        x = relu(graph, &x);
        x = layers.squeeze::<1>(graph, &x, &format!("squeezes.{index}"));
    }
    x = graph.reshape(&x, &[config.filters * size[0]]);
    for layer in 0..config.dense_layers {
        let norm = layers.norm(&format!("hidden.{layer}.norm"));
        let name = format!("hidden.{layer}.dense");
        let (weight, bias) = (layers.weight(&name), layers.bias(&name));
        let dense = FoldedDense::before_norm(&weight.values, bias, &norm);
        x = gemm(graph, &x, &dense);
    }
    let last = layers.weight("last");
    let dense = FoldedDense::linear(last.values.clone(), last.shape[0], layers.bias("last"));
    gemm(graph, &x, &dense)
}

fn stft(
    graph: &mut Graph,
    layers: &Layers<'_>,
    config: &StftConfig,
    input: &Value,
    [frames, bins]: [usize; 2],
) -> Value {
    // One norm per frequency bin.
    let bin_norm = layers.norm("bin_norm");
    let mut x = graph.affine(input, &[bins], (&bin_norm.scale, &bin_norm.shift));
    x = graph.reshape(&x, &[1, frames, bins]);
    let step = Step { taps: [STEM_KERNEL; 2], stride: [config.stem_stride; 2] };
    let stem_norm = layers.norm("stem_norm");
    let mut size;
    (x, size) = layers.convolution(graph, &x, [frames, bins], "stem", step, Some(&stem_norm));
    x = relu(graph, &x);
    let pooling =
        [Setting::Integers("kernel_shape", &[3, 3]), Setting::Integers("strides", &[2, 2])];
    x = graph.node("MaxPool", &[&x], &pooling);
    size = size.map(|length| (length - 3) / 2 + 1);
    for block in 0..2 * config.stage_channels.len() {
        (x, size) = layers.block(graph, &x, size, block);
    }
    let over_time = [Setting::Integers("axes", &[2]), Setting::Integer("keepdims", 0)];
    x = graph.node("ReduceMax", &[&x], &over_time);
    let head = layers.weight("head");
    x = graph.reshape(&x, &[head.shape[1]]);
    let norm = layers.norm("head_norm");
    let dense = FoldedDense::after_norm(&head.values, layers.bias("head"), &norm);
    gemm(graph, &x, &dense)
}

fn gemm(graph: &mut Graph, x: &Value, dense: &FoldedDense) -> Value {
    let outputs = dense.bias.len();
    let weight = graph.floats(&[outputs, dense.weight.len() / outputs], &dense.weight);
    let bias = graph.floats(&[outputs], &dense.bias);
    let y = graph.node("Gemm", &[x, &weight, &bias], &[Setting::Integer("transB", 1)]);
    if dense.relu { relu(graph, &y) } else { y }
}

/// Size and step of a convolution's kernel.
#[derive(Clone, Copy)]
struct Step<const D: usize> {
    taps: [usize; D],
    stride: [usize; D],
}

/// The weights of a branch, by the names of their layers.
struct Layers<'a> {
    weights: &'a NamedTensors,
    prefix: String,
}

impl<'a> Layers<'a> {
    fn get(&self, name: &str) -> Option<&'a NamedTensor> {
        self.weights.0.get(&format!("{}.{name}", self.prefix))
    }

    fn weight(&self, layer: &str) -> &'a NamedTensor {
        self.get(&format!("{layer}.weight"))
            .expect("an encoder has all weights of its architecture")
    }

    fn bias(&self, layer: &str) -> Option<&'a [f32]> {
        self.get(&format!("{layer}.bias")).map(|tensor| &tensor.values[..])
    }

    fn norm(&self, name: &str) -> FoldedNorm {
        let part = |part: &str| self.get(&format!("{name}.{part}")).map(|t| &t.values[..]);
        let statistics =
            |name: &str| part(name).expect("an encoder has all statistics of its norms");
        FoldedNorm::new(
            (part("gamma"), part("beta")),
            statistics("running_mean"),
            statistics("running_variance"),
        )
    }

    /// A convolution with "same" padding, and the norm after it where there is one. Gives the size of
    /// the result too.
    fn convolution<const D: usize>(
        &self,
        graph: &mut Graph,
        x: &Value,
        size: [usize; D],
        name: &str,
        Step { taps, stride }: Step<D>,
        norm: Option<&FoldedNorm>,
    ) -> (Value, [usize; D]) {
        let kernels = self.weight(name);
        let (outputs, inputs) = (kernels.shape[0], kernels.shape[1]);
        let one = FoldedNorm { scale: vec![1.0; outputs], shift: vec![0.0; outputs] };
        // A kernel is a row per output, as in a dense layer.
        let folded =
            FoldedDense::before_norm(&kernels.values, self.bias(name), norm.unwrap_or(&one));
        let shape: Vec<usize> = [outputs, inputs].into_iter().chain(taps).collect();
        let weight = graph.floats(&shape, &folded.weight);
        let bias = graph.floats(&[outputs], &folded.bias);
        let mut before = [0; D];
        let mut after = [0; D];
        let mut next = [0; D];
        for axis in 0..D {
            next[axis] = size[axis].div_ceil(stride[axis]);
            let reach = (next[axis] - 1) * stride[axis] + taps[axis];
            before[axis] = padding_before(size[axis], taps[axis], stride[axis]);
            after[axis] = reach.saturating_sub(size[axis]) - before[axis];
        }
        let pads: Vec<usize> = before.into_iter().chain(after).collect();
        let settings = [
            Setting::Integers("kernel_shape", &taps),
            Setting::Integers("strides", &stride),
            Setting::Integers("pads", &pads),
        ];
        (graph.node("Conv", &[x, &weight, &bias], &settings), next)
    }

    /// Squeeze-and-excitation, where the layer has it.
    fn squeeze<const D: usize>(&self, graph: &mut Graph, x: &Value, name: &str) -> Value {
        if self.get(&format!("{name}.reduce.weight")).is_none() {
            return x.clone();
        }
        let step = Step { taps: [1; D], stride: [1; D] };
        let means = graph.node("GlobalAveragePool", &[x], &[]);
        let (reduced, size) =
            self.convolution(graph, &means, [1; D], &format!("{name}.reduce"), step, None);
        let reduced = relu(graph, &reduced);
        let (expanded, _) =
            self.convolution(graph, &reduced, size, &format!("{name}.expand"), step, None);
        let scales = graph.node("Sigmoid", &[&expanded], &[]);
        graph.node("Mul", &[x, &scales], &[])
    }

    /// One residual block.
    fn block(
        &self,
        graph: &mut Graph,
        x: &Value,
        size: [usize; 2],
        index: usize,
    ) -> (Value, [usize; 2]) {
        let name = |part: &str| format!("blocks.{index}.{part}");
        let has = |part: &str| self.get(&name(part)).is_some();
        let mut x = x.clone();
        if has("input_norm.running_mean") {
            let norm = self.norm(&name("input_norm"));
            x = graph.affine(&x, &[norm.scale.len(), 1, 1], (&norm.scale, &norm.shift));
        }
        let halves = has("shortcut.weight");
        let step = Step { taps: [3, 3], stride: if halves { [2, 2] } else { [1, 1] } };
        let inner = self.norm(&name("norm"));
        // The second block of the first stage has `ReLU` before its inner norm, all others after.
        let relu_first = index == 1;
        let folded = (!relu_first).then_some(&inner);
        let mut r = relu(graph, &x);
        let next;
        (r, next) = self.convolution(graph, &r, size, &name("conv1"), step, folded);
        r = relu(graph, &r);
        if relu_first {
            r = graph.affine(&r, &[inner.scale.len(), 1, 1], (&inner.scale, &inner.shift));
        }
        let step = Step { taps: [3, 3], stride: [1, 1] };
        (r, _) = self.convolution(graph, &r, next, &name("conv2"), step, None);
        r = self.squeeze::<2>(graph, &r, &name("squeeze"));
        if halves {
            // Windows that reach over the end are kept: padding counts as minus infinity.
            let pads = [0, 0, size[0] % 2, size[1] % 2];
            let pooling = [
                Setting::Integers("kernel_shape", &[2, 2]),
                Setting::Integers("strides", &[2, 2]),
                Setting::Integers("pads", &pads),
            ];
            x = graph.node("MaxPool", &[&x], &pooling);
            let step = Step { taps: [1, 1], stride: [1, 1] };
            (x, _) = self.convolution(graph, &x, next, &name("shortcut"), step, None);
        }
        (graph.node("Add", &[&x, &r], &[]), next)
    }
}
