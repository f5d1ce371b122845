//! The branch in training: batch statistics, and everything kept that the backward pass needs.

use rayon::prelude::*;

use crate::simd::{Lane, dispatch};
use crate::spectrogram::bins::{BinSums, max_over_time};
use crate::spectrogram::chunks::{for_each, total};
use crate::spectrogram::config::SpectrogramError;
use crate::spectrogram::geometry::ConvPlan;
use crate::spectrogram::norm::{BatchStatistics, NO_FLOOR, Norm, Reading, moments};
use crate::spectrogram::pack::pack_forward;
use crate::spectrogram::pass::{ConvForward, Projection, Skip};
use crate::spectrogram::plan::{InnerOrder, NormPlan, SpectrogramPlan, check_len};
use crate::spectrogram::scratch::ScratchPool;
use crate::spectrogram::stem::{Spectra, StemForward, pack_stem, stem_signs};
use crate::spectrogram::workspace::{BlockMemory, Buffers, Forward, Workspace};

/// What a forward pass in training gives.
#[derive(Clone, Debug, PartialEq)]
pub struct SpectrogramOutput {
    /// `[clips, channels, bins]`, the largest value over all time.
    pub features: Vec<f32>,
    /// Of every batch norm, in the order of [`SpectrogramPlan::batch_norms`].
    pub statistics: Vec<BatchStatistics>,
}

impl SpectrogramPlan {
    /// Runs a training batch and keeps in `workspace` what [`Self::backward`] needs.
    ///
    /// # Shapes
    /// `params`: one slice for each of [`Self::parameters`]; `spectra`: `[clips, frames, bins]`.
    ///
    /// # Errors
    /// When a slice does not have the length that the plan gives it, or there is no clip.
    pub fn forward(
        &self,
        params: &[&[f32]],
        spectra: &[f32],
        clips: usize,
        workspace: &mut Workspace,
    ) -> Result<SpectrogramOutput, SpectrogramError> {
        self.check_parameters(params)?;
        if clips == 0 {
            return Err(SpectrogramError::NoClips);
        }
        check_len("the spectrograms", spectra.len(), clips * self.input_len())?;
        workspace.reserve_forward(self, clips);
        let mut step = ForwardStep { plan: self, params, clips, norms: Vec::new() };
        step.stem(spectra, workspace);
        for block in 0..self.blocks.len() {
            step.block(block, workspace);
        }
        let norms = step.norms;
        let features = self.pool_time(workspace, clips);
        let statistics = self.statistics(&norms, params);
        workspace.forward = Some(Forward { config: self.config.clone(), clips, norms });
        Ok(SpectrogramOutput { features, statistics })
    }

    fn pool_time(&self, workspace: &Workspace, clips: usize) -> Vec<f32> {
        let last = self.last();
        let mut features = vec![0.0; clips * self.output_len()];
        if let Some(memory) = workspace.blocks.last() {
            let clips = memory.output.par_chunks_exact(last.lanes());
            let outputs = features.par_chunks_exact_mut(self.output_len());
            for_each(outputs.zip(clips), |(output, clip)| max_over_time(last, clip, output));
        }
        features
    }

    /// Statistics as the layers see them: the stem's channels with their own sign.
    fn statistics(&self, norms: &[Norm], params: &[&[f32]]) -> Vec<BatchStatistics> {
        let stem = &self.stem.norm;
        let signs = stem_signs(stem.affine(params), self.stem.conv.channels());
        let statistics = norms.iter().enumerate().map(|(index, norm)| {
            let sign = |feature: usize| if index == stem.index { signs[feature] } else { 1.0 };
            let mean = norm.mean.iter().enumerate().map(|(f, mean)| *mean as f32 * sign(f));
            BatchStatistics {
                mean: mean.collect(),
                variance: norm.variance.iter().map(|variance| *variance as f32).collect(),
            }
        });
        statistics.collect()
    }
}

struct ForwardStep<'a> {
    plan: &'a SpectrogramPlan,
    params: &'a [&'a [f32]],
    clips: usize,
    /// In the order of the plan.
    norms: Vec<Norm>,
}

