//! Dense layers with the norms around them folded in.

/// Added to variances before the square root, as in the paper's Keras layers.
const NORM_EPSILON: f64 = 1e-3;
/// Partial sums of a dot product, added up in one fixed order.
const LANES: usize = 16;

/// A dense layer with the norm beside it folded in: `relu?(weight x + bias)`.
#[derive(Debug, Clone)]
pub struct FoldedDense {
    /// `[out, in]`, row-major.
    pub weight: Vec<f32>,
    /// One number per output.
    pub bias: Vec<f32>,
    /// Whether `ReLU` follows.
    pub relu: bool,
}

/// A norm under running statistics: `scale * x + shift`, per feature.
#[derive(Debug, Clone)]
pub struct FoldedNorm {
    /// What each feature is multiplied by.
    pub scale: Vec<f64>,
    /// What is added to it afterwards.
    pub shift: Vec<f64>,
}

impl FoldedNorm {
    /// From gamma and beta, where the norm has them, and its running statistics.
    pub fn new(
        (gamma, beta): (Option<&[f32]>, Option<&[f32]>),
        mean: &[f32],
        variance: &[f32],
    ) -> Self {
        let at = |values: Option<&[f32]>, index: usize, default: f64| {
            values.map_or(default, |values| f64::from(values[index]))
        };
        let scale: Vec<f64> = (variance.iter().enumerate())
            .map(|(index, &variance)| {
                at(gamma, index, 1.0) / (f64::from(variance) + NORM_EPSILON).sqrt()
            })
            .collect();
        let shift = (mean.iter().zip(&scale).enumerate())
            .map(|(index, (&mean, scale))| at(beta, index, 0.0) - f64::from(mean) * scale)
            .collect();
        Self { scale, shift }
    }
}

impl FoldedDense {
    /// A dense layer, the norm after it, and `ReLU` behind that.
    pub fn before_norm(weight: &[f32], bias: Option<&[f32]>, norm: &FoldedNorm) -> Self {
        let inputs = weight.len() / norm.scale.len();
        let rows = weight.chunks_exact(inputs).zip(&norm.scale);
        let scaled = rows.flat_map(|(row, scale)| row.iter().map(move |&w| f64::from(w) * scale));
        let shifts = norm.shift.iter().zip(&norm.scale).enumerate();
        let with_bias = |(index, (shift, scale)): (usize, (&f64, &f64))| {
            let bias = bias.map_or(0.0, |bias| f64::from(bias[index]) * scale);
            (shift + bias) as f32
        };
        Self {
            weight: scaled.map(|w| w as f32).collect(),
            bias: shifts.map(with_bias).collect(),
            relu: true,
        }
    }

    /// A norm, then a linear dense layer.
    pub fn after_norm(weight: &[f32], bias: Option<&[f32]>, norm: &FoldedNorm) -> Self {
        let rows = weight.chunks_exact(norm.scale.len());
        let weighted = |row: &[f32]| -> f64 {
            row.iter().zip(&norm.shift).map(|(&w, shift)| f64::from(w) * shift).sum()
        };
        let own = |index: usize| bias.map_or(0.0, |bias| f64::from(bias[index]));
        let bias = rows.clone().enumerate().map(|(i, row)| (weighted(row) + own(i)) as f32);
        let bias = bias.collect();
        let scaled = rows.flat_map(|row| row.iter().zip(&norm.scale));
        let weight = scaled.map(|(&w, scale)| (f64::from(w) * scale) as f32).collect();
        Self { weight, bias, relu: false }
    }

    /// A linear dense layer of so many outputs.
    pub fn linear(weight: Vec<f32>, outputs: usize, bias: Option<&[f32]>) -> Self {
        Self { weight, bias: bias.map_or(vec![0.0; outputs], <[f32]>::to_vec), relu: false }
    }

    /// `[in]` to `[out]`.
    pub(crate) fn forward(&self, x: &[f32]) -> Vec<f32> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_norm_is_the_norm() {
        let norm = FoldedNorm { scale: vec![2.0, -1.0], shift: vec![0.5, 3.0] };
        let weight = [1.0, 2.0, -3.0, 4.0];
        let after = FoldedDense::after_norm(&weight, None, &norm).forward(&[1.0, 10.0]);
        // The norm gives 2.5 and -7.
        assert_eq!(after, [2.5 - 14.0, -7.5 - 28.0]);
        let before = FoldedDense::before_norm(&weight, None, &norm).forward(&[1.0, 10.0]);
        // The layer gives 21 and 37.
        assert_eq!(before, [42.5, 0.0]);
    }

    #[test]
    fn a_bias_is_added_where_the_layer_has_one() {
        let norm = FoldedNorm { scale: vec![2.0, -1.0], shift: vec![0.5, 3.0] };
        let (weight, bias) = ([1.0, 2.0, -3.0, 4.0], [1.0, -40.0]);
        let after = FoldedDense::after_norm(&weight, Some(&bias), &norm).forward(&[1.0, 10.0]);
        assert_eq!(after, [2.5 - 14.0 + 1.0, -7.5 - 28.0 - 40.0]);
        let before = FoldedDense::before_norm(&weight, Some(&bias), &norm).forward(&[1.0, 10.0]);
        // The layer gives 22 and -3.
        assert_eq!(before, [44.5, 6.0]);
        let linear = FoldedDense::linear(weight.to_vec(), 2, Some(&bias)).forward(&[1.0, 10.0]);
        assert_eq!(linear, [22.0, -3.0]);
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
