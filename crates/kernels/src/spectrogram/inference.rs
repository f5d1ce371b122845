//! The branch with running statistics: one clip after the other through buffers that stay in cache.
//!
//! A clip is computed by one thread where there are clips enough, and band by band by all of them
//! where there are not. Neither changes a bit of its result.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::simd::{Lane, dispatch};
use crate::spectrogram::bins::max_over_time;
use crate::spectrogram::chunks::for_each;
use crate::spectrogram::config::SpectrogramError;
use crate::spectrogram::forward::rising;
use crate::spectrogram::geometry::{ConvPlan, Shape};
use crate::spectrogram::norm::{BatchStatistics, NO_FLOOR, Norm, Reading};
use crate::spectrogram::pack::pack_forward;
use crate::spectrogram::pass::{ConvForward, Projection, Skip};
use crate::spectrogram::plan::{InnerOrder, NormPlan, SpectrogramPlan, check_len};
use crate::spectrogram::points::whole_tiles;
use crate::spectrogram::scratch::{ScratchPool, take};
use crate::spectrogram::stem::{Spectra, StemForward, pack_stem, stem_signs};

/// The branch ready to embed clips: weights packed, norms reduced to a factor and an addend.
#[derive(Debug)]
pub struct SpectrogramInference {
    plan: SpectrogramPlan,
    bin_scale: Vec<f32>,
    bin_shift: Vec<f32>,
    stem_weights: Vec<Lane>,
    blocks: Vec<Block>,
    buffers: Mutex<Vec<ClipBuffers>>,
    scratch: ScratchPool,
}

#[derive(Debug)]
struct Block {
    /// How both convolutions and the skip connection read what they get.
    input: Reading,
    inner: Reading,
    skip: Reading,
    conv1: Vec<Lane>,
    conv2: Vec<Lane>,
    projection: Option<Vec<Lane>>,
}

/// Activations of the clip at hand.
#[derive(Debug, Default)]
struct ClipBuffers {
    source: Vec<Lane>,
    inner: Vec<Lane>,
    output: Vec<Lane>,
}

impl SpectrogramInference {
    /// Prepares `plan` for these parameters and running statistics.
    ///
    /// # Shapes
    /// `params`: one slice for each of [`SpectrogramPlan::parameters`]; `running`: mean and variance
    /// for each of [`SpectrogramPlan::batch_norms`].
    ///
    /// # Errors
    /// When a slice does not have the length that the plan gives it.
    pub fn new(
        plan: SpectrogramPlan,
        params: &[&[f32]],
        running: &[BatchStatistics],
    ) -> Result<Self, SpectrogramError> {
        plan.check_parameters(params)?;
        check_statistics(&plan, running)?;
        let stem = &plan.stem;
        let signs = stem_signs(stem.norm.affine(params), stem.conv.channels());
        let bin_norm = norm(&stem.bin_norm, stem.bin_norm.affine(params), running, None);
        let (bin_scale, bin_shift) = bin_norm.factors();
        let affine = rising(stem.norm.affine(params));
        let affine = affine.as_ref().map(|[gamma, beta]| [&gamma[..], beta]);
        let stem_norm = norm(&stem.norm, affine, running, Some(&signs));
        let stem_weights = pack_stem(params[stem.weight], &signs);
        let blocks = plan.blocks.iter().map(|block| {
            let input = block.input_norm.as_ref();
            let norm_of = |plan: &NormPlan| norm(plan, plan.affine(params), running, None);
            let input_norm = input.map_or_else(|| stem_norm.clone(), norm_of);
            let relu_first = block.order == InnerOrder::ReluThenNorm;
            let pack = |conv: &ConvPlan| pack_forward(plan.level, conv, params[conv.weight]);
            Block {
                input: input_norm.reading(false, true),
                inner: norm_of(&block.norm).reading(relu_first, !relu_first),
                skip: input_norm.reading(false, input.is_none()),
                conv1: pack(&block.conv1),
                conv2: pack(&block.conv2),
                projection: block.skip.as_ref().map(pack),
            }
        });
        let blocks = blocks.collect();
        let (buffers, scratch) = Default::default();
        Ok(Self { plan, bin_scale, bin_shift, stem_weights, blocks, buffers, scratch })
    }

    /// What the branch was planned for.
    pub fn plan(&self) -> &SpectrogramPlan {
        &self.plan
    }

    /// Runs `clips` clips on the threads of the current pool.
    ///
    /// # Shapes
    /// `spectra`: `[clips, frames, bins]`; result: `[clips, channels, bins]`.
    ///
    /// # Errors
    /// [`SpectrogramError::Length`] when `spectra` has another length.
    pub fn embed(&self, spectra: &[f32], clips: usize) -> Result<Vec<f32>, SpectrogramError> {
        check_len("the spectrograms", spectra.len(), clips * self.plan.input_len())?;
        let mut features = vec![0.0; clips * self.plan.output_len()];
        let threads = rayon::current_num_threads();
        let inputs = spectra.par_chunks_exact(self.plan.input_len());
        let items = inputs.zip(features.par_chunks_exact_mut(self.plan.output_len()));
        if clips >= threads {
            for_each(items, |(clip, features)| self.clip(clip, features, 1));
        } else {
            let inputs = spectra.chunks_exact(self.plan.input_len());
            let outputs = features.chunks_exact_mut(self.plan.output_len());
            inputs.zip(outputs).for_each(|(clip, features)| self.clip(clip, features, threads));
        }
        Ok(features)
    }

