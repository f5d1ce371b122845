//! Every loss once more, in double precision and in the words of its definition: slow, obvious,
//! and what the tensors are held against.
//!
//! Embeddings are rows `[clips, dims]`, centres are columns `[dims, centres]`, labels are soft
//! `[clips, classes]`; every function gives the loss of each clip.

use std::f64::consts::FRAC_PI_4;

use ndarray::{Array1, Array2, ArrayView1, Axis, s};

/// Rows divided by their length.
pub(super) fn unit_rows(vectors: &Array2<f64>) -> Array2<f64> {
    let mut unit = vectors.clone();
    for mut row in unit.rows_mut() {
        let length = row.dot(&row).sqrt();
        row /= length;
    }
    unit
}

/// Columns divided by their length.
pub(super) fn unit_columns(vectors: &Array2<f64>) -> Array2<f64> {
    unit_rows(&vectors.t().to_owned()).t().to_owned()
}

/// Cosines between embeddings and centres, `[clips, centres]`.
pub(super) fn cosines(x: &Array2<f64>, w: &Array2<f64>) -> Array2<f64> {
    unit_rows(x).dot(&unit_columns(w))
}

/// `||e - c||^2` for every embedding and centre as they are, `[clips, centres]`.
pub(super) fn squared_distances(x: &Array2<f64>, w: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn((x.nrows(), w.ncols()), |(clip, centre)| {
        let difference = &x.row(clip) - &w.column(centre);
        difference.dot(&difference)
    })
}

/// Softmax over each row.
pub(super) fn softmax(logits: &Array2<f64>) -> Array2<f64> {
    let mut probabilities = logits.mapv(f64::exp);
    for mut row in probabilities.rows_mut() {
        let sum = row.sum();
        row /= sum;
    }
    probabilities
}

/// Sums over each class's sub-clusters, `[clips, classes]`.
pub(super) fn sum_by_class(values: &Array2<f64>, sub_clusters: usize) -> Array2<f64> {
    let classes = values.ncols() / sub_clusters;
    Array2::from_shape_fn((values.nrows(), classes), |(clip, class)| {
        let own = class * sub_clusters..(class + 1) * sub_clusters;
        values.slice(s![clip, own]).sum()
    })
}

/// `sum_c y_c v_c` of each clip.
pub(super) fn labelled(values: &Array2<f64>, y: &Array2<f64>) -> Array1<f64> {
    (values * y).sum_axis(Axis(1))
}

pub(super) fn compactness(x: &Array2<f64>, centre: &Array2<f64>, normalized: bool) -> Array1<f64> {
    let everyone = Array2::ones((x.nrows(), 1));
    intra_class_compactness(x, centre, &everyone, normalized)
}

pub(super) fn intra_class_compactness(
    x: &Array2<f64>,
    w: &Array2<f64>,
    y: &Array2<f64>,
    normalized: bool,
) -> Array1<f64> {
    let distances = if normalized {
        squared_distances(&unit_rows(x), &unit_columns(w))
    } else {
        squared_distances(x, w)
    };
    labelled(&distances, y)
}

pub(super) fn cross_entropy(x: &Array2<f64>, w: &Array2<f64>, y: &Array2<f64>) -> Array1<f64> {
    -labelled(&softmax(&x.dot(w)).mapv(f64::ln), y)
}

/// `sum_c y_c L(c)`, where class `c` competes with its margined logit.
fn margin_cross_entropy(
    logits: &Array2<f64>,
    margined: &Array2<f64>,
    y: &Array2<f64>,
) -> Array1<f64> {
    let losses = Array2::from_shape_fn(logits.dim(), |(clip, class)| {
        let own = margined[[clip, class]].exp();
        let others: f64 = (0..logits.ncols())
            .filter(|&other| other != class)
            .map(|other| logits[[clip, other]].exp())
            .sum();
        -(own / (own + others)).ln()
    });
    labelled(&losses, y)
}

