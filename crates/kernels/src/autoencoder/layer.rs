//! One dense layer with what a step leaves in it. Features are padded with zeros to whole panels, and
//! stay zero: their weights are zero, so are their gradients.

use rayon::prelude::*;

use super::features::{Gate, Moments, Normalise, PullBack, Sums};
use super::{AutoencoderStepError, BLOCK};
use crate::gemm::{Finish, Left, PANEL, Product, Right, Rows};
use crate::simd::{Level, dispatch};
use crate::spectrogram::NORM_EPS;

/// The parameters of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct DenseParameters {
    /// `[outputs, inputs]`.
    pub weight: Vec<f32>,
    /// Gamma of the norm; absent in the last layer, which has none.
    pub gamma: Option<Vec<f32>>,
    /// Beta of the norm, or the bias of the last layer.
    pub shift: Vec<f32>,
}

/// Some parameters and their gradient.
#[derive(Debug)]
pub struct Slope<'a> {
    /// The parameters.
    pub values: &'a mut [f32],
    /// As many.
    pub gradient: &'a [f32],
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    inputs: usize,
    outputs: usize,
    in_width: usize,
    out_width: usize,
    /// `[in_width, out_width]`.
    weight: Learned,
    gamma: Option<Learned>,
    shift: Learned,
    /// `[out_width, in_width]`.
    transposed: Vec<f32>,
    /// Products of the last rows, standardised where there is a norm, `[rows, out_width]`.
    standard: Vec<f32>,
    /// What the layer made of them.
    result: Vec<f32>,
    /// The gradient of the result, then of the products.
    slope: Vec<f32>,
    mean: Vec<f32>,
    variance: Vec<f32>,
    /// Inverse deviations.
    inverse: Vec<f32>,
}

/// Parameters and their gradient.
#[derive(Debug, Clone)]
struct Learned {
    values: Vec<f32>,
    gradient: Vec<f32>,
}

impl Learned {
    fn zeros(count: usize) -> Self {
        Self { values: vec![0.0; count], gradient: vec![0.0; count] }
    }

    fn slope(&mut self) -> Slope<'_> {
        Slope { values: &mut self.values, gradient: &self.gradient }
    }
}

impl Layer {
    pub(super) fn new(inputs: usize, outputs: usize, is_normed: bool) -> Self {
        let (in_width, out_width) =
            (inputs.next_multiple_of(PANEL), outputs.next_multiple_of(PANEL));
        Self {
            inputs,
            outputs,
            in_width,
            out_width,
            weight: Learned::zeros(in_width * out_width),
            gamma: is_normed.then(|| Learned::zeros(out_width)),
            shift: Learned::zeros(out_width),
            transposed: vec![0.0; in_width * out_width],
            standard: Vec::new(),
            result: Vec::new(),
            slope: Vec::new(),
            mean: vec![0.0; out_width],
            variance: vec![0.0; out_width],
            inverse: vec![0.0; out_width],
        }
    }

    pub(super) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    pub(super) fn in_width(&self) -> usize {
        self.in_width
    }

    pub(super) fn out_width(&self) -> usize {
        self.out_width
    }

    pub(super) fn result(&self) -> &Vec<f32> {
        &self.result
    }

    /// The gradient of the result of some rows, to be written.
    pub(super) fn slope_mut(&mut self, rows: usize) -> &mut [f32] {
        self.slope.resize(rows * self.out_width, 0.0);
        &mut self.slope
    }

    /// The same beside the result, by blocks of rows.
    pub(super) fn slope_and_result(
        &mut self,
        rows: usize,
    ) -> impl IndexedParallelIterator<Item = (&mut [f32], &[f32])> {
        let block = BLOCK * self.out_width;
        self.slope.resize(rows * self.out_width, 0.0);
        self.slope.par_chunks_mut(block).zip(self.result.par_chunks(block))
    }

    pub(super) fn set(&mut self, parameters: &DenseParameters) -> Result<(), AutoencoderStepError> {
        let gamma = parameters.gamma.as_deref();
        let wanted = [
            ("the weight", parameters.weight.len(), self.inputs * self.outputs),
            (
                "gamma",
                gamma.map_or(0, <[f32]>::len),
                self.gamma.as_ref().map_or(0, |_| self.outputs),
            ),
            ("the shift", parameters.shift.len(), self.outputs),
        ];
        for (what, found, expected) in wanted {
            if found != expected {
                let what = what.to_owned();
                return Err(AutoencoderStepError::Length { what, found, expected });
            }
        }
        for (output, weights) in parameters.weight.chunks_exact(self.inputs).enumerate() {
            for (input, &weight) in weights.iter().enumerate() {
                self.weight.values[input * self.out_width + output] = weight;
            }
        }
        self.shift.values[..self.outputs].copy_from_slice(&parameters.shift);
        if let (Some(own), Some(gamma)) = (&mut self.gamma, gamma) {
            own.values[..self.outputs].copy_from_slice(gamma);
        }
        Ok(())
    }

