//! Twin of [`crate::spectrum`]: each sum as the formula says it, in double precision.

/// One convolution over `[channels, positions]` with "same" padding.
struct Conv<'a> {
    weights: &'a [f32],
    channels: usize,
    filters: usize,
    kernel: usize,
    stride: usize,
}

impl Conv<'_> {
    fn outputs(&self, inputs: usize) -> usize {
        inputs.div_ceil(self.stride)
    }

    /// The input position under `tap` of `output`, unless it is padding; an odd element of padding
    /// goes to the end.
    fn input(&self, inputs: usize, output: usize, tap: usize) -> Option<usize> {
        let read = (self.outputs(inputs) - 1) * self.stride + self.kernel;
        let before = read.saturating_sub(inputs) / 2;
        (output * self.stride + tap).checked_sub(before).filter(|&position| position < inputs)
    }

    /// Calls `visit` with the places of output, weight and input of every product.
    fn each_product(&self, inputs: usize, mut visit: impl FnMut(usize, usize, usize)) {
        let outputs = self.outputs(inputs);
        for filter in 0..self.filters {
            for output in 0..outputs {
                for channel in 0..self.channels {
                    for tap in 0..self.kernel {
                        if let Some(input) = self.input(inputs, output, tap) {
                            let weight = (filter * self.channels + channel) * self.kernel + tap;
                            visit(filter * outputs + output, weight, channel * inputs + input);
                        }
                    }
                }
            }
        }
    }

    fn forward(&self, input: &[f64]) -> Vec<f64> {
        let inputs = input.len() / self.channels;
        let mut sums = vec![0.0; self.filters * self.outputs(inputs)];
        self.each_product(inputs, |output, weight, from| {
            sums[output] += f64::from(self.weights[weight]) * input[from];
        });
        sums.iter().map(|&sum| f64::max(sum, 0.0)).collect()
    }

    /// Adds to the weights' gradient and returns the input's.
    fn backward(&self, input: &[f64], d_output: &[f64], d_weights: &mut [f64]) -> Vec<f64> {
        let mut d_input = vec![0.0; input.len()];
        self.each_product(input.len() / self.channels, |output, weight, from| {
            d_weights[weight] += d_output[output] * input[from];
            d_input[from] += d_output[output] * f64::from(self.weights[weight]);
        });
        d_input
    }
}

/// Outputs `[clips, filters, positions]` and the gradient of every weight, for spectra
/// `[clips, bins]`, weights `[filters, channels, taps]` and the outputs' gradient.
pub(crate) fn spectrum_branch(
    weights: &[&[f32]],
    kernels: &[usize],
    strides: &[usize],
    spectra: &[f32],
    bins: usize,
    d_out: &[f32],
) -> (Vec<f64>, Vec<Vec<f64>>) {
    let filters = weights[0].len() / kernels[0];
    let layers: Vec<_> = (0..kernels.len())
        .map(|layer| Conv {
            weights: weights[layer],
            channels: if layer == 0 { 1 } else { filters },
            filters,
            kernel: kernels[layer],
            stride: strides[layer],
        })
        .collect();
    let clips = spectra.len() / bins;
    let mut outputs = Vec::new();
    let mut gradients: Vec<_> = weights.iter().map(|weights| vec![0.0; weights.len()]).collect();
    for (spectrum, d_out) in spectra.chunks(bins).zip(d_out.chunks(d_out.len() / clips)) {
        let mut results = vec![spectrum.iter().map(|&value| f64::from(value)).collect::<Vec<_>>()];
        for layer in &layers {
            results.push(layer.forward(&results[results.len() - 1]));
        }
        outputs.extend(&results[layers.len()]);
        let mut gradient: Vec<_> = d_out.iter().map(|&value| f64::from(value)).collect();
        for (index, layer) in layers.iter().enumerate().rev() {
            for (gradient, &result) in gradient.iter_mut().zip(&results[index + 1]) {
                if result <= 0.0 {
                    *gradient = 0.0;
                }
            }
            gradient = layer.backward(&results[index], &gradient, &mut gradients[index]);
        }
    }
    (outputs, gradients)
}
