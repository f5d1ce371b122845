//! The numbers behind every figure of a page, as tables to lie beside it.

use std::collections::BTreeSet;

use super::{
    PageData,
    scores::{covariate_chart, score_charts},
    training::training_charts,
};
use crate::chart::Chart;

/// The numbers of one figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FigureTable {
    /// A name that is safe for a file, without extension, and no other figure's.
    pub name: String,
    /// The numbers as CSV with a header line.
    pub csv: String,
}

/// A table for each chart of the page. The map and the clips have files of their own.
pub fn figure_tables(data: &PageData) -> Vec<FigureTable> {
    let mut charts = score_charts(&data.sections);
    for covariate in &data.covariates {
        if let Some(chart) = covariate_chart(covariate, data) {
            charts.push((chart.title.clone(), Box::new(chart)));
        }
    }
    for chart in data.comparisons.clone() {
        charts.push((chart.title.clone(), Box::new(chart)));
    }
    for chart in data.curves.clone() {
        charts.push((chart.title.clone(), Box::new(chart)));
    }
    for chart in training_charts(&data.training) {
        charts.push((format!("training {}", chart.y_title), Box::new(chart)));
    }
    let mut taken = BTreeSet::new();
    charts.into_iter().map(|(name, chart)| table(&mut taken, &name, chart.as_ref())).collect()
}

fn table(taken: &mut BTreeSet<String>, name: &str, chart: &dyn Chart) -> FigureTable {
    let keep = |c: char| if c.is_alphanumeric() || c == '-' { c } else { '_' };
    let plain: String = name.to_lowercase().chars().map(keep).collect();
    let numbered = (2..).map(|number| format!("{plain}_{number}"));
    let free = std::iter::once(plain.clone()).chain(numbered).find(|name| !taken.contains(name));
    let name = free.expect("numbers do not end");
    taken.insert(name.clone());
    FigureTable { name, csv: chart.csv() }
}
