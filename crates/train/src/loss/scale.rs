//! The factor in front of the cosines of AdaCos-like losses, fixed or dynamic.

use std::f64::consts::{FRAC_PI_4, SQRT_2};

use ndarray::{ArrayView1, ArrayView2};

use serde::{Deserialize, Serialize};

/// The least scale, so that a softmax over very few centres still tells them apart.
pub const MINIMUM_SCALE: f64 = 0.5;

/// The largest scale: that of ArcFace and CosFace, the largest fixed one in common use.
///
/// A dynamic scale has no bound of its own and diverges once an own-centre cosine stays above
/// `1 / sqrt(2)`.
pub const MAXIMUM_SCALE: f64 = 64.0;

/// How an AdaCos-like loss chooses the factor in front of its cosines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScaleRule {
    /// `sqrt(2) ln(centres - 1)`, at least [`MINIMUM_SCALE`].
    Fixed,
    /// Recomputed from every training batch, kept within
    /// [`MINIMUM_SCALE`] and [`MAXIMUM_SCALE`].
    Dynamic,
}

/// A scale and how it changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    rule: ScaleRule,
    value: f64,
}

impl Scale {
    /// The scale to start with, or to stay with: `sqrt(2) ln(centres - 1)`.
    pub(super) fn new(rule: ScaleRule, centres: usize) -> Self {
        let value = fixed_scale(centres);
        Self { rule, value }
    }

    /// A scale that a setting names.
    pub(super) fn constant(value: f64) -> Self {
        Self { rule: ScaleRule::Fixed, value }
    }

    /// The present factor.
    pub(super) fn value(self) -> f64 {
        self.value
    }

    /// Whether batches change it.
    pub(super) fn is_dynamic(self) -> bool {
        self.rule == ScaleRule::Dynamic
    }

    /// Takes over a proposed value, kept within the bounds; one that is not a number is passed
    /// over. Reaching the upper bound is warned of once each time.
    pub(super) fn follow(&mut self, proposed: f64) {
        if proposed.is_nan() {
            return;
        }
        if proposed >= MAXIMUM_SCALE && self.value < MAXIMUM_SCALE {
            tracing::warn!(
                proposed,
                maximum = MAXIMUM_SCALE,
                "the dynamic scale of the loss reached its maximum and is held there"
            );
        }
        self.value = proposed.clamp(MINIMUM_SCALE, MAXIMUM_SCALE);
    }

    /// Puts back a saved value; a fixed scale stays.
    pub(super) fn restore(&mut self, saved: f64) {
        if self.is_dynamic() && saved.is_finite() {
            self.value = saved.clamp(MINIMUM_SCALE, MAXIMUM_SCALE);
        }
    }
}

/// `sqrt(2) ln(centres - 1)`, at least [`MINIMUM_SCALE`].
pub(super) fn fixed_scale(centres: usize) -> f64 {
    (SQRT_2 * (centres.saturating_sub(1) as f64).ln()).max(MINIMUM_SCALE)
}

/// The scale AdaCos proposes for a batch: `ln(B_avg) / cos(min(pi/4, theta_med))`, where `B_avg`
/// is the clips' mean of `sum_{j != l} exp(s cos_j)` and `theta_med` the median of the angles to
/// the own centre. The own class of a soft label is its largest entry, our choice.
///
/// # Shapes
/// `cosines`, `labels`: `[clips, classes]`.
pub(super) fn adacos_scale(scale: f64, cosines: ArrayView2<f32>, labels: ArrayView2<f32>) -> f64 {
    let mut angles = Vec::with_capacity(cosines.nrows());
    let mut others = 0.0;
    for (row, label) in cosines.rows().into_iter().zip(labels.rows()) {
        let own = largest_entry(label);
        angles.push(angle(row[own]));
        let all = row.iter().map(|&cosine| (scale * cosine as f64).exp());
        others +=
            all.enumerate().filter_map(|(class, term)| (class != own).then_some(term)).sum::<f64>();
    }
    let mean_of_others = others / cosines.nrows() as f64;
    mean_of_others.ln() / FRAC_PI_4.min(median(&mut angles)).cos()
}

