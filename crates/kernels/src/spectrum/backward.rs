//! Gradients of all weights from the gradient of the output.

use rayon::prelude::*;

use super::forward::{Activations, GROUP};
use super::plan::{Layer, SpectrumPlan};
use crate::gemm::{Finish, Left, PANEL, Product, Right, Rows};
use crate::simd::Level;

/// Positions whose products are added to the first layer's weight gradient in one pass: one panel
/// of them fits the first-level cache.
const BLOCK: usize = 128;

/// What the backward pass needs beside the activations, kept from step to step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gradients {
    /// Transposed weights of the layers after the first.
    packed: Vec<Vec<f32>>,
    /// Gradients of the results of the layers after the first: rows in plain order, with margins.
    results: Vec<Vec<f32>>,
    /// Gradients of the first layer's results, one buffer for each task at work.
    first_result: Pool,
    /// The first layer's weight gradient by group of clips.
    first_weight: Vec<f32>,
    /// Weight gradients as products leave them.
    weights: Vec<Vec<f32>>,
}

/// Buffers that tasks borrow for a while.
#[derive(Debug, Default)]
struct Pool(std::sync::Mutex<Vec<Vec<f32>>>);

impl Clone for Pool {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Pool {
    fn with<R>(&self, len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
        let lock = || self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut buffer = lock().pop().unwrap_or_default();
        buffer.resize(len, 0.0);
        let result = work(&mut buffer);
        lock().push(buffer);
        result
    }
}

impl Gradients {
    fn reserve(&mut self, plan: &SpectrumPlan, weights: &[&[f32]], clips: usize) {
        let further = plan.rest.len();
        self.packed.resize_with(further, Vec::new);
        self.results.resize_with(further, Vec::new);
        self.weights.resize_with(further, Vec::new);
        for (index, layer) in plan.rest.iter().enumerate() {
            layer.weights().pack_transposed(weights[index + 1], &mut self.packed[index]);
            self.results[index].resize(clips * layer.gradient_len(), 0.0);
            self.weights[index].resize(layer.weights().packed_len(), 0.0);
        }
        let groups = clips.div_ceil(GROUP);
        self.first_weight.resize(groups * plan.first.weights().packed_len(), 0.0);
    }
}

/// The gradient of every weight, in the order of the layers and the shape of the weights.
pub(crate) fn run(
    plan: &SpectrumPlan,
    weights: &[&[f32]],
    activations: &Activations,
    d_out: &[f32],
    gradients: &mut Gradients,
) -> Vec<Vec<f32>> {
    let clips = d_out.len() / plan.output_len();
    gradients.reserve(plan, weights, clips);
    through_results(plan, activations, d_out, gradients);
    let first = plan.first.weights();
    let mut all = vec![first.unpack(&sum_of_groups(&gradients.first_weight, first.packed_len()))];
    for (index, layer) in plan.rest.iter().enumerate() {
        let input = &activations.layers[index];
        let packed = &mut gradients.weights[index];
        weight_gradient(plan.level, layer, input, &gradients.results[index], packed);
        all.push(layer.weights().unpack(packed));
    }
    all
}

/// A group of clips on its way back: what the forward pass kept of it, and where its gradients go.
struct Group<'a> {
    spectra: &'a [f32],
    /// Results of every layer.
    results: Vec<&'a [f32]>,
    d_out: &'a [f32],
    /// Gradients of the results of the layers after the first.
    d_results: Vec<&'a mut [f32]>,
    d_first_weight: &'a mut [f32],
}

