//! `offkey selftest`: which planted faults a monitor finds.

use std::path::PathBuf;

use clap::Args;
use offkey::monitor::SelfTest;

use super::tables;
use crate::{
    error::CliError,
    output::{print, print_json},
    progress::Bars,
    verbs::shared::load_monitor,
};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  offkey selftest --model pump.offkey")]
pub(crate) struct SelftestArgs {
    /// The model file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    /// Normal recordings to plant faults into [default: those the model keeps]
    #[arg(long, value_name = "DIR|CLIP")]
    pub(crate) data: Vec<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn selftest(args: &SelftestArgs, bars: &Bars) -> Result<(), CliError> {
    let monitor = load_monitor(&args.model)?;
    let recordings =
        if args.data.is_empty() { Vec::new() } else { offkey::recordings(&args.data)? };
    let test = offkey::learn::self_test(&monitor, &recordings, bars)?;
    if args.json {
        print_json(&test);
        return Ok(());
    }
    print(&format!("{}\n{}\npromise: {}\n", by_level(&test), test.words(), monitor.promise()));
    for warning in monitor.warnings() {
        print(&format!("warning: {warning}\n"));
    }
    if let Some(members) = by_member(&test) {
        print(&format!("\n{members}"));
    }
    Ok(())
}

fn by_level(test: &SelfTest) -> String {
    let mut header = vec!["fault".to_owned()];
    header.extend(test.levels_db.iter().map(|level| format!("{level} dB")));
    // Where nothing is found from any level on, the words below say why; a column of dashes says nothing.
    let any_found = test.faults.iter().any(|curve| curve.found_from_db.is_some());
    if any_found {
        header.push("found from".to_owned());
    }
    let rows: Vec<Vec<String>> = test
        .faults
        .iter()
        .map(|curve| {
            let mut row = vec![curve.fault.clone()];
            let shares = curve.detected.iter().zip(&curve.cannot_tell);
            row.extend(shares.map(|(&alarm, &untold)| noticed(alarm, untold)));
            if any_found {
                row.push(level(curve.found_from_db));
            }
            row
        })
        .collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    tables::render(&header, &rows)
}

/// From which level on each member alone finds each fault; nothing where none finds any.
fn by_member(test: &SelfTest) -> Option<String> {
    let first = test.faults.first()?;
    let mut alone = test.faults.iter().flat_map(|curve| &curve.members);
    if alone.all(|member| member.found_from_db.is_none()) {
        return None;
    }
    let mut header = vec!["found from, by one detector alone".to_owned()];
    header.extend(first.members.iter().map(|member| member.member.clone()));
    let rows: Vec<Vec<String>> = test
        .faults
        .iter()
        .map(|curve| {
            let mut row = vec![curve.fault.clone()];
            row.extend(curve.members.iter().map(|member| level(member.found_from_db)));
            row
        })
        .collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    Some(tables::render(&header, &rows))
}

fn level(db: Option<f64>) -> String {
    db.map_or_else(|| "-".to_owned(), |db| format!("{db} dB"))
}

/// Percent of windows that alarm, and of those of which nothing can be told.
fn noticed(alarm: f64, untold: f64) -> String {
    let unsure = if untold > 0.0 { format!("+{:.0}?", 100.0 * untold) } else { String::new() };
    format!("{:.0}{unsure}", 100.0 * alarm)
}
