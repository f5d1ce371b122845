//! Training curves: loss, compactness, scale.

use super::{data::TrainingRow, figure::figures};
use crate::{
    chart::{LineChart, Series},
    markup::Markup,
};

/// One quantity of a training row.
type Quantity = (&'static str, fn(&TrainingRow) -> Option<f64>);

/// All charts that the rows have numbers for, as figures.
pub(crate) fn training(rows: &[TrainingRow]) -> Markup {
    let charts = training_charts(rows).into_iter();
    let charts = charts.map(|chart| (chart.title.clone(), chart, String::new()));
    figures(&charts.collect::<Vec<_>>())
}

/// All charts that the rows have numbers for.
pub(crate) fn training_charts(rows: &[TrainingRow]) -> Vec<LineChart> {
    let compactness: [Quantity; 4] = [
        ("own class", |row| row.intra),
        ("nearest other class", |row| row.inter),
        ("own, held out", |row| row.held_out_intra),
        ("nearest other, held out", |row| row.held_out_inter),
    ];
    let charts = [
        chart(rows, "Loss", "mean loss", &[("loss", |row| Some(row.loss))]),
        chart(
            rows,
            "Compactness: distance of embeddings to the means of classes",
            "mean squared distance",
            &compactness,
        ),
        chart(rows, "Logit scale", "scale", &[("scale", |row| row.scale)]),
    ];
    charts.into_iter().flatten().collect()
}

fn chart(
    rows: &[TrainingRow],
    title: &str,
    y_title: &str,
    quantities: &[Quantity],
) -> Option<LineChart> {
    let series: Vec<Series> = quantities
        .iter()
        .map(|(name, of)| {
            let point = |row: &TrainingRow| {
                of(row).filter(|value| value.is_finite()).map(|value| [row.step as f64, value])
            };
            Series { name: (*name).to_owned(), points: rows.iter().filter_map(point).collect() }
        })
        .filter(|series| !series.points.is_empty())
        .collect();
    (!series.is_empty()).then(|| LineChart::lines(title, "optimiser step", y_title, series))
}
