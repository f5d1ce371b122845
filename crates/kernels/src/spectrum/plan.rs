//! The branch laid out once: which convolutions there are, and where their results go.

use super::config::{SpectrumConfig, SpectrumError};
use super::layout::{Conv, Phased, row_width};
use super::pack::Weights;
use crate::gemm::PANEL;
use crate::simd::Level;

/// One convolution with its `ReLU`, and the tables its products need.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) conv: Conv,
    /// Channels of the input.
    pub(crate) channels: usize,
    /// Floats of a row of the input: one value, or the channels in whole panels.
    pub(crate) channel_rows: usize,
    pub(crate) filters: usize,
    /// How the result is stored: as the next convolution reads it, or plain for the last.
    pub(crate) output: Phased,
    /// Where each output position's row starts in one clip's result.
    pub(crate) output_rows: Vec<usize>,
    /// Where rows of the packed weight gradient start: each tap's, over values, or over rows each
    /// channel's of one slot and panel.
    pub(crate) gradient_rows: Vec<usize>,
}

impl Layer {
    /// Floats of a row of the result.
    pub(crate) fn width(&self) -> usize {
        row_width(self.filters)
    }

    /// Panels of filters.
    pub(crate) fn panels(&self) -> usize {
        self.width() / PANEL
    }

    /// Floats of one clip's stored result.
    pub(crate) fn output_len(&self) -> usize {
        self.output.total_rows() * self.width()
    }

    /// Zero rows before and after the gradient of one clip's result, as far as taps reach.
    pub(crate) fn margin(&self) -> usize {
        self.conv.taps_per_phase() - 1
    }

    /// Floats of the gradient of one clip's result, in plain order with margins.
    pub(crate) fn gradient_len(&self) -> usize {
        (self.conv.outputs + 2 * self.margin()) * self.width()
    }

    pub(crate) fn weights(&self) -> Weights<'_> {
        let Self { ref conv, channels, channel_rows, filters, .. } = *self;
        Weights { conv, channels, channel_rows, filters }
    }
}

/// The branch for one length of spectrum and one instruction set.
#[derive(Clone, Debug)]
pub struct SpectrumPlan {
    config: SpectrumConfig,
    pub(crate) level: Level,
    /// The convolution over the spectrum itself.
    pub(crate) first: Layer,
    /// The convolutions over rows of channels.
    pub(crate) rest: Vec<Layer>,
}

impl SpectrumPlan {
    /// Lays the branch out for the best instruction set of this processor.
    ///
    /// # Errors
    /// [`SpectrumError::Zero`] and [`SpectrumError::Layers`] when the settings describe no branch.
    pub fn new(config: SpectrumConfig) -> Result<Self, SpectrumError> {
        config.validate()?;
        let mut positions = config.bins;
        let mut convs = Vec::new();
        for (layer, (&kernel, &stride)) in config.kernels.iter().zip(&config.strides).enumerate() {
            let conv = if layer == 0 {
                Conv::over_values(positions, kernel, stride)
            } else {
                Conv::over_rows(positions, kernel, stride)
            };
            positions = conv.outputs;
            convs.push(conv);
        }
        let filters = config.filters;
        let mut layers = (0..convs.len()).map(|layer| {
            let conv = convs[layer].clone();
            let output = convs
                .get(layer + 1)
                .map_or_else(|| Phased::plain(conv.outputs), |next| next.input.clone());
            let width = row_width(filters);
            let output_rows = (0..conv.outputs).map(|p| output.row_of(p) * width).collect();
            let (channels, channel_rows, rows, row_len) = if layer == 0 {
                (1, 1, conv.kernel, width)
            } else {
                (filters, width, filters, PANEL)
            };
            let gradient_rows = (0..rows).map(|row| row * row_len).collect();
            Layer { conv, channels, channel_rows, filters, output, output_rows, gradient_rows }
        });
        let first = layers.next().ok_or(SpectrumError::Layers { kernels: 0, strides: 0 })?;
        let rest = layers.collect();
        Ok(Self { config, level: Level::best(), first, rest })
    }

    /// The same branch on the instruction set `level`.
    ///
    /// # Errors
    /// [`SpectrumError::Level`] when this processor lacks it.
    pub fn on(mut self, level: Level) -> Result<Self, SpectrumError> {
        if !level.is_available() {
            return Err(SpectrumError::Level { level });
        }
        self.level = level;
        Ok(self)
    }

    /// What the plan was made for.
    pub fn config(&self) -> &SpectrumConfig {
        &self.config
    }

    /// The instruction set that is used.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Shapes of the weights, `[filters, channels, taps]`, in the order in which slices are taken
    /// and gradients returned.
    pub fn parameters(&self) -> Vec<[usize; 3]> {
        self.layers().map(|layer| [layer.filters, layer.channels, layer.conv.kernel]).collect()
    }

    /// Values per clip on input: the bins.
    pub fn input_len(&self) -> usize {
        self.config.bins
    }

    /// `[filters, positions]` of one clip's output.
    pub fn output_shape(&self) -> [usize; 2] {
        [self.config.filters, self.last().conv.outputs]
    }

    /// Values per clip on output.
    pub fn output_len(&self) -> usize {
        self.output_shape().iter().product()
    }

    pub(crate) fn layers(&self) -> impl Iterator<Item = &Layer> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    pub(crate) fn last(&self) -> &Layer {
        self.rest.last().unwrap_or(&self.first)
    }

    pub(crate) fn check_weights(&self, weights: &[&[f32]]) -> Result<(), SpectrumError> {
        let expected = 1 + self.rest.len();
        if weights.len() != expected {
            return Err(SpectrumError::Count { what: "weights", found: weights.len(), expected });
        }
        for (index, (values, layer)) in weights.iter().zip(self.layers()).enumerate() {
            let expected = layer.filters * layer.channels * layer.conv.kernel;
            check_len(&format!("weight {index}"), values.len(), expected)?;
        }
        Ok(())
    }

    /// The number of clips, after a check that the slices hold as many.
    pub(crate) fn clips_of(&self, spectra: &[f32], out: &[f32]) -> Result<usize, SpectrumError> {
        let clips = spectra.len() / self.input_len();
        check_len("spectra", spectra.len(), clips * self.input_len())?;
        check_len("output", out.len(), clips * self.output_len())?;
        Ok(clips)
    }
}

pub(crate) fn check_len(what: &str, found: usize, expected: usize) -> Result<(), SpectrumError> {
    if found == expected {
        Ok(())
    } else {
        Err(SpectrumError::Length { what: what.to_owned(), found, expected })
    }
}
