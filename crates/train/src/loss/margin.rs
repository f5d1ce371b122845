//! What the additive margin losses share: their settings, and a cross-entropy whose true class alone
//! carries a margin.

use burn::tensor::{Tensor, activation};

use super::kind::Setting;
use super::sphere::{largest_of_row, log_sum_exp, mean_of_labelled};

/// The settings of an additive margin loss, with their ranges.
pub(super) fn margin_settings(margin: f64, largest: f64, scale: f64) -> Vec<Setting> {
    vec![("margin", margin, 0.0, largest), ("scale", scale, f64::MIN_POSITIVE, 1000.0)]
}

/// Mean over the clips of `sum_c y_c L(c)`, where
/// `L(c) = -ln( exp(m_c) / (exp(m_c) + sum_{j != c} exp(z_j)) ) = softplus(ln sum_{j != c} exp(z_j) - m_c)`:
/// class `c` competes with its margined logit `m_c`, the others with their plain ones.
///
/// # Shapes
/// `logits`, `margined_logits`, `labels`: `[clips, classes]`, at least two classes; result: `[1]`.
pub(super) fn margin_cross_entropy(
    logits: Tensor<2>,
    margined_logits: Tensor<2>,
    labels: Tensor<2>,
) -> Tensor<1> {
    let excess = log_sum_exp_of_others(logits) - margined_logits;
    mean_of_labelled(activation::softplus(excess, 1.0), labels)
}

/// `ln sum_{j != c} exp(z_j)` for every class `c`.
///
/// Taking the own term off the full sum is exact enough where it is not the largest; for the
/// largest the others are summed anew, since there nothing might be left of them.
///
/// # Shapes
/// `logits`: `[clips, classes]`; result: the same.
fn log_sum_exp_of_others(logits: Tensor<2>) -> Tensor<2> {
    let shape = logits.dims();
    let is_largest = largest_of_row(logits.clone());

    let of_largest = log_sum_exp(logits.clone().mask_fill(is_largest.clone(), f32::MIN));

    let largest = logits.clone().detach().max_dim(1);
    let terms = (logits - largest.clone()).exp();
    let rest = terms.clone().sum_dim(1) - terms;
    let of_rest = rest.mask_fill(is_largest.clone(), 1.0).log() + largest;

    of_rest.mask_where(is_largest, of_largest.expand(shape))
}
