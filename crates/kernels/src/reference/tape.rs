//! A tape of plain layers: scalar loops over `[clips, channels, rows, cols]` in double precision,
//! each with its gradient, played forward and back.

use crate::spectrogram::NORM_EPS;

/// An activation, `[clips, channels, rows, cols]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Image {
    /// Clips, channels, rows, columns.
    pub(crate) shape: [usize; 4],
    /// Values, the last axis fastest.
    pub(crate) values: Vec<f64>,
}

impl Image {
    /// Zeros.
    pub(crate) fn zeros(shape: [usize; 4]) -> Self {
        Self { shape, values: vec![0.0; shape.iter().product()] }
    }

    /// Place of a value.
    pub(crate) fn place(&self, clip: usize, channel: usize, row: usize, col: usize) -> usize {
        let [_, channels, rows, cols] = self.shape;
        ((clip * channels + channel) * rows + row) * cols + col
    }
}

/// An activation on the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node(usize);

#[derive(Clone, Debug)]
enum Op {
    Leaf,
    Relu(Node),
    Add(Node, Node),
    /// Each clip's channels become its columns: `[clips, channels, rows, 1]` to `[clips, 1, rows, channels]`.
    ChannelsToCols(Node),
    Norm {
        input: Node,
        affine: Option<[usize; 2]>,
        standard: Vec<f64>,
        inverse: Vec<f64>,
        batch: bool,
    },
    Conv {
        input: Node,
        weight: usize,
        kernel: usize,
        stride: [usize; 2],
    },
    /// Where each output value came from.
    Pool {
        input: Node,
        sources: Vec<usize>,
    },
}

/// Layers in the order they were applied.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tape {
    params: Vec<Vec<f64>>,
    nodes: Vec<(Op, Image)>,
    /// Mean and population variance of each norm, in order.
    pub(crate) statistics: Vec<[Vec<f64>; 2]>,
}

impl Tape {
    /// An empty tape over these parameters.
    pub(crate) fn new(params: &[&[f32]]) -> Self {
        let double = |values: &&[f32]| values.iter().map(|value| f64::from(*value)).collect();
        Self { params: params.iter().map(double).collect(), ..Self::default() }
    }

    /// The activation of a node.
    pub(crate) fn image(&self, node: Node) -> &Image {
        &self.nodes[node.0].1
    }

    /// The values of the last activation.
    pub(crate) fn output(&self) -> &[f64] {
        self.nodes.last().map_or(&[], |(_, image)| &image.values)
    }

    fn push(&mut self, op: Op, image: Image) -> Node {
        self.nodes.push((op, image));
        Node(self.nodes.len() - 1)
    }

    /// An input.
    pub(crate) fn leaf(&mut self, image: Image) -> Node {
        self.push(Op::Leaf, image)
    }

    /// `max(x, 0)`
    pub(crate) fn relu(&mut self, input: Node) -> Node {
        let mut image = self.image(input).clone();
        image.values.iter_mut().for_each(|value| *value = value.max(0.0));
        self.push(Op::Relu(input), image)
    }

    /// `a + b`
    pub(crate) fn add(&mut self, a: Node, b: Node) -> Node {
        let mut image = self.image(a).clone();
        image.values.iter_mut().zip(&self.image(b).values).for_each(|(a, b)| *a += b);
        self.push(Op::Add(a, b), image)
    }

    /// `[clips, channels, rows, 1]` to `[clips, 1, rows, channels]`.
    pub(crate) fn channels_to_cols(&mut self, input: Node) -> Node {
        let source = self.image(input);
        let [clips, channels, rows, _] = source.shape;
        let mut image = Image::zeros([clips, 1, rows, channels]);
        for_each_place(source.shape, |[clip, channel, row, _], place| {
            let to = image.place(clip, 0, row, channel);
            image.values[to] = source.values[place];
        });
        self.push(Op::ChannelsToCols(input), image)
    }

    /// Batch norm over clips, rows and columns, with the batch's statistics or the given ones (mean
    /// and variance of each channel). `affine` are the places of gamma and beta.
    pub(crate) fn norm(
        &mut self,
        input: Node,
        affine: Option<[usize; 2]>,
        running: Option<[Vec<f64>; 2]>,
    ) -> Node {
        let source = self.image(input);
        let batch = running.is_none();
        let [mean, variance] = running.unwrap_or_else(|| statistics(source));
        let inverse: Vec<f64> =
            variance.iter().map(|v| 1.0 / (v + f64::from(NORM_EPS)).sqrt()).collect();
        let mut image = source.clone();
        let mut standard = source.values.clone();
        for_each_place(source.shape, |[_, channel, ..], place| {
            standard[place] = (source.values[place] - mean[channel]) * inverse[channel];
            let [gamma, beta] =
                affine.map_or([1.0, 0.0], |places| places.map(|p| self.params[p][channel]));
            image.values[place] = gamma * standard[place] + beta;
        });
        self.statistics.push([mean, variance]);
        self.push(Op::Norm { input, affine, standard, inverse, batch }, image)
    }

