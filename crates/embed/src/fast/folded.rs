//! A branch ready to embed clips: fast convolutions with running statistics, then dense layers
//! with their norms folded in. Every clip is computed alone, so its embedding does not depend on
//! its batch.

use burn::tensor::{Tensor, TensorData};
use offkey_kernels::{
    spectrogram::{BatchStatistics, SpectrogramInference},
    spectrum::SpectrumInference,
};
use rayon::prelude::*;

use super::{Engine, Plan, primitive, values};

/// Partial sums of a dot product, added up in one fixed order.
const LANES: usize = 16;

/// A branch without anything left to train.
#[derive(Debug)]
pub(crate) struct Folded {
    convolutions: Convolutions,
    dense: Vec<FoldedDense>,
}

#[derive(Debug)]
enum Convolutions {
    Spectrum(SpectrumInference),
    Stft(SpectrogramInference),
}

/// `relu?(weight x + bias)`.
#[derive(Debug)]
pub(crate) struct FoldedDense {
    /// `[out, in]`, row-major.
    weight: Vec<f32>,
    bias: Vec<f32>,
    relu: bool,
}

/// A norm under running statistics: `scale * x + shift`, per feature.
pub(crate) struct FoldedNorm {
    pub(crate) scale: Vec<f64>,
    pub(crate) shift: Vec<f64>,
}

impl FoldedDense {
    /// A dense layer, the norm after it where there is one, and `ReLU` behind that.
    pub(crate) fn before_norm(weight: &[f32], norm: &FoldedNorm) -> Self {
        let inputs = weight.len() / norm.scale.len();
        let rows = weight.chunks_exact(inputs).zip(&norm.scale);
        let scaled = rows.flat_map(|(row, scale)| row.iter().map(move |&w| f64::from(w) * scale));
        Self {
            weight: scaled.map(|w| w as f32).collect(),
            bias: norm.shift.iter().map(|&shift| shift as f32).collect(),
            relu: true,
        }
    }

    /// A norm, then a linear dense layer of so many outputs.
    pub(crate) fn after_norm(weight: &[f32], norm: &FoldedNorm) -> Self {
        let rows = weight.chunks_exact(norm.scale.len());
        let weighted = |row: &[f32]| -> f64 {
            row.iter().zip(&norm.shift).map(|(&w, shift)| f64::from(w) * shift).sum()
        };
        let bias = rows.clone().map(|row| weighted(row) as f32).collect();
        let scaled = rows.flat_map(|row| row.iter().zip(&norm.scale));
        let weight = scaled.map(|(&w, scale)| (f64::from(w) * scale) as f32).collect();
        Self { weight, bias, relu: false }
    }

    /// A linear dense layer of so many outputs.
    pub(crate) fn linear(weight: Vec<f32>, outputs: usize) -> Self {
        Self { weight, bias: vec![0.0; outputs], relu: false }
    }

    fn forward(&self, x: &[f32]) -> Vec<f32> {
        let rows = self.weight.chunks_exact(x.len()).zip(&self.bias);
        let output = rows.map(|(row, bias)| {
            let y = dot(row, x) + bias;
            if self.relu { y.max(0.0) } else { y }
        });
        output.collect()
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    let (b_lanes, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

impl Folded {
    /// `parameters`: all of the engine's plan, flat; `running`: mean and variance of its norms;
    /// `dense`: what follows the convolutions.
    pub(crate) fn new(
        engine: &Engine,
        parameters: &[f32],
        running: Vec<(Vec<f32>, Vec<f32>)>,
        dense: Vec<FoldedDense>,
    ) -> Self {
        let slices = engine.plan.split(parameters);
        let convolutions = match &*engine.plan {
            Plan::Spectrum(plan) => Convolutions::Spectrum(
                SpectrumInference::new(plan.clone(), &slices)
                    .expect("module and plan are made from one configuration"),
            ),
            Plan::Stft(plan) => {
                let running: Vec<_> = running
                    .into_iter()
                    .map(|(mean, variance)| BatchStatistics { mean, variance })
                    .collect();
                Convolutions::Stft(
                    SpectrogramInference::new(plan.clone(), &slices, &running)
                        .expect("module and plan are made from one configuration"),
                )
            }
        };
        Self { convolutions, dense }
    }

    /// `[clips, ..]`, flat and on the processor, to `[clips, dims]`.
    pub(crate) fn embed(&self, input: Tensor<1>, clips: usize) -> Tensor<2> {
        let device = input.device();
        let input = primitive(input);
        let maps = self.convolve(values(&input), clips);
        let of_clip =
            |map: &[f32]| self.dense.iter().fold(map.to_vec(), |x, layer| layer.forward(&x));
        let maps = maps.par_chunks_exact((maps.len() / clips).max(1));
        let embeddings: Vec<f32> = maps.flat_map_iter(of_clip).collect();
        let dims = embeddings.len() / clips;
        Tensor::from_data(TensorData::new(embeddings, [clips, dims]), &device)
    }

    fn convolve(&self, input: &[f32], clips: usize) -> Vec<f32> {
        match &self.convolutions {
            Convolutions::Spectrum(spectrum) => {
                let mut output = vec![0.0; clips * spectrum.plan().output_len()];
                spectrum.run(input, &mut output).expect("input and output are whole clips");
                output
            }
            Convolutions::Stft(stft) => stft.embed(input, clips).expect("the input is whole clips"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_norm_is_the_norm() {
        let norm = FoldedNorm { scale: vec![2.0, -1.0], shift: vec![0.5, 3.0] };
        let weight = [1.0, 2.0, -3.0, 4.0];
        let after = FoldedDense::after_norm(&weight, &norm).forward(&[1.0, 10.0]);
        // The norm gives 2.5 and -7.
        assert_eq!(after, [2.5 - 14.0, -7.5 - 28.0]);
        let before = FoldedDense::before_norm(&weight, &norm).forward(&[1.0, 10.0]);
        // The layer gives 21 and 37.
        assert_eq!(before, [42.5, 0.0]);
    }

    #[test]
    fn a_dot_product_takes_every_element() {
        for length in [0, 1, 15, 16, 17, 40] {
            let a: Vec<f32> = (0..length).map(|x| x as f32).collect();
            let expected: f32 = a.iter().map(|x| x * x).sum();
            // Whole numbers of this size add up exactly, in any order.
            assert!((dot(&a, &a) - expected).abs() < 0.5, "length {length}");
        }
    }
}