/// The scale sub-cluster AdaCos proposes for a batch: `(f + ln B_avg) / cos(min(pi/4, theta_med))`
/// plus 1e-7, where `f` is the batch's largest `s cos` and `B_avg` the clips' mean of
/// `sum_k exp(s cos_k - f)` over **all** centres. A clip's angle is the label-weighted sum of the
/// angles to all centres of a class, times the number of its non-zero labels; `theta_med` is the
/// upper median.
///
/// # Shapes
/// `cosines`: `[clips, classes * sub_clusters]`, class-major; `labels`: `[clips, classes]`.
pub(super) fn sub_cluster_scale(
    scale: f64,
    cosines: ArrayView2<f32>,
    labels: ArrayView2<f32>,
) -> f64 {
    let sub_clusters = cosines.ncols() / labels.ncols();
    let largest = scale * largest_value(cosines);
    let mut angles = Vec::with_capacity(cosines.nrows());
    let mut total = 0.0;
    for (row, label) in cosines.rows().into_iter().zip(labels.rows()) {
        let terms = row.iter().map(|&c| (scale * c as f64 - largest).exp());
        total += terms.sum::<f64>();
        let labelled: Vec<_> = label.iter().enumerate().filter(|&(_, &y)| y != 0.0).collect();
        let sum: f64 = labelled
            .iter()
            .map(|&(class, &y)| {
                let own = class * sub_clusters..(class + 1) * sub_clusters;
                y as f64 * own.map(|k| angle(row[k])).sum::<f64>()
            })
            .sum();
        angles.push(sum * labelled.len() as f64);
    }
    let mean = total / cosines.nrows() as f64;
    (largest + mean.ln()) / FRAC_PI_4.min(upper_median(&mut angles)).cos() + 1e-7
}

/// The scale AdaProj proposes for a batch: as [`sub_cluster_scale`] over one cosine a class,
/// except that an entry whose label is 1 contributes `exp(-f)` and that the angle is the
/// label-weighted one alone.
///
/// # Shapes
/// `cosines`, `labels`: `[clips, classes]`.
pub(super) fn adaproj_scale(scale: f64, cosines: ArrayView2<f32>, labels: ArrayView2<f32>) -> f64 {
    let largest = scale * largest_value(cosines);
    let mut angles = Vec::with_capacity(cosines.nrows());
    let mut total = 0.0;
    for (row, label) in cosines.rows().into_iter().zip(labels.rows()) {
        let pairs = || row.iter().zip(label);
        let exponents = pairs().map(|(&c, &y)| if y >= 1.0 { 0.0 } else { scale * c as f64 });
        total += exponents.map(|z| (z - largest).exp()).sum::<f64>();
        angles.push(pairs().map(|(&c, &y)| y as f64 * angle(c)).sum());
    }
    let mean = total / cosines.nrows() as f64;
    (largest + mean.ln()) / FRAC_PI_4.min(upper_median(&mut angles)).cos() + 1e-7
}

fn angle(cosine: f32) -> f64 {
    (cosine as f64).clamp(-1.0, 1.0).acos()
}

fn largest_value(values: ArrayView2<f32>) -> f64 {
    values.iter().fold(f64::NEG_INFINITY, |best, &value| best.max(value as f64))
}

/// The first of the largest entries.
fn largest_entry(values: ArrayView1<f32>) -> usize {
    let mut best = 0;
    for (index, &value) in values.iter().enumerate() {
        if value > values[best] {
            best = index;
        }
    }
    best
}

/// The middle value, or the mean of the two middle values; NaN for none.
fn median(values: &mut [f64]) -> f64 {
    let upper = upper_median(values);
    if values.len() % 2 == 1 || values.is_empty() {
        return upper;
    }
    f64::midpoint(values[values.len() / 2 - 1], upper)
}

/// The middle value, or the upper of the two middle values; NaN for none.
fn upper_median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
