//! The convolutions one after another, for training and for inference.

use rayon::prelude::*;

use super::layout::Phased;
use super::plan::{Layer, SpectrumPlan};
use crate::gemm::{Finish, Left, PANEL, Product, Right, Rows, Shared};
use crate::simd::Level;

/// Clips that one task takes through all layers. Their packed weights are read once for all of
/// them; sums over clips are kept by group, so the number is part of the result's last bits.
pub(crate) const GROUP: usize = 4;

/// Output positions of the first convolution that are computed together: their spectrum and one
/// panel of weights fit the second-level cache.
const BLOCK: usize = 128;

/// Phases whose taps are added in one pass over the result.
const PHASES: usize = 4;

/// What a pass over some clips computes and keeps: padded spectra and the result of each layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Activations {
    pub(crate) spectra: Vec<f32>,
    pub(crate) layers: Vec<Vec<f32>>,
}

/// Exclusive views of the same for a run of clips.
#[derive(Debug)]
struct Group<'a> {
    spectra: &'a mut [f32],
    layers: Vec<&'a mut [f32]>,
}

impl Activations {
    /// Makes room for `clips`; padding is zero from then on, because only positions are written.
    pub(crate) fn reserve(&mut self, plan: &SpectrumPlan, clips: usize) {
        self.spectra.resize(clips * plan.first.conv.input.total_rows(), 0.0);
        self.layers.resize_with(1 + plan.rest.len(), Vec::new);
        for (values, layer) in self.layers.iter_mut().zip(plan.layers()) {
            values.resize(clips * layer.output_len(), 0.0);
        }
    }

    fn groups(&mut self, plan: &SpectrumPlan, clips: usize) -> Vec<Group<'_>> {
        let spectrum_len = plan.first.conv.input.total_rows();
        let mut groups: Vec<_> = self
            .spectra
            .chunks_mut(clips * spectrum_len)
            .map(|spectra| Group { spectra, layers: Vec::new() })
            .collect();
        for (values, layer) in self.layers.iter_mut().zip(plan.layers()) {
            let parts = values.chunks_mut(clips * layer.output_len());
            for (group, part) in groups.iter_mut().zip(parts) {
                group.layers.push(part);
            }
        }
        groups
    }
}

/// How a pass is split among threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Split {
    /// Each task takes a group of clips through all layers.
    Groups,
    /// Layer by layer, each split into positions or panels: for few clips.
    Layers,
}

impl Split {
    /// Groups where there are enough of them to keep every thread busy.
    pub(crate) fn of(clips: usize) -> Self {
        if clips < 2 * GROUP * rayon::current_num_threads() { Self::Layers } else { Self::Groups }
    }
}

/// Packed weights, in the order of the layers.
pub(crate) type Packed = Vec<Vec<f32>>;

/// Packs every layer's weights for the forward pass.
pub(crate) fn pack(plan: &SpectrumPlan, weights: &[&[f32]], packed: &mut Packed) {
    packed.resize_with(weights.len(), Vec::new);
    for ((layer, weights), packed) in plan.layers().zip(weights).zip(packed) {
        layer.weights().pack(weights, packed);
    }
}

/// Runs all layers over `spectra`, `[clips, bins]`, into `out`, `[clips, filters, positions]`.
///
/// The slices must fit; however the work is split, the results are the same.
pub(crate) fn run(
    plan: &SpectrumPlan,
    packed: &Packed,
    spectra: &[f32],
    split: Split,
    activations: &mut Activations,
    out: &mut [f32],
) {
    let clips = spectra.len() / plan.input_len();
    activations.reserve(plan, clips);
    match split {
        Split::Groups => run_by_group(plan, packed, spectra, activations),
        Split::Layers => run_by_layer(plan, packed, spectra, activations, clips),
    }
    let last = plan.last();
    let results = activations.layers.last().map_or(&[][..], Vec::as_slice);
    out.par_chunks_mut(plan.output_len())
        .zip(results.par_chunks(last.output_len()))
        .for_each(|(out, rows)| channel_major(last, rows, out));
}

fn run_by_group(plan: &SpectrumPlan, packed: &Packed, spectra: &[f32], kept: &mut Activations) {
    let parts = spectra.par_chunks(GROUP * plan.input_len());
    kept.groups(plan, GROUP).into_par_iter().zip(parts).for_each(|(mut group, spectra)| {
        let clips = spectra.len() / plan.input_len();
        pad_spectra(plan, spectra, group.spectra);
        let mut layers = group.layers.iter_mut();
        let Some(result) = layers.next() else { return };
        for (clip, result) in result.chunks_mut(plan.first.output_len()).enumerate() {
            let out = Shared::new(result);
            for block in blocks(&plan.first) {
                // SAFETY: this task alone holds the group's results.
                #[expect(unsafe_code, reason = "the same kernel serves shared results")]
                unsafe {
                    first_layer(plan, &packed[0], group.spectra, clip, block, &out);
                }
            }
        }
        let mut input = &**result;
        for ((layer, packed), result) in plan.rest.iter().zip(&packed[1..]).zip(layers) {
            let out = Shared::new(result);
            // SAFETY: as above.
            #[expect(unsafe_code, reason = "the same kernel serves shared results")]
            unsafe {
                further_layer(plan.level, layer, packed, input, 0..clips, 0..layer.panels(), &out);
            }
            input = &**result;
        }
    });
}

