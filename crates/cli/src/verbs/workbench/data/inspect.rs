//! `offkey data inspect`: what a folder of recordings contains.

use std::path::PathBuf;

use clap::Args;
use offkey::counted;

use super::super::tables;
use crate::{
    error::CliError,
    output::{print, print_json},
    progress::Bars,
};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  offkey data inspect DATA")]
pub(crate) struct InspectArgs {
    /// A folder, or a manifest CSV
    #[arg(required = true)]
    pub(crate) data: Vec<PathBuf>,
    /// Truth and attribute CSV files that are not beside the recordings
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) truth: Vec<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn inspect(args: &InspectArgs, bars: &Bars) -> Result<(), CliError> {
    let inspection = offkey::inspect(&args.data, &args.truth, bars)?;
    if args.json {
        print_json(&inspection);
        return Ok(());
    }
    let word = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let rows: Vec<Vec<String>> = inspection
        .groups
        .iter()
        .map(|group| {
            vec![
                format!("{} {}", group.machine, group.section),
                word(group.split.map(|s| s.to_string())),
                word(group.domain.map(|d| d.to_string())),
                word(group.label.map(|l| l.to_string())),
                group.clips.to_string(),
                group.attributes.to_string(),
            ]
        })
        .collect();
    print(&tables::render(
        &["machine, section", "split", "domain", "label", "clips", "attributes"],
        &rows,
    ));
    let list = |counts: Vec<String>| counts.join(", ");
    let rates = inspection.rates_hz.iter().map(|(rate, clips)| format!("{rate} Hz ({clips})"));
    let channels = inspection.channels.iter().map(|(count, clips)| format!("{count} ({clips})"));
    let lengths = inspection.clip_s.map_or_else(String::new, |[shortest, median, longest]| {
        format!(", each {shortest:.1}-{longest:.1} s, median {median:.1} s")
    });
    let year = inspection.year.map(|year| format!(", year {year}")).unwrap_or_default();
    print(&format!(
        "\n{}, {:.2} hours{lengths}\nlayout: {:?}{year}\nsampling rates: {}\nchannels: {}\n",
        counted(inspection.clips, "clip"),
        inspection.hours,
        inspection.layout,
        list(rates.collect()),
        list(channels.collect()),
    ));
    if inspection.problems.is_empty() {
        print("no problems\n");
        return Ok(());
    }
    print(&format!("\n{}:\n", counted(inspection.problems.len(), "problem")));
    for problem in &inspection.problems {
        print(&format!("  {}\n", problem.message));
    }
    Ok(())
}