impl ForwardStep<'_> {
    fn norm(&mut self, plan: &NormPlan, affine: Option<[&[f32]; 2]>, sums: &[f64]) {
        let count = plan.count_per_clip * self.clips;
        let sums = total(sums, sums.len() / self.clips);
        let (sum, squares) = sums.split_at(sums.len() / 2);
        let (mean, variance) = moments(sum, squares, count as f64);
        debug_assert_eq!(self.norms.len(), plan.index, "norms are computed in the plan's order");
        self.norms.push(Norm::new(affine, mean, variance, count));
    }

    fn stem(&mut self, spectra: &[f32], workspace: &mut Workspace) {
        let (plan, params) = (self.plan, self.params);
        let (stem, config, level) = (&plan.stem, &plan.config, plan.level);
        let sums = zeros(&mut workspace.buffers.sums, self.clips * 2 * config.bins);
        let clips = spectra.par_chunks_exact(plan.input_len());
        for_each(clips.zip(sums.par_chunks_exact_mut(2 * config.bins)), |(values, sums)| {
            dispatch(level, BinSums { values, bins: config.bins, sums });
        });
        self.norm(&stem.bin_norm, stem.bin_norm.affine(params), sums);
        let (scale, shift) = self.norms[stem.bin_norm.index].factors();

        let channels = stem.conv.channels();
        let affine = stem.norm.affine(params);
        let signs = stem_signs(affine, channels);
        let weights = pack_stem(params[stem.weight], &signs);
        let sums = zeros(&mut workspace.buffers.sums, self.clips * 2 * channels);
        let pooled = workspace.pooled.par_chunks_exact_mut(stem.pooled.lanes());
        let clips = spectra.par_chunks_exact(plan.input_len());
        let items = clips.zip(pooled).zip(sums.par_chunks_exact_mut(2 * channels));
        let scratch = &workspace.buffers.scratch;
        for_each(items, |((values, pooled), sums)| {
            let (frames, bins) = (config.frames, config.bins);
            let spectra = Spectra { values, frames, bins, scale: &scale, shift: &shift };
            scratch.with(|scratch| {
                dispatch(
                    level,
                    StemForward {
                        stem,
                        spectra,
                        weights: &weights,
                        rows: 0..stem.pooled.rows,
                        pooled,
                        sums: Some(sums),
                        scratch,
                    },
                );
            });
        });
        let rising = rising(affine);
        let affine = rising.as_ref().map(|[gamma, beta]| [&gamma[..], beta]);
        self.norm(&stem.norm, affine, sums);
    }

    fn block(&mut self, index: usize, workspace: &mut Workspace) {
        let plan = self.plan;
        let block = &plan.blocks[index];
        let Workspace { pooled, blocks, buffers, .. } = workspace;
        let Buffers { sums, scratch, .. } = buffers;
        let (before, rest) = blocks.split_at_mut(index);
        let source = before.last().map_or(&pooled[..], |memory| &memory.output[..]);
        let BlockMemory { inner, output } = &mut rest[0];
        let input_norm = block.input_norm.as_ref().unwrap_or(&plan.stem.norm).index;
        let relu_in = self.norms[input_norm].reading(false, true);
        let skip_in = self.norms[input_norm].reading(false, block.input_norm.is_none());

        let weights = pack_forward(plan.level, &block.conv1, self.params[block.conv1.weight]);
        let relu_first = block.order == InnerOrder::ReluThenNorm;
        let mut pass = Pass { step: self, source, reading: &relu_in, sums, scratch };
        pass.run(
            &block.conv1,
            &weights,
            inner,
            Skip::None,
            if relu_first { 0.0 } else { NO_FLOOR },
        );
        let totals = &sums[..self.clips * 2 * block.conv1.output.channels()];
        self.norm(&block.norm, block.norm.affine(self.params), totals);

        let weights = pack_forward(plan.level, &block.conv2, self.params[block.conv2.weight]);
        let projection = block
            .skip
            .as_ref()
            .map(|conv| pack_forward(plan.level, conv, self.params[conv.weight]));
        let skip = match (&block.skip, &projection) {
            (Some(conv), Some(weights)) => {
                let shape = block.conv1.input;
                Skip::Projected(Projection { conv, shape, source, reading: &skip_in, weights })
            }
            _ => Skip::Identity { source, reading: &skip_in },
        };
        let reading = self.norms[block.norm.index].reading(relu_first, !relu_first);
        let mut pass = Pass { step: self, source: inner, reading: &reading, sums, scratch };
        pass.run(&block.conv2, &weights, output, skip, NO_FLOOR);
        if let Some(norm) = plan.blocks.get(index + 1).and_then(|next| next.input_norm.as_ref()) {
            let totals = &sums[..self.clips * 2 * block.conv2.output.channels()];
            self.norm(norm, norm.affine(self.params), totals);
        }
    }
}

/// One convolution over all clips.
struct Pass<'a, 'b> {
    step: &'a ForwardStep<'b>,
    source: &'a [Lane],
    reading: &'a Reading,
    sums: &'a mut Vec<f64>,
    scratch: &'a ScratchPool,
}

impl Pass<'_, '_> {
    fn run(
        &mut self,
        conv: &ConvPlan,
        weights: &[Lane],
        output: &mut [Lane],
        skip: Skip<'_>,
        sums_floor: f32,
    ) {
        let level = self.step.plan.level;
        let each = 2 * conv.output.channels();
        let sums = zeros(self.sums, self.step.clips * each);
        let sources = self.source.par_chunks_exact(conv.input.lanes());
        let outputs = output.par_chunks_exact_mut(conv.output.lanes());
        let items = sources.zip(outputs).zip(sums.par_chunks_exact_mut(each)).enumerate();
        let (reading, scratch) = (self.reading, self.scratch);
        for_each(items, |(clip, ((source, output), sums))| {
            let skip = skip.clip(clip, conv.output.lanes());
            scratch.with(|scratch| {
                let pass = ConvForward {
                    conv,
                    source,
                    reading,
                    weights,
                    skip,
                    rows: 0..conv.output.rows,
                    output,
                    sums: Some(sums),
                    sums_floor,
                    scratch,
                };
                dispatch(level, pass);
            });
        });
    }
}

/// Zeros for the sums of one pass, in the memory that is there.
pub(crate) fn zeros(sums: &mut Vec<f64>, len: usize) -> &mut [f64] {
    sums.clear();
    sums.resize(len, 0.0);
    sums
}

/// Gammas without their signs, which the stem's weights carry instead; betas as they are.
pub(crate) fn rising(affine: Option<[&[f32]; 2]>) -> Option<[Vec<f32>; 2]> {
    affine.map(|[gamma, beta]| [gamma.iter().map(|gamma| gamma.abs()).collect(), beta.to_vec()])
}