fn run_by_layer(
    plan: &SpectrumPlan,
    packed: &Packed,
    spectra: &[f32],
    kept: &mut Activations,
    clips: usize,
) {
    pad_spectra(plan, spectra, &mut kept.spectra);
    let mut layers = kept.layers.iter_mut();
    let Some(result) = layers.next() else { return };
    let blocks = blocks(&plan.first);
    result.par_chunks_mut(plan.first.output_len()).enumerate().for_each(|(clip, result)| {
        let out = Shared::new(result);
        blocks.par_iter().for_each(|block| {
            // SAFETY: blocks are disjoint ranges of positions, and each has a row of its own.
            #[expect(unsafe_code, reason = "rows of one result are written by several threads")]
            unsafe {
                first_layer(plan, &packed[0], &kept.spectra, clip, block.clone(), &out);
            }
        });
    });
    let mut input = &*result;
    for ((layer, packed), result) in plan.rest.iter().zip(&packed[1..]).zip(layers) {
        let out = Shared::new(result);
        (0..clips * layer.panels()).into_par_iter().for_each(|task| {
            let (clip, panel) = (task / layer.panels(), task % layer.panels());
            // SAFETY: every task writes one panel of one clip, no two the same.
            #[expect(unsafe_code, reason = "panels of one result are written by several threads")]
            unsafe {
                let clips = clip..clip + 1;
                further_layer(plan.level, layer, packed, input, clips, panel..panel + 1, &out);
            }
        });
        input = &*result;
    }
}

/// Ranges of output positions of the first layer.
fn blocks(layer: &Layer) -> Vec<std::ops::Range<usize>> {
    let outputs = layer.conv.outputs;
    (0..outputs).step_by(BLOCK).map(|first| first..outputs.min(first + BLOCK)).collect()
}

fn pad_spectra(plan: &SpectrumPlan, spectra: &[f32], padded: &mut [f32]) {
    let Phased { positions, before, .. } = plan.first.conv.input;
    let rows = padded.par_chunks_mut(plan.first.conv.input.total_rows());
    rows.zip(spectra.par_chunks(positions)).for_each(|(padded, spectrum)| {
        padded[before..before + positions].copy_from_slice(spectrum);
    });
}

/// One block of positions of the first layer: overlapping pieces of the spectrum times the weights.
///
/// # Safety
/// No other thread may access the rows of these positions of `out`, one clip's result.
#[expect(unsafe_code, reason = "rows of one result are written by several threads")]
unsafe fn first_layer(
    plan: &SpectrumPlan,
    packed: &[f32],
    spectra: &[f32],
    clip: usize,
    positions: std::ops::Range<usize>,
    out: &Shared<'_>,
) {
    let layer = &plan.first;
    let conv = &layer.conv;
    let product = Product {
        left: Left {
            values: spectra,
            start: clip * conv.input.total_rows() + positions.start * conv.stride,
            row_stride: conv.stride,
            segment_stride: 0,
            step_stride: 1,
        },
        right: Right {
            values: packed,
            start: 0,
            panel_stride: conv.kernel * PANEL,
            segment_stride: 0,
            step_stride: PANEL,
        },
        segments: 1,
        depth: conv.kernel,
        accumulate: false,
        finish: Finish::Relu,
    };
    let rows = Rows { offsets: &layer.output_rows[positions], panel_stride: PANEL };
    // SAFETY: the caller keeps these rows to this thread.
    unsafe { product.run_shared(plan.level, 0..layer.panels(), rows, out) }
}

/// Some panels of a convolution over rows. A few taps are added for all clips before the next few,
/// so that their weights are read from the nearest cache.
///
/// # Safety
/// No other thread may access these panels of these clips of `out`, all clips' results.
#[expect(unsafe_code, reason = "panels of one result are written by several threads")]
unsafe fn further_layer(
    level: Level,
    layer: &Layer,
    packed: &[f32],
    input: &[f32],
    clips: std::ops::Range<usize>,
    panels: std::ops::Range<usize>,
    out: &Shared<'_>,
) {
    let conv = &layer.conv;
    let input_width = layer.channel_rows;
    let slot_len = layer.weights().slot_len();
    let passes: Vec<_> = (0..conv.taps_per_phase())
        .flat_map(|shift| {
            // Phases with a tap at this shift: a prefix of them.
            let phases = conv.input.phases.min(conv.kernel - shift * conv.input.phases);
            (0..phases).step_by(PHASES).map(move |first| (shift, first, PHASES.min(phases - first)))
        })
        .collect();
    for (index, &(shift, phase, phases)) in passes.iter().enumerate() {
        for clip in clips.clone() {
            let first_row = clip * conv.input.total_rows() + phase * conv.input.rows + shift;
            let product = Product {
                left: Left {
                    values: input,
                    start: first_row * input_width,
                    row_stride: input_width,
                    segment_stride: (conv.input.rows * input_width).cast_signed(),
                    step_stride: 1,
                },
                right: Right {
                    values: packed,
                    start: (phase * conv.taps_per_phase() + shift) * slot_len,
                    panel_stride: conv.slots() * slot_len,
                    segment_stride: conv.taps_per_phase() * slot_len,
                    step_stride: PANEL,
                },
                segments: phases,
                depth: layer.channels,
                accumulate: index > 0,
                finish: if index + 1 == passes.len() { Finish::Relu } else { Finish::Keep },
            };
            let rows = Rows { offsets: &layer.output_rows, panel_stride: PANEL };
            let out = out.from(clip * layer.output_len());
            // SAFETY: the caller keeps these panels of this clip to this thread.
            unsafe { product.run_shared(level, panels.clone(), rows, &out) }
        }
    }
}

/// Rows of channels of one clip to `[filters, positions]`.
fn channel_major(layer: &Layer, rows: &[f32], out: &mut [f32]) {
    for (filter, out) in out.chunks_exact_mut(layer.conv.outputs).enumerate() {
        for (value, row) in out.iter_mut().zip(rows.chunks_exact(layer.width())) {
            *value = row[filter];
        }
    }
}