    /// Convolution with square kernel and "same" padding, `weight` being the place of
    /// `[outputs, inputs, kernel, kernel]`.
    pub(crate) fn conv(
        &mut self,
        input: Node,
        weight: usize,
        outputs: usize,
        kernel: usize,
        stride: [usize; 2],
    ) -> Node {
        let source = self.image(input);
        let [clips, _, rows, cols] = source.shape;
        let shape = [clips, outputs, rows.div_ceil(stride[0]), cols.div_ceil(stride[1])];
        let mut image = Image::zeros(shape);
        for_each_product(source, &image.clone(), kernel, stride, |from, to, tap| {
            image.values[to] += source.values[from] * self.params[weight][tap];
        });
        self.push(Op::Conv { input, weight, kernel, stride }, image)
    }

    /// The largest value of each window, the first of several; a window at the end may be cut off.
    pub(crate) fn pool(
        &mut self,
        input: Node,
        window: [usize; 2],
        stride: [usize; 2],
        size: [usize; 2],
    ) -> Node {
        let source = self.image(input);
        let [clips, channels, rows, cols] = source.shape;
        let mut image = Image::zeros([clips, channels, size[0], size[1]]);
        let mut sources = vec![0; image.values.len()];
        for_each_place(image.clone().shape, |[clip, channel, row, col], place| {
            let (top, left) = (row * stride[0], col * stride[1]);
            image.values[place] = f64::NEG_INFINITY;
            for row in top..(top + window[0]).min(rows) {
                for col in left..(left + window[1]).min(cols) {
                    let from = source.place(clip, channel, row, col);
                    if source.values[from] > image.values[place] {
                        image.values[place] = source.values[from];
                        sources[place] = from;
                    }
                }
            }
        });
        self.push(Op::Pool { input, sources }, image)
    }

    /// Gradients of every parameter, from the gradient of the last activation.
    pub(crate) fn backward(&self, gradient: &[f64]) -> Vec<Vec<f64>> {
        let mut params: Vec<Vec<f64>> = self.params.iter().map(|p| vec![0.0; p.len()]).collect();
        let mut slopes: Vec<Vec<f64>> =
            self.nodes.iter().map(|(_, image)| vec![0.0; image.values.len()]).collect();
        if let Some(last) = slopes.last_mut() {
            last.copy_from_slice(gradient);
        }
        for (place, (op, image)) in self.nodes.iter().enumerate().rev() {
            let (before, rest) = slopes.split_at_mut(place);
            self.pull_back(op, image, &rest[0], before, &mut params);
        }
        params
    }

    fn pull_back(
        &self,
        op: &Op,
        image: &Image,
        slope: &[f64],
        slopes: &mut [Vec<f64>],
        params: &mut [Vec<f64>],
    ) {
        match op {
            Op::Leaf => {}
            Op::Relu(input) => {
                let values = self.image(*input).values.iter().zip(slope);
                for ((value, slope), out) in values.zip(&mut slopes[input.0]) {
                    *out += if *value > 0.0 { *slope } else { 0.0 };
                }
            }
            Op::Add(a, b) => {
                for node in [a, b] {
                    slopes[node.0].iter_mut().zip(slope).for_each(|(out, slope)| *out += slope);
                }
            }
            Op::ChannelsToCols(input) => {
                for_each_place(self.image(*input).shape, |[clip, channel, row, _], place| {
                    slopes[input.0][place] += slope[image.place(clip, 0, row, channel)];
                });
            }
            Op::Norm { input, affine, standard, inverse, batch } => {
                let norm = NormBack { standard, inverse, batch: *batch };
                norm.pull_back(image, slope, *affine, &mut slopes[input.0], params, &self.params);
            }
            Op::Conv { input, weight, kernel, stride } => {
                let source = self.image(*input);
                for_each_product(source, image, *kernel, *stride, |from, to, tap| {
                    slopes[input.0][from] += slope[to] * self.params[*weight][tap];
                    params[*weight][tap] += slope[to] * source.values[from];
                });
            }
            Op::Pool { input, sources } => {
                for (source, slope) in sources.iter().zip(slope) {
                    slopes[input.0][*source] += slope;
                }
            }
        }
    }
}

struct NormBack<'a> {
    standard: &'a [f64],
    inverse: &'a [f64],
    batch: bool,
}

impl NormBack<'_> {
    fn pull_back(
        &self,
        image: &Image,
        slope: &[f64],
        affine: Option<[usize; 2]>,
        out: &mut [f64],
        gradients: &mut [Vec<f64>],
        params: &[Vec<f64>],
    ) {
        let [clips, channels, rows, cols] = image.shape;
        let count = (clips * rows * cols) as f64;
        let mut sums = vec![[0.0; 2]; channels];
        for_each_place(image.shape, |[_, channel, ..], place| {
            sums[channel][0] += slope[place];
            sums[channel][1] += slope[place] * self.standard[place];
        });
        for_each_place(image.shape, |[_, channel, ..], place| {
            let gamma = affine.map_or(1.0, |[gamma, _]| params[gamma][channel]);
            let [mean, product] =
                sums[channel].map(|sum| if self.batch { sum / count } else { 0.0 });
            out[place] += gamma
                * self.inverse[channel]
                * (slope[place] - mean - self.standard[place] * product);
        });
        if let Some([gamma, beta]) = affine {
            for (channel, [sum, product]) in sums.into_iter().enumerate() {
                gradients[gamma][channel] += product;
                gradients[beta][channel] += sum;
            }
        }
    }
}

