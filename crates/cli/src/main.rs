//! The `offkey` command: arguments in, library calls, results on standard output, everything else
//! on standard error.

mod command;
#[cfg(test)]
mod documented;
mod error;
mod output;
mod progress;
mod tips;
mod verbs;

use std::{io::IsTerminal, process::ExitCode, sync::atomic::Ordering};

use clap::FromArgMatches;
use offkey_core::ErrorKind;
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use crate::{command::Cli, error::CliError, progress::CANCELLED};

/// Wrong usage or configuration.
const EXIT_USAGE: u8 = 2;
/// Interrupted by the person, as shells count it.
const EXIT_INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let cli = match command_line() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    init_logging(cli.quiet);
    if let Err(error) = ctrlc::set_handler(on_interrupt) {
        tracing::warn!(%error, "cannot catch Ctrl-C");
    }
    let code = match command::execute(cli) {
        Ok(code) => code,
        Err(error) => {
            print_error(&error);
            ExitCode::from(exit_code(&error))
        }
    };
    match output::failure() {
        Some(source) => without_output(source, code),
        None => code,
    }
}

/// The command line as typed, or the code to end with once help, version or a mistake was printed.
fn command_line() -> Result<Cli, ExitCode> {
    let words: Vec<_> = std::env::args_os().collect();
    let matches = Cli::definition().try_get_matches_from(&words);
    matches.and_then(|matches| Cli::from_arg_matches(&matches)).map_err(|error| {
        let error = tips::with_tips(error, Cli::definition(), &words);
        if error.use_stderr() {
            // Nobody is left to tell when standard error takes nothing.
            let _ = error.print();
            return ExitCode::from(EXIT_USAGE);
        }
        output::print(&error.render().to_string());
        output::failure()
            .map_or(ExitCode::SUCCESS, |source| without_output(source, ExitCode::SUCCESS))
    })
}

/// The code of a command whose results did not all reach standard output: never that of success. A
/// reader that went away needs no message.
fn without_output(source: &'static std::io::Error, code: ExitCode) -> ExitCode {
    if source.kind() != std::io::ErrorKind::BrokenPipe {
        print_error(&CliError::Output(source));
    }
    if code == ExitCode::SUCCESS { ExitCode::FAILURE } else { code }
}

/// The first Ctrl-C asks every stage to stop at a safe point; the second ends the process.
#[expect(clippy::print_stderr, reason = "the person who pressed Ctrl-C is told what happens")]
fn on_interrupt() {
    if CANCELLED.swap(true, Ordering::Relaxed) {
        std::process::exit(EXIT_INTERRUPTED.into());
    }
    eprintln!("\nstopping at the next safe point; press Ctrl-C again to end at once");
}

fn init_logging(quiet: bool) {
    let level = if quiet { LevelFilter::ERROR } else { LevelFilter::WARN };
    // What a decoder thinks of a file is said by our own messages, or is nobody's concern.
    let ours = Targets::new().with_default(level).with_target("symphonia", LevelFilter::OFF);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .event_format(Plain);
    tracing_subscriber::registry().with(lines.with_filter(ours)).init();
}

/// Events as the other messages are written.
struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> std::fmt::Result {
        let level = event.metadata().level();
        writer.write_str(if *level == tracing::Level::ERROR { "error: " } else { "warning: " })?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

#[expect(clippy::print_stderr, reason = "errors are for people and go to standard error")]
fn print_error(error: &CliError) {
    let text = output::message(&error.to_string());
    eprintln!("error: {text}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        eprintln!("  because: {}", output::message(&offkey_core::in_words(error)));
        cause = error.source();
    }
    if let Some(hint) = error.hint() {
        eprintln!("  hint: {}", output::message(&hint));
    }
}

fn exit_code(error: &CliError) -> u8 {
    match error.kind() {
        ErrorKind::Cancelled => EXIT_INTERRUPTED,
        ErrorKind::Usage => EXIT_USAGE,
        ErrorKind::Failed => 1,
    }
}
