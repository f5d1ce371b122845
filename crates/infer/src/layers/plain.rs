//! Convolutions in plain loops, for architectures that the fast kernels do not cover, and as
//! their reference. One clip at a time; maps are `[rows, columns, channels]`.

use super::{dense::FoldedNorm, named::Layers};

/// Values of one clip at every place, channel by channel.
#[derive(Debug, Clone)]
pub(crate) struct Map {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) channels: usize,
    pub(crate) values: Vec<f32>,
}

/// A convolution with "same" padding, the odd element at the end.
#[derive(Debug)]
pub(crate) struct Convolution {
    /// Rows and columns of the kernel.
    taps: [usize; 2],
    stride: [usize; 2],
    inputs: usize,
    outputs: usize,
    /// `[taps.., in, out]`.
    weight: Vec<f32>,
    bias: Option<Vec<f32>>,
}

/// Squeeze-and-excitation: channels scaled by what their means say.
#[derive(Debug)]
pub(crate) struct Squeeze {
    reduce: Convolution,
    expand: Convolution,
}

impl Map {
    pub(crate) fn new(rows: usize, columns: usize, channels: usize) -> Self {
        Self { rows, columns, channels, values: vec![0.0; rows * columns * channels] }
    }

    fn places(&mut self) -> impl Iterator<Item = &mut [f32]> {
        self.values.chunks_exact_mut(self.channels)
    }

    fn at(&self, row: usize, column: usize) -> &[f32] {
        let start = (row * self.columns + column) * self.channels;
        &self.values[start..start + self.channels]
    }

    pub(crate) fn relu(mut self) -> Self {
        self.values.iter_mut().for_each(|value| *value = value.max(0.0));
        self
    }

    /// A norm of every channel.
    pub(crate) fn norm(mut self, norm: &FoldedNorm) -> Self {
        for place in self.places() {
            for ((value, scale), shift) in place.iter_mut().zip(&norm.scale).zip(&norm.shift) {
                *value = (f64::from(*value) * scale + shift) as f32;
            }
        }
        self
    }

    /// The largest value of each channel in windows of `size` at every `stride`. Windows that reach
    /// over the end are kept where `whole` is false.
    pub(crate) fn pool(&self, size: usize, stride: usize, whole: bool) -> Self {
        let count = |length: usize| {
            if whole { (length - size) / stride + 1 } else { length.div_ceil(stride) }
        };
        let mut pooled = Self::new(count(self.rows), count(self.columns), self.channels);
        let columns = pooled.columns;
        for (place, out) in pooled.places().enumerate() {
            out.fill(f32::NEG_INFINITY);
            let (top, left) = (place / columns * stride, place % columns * stride);
            for row in top..(top + size).min(self.rows) {
                for column in left..(left + size).min(self.columns) {
                    for (out, &value) in out.iter_mut().zip(self.at(row, column)) {
                        *out = out.max(value);
                    }
                }
            }
        }
        pooled
    }

    pub(crate) fn add(mut self, other: &Self) -> Self {
        self.values.iter_mut().zip(&other.values).for_each(|(value, other)| *value += other);
        self
    }

    /// Channel by channel, `[channels, rows, columns]`.
    pub(crate) fn channels_first(&self) -> Vec<f32> {
        let of_channel =
            |channel: usize| self.values[channel..].iter().step_by(self.channels).copied();
        (0..self.channels).flat_map(of_channel).collect()
    }
}

impl Convolution {
    /// A layer of kernels `[out, in, taps..]`.
    pub(crate) fn new(
        layers: &Layers<'_>,
        name: &str,
        taps: [usize; 2],
        stride: [usize; 2],
    ) -> Self {
        let kernels = layers.values(&format!("{name}.weight"));
        let shape = layers.get(&format!("{name}.weight")).map_or(&[][..], |t| &t.shape);
        let (outputs, inputs) = (shape[0], shape[1]);
        let area = taps[0] * taps[1];
        let mut weight = vec![0.0; kernels.len()];
        for (index, &value) in kernels.iter().enumerate() {
            let (output, input, tap) = (index / area / inputs, index / area % inputs, index % area);
            weight[(tap * inputs + input) * outputs + output] = value;
        }
        let bias = layers.bias(name).map(<[f32]>::to_vec);
        Self { taps, stride, inputs, outputs, weight, bias }
    }

