//! The command line: which verbs there are, and who carries them out.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

#[cfg(feature = "workbench")]
use crate::verbs::workbench::{
    choose::{self, ChooseArgs},
    compare::{self, CompareArgs},
    completions::{self, CompletionsArgs},
    data::{self, DataCommand},
    demo::{self, DemoArgs},
    embed::{self, EmbedArgs},
    evaluate::{self, EvaluateArgs},
    explain::{self, ExplainArgs},
    export::{self, ExportArgs},
    learn::{self, LearnArgs},
    recipes::{self, RecipesArgs},
    report::{self, ReportArgs},
    run::{self, RunArgs},
    score::{self, ScoreArgs},
    selftest::{self, SelftestArgs},
    study::{self, StudyArgs},
    train::{self, TrainArgs},
    tsne::{self, TsneArgs},
};
use crate::{
    error::CliError,
    progress::Bars,
    verbs::{
        check::{self, CheckArgs},
        info::{self, InfoArgs},
        serve::{self, ServeArgs},
        update::{self, UpdateArgs},
        watch::{self, WatchArgs},
    },
};

/// Anomalous sound detection for machines, learned from normal recordings only.
#[derive(Debug, Parser)]
#[command(name = "offkey", version, propagate_version = true, max_term_width = 100)]
#[command(disable_help_subcommand = true, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print nothing but results, warnings and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// CPU threads [default: all]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

/// What the exit code says.
const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed, or results could not be written
  2    wrong usage or configuration
  3    `check`, `watch`: at least one alarm
  4    `check`, `watch`: no alarm, but something could not be judged or read
  130  interrupted; what is done is kept; after an alarm `check` and `watch` end with 3";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[cfg(feature = "workbench")]
    #[command(flatten)]
    Research(Research),
    #[command(flatten)]
    Monitoring(Monitoring),
}

/// From recordings with a test set to metrics and a page.
#[cfg(feature = "workbench")]
#[derive(Debug, Subcommand)]
pub(crate) enum Research {
    /// Make synthetic machine sounds, train, score, evaluate and write a page: the whole tour
    Demo(DemoArgs),
    /// Train on recordings, score the test clips, evaluate, and write a page
    Run(RunArgs),
    /// Train the model of a run again, or finish an interrupted training
    Train(TrainArgs),
    /// Redo a run's embeddings from its model
    Embed(EmbedArgs),
    /// Redo a run's scores from its embeddings, score single clips, or score any embeddings
    Score(ScoreArgs),
    /// Evaluate a run's scores, or any score files
    Evaluate(EvaluateArgs),
    /// Say what one run has more than another, machine by machine, with intervals
    Compare(CompareArgs),
    /// Write a run's page again
    Report(ReportArgs),
    /// Say which part of a clip's spectrogram raises its score
    Explain(ExplainArgs),
    /// Write a run's or a monitor's model as an ONNX file, for other programs
    Export(ExportArgs),
    /// Draw a map of a run's embeddings by t-SNE
    Tsne(TsneArgs),
    /// Answer a question with many trials: recipes times factors times data sets, one table
    Study(StudyArgs),
    /// List the built-in recipes, or print one
    Recipes(RecipesArgs),
    /// Look at recordings, or make synthetic ones
    #[command(subcommand)]
    Data(DataCommand),
    /// Print a shell completion script
    Completions(CompletionsArgs),
}

/// One machine, watched with one model file.
#[derive(Debug, Subcommand)]
pub(crate) enum Monitoring {
    /// Learn a monitor from normal recordings of a machine, into one file
    #[cfg(feature = "workbench")]
    Learn(LearnArgs),
    /// Compare detectors on normal recordings, without any anomaly, and choose one for `learn`
    #[cfg(feature = "workbench")]
    Choose(ChooseArgs),
    /// Judge recordings with a monitor; exit code 3 when one of them is an alarm
    Check(CheckArgs),
    /// Listen for days: to a folder, a growing file, or standard input
    Watch(WatchArgs),
    /// Show what a monitor was learned from and what it promises
    Info(InfoArgs),
    /// Plant known faults into normal recordings and show which ones a monitor finds
    #[cfg(feature = "workbench")]
    Selftest(SelftestArgs),
    /// Add recordings that were normal to a monitor
    Update(UpdateArgs),
    /// Watch many machines for years: alarms, delivery, pages (by the program `offkey-serve`)
    #[command(after_help = serve::SERVE_EXAMPLES)]
    Serve(ServeArgs),
    /// Ask the store of `serve`: windows, events, or a question in SQL; as CSV
    #[command(after_help = serve::HISTORY_EXAMPLES)]
    History(ServeArgs),
}

