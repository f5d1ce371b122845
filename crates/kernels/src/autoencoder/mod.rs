//! Training steps of a dense autoencoder: layers `x W`, each but the last followed by batch norm and
//! `ReLU`, and the mean squared error of what comes out against what went in.
//!
//! A normed layer needs no bias: the norm would take it away again. Rows are windows, row-major.
//! Results do not depend on the number of threads.

mod features;
mod layer;
#[cfg(test)]
mod tests;

use rayon::prelude::*;

use crate::simd::{Level, dispatch};
use features::Compare;
use layer::Layer;
pub use layer::{DenseParameters, Slope};

/// Rows that a thread takes at a time. Sums over rows are kept by block, so the number is part of the
/// result's last bits.
const BLOCK: usize = 32;

/// The layers of an autoencoder, with what its last step left in them.
#[derive(Debug, Clone)]
pub struct AutoencoderSteps {
    level: Level,
    layers: Vec<Layer>,
    /// Rows of the last step, `[rows, padded width]`.
    input: Vec<f32>,
}

/// Why an autoencoder cannot be made or stepped.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum AutoencoderStepError {
    /// A layer without features, or no hidden layer.
    #[error(
        "widths {widths:?} make no autoencoder, expected the input's and at least one hidden one, none 0"
    )]
    Widths {
        /// As given.
        widths: Vec<usize>,
    },
    /// The processor lacks the instruction set that was asked for.
    #[error("this processor has no {}", level.name())]
    Level {
        /// The instruction set.
        level: Level,
    },
    /// Parameters of another network.
    #[error("parameters of {found} layers, expected {expected}")]
    Layers {
        /// Layers given.
        found: usize,
        /// Layers there are.
        expected: usize,
    },
    /// Nothing to learn from.
    #[error("a step needs at least one row")]
    NoRows,
    /// Numbers that do not fit.
    #[error("{what} has {found} values, expected {expected}")]
    Length {
        /// Which slice.
        what: String,
        /// Its length.
        found: usize,
        /// The length that fits.
        expected: usize,
    },
}

impl AutoencoderSteps {
    /// An autoencoder whose parameters are all zero, for the best instruction set of this processor.
    /// `widths`: features of the input, which are those of the output too, then of each hidden layer.
    ///
    /// # Errors
    /// [`AutoencoderStepError::Widths`].
    pub fn new(widths: &[usize]) -> Result<Self, AutoencoderStepError> {
        if widths.len() < 2 || widths.contains(&0) {
            return Err(AutoencoderStepError::Widths { widths: widths.to_vec() });
        }
        let outputs = widths[1..].iter().chain(&widths[..1]);
        let layers: Vec<Layer> = widths
            .iter()
            .zip(outputs)
            .enumerate()
            .map(|(place, (&inputs, &outputs))| {
                Layer::new(inputs, outputs, place + 1 < widths.len())
            })
            .collect();
        Ok(Self { level: Level::best(), layers, input: Vec::new() })
    }

    /// The same with another instruction set.
    ///
    /// # Errors
    /// [`AutoencoderStepError::Level`] when the processor lacks it.
    pub fn on(self, level: Level) -> Result<Self, AutoencoderStepError> {
        if !level.is_available() {
            return Err(AutoencoderStepError::Level { level });
        }
        Ok(Self { level, ..self })
    }

    /// The instruction set.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Sets the parameters of every layer.
    ///
    /// # Errors
    /// [`AutoencoderStepError::Layers`] or [`AutoencoderStepError::Length`] when they do not fit.
    pub fn set(&mut self, parameters: &[DenseParameters]) -> Result<(), AutoencoderStepError> {
        let (found, expected) = (parameters.len(), self.layers.len());
        if found != expected {
            return Err(AutoencoderStepError::Layers { found, expected });
        }
        self.layers.iter_mut().zip(parameters).try_for_each(|(layer, own)| layer.set(own))
    }

    /// The parameters of every layer.
    pub fn parameters(&self) -> Vec<DenseParameters> {
        self.layers.iter().map(Layer::parameters).collect()
    }

    /// Every parameter with its gradient of the last step, for an optimiser. Some belong to no
    /// feature: they are zero and have no slope.
    pub fn slopes(&mut self) -> impl Iterator<Item = Slope<'_>> {
        self.layers.iter_mut().flat_map(Layer::slopes)
    }

    /// Mean and population variance of the last step's rows before each norm.
    pub fn statistics(&self) -> impl Iterator<Item = [&[f32]; 2]> {
        self.layers.iter().filter_map(Layer::statistics)
    }

    /// The mean squared error of these rows, and with it the gradient of every parameter.
    ///
    /// # Errors
    /// [`AutoencoderStepError::NoRows`], or [`AutoencoderStepError::Length`] when one is not as wide
    /// as the input.
    pub fn step(&mut self, rows: &[&[f32]]) -> Result<f64, AutoencoderStepError> {
        self.take_in(rows)?;
        let mut input = &self.input;
        for layer in &mut self.layers {
            layer.forward(self.level, input, rows.len());
            input = layer.result();
        }
        let error = self.compare(rows.len());
        self.backward(rows.len());
        Ok(error)
    }

    fn take_in(&mut self, rows: &[&[f32]]) -> Result<(), AutoencoderStepError> {
        let first = &self.layers[0];
        let (inputs, width) = (first.inputs(), first.in_width());
        if rows.is_empty() {
            return Err(AutoencoderStepError::NoRows);
        }
        if let Some(row) = rows.iter().find(|row| row.len() != inputs) {
            let (found, expected) = (row.len(), inputs);
            return Err(AutoencoderStepError::Length { what: "a row".to_owned(), found, expected });
        }
        self.input.resize(rows.len() * width, 0.0);
        for (place, row) in self.input.chunks_exact_mut(width).zip(rows) {
            place[..inputs].copy_from_slice(row);
        }
        Ok(())
    }

    /// The mean squared error; leaves its gradient in the last layer.
    fn compare(&mut self, rows: usize) -> f64 {
        let last = self.layers.last_mut().expect("there are at least two layers");
        let scale = 1.0 / (rows * last.outputs()) as f64;
        let (level, width) = (self.level, last.out_width());
        let sums: Vec<f64> = last
            .slope_and_result(rows)
            .zip(self.input.par_chunks(BLOCK * width))
            .map(|((slope, result), input)| {
                let mut squares = vec![0.0; width];
                let scale = scale as f32;
                let compare = Compare { scale, input, result, slope, squares: &mut squares };
                dispatch(level, compare);
                squares.iter().map(|&square| f64::from(square)).sum()
            })
            .collect();
        scale * sums.iter().sum::<f64>()
    }

    fn backward(&mut self, rows: usize) {
        for place in (0..self.layers.len()).rev() {
            let (before, from) = self.layers.split_at_mut(place);
            let layer = &mut from[0];
            layer.through_norm(self.level, rows);
            match before.last_mut() {
                Some(previous) => {
                    layer.weight_gradient(self.level, previous.result(), rows);
                    layer.input_gradient(self.level, previous.slope_mut(rows));
                }
                None => layer.weight_gradient(self.level, &self.input, rows),
            }
        }
    }
}
