//! `offkey compare`: what one run has more than another, and how sure that is.

use std::path::PathBuf;

use clap::Args;
use offkey::{OffkeyError, Progress, files::write_atomically};
use offkey_study::{ComparedRow, Comparison, compare_runs, comparison_page};

use super::tables;
use crate::{
    error::CliError,
    output::{print, print_json},
    progress::Bars,
};

#[derive(Debug, Args)]
#[command(
    after_help = "A RUN is a run, a run of several seeds, or a folder that holds runs, as one per fold. Trials are paired\nby the names of their folders.\n\nExamples:\n  offkey compare RUN OTHER\n  offkey compare DEFAULT SMALL PAPER --csv DIFFERENCES.csv --page DIFFERENCES.html"
)]
pub(crate) struct CompareArgs {
    /// Runs; the first is the one that the others are held against
    #[arg(required = true, num_args = 2.., value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,
    /// Write all rows as CSV
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// Write a page with the differences of every machine and trial
    #[arg(long, value_name = "FILE")]
    pub(crate) page: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn compare(args: &CompareArgs, bars: &Bars) -> Result<(), CliError> {
    let comparison = compare_runs(&args.runs)?;
    if let Some(path) = &args.csv {
        let text = offkey::to_csv(&comparison.rows);
        write_atomically(path, text.as_bytes()).map_err(OffkeyError::from)?;
    }
    if let Some(path) = &args.page {
        let page = comparison_page(&comparison);
        write_atomically(path, page.as_bytes()).map_err(OffkeyError::from)?;
    }
    if args.json {
        print_json(&comparison);
        return Ok(());
    }
    if !comparison.left_out.is_empty() {
        bars.warn(&format!("trials that not every run has: {}", comparison.left_out.join(", ")));
    }
    print(&text(&comparison));
    Ok(())
}

fn text(comparison: &Comparison) -> String {
    let Comparison { reference, interval, rows, .. } = comparison;
    let mut text = String::new();
    for of_run in rows.chunk_by(|a, b| a.run == b.run) {
        let header =
            ["machine, metric", "reference", "run", "difference", "95 % interval", "trials"];
        let lines: Vec<Vec<String>> = of_run.iter().map(line).collect();
        text += &format!("{} less {reference}\n", of_run[0].run);
        text += &tables::render(&header, &lines);
        text.push('\n');
    }
    text + &format!("interval: {interval}\n")
}

fn line(row: &ComparedRow) -> Vec<String> {
    let interval = match (row.lower, row.upper) {
        (Some(lower), Some(upper)) => format!("[{lower:+.3}, {upper:+.3}]"),
        _ => "-".to_owned(),
    };
    vec![
        format!("{} {}", row.machine, row.metric),
        tables::rate(Some(row.reference)),
        tables::rate(Some(row.value)),
        format!("{:+.3}", row.difference),
        interval,
        row.trials.to_string(),
    ]
}
