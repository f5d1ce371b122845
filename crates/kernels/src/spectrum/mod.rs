//! Spectrum branch: convolutions with long kernels over the magnitude spectrum of a whole clip.
//!
//! [`SpectrumPlan::forward`] and [`SpectrumPlan::backward`] serve training, [`SpectrumInference`]
//! holds packed weights and keeps nothing of a clip. Spectra are `[clips, bins]`, weights
//! `[filters, channels, taps]`, outputs `[clips, filters, positions]`, all row-major. Results do
//! not depend on the number of threads, and a clip's output not on its batch.

mod backward;
mod config;
mod forward;
mod inference;
mod layout;
mod pack;
mod plan;
#[cfg(test)]
mod tests;

pub use config::{SpectrumConfig, SpectrumError};
pub use inference::SpectrumInference;
pub use plan::SpectrumPlan;

use forward::{Activations, Packed, Split};

/// What a training step keeps between its forward and backward pass, and buffers that are used
/// again by the next step.
#[derive(Clone, Debug, Default)]
pub struct SpectrumWorkspace {
    clips: usize,
    packed: Packed,
    activations: Activations,
    gradients: backward::Gradients,
}

impl SpectrumPlan {
    /// The output of every convolution's `ReLU` in turn; keeps in `workspace` what
    /// [`SpectrumPlan::backward`] needs.
    ///
    /// # Shapes
    /// `weights`: one slice a convolution, as [`SpectrumPlan::parameters`] lists them; `spectra`:
    /// `[clips, bins]`; `out`: `[clips, filters, positions]`.
    ///
    /// # Errors
    /// [`SpectrumError::Count`] and [`SpectrumError::Length`] when a slice does not fit the plan.
    pub fn forward(
        &self,
        weights: &[&[f32]],
        spectra: &[f32],
        workspace: &mut SpectrumWorkspace,
        out: &mut [f32],
    ) -> Result<(), SpectrumError> {
        self.check_weights(weights)?;
        let clips = self.clips_of(spectra, out)?;
        let SpectrumWorkspace { packed, activations, .. } = workspace;
        forward::pack(self, weights, packed);
        forward::run(self, packed, spectra, Split::of(clips), activations, out);
        workspace.clips = clips;
        Ok(())
    }

    /// The gradient of every weight for the gradient `d_out` of the output of the last
    /// [`SpectrumPlan::forward`] with the same `workspace` and `weights`.
    ///
    /// # Shapes
    /// `d_out`: `[clips, filters, positions]`; result: as the weights.
    ///
    /// # Errors
    /// [`SpectrumError::NoForward`] when the workspace holds no forward pass over as many clips;
    /// otherwise as [`SpectrumPlan::forward`].
    pub fn backward(
        &self,
        weights: &[&[f32]],
        d_out: &[f32],
        workspace: &mut SpectrumWorkspace,
    ) -> Result<Vec<Vec<f32>>, SpectrumError> {
        self.check_weights(weights)?;
        let clips = d_out.len() / self.output_len();
        plan::check_len("gradient", d_out.len(), clips * self.output_len())?;
        if clips == 0 || clips != workspace.clips {
            return Err(SpectrumError::NoForward { clips });
        }
        let SpectrumWorkspace { activations, gradients, .. } = workspace;
        Ok(backward::run(self, weights, activations, d_out, gradients))
    }
}