    /// A dense layer, as a convolution of one place.
    pub(crate) fn dense(layers: &Layers<'_>, name: &str) -> Self {
        Self::new(layers, name, [1, 1], [1, 1])
    }

    pub(crate) fn forward(&self, x: &Map) -> Map {
        let [rows, columns] = [x.rows.div_ceil(self.stride[0]), x.columns.div_ceil(self.stride[1])];
        let before = [
            padding_before(x.rows, self.taps[0], self.stride[0]),
            padding_before(x.columns, self.taps[1], self.stride[1]),
        ];
        let mut y = Map::new(rows, columns, self.outputs);
        for (place, out) in y.places().enumerate() {
            if let Some(bias) = &self.bias {
                out.copy_from_slice(bias);
            }
            let (row, column) =
                (place / columns * self.stride[0], place % columns * self.stride[1]);
            for tap_row in taps_inside(row, before[0], self.taps[0], x.rows) {
                for tap_column in taps_inside(column, before[1], self.taps[1], x.columns) {
                    let from = x.at(row + tap_row - before[0], column + tap_column - before[1]);
                    let tap = tap_row * self.taps[1] + tap_column;
                    self.add_tap(tap, from, out);
                }
            }
        }
        y
    }

    fn add_tap(&self, tap: usize, from: &[f32], out: &mut [f32]) {
        let start = tap * self.inputs * self.outputs;
        let kernels = self.weight[start..].chunks_exact(self.outputs);
        for (&value, kernel) in from.iter().zip(kernels) {
            for (out, weight) in out.iter_mut().zip(kernel) {
                *out += value * weight;
            }
        }
    }
}

/// The taps of a kernel that fall on the input.
fn taps_inside(at: usize, before: usize, taps: usize, length: usize) -> std::ops::Range<usize> {
    before.saturating_sub(at)..taps.min(length + before - at)
}

/// Zeros before the input of a convolution, so that its output has `size / stride` places, rounded up.
/// As many follow the input as the last place needs.
pub fn padding_before(size: usize, taps: usize, stride: usize) -> usize {
    ((size.div_ceil(stride) - 1) * stride + taps).saturating_sub(size) / 2
}

impl Squeeze {
    pub(crate) fn new(layers: &Layers<'_>, name: &str) -> Option<Self> {
        let part = |part: &str| Convolution::dense(layers, &format!("{name}.{part}"));
        layers
            .has(&format!("{name}.reduce.weight"))
            .then(|| Self { reduce: part("reduce"), expand: part("expand") })
    }

    pub(crate) fn forward(&self, mut x: Map) -> Map {
        let mut sums = vec![0.0_f64; x.channels];
        for place in x.places() {
            sums.iter_mut().zip(&*place).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        let places = (x.rows * x.columns) as f64;
        let mut means = Map::new(1, 1, x.channels);
        means.values.iter_mut().zip(sums).for_each(|(mean, sum)| *mean = (sum / places) as f32);
        let scales = self.expand.forward(&self.reduce.forward(&means).relu()).values;
        for place in x.places() {
            place.iter_mut().zip(&scales).for_each(|(value, &scale)| *value *= sigmoid(scale));
        }
        x
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_puts_the_odd_element_at_the_end() {
        let rows = [
            ((80_000, 256, 64), 96),
            ((40, 16, 4), 6),
            ((311, 7, 2), 3),
            ((77, 3, 2), 1),
            ((78, 3, 2), 0),
            ((5, 1, 2), 0),
        ];
        for ((size, taps, stride), expected) in rows {
            assert_eq!(padding_before(size, taps, stride), expected, "{size} {taps} {stride}");
        }
    }

    #[test]
    fn only_taps_on_the_input_count() {
        assert_eq!(taps_inside(0, 1, 3, 5), 1..3);
        assert_eq!(taps_inside(2, 1, 3, 5), 0..3);
        assert_eq!(taps_inside(4, 1, 3, 5), 0..2);
    }
}