    pub(super) fn parameters(&self) -> DenseParameters {
        let weight = (0..self.outputs).flat_map(|output| {
            (0..self.inputs).map(move |input| self.weight.values[input * self.out_width + output])
        });
        let features = |learned: &Learned| learned.values[..self.outputs].to_vec();
        DenseParameters {
            weight: weight.collect(),
            gamma: self.gamma.as_ref().map(features),
            shift: features(&self.shift),
        }
    }

    pub(super) fn slopes(&mut self) -> impl Iterator<Item = Slope<'_>> {
        let norm = self.gamma.iter_mut().map(Learned::slope);
        [self.weight.slope(), self.shift.slope()].into_iter().chain(norm)
    }

    /// Mean and variance of the last rows, where there is a norm.
    pub(super) fn statistics(&self) -> Option<[&[f32]; 2]> {
        self.gamma.as_ref()?;
        Some([&self.mean, &self.variance].map(|values| &values[..self.outputs]))
    }

    pub(super) fn forward(&mut self, level: Level, input: &[f32], rows: usize) {
        let width = self.out_width;
        let offsets = offsets(width);
        self.standard.resize(rows * width, 0.0);
        self.result.resize(rows * width, 0.0);
        let moments: Vec<BlockMoments> = self
            .standard
            .par_chunks_mut(BLOCK * width)
            .zip(input.par_chunks(BLOCK * self.in_width))
            .map(|(products, input)| {
                let product = Product {
                    left: left_rows(input, self.in_width),
                    right: right_rows(&self.weight.values, width),
                    segments: 1,
                    depth: self.inputs,
                    accumulate: false,
                    finish: Finish::Keep,
                };
                let out = Rows { offsets: &offsets[..products.len() / width], panel_stride: PANEL };
                product.run(level, 0..width / PANEL, out, products);
                BlockMoments::of(level, products, width)
            })
            .collect();
        if self.gamma.is_some() {
            self.normalise(level, &moments, rows);
        } else {
            self.shift_only();
        }
    }

    fn normalise(&mut self, level: Level, blocks: &[BlockMoments], rows: usize) {
        for feature in 0..self.out_width {
            let mean_of = |block: &BlockMoments| f64::from(block.mean[feature]);
            let sum: f64 = blocks.iter().map(|block| block.rows as f64 * mean_of(block)).sum();
            let mean = sum / rows as f64;
            let squares = blocks.iter().map(|block| {
                let apart = mean_of(block) - mean;
                f64::from(block.squares[feature]) + block.rows as f64 * apart * apart
            });
            let variance = squares.sum::<f64>() / rows as f64;
            self.mean[feature] = mean as f32;
            self.variance[feature] = variance as f32;
            self.inverse[feature] = (1.0 / (variance + f64::from(NORM_EPS)).sqrt()) as f32;
        }
        let width = self.out_width;
        let gamma = self.gamma.as_ref().map_or(&[][..], |gamma| &gamma.values);
        let (mean, inverse, beta) = (&self.mean, &self.inverse, &self.shift.values);
        let blocks = self.standard.par_chunks_mut(BLOCK * width);
        blocks.zip(self.result.par_chunks_mut(BLOCK * width)).for_each(|(standard, result)| {
            dispatch(level, Normalise { mean, inverse, gamma, beta, standard, result });
        });
    }

    fn shift_only(&mut self) {
        let width = self.out_width;
        let rows = self.standard.chunks_exact(width).zip(self.result.chunks_exact_mut(width));
        for (products, result) in rows {
            for ((result, product), shift) in
                result.iter_mut().zip(products).zip(&self.shift.values)
            {
                *result = product + shift;
            }
        }
    }

    /// Takes the gradient of the result back to the products, and gathers that of gamma and shift.
    pub(super) fn through_norm(&mut self, level: Level, rows: usize) {
        let width = self.out_width;
        let block = BLOCK * width;
        if self.gamma.is_some() {
            let gated = self.slope.par_chunks_mut(block).zip(self.result.par_chunks(block));
            gated.for_each(|(slope, result)| dispatch(level, Gate { result, slope }));
        }
        let sums: Vec<[Vec<f32>; 2]> = self
            .slope
            .par_chunks(block)
            .zip(self.standard.par_chunks(block))
            .map(|(slope, standard)| column_sums(level, slope, standard, width))
            .collect();
        let [sum, product] = total(&sums, width);
        let Self { gamma, shift, inverse, slope, standard, .. } = self;
        to_single(&sum, &mut shift.gradient);
        let Some(gamma) = gamma else { return };
        to_single(&product, &mut gamma.gradient);
        let mean = |sums: &[f64]| sums.iter().map(|x| (x / rows as f64) as f32).collect::<Vec<_>>();
        let (sum, product) = (mean(&sum), mean(&product));
        let gain: Vec<f32> = gamma.values.iter().zip(&*inverse).map(|(g, i)| g * i).collect();
        slope.par_chunks_mut(block).zip(standard.par_chunks(block)).for_each(
            |(slope, standard)| {
                let (gain, means) = (&gain[..], [&sum[..], &product]);
                dispatch(level, PullBack { gain, means, standard, slope });
            },
        );
    }

    /// The weight's gradient, from the rows that went in and the gradient of the products.
    pub(super) fn weight_gradient(&mut self, level: Level, input: &[f32], rows: usize) {
        let (in_width, width) = (self.in_width, self.out_width);
        let offsets = offsets(width);
        let slope = &self.slope;
        let blocks = self.weight.gradient.par_chunks_mut(BLOCK * width).enumerate();
        blocks.for_each(|(block, gradient)| {
            let product = Product {
                left: Left {
                    values: input,
                    start: block * BLOCK,
                    row_stride: 1,
                    segment_stride: 0,
                    step_stride: in_width,
                },
                right: right_rows(slope, width),
                segments: 1,
                depth: rows,
                accumulate: false,
                finish: Finish::Keep,
            };
            let out = Rows { offsets: &offsets[..gradient.len() / width], panel_stride: PANEL };
            product.run(level, 0..width / PANEL, out, gradient);
        });
    }

    /// The gradient of the rows that went in, from that of the products.
    pub(super) fn input_gradient(&mut self, level: Level, input_slope: &mut [f32]) {
        let (in_width, width) = (self.in_width, self.out_width);
        let offsets = offsets(in_width);
        transpose(&self.weight.values, width, &mut self.transposed);
        let blocks = input_slope.par_chunks_mut(BLOCK * in_width);
        blocks.zip(self.slope.par_chunks(BLOCK * width)).for_each(|(input_slope, slope)| {
            let product = Product {
                left: left_rows(slope, width),
                right: right_rows(&self.transposed, in_width),
                segments: 1,
                depth: self.outputs,
                accumulate: false,
                finish: Finish::Keep,
            };
            let rows = input_slope.len() / in_width;
            let out = Rows { offsets: &offsets[..rows], panel_stride: PANEL };
            product.run(level, 0..in_width / PANEL, out, input_slope);
        });
    }
}

