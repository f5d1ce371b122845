//! The branch's backward pass: from the gradient of its output to one of every parameter.

use rayon::prelude::*;

use crate::simd::{Lane, Level, dispatch};
use crate::spectrogram::band::Stored;
use crate::spectrogram::bins::max_over_time_backward;
use crate::spectrogram::chunks::{chunk_count, clips_per_chunk, for_each, total};
use crate::spectrogram::config::SpectrogramError;
use crate::spectrogram::forward::zeros;
use crate::spectrogram::geometry::ConvPlan;
use crate::spectrogram::norm::{NO_FLOOR, Norm, NormGradient, Pullback, Reading};
use crate::spectrogram::pack::{pack_transposed, unpack_gradient};
use crate::spectrogram::pass::{ConvBackward, Gates, Projection, SkipGradient};
use crate::spectrogram::plan::{InnerOrder, NormPlan, SpectrogramPlan, check_len};
use crate::spectrogram::scratch::ScratchPool;
use crate::spectrogram::stem::{
    Spectra, StemBackward, StemSums, pack_stem, stem_gradient, stem_signs,
};
use crate::spectrogram::workspace::{Buffers, Forward, Workspace};

impl SpectrogramPlan {
    /// Gradients of every parameter, in the order of [`Self::parameters`].
    ///
    /// # Shapes
    /// `params` and `spectra` as given to the [`Self::forward`] that `workspace` holds;
    /// `output_gradient`: `[clips, channels, bins]` as its output.
    ///
    /// # Errors
    /// When a slice does not have the length that the plan gives it, or `workspace` holds no forward
    /// pass of this plan over as many clips. One forward pass serves one backward pass.
    pub fn backward(
        &self,
        params: &[&[f32]],
        spectra: &[f32],
        output_gradient: &[f32],
        workspace: &mut Workspace,
    ) -> Result<Vec<Vec<f32>>, SpectrogramError> {
        self.check_parameters(params)?;
        let clips = output_gradient.len() / self.output_len();
        let forward = workspace.forward.take();
        let forward = forward
            .filter(|forward| forward.clips == clips && forward.config == self.config)
            .ok_or(SpectrogramError::NoForward { clips })?;
        check_len("the output's gradient", output_gradient.len(), clips * self.output_len())?;
        check_len("the spectrograms", spectra.len(), clips * self.input_len())?;
        workspace.buffers.reserve_backward(self, clips);
        self.unpool_time(output_gradient, workspace);
        let gradients = self.parameters().iter().map(|_| Vec::new()).collect();
        let Forward { norms, .. } = forward;
        let mut step = BackwardStep { plan: self, params, clips, norms, gradients };
        let mut pullback = Pullback::plain(self.last().blocks);
        for block in (0..self.blocks.len()).rev() {
            pullback = step.block(block, &pullback, workspace);
        }
        step.stem(spectra, &pullback, workspace);
        Ok(step.gradients)
    }

    fn unpool_time(&self, output_gradient: &[f32], workspace: &mut Workspace) {
        let Workspace { buffers: Buffers { gradients, .. }, blocks, .. } = workspace;
        let (Some(gradient), Some(memory)) = (gradients.last_mut(), blocks.last()) else { return };
        let last = self.last();
        let clips = memory.output.par_chunks_exact(last.lanes());
        let slopes = output_gradient.par_chunks_exact(self.output_len());
        let items = gradient.par_chunks_exact_mut(last.lanes()).zip(clips).zip(slopes);
        for_each(items, |((gradient, activation), slope)| {
            max_over_time_backward(last, activation, slope, gradient);
        });
    }
}

struct BackwardStep<'a> {
    plan: &'a SpectrogramPlan,
    params: &'a [&'a [f32]],
    clips: usize,
    norms: Vec<Norm>,
    /// In the order of the plan's parameters, empty until known.
    gradients: Vec<Vec<f32>>,
}