/// Takes groups of clips from the output back to the first layer's results and weights.
fn through_results(
    plan: &SpectrumPlan,
    kept: &Activations,
    d_out: &[f32],
    gradients: &mut Gradients,
) {
    let Gradients { packed, results, first_result, first_weight, .. } = gradients;
    let mut groups: Vec<Group<'_>> = d_out
        .chunks(GROUP * plan.output_len())
        .zip(kept.spectra.chunks(GROUP * plan.first.conv.input.total_rows()))
        .zip(first_weight.chunks_mut(plan.first.weights().packed_len()))
        .map(|((d_out, spectra), d_first_weight)| {
            let (results, d_results) = (Vec::new(), Vec::new());
            Group { spectra, results, d_out, d_results, d_first_weight }
        })
        .collect();
    for (layer, values) in plan.layers().zip(&kept.layers) {
        let parts = values.chunks(GROUP * layer.output_len());
        groups.iter_mut().zip(parts).for_each(|(group, part)| group.results.push(part));
    }
    for (layer, values) in plan.rest.iter().zip(results) {
        let parts = values.chunks_mut(GROUP * layer.gradient_len());
        groups.iter_mut().zip(parts).for_each(|(group, part)| group.d_results.push(part));
    }
    let first_len = GROUP * plan.first.conv.outputs * plan.first.width();
    groups.into_par_iter().for_each(|group| {
        first_result.with(first_len, |d_first| group_backward(plan, packed, group, d_first));
    });
}

fn group_backward(plan: &SpectrumPlan, packed: &[Vec<f32>], group: Group<'_>, d_first: &mut [f32]) {
    let Group { spectra, results, d_out, mut d_results, d_first_weight } = group;
    let last = d_results.last_mut().map_or(&mut *d_first, |last| &mut **last);
    gate_output(plan, d_out, results[plan.rest.len()], last);
    for index in (0..plan.rest.len()).rev() {
        let layer = &plan.rest[index];
        let (before, from) = d_results.split_at_mut(index);
        let (margin, to) = match before.last_mut() {
            Some(to) => (plan.rest[index - 1].margin(), &mut **to),
            None => (0, &mut *d_first),
        };
        let clips = d_out.len() / plan.output_len();
        input_gradient(
            plan.level,
            layer,
            &packed[index],
            (from[0], results[index]),
            clips,
            (margin, to),
        );
    }
    first_weight_gradient(plan, spectra, d_first, d_first_weight);
}

/// The output's gradient through the last `ReLU`, from `[clips, filters, positions]` to rows of
/// channels; `to` has margins unless the last layer is the first.
fn gate_output(plan: &SpectrumPlan, d_out: &[f32], results: &[f32], to: &mut [f32]) {
    let layer = plan.last();
    let (width, outputs) = (layer.width(), layer.conv.outputs);
    let margin = if plan.rest.is_empty() { 0 } else { layer.margin() };
    let clips = d_out.chunks_exact(plan.output_len()).zip(results.chunks_exact(layer.output_len()));
    for ((d_out, values), to) in clips.zip(to.chunks_exact_mut((outputs + 2 * margin) * width)) {
        for position in 0..outputs {
            let values = &values[position * width..][..layer.filters];
            let to = &mut to[(margin + position) * width..][..layer.filters];
            for (filter, (to, &value)) in to.iter_mut().zip(values).enumerate() {
                *to = if value > 0.0 { d_out[filter * outputs + position] } else { 0.0 };
            }
        }
    }
}

/// The gradient of the previous layer's results, through its `ReLU`. Each phase of the input is a
/// convolution of stride one over the gradient of this layer's results. `from` is that gradient
/// and the previous layer's results; `to` is the margin of the target and the target.
fn input_gradient(
    level: Level,
    layer: &Layer,
    packed: &[f32],
    from: (&[f32], &[f32]),
    clips: usize,
    to: (usize, &mut [f32]),
) {
    let (d_result, inputs) = from;
    let (margin, target) = to;
    let conv = &layer.conv;
    let width = layer.width();
    let slot_len = width * PANEL;
    let input_len = conv.input.total_rows() * width;
    let target_len = (conv.input.positions + 2 * margin) * width;
    for phase in 0..conv.input.phases {
        let rows = conv.rows_of(phase);
        let position = |row: usize| row * conv.input.phases + phase - conv.input.before;
        let targets: Vec<_> = rows.clone().map(|row| (margin + position(row)) * width).collect();
        let gates: Vec<_> =
            rows.clone().map(|row| (phase * conv.input.rows + row) * width).collect();
        for clip in 0..clips {
            let product = Product {
                left: Left {
                    values: d_result,
                    start: clip * layer.gradient_len() + (rows.start + layer.margin()) * width,
                    row_stride: width,
                    segment_stride: -width.cast_signed(),
                    step_stride: 1,
                },
                right: Right {
                    values: packed,
                    start: phase * conv.taps_per_phase() * slot_len,
                    panel_stride: conv.slots() * slot_len,
                    segment_stride: slot_len,
                    step_stride: PANEL,
                },
                segments: conv.taps_of(phase),
                depth: layer.filters,
                accumulate: false,
                finish: Finish::Gate(&inputs[clip * input_len..][..input_len], &gates),
            };
            let rows = Rows { offsets: &targets, panel_stride: PANEL };
            let target = &mut target[clip * target_len..][..target_len];
            product.run(level, 0..width / PANEL, rows, target);
        }
    }
}