impl Cli {
    /// The command line, its verbs listed in two groups.
    pub(crate) fn definition() -> clap::Command {
        let list = |verbs: clap::Command| {
            let line = |verb: &clap::Command| {
                let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
                format!("  {:<12}{about}\n", verb.get_name())
            };
            verbs.get_subcommands().map(line).collect::<String>()
        };
        let monitoring = list(Monitoring::augment_subcommands(clap::Command::new("monitoring")));
        #[cfg(feature = "workbench")]
        let research = format!(
            "Research, with recordings that are tested against the truth:\n{}\n",
            list(Research::augment_subcommands(clap::Command::new("research")))
        );
        #[cfg(not(feature = "workbench"))]
        let research = "This program was built to judge and watch alone; the full one also learns, trains and studies.\n\n";
        Self::command().help_template(format!(
            "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n\
             {research}Monitoring, with one model file for one machine:\n{monitoring}\n\
             Options:\n{{options}}{{after-help}}\n\n\
             `offkey VERB --help` explains the options of a verb and gives examples.\n"
        ))
    }
}

/// Carries out one command line.
pub(crate) fn execute(cli: Cli) -> Result<ExitCode, CliError> {
    offkey_core::set_threads(cli.threads)?;
    let bars = Bars::new(cli.quiet);
    match cli.command {
        #[cfg(feature = "workbench")]
        Command::Research(verb) => research(verb, &bars).map(|()| ExitCode::SUCCESS),
        Command::Monitoring(verb) => monitoring(verb, cli.quiet, &bars),
    }
}

#[cfg(feature = "workbench")]
fn research(verb: Research, bars: &Bars) -> Result<(), CliError> {
    match verb {
        Research::Demo(args) => demo::demo(&args, bars),
        Research::Run(args) => run::run(args, bars),
        Research::Train(args) => train::train(&args, bars),
        Research::Embed(args) => embed::embed(&args, bars),
        Research::Score(args) => score::score(&args, bars),
        Research::Evaluate(args) => evaluate::evaluate(&args, bars),
        Research::Compare(args) => compare::compare(&args, bars),
        Research::Report(args) => report::report(&args, bars),
        Research::Explain(args) => explain::explain(&args, bars),
        Research::Export(args) => export::export(&args),
        Research::Tsne(args) => tsne::tsne(&args, bars),
        Research::Study(args) => study::study(&args, bars),
        Research::Recipes(args) => recipes::recipes(&args),
        Research::Data(command) => data::data(command, bars),
        Research::Completions(args) => {
            completions::completions(&args, Cli::definition());
            Ok(())
        }
    }
}

fn monitoring(verb: Monitoring, quiet: bool, bars: &Bars) -> Result<ExitCode, CliError> {
    match verb {
        #[cfg(feature = "workbench")]
        Monitoring::Learn(args) => learn::learn(&args, bars)?,
        #[cfg(feature = "workbench")]
        Monitoring::Choose(args) => choose::choose(&args, bars)?,
        Monitoring::Check(args) => return check::check(&args),
        Monitoring::Watch(args) => return watch::watch(&args, quiet),
        Monitoring::Info(args) => info::info(&args)?,
        #[cfg(feature = "workbench")]
        Monitoring::Selftest(args) => selftest::selftest(&args, bars)?,
        Monitoring::Update(args) => return update::update(&args, bars),
        Monitoring::Serve(args) => return serve::serve(&args),
        Monitoring::History(args) => return serve::history(&args),
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::definition().debug_assert();
    }

    /// Every command that a help text gives in backquotes or on a line of its own.
    fn examples(command: &mut clap::Command) -> Vec<String> {
        let help = command.render_long_help().to_string();
        let lines = help.lines().map(str::trim).filter(|line| line.starts_with("offkey "));
        let mut found: Vec<String> = lines.map(str::to_owned).collect();
        for verb in command.get_subcommands_mut() {
            found.extend(examples(verb));
        }
        found
    }

    #[test]
    fn every_example_of_a_help_text_is_a_command_line() {
        let found = examples(&mut Cli::definition());
        let least = if cfg!(feature = "workbench") { 20 } else { 5 };
        assert!(found.len() > least, "{found:?}");
        for example in found {
            let words = example.split_whitespace().map(|word| word.trim_matches('"'));
            let parsed = Cli::definition().try_get_matches_from(words);
            assert!(parsed.is_ok(), "`{example}`: {}", parsed.expect_err("checked"));
        }
    }

    #[test]
    fn every_verb_has_an_example_and_every_option_an_explanation() {
        fn check(command: &clap::Command) {
            for argument in command.get_arguments() {
                let (verb, name) = (command.get_name(), argument.get_id());
                assert!(argument.get_help().is_some(), "{verb}: `{name}` is not explained");
            }
            let is_verb = command.get_subcommands().next().is_none();
            let name = command.get_name();
            assert!(!is_verb || command.get_after_help().is_some(), "{name} has no example");
            command.get_subcommands().for_each(check);
        }
        check(&Cli::definition());
    }

    #[cfg(feature = "workbench")]
    #[test]
    fn the_setting_that_help_shows_fits_every_recipe_with_a_network() {
        let mut command = Cli::definition();
        let run = command.find_subcommand_mut("run").expect("a verb");
        let help = run.render_long_help().to_string();
        let shown: Vec<&str> = help.split('`').filter(|text| text.starts_with("model.")).collect();
        let [setting] = shown[..] else { panic!("{shown:?}") };
        for name in ["default", "medium", "paper", "small", "tiny"] {
            let recipe = offkey::Recipe::load(name, &[setting.to_owned()]);
            assert!(recipe.is_ok(), "{name}: {recipe:?}");
        }
    }
}