impl BackwardStep<'_> {
    /// Through one block. `pullback` leads from the stored gradient to that of the block's output;
    /// the result does the same for the block's input.
    fn block(&mut self, index: usize, pullback: &Pullback, workspace: &mut Workspace) -> Pullback {
        let inner = self.second_conv(index, pullback, workspace);
        self.first_conv(index, pullback, &inner, workspace)
    }

    /// Through a block's second convolution and the norm before it.
    fn second_conv(
        &mut self,
        index: usize,
        pullback: &Pullback,
        workspace: &mut Workspace,
    ) -> Pullback {
        let level = self.plan.level;
        let block = &self.plan.blocks[index];
        let Workspace { blocks, buffers, .. } = workspace;
        let Buffers { gradients, inner_gradient, weight_chunks, sums, scratch, .. } = buffers;
        let memory = &blocks[index];
        let relu_first = block.order == InnerOrder::ReluThenNorm;
        let conv = &block.conv2;
        let pass = Pass {
            level,
            clips: self.clips,
            conv,
            source: &memory.inner,
            reading: &self.norms[block.norm.index].reading(relu_first, !relu_first),
            weights: &pack_transposed(level, conv, self.params[conv.weight]),
            gates: Gates {
                main: floor(!relu_first),
                skip: NO_FLOOR,
                before_norm: floor(relu_first),
            },
            stored: StoredBatch {
                gradient: &gradients[index / 2],
                value: &memory.output,
                pullback,
            },
            skip: SkipBatch::None,
            scratch,
        };
        pass.run(inner_gradient, sums, weight_chunks);
        self.gradients[conv.weight] =
            unpack_gradient(level, conv, weight_chunks, conv.weight_lanes(), 0);
        self.norm(&block.norm, sums, relu_first)
    }

    /// Through a block's first convolution, its skip connection and the norm of its input; `inner`
    /// leads to the gradient between the convolutions.
    fn first_conv(
        &mut self,
        index: usize,
        pullback: &Pullback,
        inner: &Pullback,
        workspace: &mut Workspace,
    ) -> Pullback {
        let (plan, level) = (self.plan, self.plan.level);
        let block = &plan.blocks[index];
        let Workspace { pooled, blocks, buffers, .. } = workspace;
        let Buffers { gradients, inner_gradient, weight_chunks, sums, scratch, .. } = buffers;
        let source = if index == 0 { &pooled[..] } else { &blocks[index - 1].output[..] };
        let memory = &blocks[index];
        let input_norm = block.input_norm.as_ref().unwrap_or(&plan.stem.norm);
        let norm = &self.norms[input_norm.index];
        let skip_relu = block.input_norm.is_none();
        let conv = &block.conv1;
        let alone = Pass {
            level,
            clips: self.clips,
            conv,
            source,
            reading: &norm.reading(false, true),
            weights: &pack_transposed(level, conv, self.params[conv.weight]),
            gates: Gates { main: 0.0, skip: floor(skip_relu), before_norm: NO_FLOOR },
            stored: StoredBatch { gradient: inner_gradient, value: &memory.inner, pullback: inner },
            skip: SkipBatch::None,
            scratch,
        };
        let own = conv.weight_lanes();
        let mut each = own;
        let (shallow, deep) = gradients.split_at_mut(index / 2);
        if let (Some(skip), Some(input_gradient)) = (&block.skip, shallow.last_mut()) {
            let reading = &norm.reading(false, skip_relu);
            let weights = &pack_transposed(level, skip, self.params[skip.weight]);
            let projection = Projection { conv: skip, shape: conv.input, source, reading, weights };
            let stored = StoredBatch { gradient: &deep[0], value: &memory.output, pullback };
            let batch = SkipBatch::Projected { projection, stored };
            Pass { skip: batch, ..alone }.run(input_gradient, sums, weight_chunks);
            each += skip.weight_lanes();
            self.gradients[skip.weight] = unpack_gradient(level, skip, weight_chunks, each, own);
        } else {
            let skip = SkipBatch::Identity { value: &memory.output, pullback };
            Pass { skip, ..alone }.run(&mut deep[0], sums, weight_chunks);
        }
        self.gradients[conv.weight] = unpack_gradient(level, conv, weight_chunks, each, 0);
        self.norm(input_norm, sums, false)
    }

    /// A norm's own gradients and the way back through it, from the sums of the pass behind it.
    fn norm(&mut self, plan: &NormPlan, sums: &[f64], relu_before: bool) -> Pullback {
        let totals = total(sums, sums.len() / self.clips);
        let (gradient, product) = totals.split_at(totals.len() / 2);
        let (pullback, own) = self.norms[plan.index].backward(gradient, product, relu_before);
        let NormGradient { gamma, beta } = own;
        if let Some([gamma_place, beta_place]) = plan.affine {
            self.gradients[gamma_place] = gamma;
            self.gradients[beta_place] = beta;
        }
        pullback
    }

    fn stem(&mut self, spectra: &[f32], pullback: &Pullback, workspace: &mut Workspace) {
        let (plan, params) = (self.plan, self.params);
        let (stem, config, level) = (&plan.stem, &plan.config, plan.level);
        let signs = stem_signs(stem.norm.affine(params), stem.conv.channels());
        let weights = pack_stem(params[stem.weight], &signs);
        let norm = &self.norms[stem.bin_norm.index];
        let (scale, shift) = norm.factors();
        let (inverse, minus_mean) = norm.standardising();
        let per_chunk = clips_per_chunk(self.clips);
        let Workspace { pooled, buffers, .. } = workspace;
        let Buffers { gradients, stem_sums, scratch, .. } = buffers;
        let pooled_lanes = stem.pooled.lanes();
        stem_sums.resize_with(chunk_count(self.clips), StemSums::default);
        let items = spectra
            .par_chunks(per_chunk * plan.input_len())
            .zip(pooled.par_chunks(per_chunk * pooled_lanes))
            .zip(gradients[0].par_chunks(per_chunk * pooled_lanes))
            .zip(&mut stem_sums[..]);
        for_each(items, |(((spectra, pooled), gradient), sums)| {
            sums.reset(stem);
            let clips = spectra.chunks_exact(plan.input_len());
            let clips = clips.zip(pooled.chunks_exact(pooled_lanes));
            let clips = clips.zip(gradient.chunks_exact(pooled_lanes));
            scratch.with(|scratch| {
                for ((values, pooled), gradient) in clips {
                    let (frames, bins) = (config.frames, config.bins);
                    let spectra = Spectra { values, frames, bins, scale: &scale, shift: &shift };
                    let normalised = Spectra { scale: &inverse, shift: &minus_mean, ..spectra };
                    let sums = &mut *sums;
                    let weights = &weights;
                    let clip = StemBackward {
                        stem,
                        spectra,
                        normalised,
                        weights,
                        pooled,
                        gradient,
                        pullback,
                        sums,
                        scratch,
                    };
                    dispatch(level, clip);
                }
            });
        });
        let affine = stem.bin_norm.affine(params);
        let own = stem_gradient(stem, stem_sums, &weights, &signs, affine, config.bins);
        self.gradients[stem.weight] = own.weight;
        if let Some(places) = stem.bin_norm.affine {
            for (place, gradient) in places.into_iter().zip(own.bins) {
                self.gradients[place] = gradient;
            }
        }
        if let Some([gamma, _]) = stem.norm.affine {
            for (gradient, sign) in self.gradients[gamma].iter_mut().zip(&signs) {
                *gradient *= sign;
            }
        }
    }
}

