//! `offkey choose`: which detector hears most on recordings of one machine.

use std::path::PathBuf;

use clap::Args;
use offkey::{
    Compute, OffkeyError, Recipe, counted, files,
    learn::{Choice, LearnRequest},
};

use super::{shared::into_file, tables};
use crate::{error::CliError, output::print, progress::Bars, verbs::shared::seconds};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  offkey choose RECORDINGS -o chosen.toml\n  offkey learn RECORDINGS --recipe chosen.toml -o pump.offkey"
)]
pub(crate) struct ChooseArgs {
    /// Normal recordings, or folders or manifests of them, as for `learn`
    #[arg(required = true)]
    pub(crate) data: Vec<PathBuf>,
    /// Where to write the detector chosen, as a recipe for `learn`
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// One more candidate: a recipe without a network
    #[arg(long)]
    pub(crate) recipe: Option<String>,
    /// Length of a window, as in 2s [default: 10s, or as long as shorter recordings are]
    #[arg(long, value_parser = seconds)]
    pub(crate) window: Option<f64>,
    /// Show the AUC of every kind of made anomaly
    #[arg(long)]
    pub(crate) kinds: bool,
    /// Seed of everything random
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Replace an existing recipe file
    #[arg(long)]
    pub(crate) force: bool,
}

pub(crate) fn choose(args: &ChooseArgs, bars: &Bars) -> Result<(), CliError> {
    if let Some(output) = args.output.as_ref().filter(|output| !args.force && output.exists()) {
        return Err(OffkeyError::ModelExists { path: output.clone() }.into());
    }
    let recipe = args.recipe.as_ref().map(|name| Recipe::load(name, &[])).transpose();
    let request = LearnRequest {
        data: args.data.clone(),
        faults: Vec::new(),
        name: "machine".to_owned(),
        false_alarms: None,
        window_s: args.window,
        every_s: None,
        recipe: recipe.map_err(OffkeyError::from)?,
        seed: args.seed,
        compute: Compute::default(),
    };
    let choose = || Ok::<_, CliError>(offkey::learn::choose(&request, bars)?);
    let (choice, wrote) = match &args.output {
        None => (choose()?, String::new()),
        Some(output) => into_file(output, || {
            let choice = choose()?;
            let recipe = &choice.candidates[choice.taken].recipe;
            files::write_atomically(output, recipe.to_toml().as_bytes())?;
            Ok(choice)
        })?,
    };
    let mut text = told(&choice);
    if args.kinds {
        text += &by_kind(&choice);
    }
    text += &wrote;
    print(&text);
    Ok(())
}

fn told(choice: &Choice) -> String {
    let head = ["detector", "AUC", "behind the best", "standard error"];
    let rows: Vec<Vec<String>> = choice
        .candidates
        .iter()
        .map(|tried| {
            vec![
                tried.recipe.name.clone(),
                tables::rate(Some(tried.auc)),
                format!("{:.3}", tried.behind),
                format!("{:.3}", tried.error),
            ]
        })
        .collect();
    let taken = &choice.candidates[choice.taken];
    let why = match (choice.taken, taken.recipe.name.as_str()) {
        (0, _) => "it tells made anomalies best".to_owned(),
        _ => "no other is ahead of it by more than twice the standard error".to_owned(),
    };
    format!(
        "{}\n{} of {}, each scored by what was fitted to other recordings, against {} of made anomalies. \
         Real faults may rank detectors differently.\ntaken: {}: {why}\n",
        tables::render(&head, &rows),
        counted(choice.windows, "window"),
        counted(choice.recordings, "recording"),
        counted(choice.kinds.len(), "kind"),
        taken.recipe.name,
    )
}

fn by_kind(choice: &Choice) -> String {
    let names = choice.candidates.iter().map(|tried| tried.recipe.name.as_str());
    let head: Vec<&str> = std::iter::once("AUC by kind").chain(names).collect();
    let rows: Vec<Vec<String>> = choice
        .kinds
        .iter()
        .enumerate()
        .map(|(kind, name)| {
            let areas =
                choice.candidates.iter().map(|tried| tables::rate(Some(tried.by_kind[kind])));
            std::iter::once(name.clone()).chain(areas).collect()
        })
        .collect();
    format!("\n{}\n", tables::render(&head, &rows))
}
