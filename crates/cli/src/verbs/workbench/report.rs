//! `offkey report`: the page of a run, written again.

use std::path::PathBuf;

use clap::Args;
use offkey::AgainstColumn;

use crate::{error::CliError, output::print, progress::Bars};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  offkey report RUN --masks 0\n  offkey report RUN --against snr_db=truth.csv"
)]
pub(crate) struct ReportArgs {
    /// The run's folder
    pub(crate) run: PathBuf,
    /// Masks that explain each clip shown; 0 for a quick page without explanations
    #[arg(long, default_value_t = offkey::PAGE_MASKS, value_name = "N")]
    pub(crate) masks: usize,
    /// Draw scores against a column of a table that names clips by `path`, `file` or `name`
    #[arg(long, value_name = "COLUMN=CSV", value_parser = against)]
    pub(crate) against: Vec<AgainstColumn>,
}

pub(crate) fn report(args: &ReportArgs, bars: &Bars) -> Result<(), CliError> {
    let path = offkey::report(&args.run, args.masks, &args.against, bars)?;
    print(&format!("{}\n", path.display()));
    Ok(())
}

/// Parses `COLUMN=CSV`.
fn against(text: &str) -> Result<AgainstColumn, String> {
    match text.split_once('=') {
        Some((column, table)) if !column.is_empty() && !table.is_empty() => {
            Ok(AgainstColumn { column: column.to_owned(), table: table.into() })
        }
        _ => Err(format!("expected COLUMN=CSV as in snr_db=truth.csv, found `{text}`")),
    }
}