/// 0 for a ReLU, minus infinity for none.
fn floor(relu: bool) -> f32 {
    if relu { 0.0 } else { NO_FLOOR }
}

/// A [`Stored`] gradient of all clips.
#[derive(Clone, Copy)]
struct StoredBatch<'a> {
    gradient: &'a [Lane],
    value: &'a [Lane],
    pullback: &'a Pullback,
}

impl<'a> StoredBatch<'a> {
    fn clip(self, clip: usize, lanes: usize) -> Stored<'a> {
        Stored {
            gradient: &self.gradient[clip * lanes..][..lanes],
            value: &self.value[clip * lanes..][..lanes],
            pullback: self.pullback,
        }
    }
}

/// The skip connection of a block over all clips.
#[derive(Clone, Copy)]
enum SkipBatch<'a> {
    None,
    Identity { value: &'a [Lane], pullback: &'a Pullback },
    Projected { projection: Projection<'a>, stored: StoredBatch<'a> },
}

impl<'a> SkipBatch<'a> {
    /// The connection of one clip; `weights` is the sum that a projection adds to.
    fn clip<'b>(self, clip: usize, conv: &ConvPlan, weights: &'b mut [Lane]) -> SkipGradient<'b>
    where
        'a: 'b,
    {
        match self {
            Self::None => SkipGradient::None,
            Self::Identity { value, pullback } => {
                let lanes = conv.input.lanes();
                SkipGradient::Identity { value: &value[clip * lanes..][..lanes], pullback }
            }
            Self::Projected { projection, stored } => SkipGradient::Projected {
                skip: projection.clip(clip),
                stored: stored.clip(clip, projection.conv.output.lanes()),
                weight_gradient: weights,
            },
        }
    }

    /// Vectors of a chunk's weight gradient.
    fn weight_lanes(self) -> usize {
        match self {
            Self::None | Self::Identity { .. } => 0,
            Self::Projected { projection, .. } => projection.conv.weight_lanes(),
        }
    }
}