    /// One clip, each layer cut into `parts` that run at once.
    fn clip(&self, spectra: &[f32], features: &mut [f32], parts: usize) {
        let mut buffers = self.lock().pop().unwrap_or_default();
        self.stem(spectra, take(&mut buffers.source, self.plan.stem.pooled.lanes()), parts);
        for (plan, block) in self.plan.blocks.iter().zip(&self.blocks) {
            let ClipBuffers { source, inner, output } = &mut buffers;
            let inner = take(inner, plan.conv1.output.lanes());
            let layer = Layer {
                conv: &plan.conv1,
                source,
                reading: &block.input,
                weights: &block.conv1,
                skip: Skip::None,
            };
            self.layer(layer, inner, parts);
            let shape = plan.conv1.input;
            let skip = match (&plan.skip, &block.projection) {
                (Some(conv), Some(weights)) => Skip::Projected(Projection {
                    conv,
                    shape,
                    source,
                    reading: &block.skip,
                    weights,
                }),
                _ => Skip::Identity { source, reading: &block.skip },
            };
            let layer = Layer {
                conv: &plan.conv2,
                source: inner,
                reading: &block.inner,
                weights: &block.conv2,
                skip,
            };
            self.layer(layer, take(output, plan.conv2.output.lanes()), parts);
            std::mem::swap(source, output);
        }
        max_over_time(self.plan.last(), &buffers.source, features);
        self.lock().push(buffers);
    }

    fn stem(&self, spectra: &[f32], pooled: &mut [Lane], parts: usize) {
        let stem = &self.plan.stem;
        let config = self.plan.config();
        let spectra = Spectra {
            values: spectra,
            frames: config.frames,
            bins: config.bins,
            scale: &self.bin_scale,
            shift: &self.bin_shift,
        };
        let weights = &self.stem_weights;
        each_part(stem.pooled, pooled, parts, |rows, pooled| {
            self.scratch.with(|scratch| {
                let sums = None;
                let part = StemForward { stem, spectra, weights, rows, pooled, sums, scratch };
                dispatch(self.plan.level, part);
            });
        });
    }

    fn layer(&self, layer: Layer<'_>, output: &mut [Lane], parts: usize) {
        let Layer { conv, source, reading, weights, skip } = layer;
        each_part(conv.output, output, parts, |rows, output| {
            self.scratch.with(|scratch| {
                let part = ConvForward {
                    conv,
                    source,
                    reading,
                    weights,
                    skip,
                    rows,
                    output,
                    sums: None,
                    sums_floor: NO_FLOOR,
                    scratch,
                };
                dispatch(self.plan.level, part);
            });
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<ClipBuffers>> {
        // A panic while the lock was held can only have left a shorter list.
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One convolution of one clip.
struct Layer<'a> {
    conv: &'a ConvPlan,
    source: &'a [Lane],
    reading: &'a Reading,
    weights: &'a [Lane],
    skip: Skip<'a>,
}

/// Cuts the rows of an activation into `parts` and computes them at once.
fn each_part(
    shape: Shape,
    output: &mut [Lane],
    parts: usize,
    compute: impl Fn(Range<usize>, &mut [Lane]) + Sync + Send,
) {
    if parts == 1 {
        compute(0..shape.rows, output);
        return;
    }
    // Whole tiles, so that the cut changes no tile.
    let rows = whole_tiles(shape.rows.div_ceil(parts));
    for_each(output.par_chunks_mut(rows * shape.row_lanes()).enumerate(), |(part, output)| {
        let first = part * rows;
        compute(first..(first + rows).min(shape.rows), output);
    });
}

/// A norm with running statistics, the mean of each feature times its sign.
fn norm(
    plan: &NormPlan,
    affine: Option<[&[f32]; 2]>,
    running: &[BatchStatistics],
    signs: Option<&[f32]>,
) -> Norm {
    let BatchStatistics { mean, variance } = &running[plan.index];
    let sign = |feature: usize| signs.map_or(1.0, |signs| signs[feature] as f64);
    let mean = mean.iter().enumerate().map(|(f, mean)| *mean as f64 * sign(f)).collect();
    let variance = variance.iter().map(|variance| *variance as f64).collect();
    Norm::new(affine, mean, variance, plan.count_per_clip)
}

fn check_statistics(
    plan: &SpectrogramPlan,
    running: &[BatchStatistics],
) -> Result<(), SpectrogramError> {
    let (found, expected) = (running.len(), plan.batch_norms().len());
    if found != expected {
        return Err(SpectrogramError::Count { what: "running statistics", found, expected });
    }
    for (statistics, spec) in running.iter().zip(plan.batch_norms()) {
        check_len(&spec.name, statistics.mean.len(), spec.features)?;
        check_len(&spec.name, statistics.variance.len(), spec.features)?;
    }
    Ok(())
}