/// Mean and sum of squares about it of the rows of one block, for each feature.
struct BlockMoments {
    rows: usize,
    mean: Vec<f32>,
    squares: Vec<f32>,
}

impl BlockMoments {
    fn of(level: Level, values: &[f32], width: usize) -> Self {
        let (mut mean, mut squares) = (vec![0.0; width], vec![0.0; width]);
        dispatch(level, Moments { values, mean: &mut mean, squares: &mut squares });
        Self { rows: values.len() / width, mean, squares }
    }
}

/// Where the rows of a block begin.
fn offsets(width: usize) -> [usize; BLOCK] {
    std::array::from_fn(|row| row * width)
}

fn left_rows(values: &[f32], width: usize) -> Left<'_> {
    Left { values, start: 0, row_stride: width, segment_stride: 0, step_stride: 1 }
}

fn right_rows(values: &[f32], width: usize) -> Right<'_> {
    Right { values, start: 0, panel_stride: PANEL, segment_stride: 0, step_stride: width }
}

/// Sums over the rows of a block of `a` and of `a * b`, feature by feature.
fn column_sums(level: Level, a: &[f32], b: &[f32], width: usize) -> [Vec<f32>; 2] {
    let (mut sums, mut products) = (vec![0.0; width], vec![0.0; width]);
    dispatch(level, Sums { a, b, totals: [&mut sums, &mut products] });
    [sums, products]
}

/// The blocks' sums added up, in their order.
fn total(blocks: &[[Vec<f32>; 2]], width: usize) -> [Vec<f64>; 2] {
    let mut totals = [vec![0.0; width], vec![0.0; width]];
    for block in blocks {
        for (totals, sums) in totals.iter_mut().zip(block) {
            totals.iter_mut().zip(sums).for_each(|(total, &sum)| *total += f64::from(sum));
        }
    }
    totals
}

fn to_single(from: &[f64], to: &mut [f32]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from as f32);
}

/// Rows of `width` become columns. Both sides are whole panels.
fn transpose(from: &[f32], width: usize, to: &mut [f32]) {
    let height = from.len() / width;
    for top in (0..height).step_by(PANEL) {
        for left in (0..width).step_by(PANEL) {
            for column in left..left + PANEL {
                let to = &mut to[column * height + top..][..PANEL];
                for (row, to) in (top..).zip(to) {
                    *to = from[row * width + column];
                }
            }
        }
    }
}