pub(super) fn aam(
    x: &Array2<f64>,
    w: &Array2<f64>,
    y: &Array2<f64>,
    scale: f64,
    margin: f64,
) -> Array1<f64> {
    let cosines = cosines(x, w);
    let margined = cosines.mapv(|cosine| scale * (cosine.clamp(-1.0, 1.0).acos() + margin).cos());
    margin_cross_entropy(&(cosines * scale), &margined, y)
}

pub(super) fn noisy_arcmix(
    x: &Array2<f64>,
    w: &Array2<f64>,
    y: &Array2<f64>,
    scale: f64,
    margin: f64,
) -> Array1<f64> {
    let mut logits = cosines(x, w) * scale;
    for (mut row, label) in logits.rows_mut().into_iter().zip(y.rows()) {
        let main = argmax(label);
        row[main] = scale * ((row[main] / scale).clamp(-1.0, 1.0).acos() + margin).cos();
    }
    -labelled(&softmax(&logits).mapv(f64::ln), y)
}

pub(super) fn cosface(
    x: &Array2<f64>,
    w: &Array2<f64>,
    y: &Array2<f64>,
    scale: f64,
    margin: f64,
) -> Array1<f64> {
    let logits = cosines(x, w) * scale;
    let margined = &logits - scale * margin;
    margin_cross_entropy(&logits, &margined, y)
}

pub(super) fn sub_cluster_adacos(
    x: &Array2<f64>,
    w: &Array2<f64>,
    y: &Array2<f64>,
    sub_clusters: usize,
    scale: f64,
) -> Array1<f64> {
    let probabilities = softmax(&(cosines(x, w) * scale));
    -labelled(&sum_by_class(&probabilities, sub_clusters).mapv(f64::ln), y)
}

pub(super) fn adacos(x: &Array2<f64>, w: &Array2<f64>, y: &Array2<f64>, scale: f64) -> Array1<f64> {
    sub_cluster_adacos(x, w, y, 1, scale)
}

/// Cosines between embeddings and their projections on each class's vectors, `[clips, classes]`.
pub(super) fn projection_cosines(
    x: &Array2<f64>,
    w: &Array2<f64>,
    sub_clusters: usize,
) -> Array2<f64> {
    let (embeddings, vectors) = (unit_rows(x), unit_columns(w));
    let classes = w.ncols() / sub_clusters;
    Array2::from_shape_fn((x.nrows(), classes), |(clip, class)| {
        let e = embeddings.row(clip);
        let mut projection = Array1::zeros(e.len());
        for k in class * sub_clusters..(class + 1) * sub_clusters {
            projection.scaled_add(e.dot(&vectors.column(k)), &vectors.column(k));
        }
        e.dot(&projection) / projection.dot(&projection).sqrt()
    })
}

pub(super) fn adaproj(
    x: &Array2<f64>,
    w: &Array2<f64>,
    y: &Array2<f64>,
    sub_clusters: usize,
    scale: f64,
) -> Array1<f64> {
    let probabilities = softmax(&(projection_cosines(x, w, sub_clusters) * scale));
    -labelled(&probabilities.mapv(f64::ln), y)
}

/// Gradient of each clip's sub-cluster `AdaCos` loss in its un-normalised embedding, by the closed
/// form: `dL/dz_k = Y p_k - y_class(k) q_k` with `q_k = p_k / P_class(k)`, `dL/de = s sum_k dL/dz_k
/// w_k`, and what is left of it across `e`, divided by the embedding's length.
pub(super) fn sub_cluster_adacos_gradient(
    x: &Array2<f64>,
    w: &Array2<f64>,
    y: &Array2<f64>,
    sub_clusters: usize,
    scale: f64,
) -> Array2<f64> {
    let p = softmax(&(cosines(x, w) * scale));
    let class_p = sum_by_class(&p, sub_clusters);
    let total = y.sum_axis(Axis(1));
    let by_logit = Array2::from_shape_fn(p.dim(), |(clip, k)| {
        let class = k / sub_clusters;
        let q = p[[clip, k]] / class_p[[clip, class]];
        total[clip] * p[[clip, k]] - y[[clip, class]] * q
    });
    let mut gradient = by_logit.dot(&unit_columns(w).t()) * scale;
    for ((mut row, e), phi) in
        gradient.rows_mut().into_iter().zip(unit_rows(x).rows()).zip(x.rows())
    {
        let along = row.dot(&e);
        row.scaled_add(-along, &e);
        row /= phi.dot(&phi).sqrt();
    }
    gradient
}

