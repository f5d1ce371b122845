//! The branch with fixed weights, for scoring.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::config::SpectrumError;
use super::forward::{self, Activations, GROUP, Packed, Split};
use super::plan::SpectrumPlan;

/// Packed weights of a trained branch. Memory is flat in the number of clips: each task keeps a
/// few of them.
#[derive(Debug)]
pub struct SpectrumInference {
    plan: SpectrumPlan,
    packed: Packed,
    idle: Mutex<Vec<Activations>>,
}

impl SpectrumInference {
    /// Packs the weights, one slice a convolution, as [`SpectrumPlan::parameters`] lists them.
    ///
    /// # Errors
    /// [`SpectrumError::Count`] and [`SpectrumError::Length`] when a slice does not fit the plan.
    pub fn new(plan: SpectrumPlan, weights: &[&[f32]]) -> Result<Self, SpectrumError> {
        plan.check_weights(weights)?;
        let mut packed = Packed::new();
        forward::pack(&plan, weights, &mut packed);
        Ok(Self { plan, packed, idle: Mutex::default() })
    }

    /// The plan that was packed.
    pub fn plan(&self) -> &SpectrumPlan {
        &self.plan
    }

    /// The branch's output.
    ///
    /// # Shapes
    /// `spectra`: `[clips, bins]`; `out`: `[clips, filters, positions]`.
    ///
    /// # Errors
    /// [`SpectrumError::Length`] when a slice does not fit the plan.
    pub fn run(&self, spectra: &[f32], out: &mut [f32]) -> Result<(), SpectrumError> {
        let clips = self.plan.clips_of(spectra, out)?;
        match Split::of(clips) {
            Split::Layers => self.with_activations(spectra, Split::Layers, out),
            Split::Groups => {
                let parts = out.par_chunks_mut(GROUP * self.plan.output_len());
                parts
                    .zip(spectra.par_chunks(GROUP * self.plan.input_len()))
                    .for_each(|(out, spectra)| self.with_activations(spectra, Split::Groups, out));
            }
        }
        Ok(())
    }

    fn with_activations(&self, spectra: &[f32], split: Split, out: &mut [f32]) {
        let lock = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut activations = lock().pop().unwrap_or_default();
        forward::run(&self.plan, &self.packed, spectra, split, &mut activations, out);
        lock().push(activations);
    }
}