/// Mean and population variance of each channel.
fn statistics(image: &Image) -> [Vec<f64>; 2] {
    let [clips, channels, rows, cols] = image.shape;
    let count = (clips * rows * cols) as f64;
    let mut mean = vec![0.0; channels];
    let mut variance = vec![0.0; channels];
    for_each_place(image.shape, |[_, channel, ..], place| {
        mean[channel] += image.values[place] / count;
    });
    for_each_place(image.shape, |[_, channel, ..], place| {
        variance[channel] += (image.values[place] - mean[channel]).powi(2) / count;
    });
    [mean, variance]
}

fn for_each_place(
    [clips, channels, rows, cols]: [usize; 4],
    mut visit: impl FnMut([usize; 4], usize),
) {
    let mut place = 0;
    for clip in 0..clips {
        for channel in 0..channels {
            for row in 0..rows {
                for col in 0..cols {
                    visit([clip, channel, row, col], place);
                    place += 1;
                }
            }
        }
    }
}

/// Every product of a "same" convolution: places in the input, the output and the weights.
fn for_each_product(
    input: &Image,
    output: &Image,
    kernel: usize,
    stride: [usize; 2],
    mut visit: impl FnMut(usize, usize, usize),
) {
    let [_, inputs, rows, cols] = input.shape;
    let pad = |size: usize, out: usize, stride: usize| {
        ((out - 1) * stride + kernel).saturating_sub(size) / 2
    };
    let pad = [pad(rows, output.shape[2], stride[0]), pad(cols, output.shape[3], stride[1])];
    for_each_place(output.shape, |[clip, channel, row, col], to| {
        for from in 0..inputs {
            for tap_row in 0..kernel {
                for tap_col in 0..kernel {
                    let row = (row * stride[0] + tap_row).wrapping_sub(pad[0]);
                    let col = (col * stride[1] + tap_col).wrapping_sub(pad[1]);
                    if row < rows && col < cols {
                        let tap = ((channel * inputs + from) * kernel + tap_row) * kernel + tap_col;
                        visit(input.place(clip, from, row, col), to, tap);
                    }
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tape with every kind of layer, and the sum of its output times fixed factors.
    fn loss(params: &[Vec<f32>], input: &Image) -> (Tape, f64, Vec<f64>) {
        let slices: Vec<&[f32]> = params.iter().map(Vec::as_slice).collect();
        let mut tape = Tape::new(&slices);
        let leaf = tape.leaf(input.clone());
        let x = tape.norm(leaf, Some([0, 1]), None);
        let x = tape.channels_to_cols(x);
        let x = tape.conv(x, 2, 2, 3, [2, 1]);
        let y = tape.norm(x, None, None);
        let y = tape.relu(y);
        let y = tape.conv(y, 3, 2, 3, [1, 1]);
        let x = tape.add(x, y);
        let x = tape.pool(x, [2, 2], [2, 2], [2, 3]);
        let factors: Vec<f64> =
            (0..tape.image(x).values.len()).map(|place| (place as f64 * 0.7).cos()).collect();
        let total = tape.image(x).values.iter().zip(&factors).map(|(a, b)| a * b).sum();
        (tape, total, factors)
    }

    #[test]
    fn gradients_are_finite_differences() {
        let wave = |len: usize, step: f32| -> Vec<f32> {
            (0..len).map(|place| (place as f32 * step).sin()).collect()
        };
        let params = [wave(5, 1.3), wave(5, 0.9), wave(18, 0.77), wave(36, 1.9)];
        let mut input = Image::zeros([2, 5, 7, 1]);
        for (place, value) in input.values.iter_mut().enumerate() {
            *value = (place as f64 * 1.1).sin() + 0.3 * (place as f64 * 0.37).cos();
        }
        let (tape, _, factors) = loss(&params, &input);
        let gradients = tape.backward(&factors);
        for which in 0..params.len() {
            for place in 0..params[which].len() {
                let moved = |step: f32| {
                    let mut params = params.clone();
                    params[which][place] += step;
                    (loss(&params, &input).1, f64::from(params[which][place]))
                };
                let ((up, right), (down, left)) = (moved(1e-3), moved(-1e-3));
                let slope = (up - down) / (right - left);
                let found = gradients[which][place];
                // The second-order error of a central difference over steps of 1e-3.
                assert!((slope - found).abs() < 2e-5, "{which} {place}: {slope} {found}");
            }
        }
    }
}