/// Both gradients of one convolution over all clips.
#[derive(Clone, Copy)]
struct Pass<'a> {
    level: Level,
    clips: usize,
    conv: &'a ConvPlan,
    source: &'a [Lane],
    reading: &'a Reading,
    weights: &'a [Lane],
    gates: Gates,
    stored: StoredBatch<'a>,
    skip: SkipBatch<'a>,
    scratch: &'a ScratchPool,
}

impl Pass<'_> {
    /// Writes the input's gradient to `output`, the sums of each clip to `sums`, the weights'
    /// gradient of each chunk to `chunks`, followed by that of a projection.
    fn run(&self, output: &mut [Lane], sums: &mut Vec<f64>, chunks: &mut Vec<Lane>) {
        let conv = self.conv;
        let per_chunk = clips_per_chunk(self.clips);
        let own = conv.weight_lanes();
        let each = own + self.skip.weight_lanes();
        let values = 2 * conv.input.channels();
        let lanes = conv.input.lanes();
        chunks.clear();
        chunks.resize(chunk_count(self.clips) * each, Lane::ZERO);
        let items = output[..self.clips * lanes]
            .par_chunks_mut(per_chunk * lanes)
            .zip(zeros(sums, self.clips * values).par_chunks_mut(per_chunk * values))
            .zip(chunks.par_chunks_mut(each))
            .enumerate();
        for_each(items, |(chunk, ((outputs, sums), weights))| {
            let (own, projected) = weights.split_at_mut(own);
            let clips = outputs.chunks_exact_mut(lanes).zip(sums.chunks_exact_mut(values));
            self.scratch.with(|scratch| {
                for (place, (output, sums)) in clips.enumerate() {
                    let clip = chunk * per_chunk + place;
                    let pass = ConvBackward {
                        conv,
                        source: &self.source[clip * lanes..][..lanes],
                        reading: self.reading,
                        stored: self.stored.clip(clip, conv.output.lanes()),
                        weights: self.weights,
                        weight_gradient: own,
                        gates: self.gates,
                        skip: self.skip.clip(clip, conv, projected),
                        output,
                        sums,
                        scratch,
                    };
                    dispatch(self.level, pass);
                }
            });
        });
    }
}
