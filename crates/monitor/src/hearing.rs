//! Windows through both ears: the network's embedding and the plain spectrum, block by block.

use ndarray::{Array2, ArrayView1, Axis, concatenate};
use offkey_infer::Encoder;

use super::{
    profile::level_db,
    spectra::{MELS, spectrum},
    windows::WindowSource,
};
use crate::MonitorError;

/// Windows held in memory at a time.
const BLOCK: usize = 32;

/// Told after each step of a long call how many steps are done, and of how many; answers whether to go on.
pub type Step<'a> = &'a dyn Fn(usize, usize) -> bool;

/// What was heard of some windows, a row each.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// `[windows, dims]`.
    pub embeddings: Array2<f32>,
    /// `[windows, 2 * MELS]`.
    pub spectra: Array2<f32>,
    /// In decibels relative to full scale.
    pub levels: Vec<f32>,
}

impl Heard {
    /// The spectra, row by row.
    pub fn spectrum_rows(&self) -> impl Iterator<Item = &[f32]> + Clone {
        self.spectra.outer_iter().filter_map(|row| row.to_slice())
    }
}

/// Hears windows.
///
/// # Errors
/// [`MonitorError`] when a recording cannot be read, the network refuses a window, or the caller asks
/// to stop.
pub fn hear(
    encoder: &Encoder,
    source: &WindowSource,
    step: Step<'_>,
) -> Result<Heard, MonitorError> {
    let total = source.windows.len();
    let mut blocks = Vec::new();
    let mut spectra = Array2::zeros((total, 2 * MELS));
    let mut levels = Vec::with_capacity(total);
    for start in (0..total).step_by(BLOCK) {
        let end = (start + BLOCK).min(total);
        let waves: Vec<Vec<f32>> =
            (start..end).map(|index| source.samples(index)).collect::<Result<_, _>>()?;
        for (index, wave) in (start..end).zip(&waves) {
            let row = spectrum(source.rule.rate_hz, wave).map_err(MonitorError::embed)?;
            spectra.row_mut(index).assign(&ArrayView1::from(&row));
            levels.push(level_db(wave));
        }
        blocks.push(encoder.embed(&waves).map_err(MonitorError::embed)?);
        if !step(end, total) {
            return Err(MonitorError::Cancelled);
        }
    }
    let views: Vec<_> = blocks.iter().map(|block| block.view()).collect();
    let embeddings =
        concatenate(Axis(0), &views).expect("embeddings of one encoder have equal length");
    Ok(Heard { embeddings, spectra, levels })
}
