//! Spectrogram branch: a small residual network over short-time spectra.
//!
//! A [`SpectrogramPlan`] lays the network out for one size of spectrogram. In training,
//! [`SpectrogramPlan::forward`] keeps what [`SpectrogramPlan::backward`] needs in a [`Workspace`]
//! that is reused step after step; [`SpectrogramInference`] embeds clips with running statistics.
//! Spectrograms are `[clips, frames, bins]`, magnitudes with the
//! temporal mean of every bin already subtracted; the output is `[clips, channels, bins]`, the
//! largest value over all time.
//!
//! Inside, activations are blocks of sixteen channels, and only raw convolution outputs are stored:
//! norms, ReLUs, pooling and skip connections happen while rows are on their way into or out of a
//! convolution. Results do not depend on the number of threads.

mod backward;
mod band;
mod bins;
mod chunks;
mod config;
mod forward;
mod geometry;
mod inference;
mod norm;
mod pack;
mod pass;
mod plan;
mod points;
mod rows;
mod scratch;
mod stem;
#[cfg(test)]
mod tests;
mod tile;
mod tile_weights;
mod winograd;
mod workspace;

pub use config::{NORM_EPS, SpectrogramConfig, SpectrogramError};
pub use forward::SpectrogramOutput;
pub use inference::SpectrogramInference;
pub use norm::BatchStatistics;
pub use plan::{BatchNormSpec, ParameterSpec, SpectrogramPlan};
pub use workspace::{Buffers, Workspace};
