//! Spectrograms pooled over time, and standardised statistics of them.

use offkey_infer::{
    StatisticsConfig,
    pooled::{First, Gwrp, PooledConfig, Pooling, Rdp, Spectrogram},
};

use crate::{
    OnnxError,
    front::{Feature, Front},
    graph::{Graph, Setting, Value},
};

/// Weights below this share of the largest are nothing beside rounding.
const NEGLIGIBLE: f64 = 1e-12;
/// Where no frame is farther from the mean than this, all weigh the same.
const LEAST_DISTANCE: f32 = 1e-30;

/// What a pooled spectrum looks at.
pub(crate) fn feature_of(spectrogram: &Spectrogram) -> Feature {
    match spectrogram {
        Spectrogram::LogMel(log_mel) => Feature::LogMel(log_mel.clone()),
        Spectrogram::Linear(stft) => Feature::Stft(*stft),
    }
}

/// What statistics look at.
pub(crate) fn feature_of_statistics(config: &StatisticsConfig) -> Feature {
    match config {
        StatisticsConfig::LogMel(log_mel) => Feature::LogMel(log_mel.clone()),
        StatisticsConfig::Spectrogram(stft) => Feature::Stft(*stft),
    }
}

/// A pooled spectrum, `[batch, dims]`.
pub(crate) fn pooled(
    graph: &mut Graph,
    front: &mut Front,
    config: &PooledConfig,
) -> Result<Value, OnnxError> {
    let feature = feature_of(&config.spectrogram);
    let frames = feature.shape(front.samples())[0];
    let x = front.feature(graph, &feature)?;
    graph.enter("pooling");
    Ok(match config.pooling {
        Pooling::Mean => mean(graph, &x, 0),
        Pooling::MeanDeviation => mean_deviation(graph, &x),
        Pooling::Gwrp(gwrp) => ranked(graph, &x, gwrp, frames),
        Pooling::Rdp(rdp) => unusual(graph, &x, rdp),
    })
}

/// Statistics less `mean` and divided by `deviation`, `[batch, dims]`.
pub(crate) fn statistics(
    graph: &mut Graph,
    front: &mut Front,
    config: &StatisticsConfig,
    (means, deviations): (&[f32], &[f32]),
) -> Result<Value, OnnxError> {
    let x = front.feature(graph, &feature_of_statistics(config))?;
    graph.enter("statistics");
    let both = mean_deviation(graph, &x);
    let less = graph.floats(&[means.len()], means);
    let centred = graph.node("Sub", &[&both, &less], &[]);
    // What never changes in training says nothing about other clips.
    let weight = |&deviation: &f32| if deviation > 0.0 { 1.0 / deviation } else { 0.0 };
    let weights: Vec<f32> = deviations.iter().map(weight).collect();
    let weights = graph.floats(&[weights.len()], &weights);
    Ok(graph.node("Mul", &[&centred, &weights], &[]))
}

/// The mean over time; the dimension of time stays with length one where `keep` is 1.
fn mean(graph: &mut Graph, x: &Value, keep: i64) -> Value {
    let settings = [Setting::Integers("axes", &[1]), Setting::Integer("keepdims", keep)];
    graph.node("ReduceMean", &[x], &settings)
}

/// Every band's mean, then every band's deviation.
fn mean_deviation(graph: &mut Graph, x: &Value) -> Value {
    let centre = mean(graph, x, 1);
    let distances = graph.node("Sub", &[x, &centre], &[]);
    let squares = graph.node("Mul", &[&distances, &distances], &[]);
    let variance = mean(graph, &squares, 0);
    let deviation = graph.node("Sqrt", &[&variance], &[]);
    let means = mean(graph, x, 0);
    graph.node("Concat", &[&means, &deviation], &[Setting::Integer("axis", 1)])
}

/// Global weighted ranking pooling.
fn ranked(graph: &mut Graph, x: &Value, Gwrp { r, first }: Gwrp, frames: usize) -> Value {
    let counting = match r {
        r if r <= 0.0 => 1.0,
        r if r < 1.0 => (NEGLIGIBLE.ln() / r.ln()).ceil(),
        _ => f64::INFINITY,
    };
    let counting = (counting.min(frames as f64) as usize).max(1);
    let count = graph.integers(&[1], &[counting as i64]);
    let largest = match first {
        First::Loudest => 1,
        First::Quietest => 0,
    };
    let settings = [
        Setting::Integer("axis", 1),
        Setting::Integer("largest", largest),
        Setting::Integer("sorted", 1),
    ];
    let sorted = graph.results("TopK", &[x, &count], &settings, 2).remove(0);
    let falling = std::iter::successors(Some(1.0), |weight| Some(weight * r.max(0.0)));
    let weights: Vec<f64> = falling.take(counting).collect();
    let sum: f64 = weights.iter().sum();
    let weights: Vec<f32> = weights.iter().map(|weight| (weight / sum) as f32).collect();
    let weights = graph.floats(&[counting, 1], &weights);
    let weighted = graph.node("Mul", &[&sorted, &weights], &[]);
    graph.sum(&weighted, 1)
}

/// Relative-deviation pooling.
fn unusual(graph: &mut Graph, x: &Value, Rdp { g }: Rdp) -> Value {
    let centre = mean(graph, x, 1);
    let distances = graph.node("Sub", &[x, &centre], &[]);
    let distances = graph.node("Abs", &[&distances], &[]);
    let settings = [Setting::Integers("axes", &[1]), Setting::Integer("keepdims", 1)];
    let largest = graph.node("ReduceMax", &[&distances], &settings);
    let least = graph.scalar(LEAST_DISTANCE);
    let largest = graph.node("Max", &[&largest, &least], &[]);
    let ratio = graph.node("Div", &[&distances, &largest], &[]);
    let one = graph.scalar(1.0);
    let base = graph.node("Add", &[&ratio, &one], &[]);
    let exponent = graph.scalar(g as f32);
    let weights = graph.node("Pow", &[&base, &exponent], &[]);
    let weighted = graph.node("Mul", &[&weights, x], &[]);
    let (sum, total) = (graph.sum(&weighted, 1), graph.sum(&weights, 1));
    graph.node("Div", &[&sum, &total], &[])
}
