//! `offkey data check`: whether a folder is the challenge's official set of a year, whole.

use std::path::PathBuf;

use clap::Args;
use offkey::{OfficialCheck, Year, check_official, counted};

use super::super::WorkbenchError;
use crate::{
    error::CliError,
    output::{print, print_json},
};

#[derive(Debug, Args)]
#[command(
    after_help = "A part of which no file is there is told and is no fault; of a part that is there every machine and every file\nmust be. Exit code 1 when something is missing or too much.\n\nExample:\n  offkey data check 2023 DATA"
)]
pub(crate) struct CheckSetArgs {
    /// Challenge year
    pub(crate) year: Year,
    /// Folders with the unpacked archives
    #[arg(required = true, value_name = "DIR")]
    pub(crate) data: Vec<PathBuf>,
    /// Truth and attribute CSV files that are not beside the recordings
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) truth: Vec<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn check(args: &CheckSetArgs) -> Result<(), CliError> {
    let check = check_official(&args.data, &args.truth, args.year)?;
    if check.parts.is_empty() {
        return Err(WorkbenchError::NoOfficialCounts { year: args.year }.into());
    }
    if args.json {
        print_json(&check);
    } else {
        print(&text(&check));
    }
    if check.is_whole() { Ok(()) } else { Err(WorkbenchError::NotWhole { year: args.year }.into()) }
}

fn text(check: &OfficialCheck) -> String {
    let mut text = String::new();
    for part in &check.parts {
        let state = match (part.clips, part.faults.as_slice()) {
            (0, _) => format!("not here; {}", part.archive),
            (clips, []) => format!("whole, {}", counted(clips, "clip")),
            (clips, faults) => {
                let (clips, places) = (counted(clips, "clip"), counted(faults.len(), "place"));
                format!("{clips}, differs in {places}; {}", part.archive)
            }
        };
        text += &format!("{} set of {}: {state}\n", part.name, check.year);
        if !part.note.is_empty() {
            text += &format!("  note: {}\n", part.note);
        }
        for fault in &part.faults {
            text += &format!("  {fault}\n");
        }
    }
    if !check.strangers.is_empty() {
        text += &format!("not machines of {}: {}\n", check.year, check.strangers.join(", "));
    }
    text
}