/// What a dynamic scale is made from, and what it becomes.
#[derive(Debug)]
pub(super) struct ScaleStep {
    /// Mean sum of exponentials, divided by the largest where the definition does so.
    pub(super) mean_sum: f64,
    /// Angle of each clip to its class.
    pub(super) angles: Vec<f64>,
    /// Their median.
    pub(super) median_angle: f64,
    /// The new scale, unbounded.
    pub(super) scale: f64,
}

pub(super) fn adacos_scale(
    x: &Array2<f64>,
    w: &Array2<f64>,
    y: &Array2<f64>,
    scale: f64,
) -> ScaleStep {
    let cosines = cosines(x, w);
    let own: Vec<usize> = y.rows().into_iter().map(argmax).collect();
    let mut sum = 0.0;
    for (clip, &class) in own.iter().enumerate() {
        for other in (0..w.ncols()).filter(|&other| other != class) {
            sum += (scale * cosines[[clip, other]]).exp();
        }
    }
    let angles: Vec<f64> =
        own.iter().enumerate().map(|(clip, &class)| cosines[[clip, class]].acos()).collect();
    let mut sorted = angles.clone();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    let median_angle = if sorted.len().is_multiple_of(2) {
        f64::midpoint(sorted[half - 1], sorted[half])
    } else {
        sorted[half]
    };
    let mean_sum = sum / x.nrows() as f64;
    ScaleStep {
        mean_sum,
        angles,
        median_angle,
        scale: mean_sum.ln() / median_angle.min(FRAC_PI_4).cos(),
    }
}

pub(super) fn sub_cluster_scale(
    x: &Array2<f64>,
    w: &Array2<f64>,
    y: &Array2<f64>,
    sub_clusters: usize,
    scale: f64,
) -> ScaleStep {
    let cosines = cosines(x, w);
    let theta = sum_by_class(&cosines.mapv(f64::acos), sub_clusters);
    let counts = y.map_axis(Axis(1), |row| row.iter().filter(|&&v| v != 0.0).count() as f64);
    let logits = cosines * scale;
    finish(&logits, (labelled(&theta, y) * counts).to_vec())
}

pub(super) fn adaproj_scale(
    x: &Array2<f64>,
    w: &Array2<f64>,
    y: &Array2<f64>,
    sub_clusters: usize,
    scale: f64,
) -> ScaleStep {
    let cosines = projection_cosines(x, w, sub_clusters);
    let angles = labelled(&cosines.mapv(f64::acos), y).to_vec();
    let largest = cosines.iter().fold(f64::MIN, |a, &b| a.max(b)) * scale;
    let mut sum = 0.0;
    for (index, &cosine) in cosines.indexed_iter() {
        let exponent = if y[index] >= 1.0 { 0.0 } else { scale * cosine };
        sum += (exponent - largest).exp();
    }
    close(sum / x.nrows() as f64, largest, angles)
}

fn finish(logits: &Array2<f64>, angles: Vec<f64>) -> ScaleStep {
    let largest = logits.iter().fold(f64::MIN, |a, &b| a.max(b));
    let sum = logits.mapv(|z| (z - largest).exp()).sum();
    close(sum / logits.nrows() as f64, largest, angles)
}

fn close(mean_sum: f64, largest: f64, angles: Vec<f64>) -> ScaleStep {
    let mut sorted = angles.clone();
    sorted.sort_by(f64::total_cmp);
    let median_angle = sorted[sorted.len() / 2];
    ScaleStep {
        mean_sum,
        angles,
        median_angle,
        scale: (largest + mean_sum.ln()) / median_angle.min(FRAC_PI_4).cos() + 1e-7,
    }
}

/// The first of the largest entries.
pub(super) fn argmax(values: ArrayView1<f64>) -> usize {
    let largest = values.iter().fold(f64::MIN, |a, &b| a.max(b));
    values.iter().position(|&value| value >= largest).expect("a row of labels has entries")
}