/// The first layer's weight gradient over the clips of a group.
fn first_weight_gradient(plan: &SpectrumPlan, spectra: &[f32], d_result: &[f32], sum: &mut [f32]) {
    let layer = &plan.first;
    let conv = &layer.conv;
    let width = layer.width();
    for (clip, spectrum) in spectra.chunks_exact(conv.input.total_rows()).enumerate() {
        for first in (0..conv.outputs).step_by(BLOCK) {
            let product = Product {
                left: Left {
                    values: spectrum,
                    start: first * conv.stride,
                    row_stride: 1,
                    segment_stride: 0,
                    step_stride: conv.stride,
                },
                right: Right {
                    values: d_result,
                    start: (clip * conv.outputs + first) * width,
                    panel_stride: PANEL,
                    segment_stride: 0,
                    step_stride: width,
                },
                segments: 1,
                depth: BLOCK.min(conv.outputs - first),
                accumulate: clip + first > 0,
                finish: Finish::Keep,
            };
            let rows = Rows { offsets: &layer.gradient_rows, panel_stride: PANEL };
            product.run(plan.level, 0..layer.panels(), rows, sum);
        }
    }
}

/// Sums the groups' gradients in their order.
fn sum_of_groups(groups: &[f32], len: usize) -> Vec<f32> {
    let mut groups = groups.chunks_exact(len);
    let mut sum = groups.next().map_or_else(|| vec![0.0; len], <[f32]>::to_vec);
    for group in groups {
        for (sum, &value) in sum.iter_mut().zip(group) {
            *sum += value;
        }
    }
    sum
}

/// The weight gradient of a layer over rows, `[slot][panel][channel]`: each phase of the input
/// belongs to one task, which adds the clips in their order.
fn weight_gradient(
    level: Level,
    layer: &Layer,
    input: &[f32],
    d_result: &[f32],
    packed: &mut [f32],
) {
    let conv = &layer.conv;
    let width = layer.width();
    let input_len = conv.input.total_rows() * width;
    let clips = input.len() / input_len;
    let slot_len = layer.panels() * layer.weights().slot_len();
    let phases = packed.par_chunks_mut(conv.taps_per_phase() * slot_len).enumerate();
    phases.for_each(|(phase, packed)| {
        for first in (0..clips).step_by(GROUP) {
            for (shift, packed) in packed.chunks_exact_mut(slot_len).enumerate() {
                if shift >= conv.taps_of(phase) {
                    continue;
                }
                let row = phase * conv.input.rows + shift;
                let product = Product {
                    left: Left {
                        values: input,
                        start: first * input_len + row * width,
                        row_stride: 1,
                        segment_stride: input_len.cast_signed(),
                        step_stride: width,
                    },
                    right: Right {
                        values: d_result,
                        start: first * layer.gradient_len() + layer.margin() * width,
                        panel_stride: PANEL,
                        segment_stride: layer.gradient_len(),
                        step_stride: width,
                    },
                    segments: GROUP.min(clips - first),
                    depth: conv.outputs,
                    accumulate: first > 0,
                    finish: Finish::Keep,
                };
                let panel_stride = layer.weights().slot_len();
                let rows = Rows { offsets: &layer.gradient_rows, panel_stride };
                product.run(level, 0..layer.panels(), rows, packed);
            }
        }
    });
}
