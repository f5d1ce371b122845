//! The command line: which verbs there are, and who carries them out.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::{
    args::monitor::{CheckArgs, InfoArgs, LearnArgs, SelftestArgs, UpdateArgs, WatchArgs},
    error::CliError,
    monitor,
    progress::Bars,
    verbs::{
        completions::{self, CompletionsArgs},
        data::{self, DataCommand},
        demo::{self, DemoArgs},
        embed::{self, EmbedArgs},
        evaluate::{self, EvaluateArgs},
        explain::{self, ExplainArgs},
        recipes::{self, RecipesArgs},
        report::{self, ReportArgs},
        run::{self, RunArgs},
        score::{self, ScoreArgs},
        study::{self, StudyArgs},
        train::{self, TrainArgs},
        tsne::{self, TsneArgs},
    },
};

/// Anomalous sound detection for machines, learned from normal recordings only.
#[derive(Debug, Parser)]
#[command(name = "offkey", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Say nothing but results and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// CPU threads [default: all]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make synthetic machine sounds, train, score, evaluate and write a page: the whole tour
    Demo(DemoArgs),
    /// Train on recordings, score the test clips, evaluate, and write a page
    Run(RunArgs),
    /// Train the model of a run again, or finish an interrupted training
    Train(TrainArgs),
    /// Redo a run's embeddings from its model
    Embed(EmbedArgs),
    /// Redo a run's scores from its embeddings, score single clips, or score anybody's embeddings
    Score(ScoreArgs),
    /// Evaluate a run's scores, or anybody's score files
    Evaluate(EvaluateArgs),
    /// Write a run's page again
    Report(ReportArgs),
    /// Say which part of a clip's spectrogram raises its score
    Explain(ExplainArgs),
    /// Draw a map of a run's embeddings by t-SNE
    Tsne(TsneArgs),
    /// Ask a question with many trials: recipes times factors times data sets, one table
    Study(StudyArgs),
    /// Learn a monitor from normal recordings of a machine, into one file
    Learn(LearnArgs),
    /// Judge recordings with a monitor; exit code 3 when one of them is an alarm
    Check(CheckArgs),
    /// Listen for days: to a folder, a growing file, or standard input
    Watch(WatchArgs),
    /// Say what a monitor knows and promises
    Info(InfoArgs),
    /// Plant known faults into normal recordings and see which ones a monitor finds
    Selftest(SelftestArgs),
    /// Tell a monitor which recordings were normal after all
    Update(UpdateArgs),
    /// List the built-in recipes, or print one
    Recipes(RecipesArgs),
    /// Look at recordings, or make synthetic ones
    #[command(subcommand)]
    Data(DataCommand),
    /// Print a shell completion script
    Completions(CompletionsArgs),
}

/// Carries out one command line.
pub(crate) fn execute(cli: Cli) -> Result<ExitCode, CliError> {
    offkey::set_threads(cli.threads)?;
    let bars = Bars::new(cli.quiet);
    match cli.command {
        Command::Demo(args) => demo::demo(&args, &bars)?,
        Command::Run(args) => run::run(args, &bars)?,
        Command::Train(args) => train::train(&args, &bars)?,
        Command::Embed(args) => embed::embed(&args, &bars)?,
        Command::Score(args) => score::score(&args, &bars)?,
        Command::Evaluate(args) => evaluate::evaluate(&args, &bars)?,
        Command::Report(args) => report::report(&args, &bars)?,
        Command::Explain(args) => explain::explain(&args, &bars)?,
        Command::Tsne(args) => tsne::tsne(&args, &bars)?,
        Command::Study(args) => study::study(&args, &bars)?,
        Command::Learn(args) => monitor::learn(&args, &bars)?,
        Command::Check(args) => return Ok(monitor::check(&args)?),
        Command::Watch(args) => return Ok(monitor::watch(&args, cli.quiet)?),
        Command::Info(args) => monitor::info(&args)?,
        Command::Selftest(args) => monitor::selftest(&args, &bars)?,
        Command::Update(args) => monitor::update(&args, &bars)?,
        Command::Recipes(args) => recipes::recipes(&args)?,
        Command::Data(command) => data::data(command, &bars)?,
        Command::Completions(args) => completions::completions(&args, Cli::command()),
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
