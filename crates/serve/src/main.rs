//! The program: arguments, signals, exit codes.

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use offkey_core::with_causes;

use offkey_serve::{
    config::STARTER,
    fleet::{self, FleetVerb},
    history::{self, Question},
    prepare::{self, ServiceError},
    service::Service,
    system,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Watches many machines for years: sound in, alarms out.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Args)]
struct Serve {
    /// The configuration.
    #[arg(required_unless_present = "init")]
    config: Option<PathBuf>,
    /// Check the configuration and tell everything wrong with it.
    #[arg(long)]
    check: bool,
    /// Print a commented configuration that starts as it is.
    #[arg(long, conflicts_with_all = ["check", "config"])]
    init: bool,
}

#[derive(Subcommand)]
enum Verb {
    /// Ask the store: windows, events, or a question in SQL; as CSV.
    History(HistoryArguments),
    /// Models for many computers: keys, versions, plans, and how all computers fare.
    #[command(subcommand)]
    Fleet(FleetVerb),
    /// Print the map of Modbus registers of a configuration, as CSV.
    Registers {
        /// The configuration.
        config: PathBuf,
    },
}

#[derive(Args)]
struct HistoryArguments {
    /// The store's folder, or the configuration.
    store: PathBuf,
    /// Only this machine.
    #[arg(long)]
    machine: Option<String>,
    /// Events instead of windows.
    #[arg(long)]
    events: bool,
    /// From this time on, as in `2026-11-28T06:00:00Z` or `2026-11-28`.
    #[arg(long)]
    from: Option<String>,
    /// Up to this time.
    #[arg(long)]
    to: Option<String>,
    /// A question in SQL; it cannot write.
    #[arg(long, conflicts_with_all = ["machine", "events", "from", "to"])]
    sql: Option<String>,
}

/// Wrong usage or configuration.
const WRONG: u8 = 2;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    let arguments = Arguments::parse();
    match arguments.verb {
        Some(Verb::History(asked)) => return tell_history(asked),
        Some(Verb::Fleet(verb)) => return tell_fleet(verb),
        Some(Verb::Registers { config }) => return tell_registers(&config),
        None => {}
    }
    if arguments.serve.init {
        return write_out(STARTER);
    }
    let Some(path) = arguments.serve.config else { return ExitCode::from(WRONG) };
    let done = if arguments.serve.check {
        prepare::check(&path).map(|said| {
            write_out(&(said.join("\n") + "\n"));
        })
    } else {
        serve(&path)
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            if let Some(hint) = error.hint() {
                let _ = writeln!(std::io::stderr().lock(), "  hint: {hint}");
            }
            match error {
                ServiceError::Config { .. }
                | ServiceError::Read { .. }
                | ServiceError::Unready { .. } => ExitCode::from(WRONG),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

#[tokio::main(worker_threads = 2)]
async fn serve(path: &Path) -> Result<(), ServiceError> {
    // Loading many models takes its time: a signal that comes meanwhile must not end the program.
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut service = Service::start(path)?;
    let (stop, stopped) = watch::channel(false);
    let (address, pages) = service.pages(stopped)?;
    tracing::info!("listening on {address}");
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    system::ready();
    loop {
        tokio::select! {
            _ = hang_up.recv() => match tokio::task::block_in_place(|| service.reload()) {
                Ok(()) => tracing::info!("the configuration was read again"),
                Err(error) => tracing::error!("everything goes on as before: {}", with_causes(&error)),
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    system::stopping();
    stop.send_replace(true);
    let _ = pages.await;
    service.stop().await;
    Ok(())
}

fn tell_history(asked: HistoryArguments) -> ExitCode {
    let HistoryArguments { store, machine, events, from, to, sql } = asked;
    let question = match sql {
        Some(sql) => Question::Sql(sql),
        None => Question::Rows { machine, events, from, to },
    };
    match history::answer(&store, &question) {
        Ok(text) => write_out(&text),
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn tell_fleet(verb: FleetVerb) -> ExitCode {
    match fleet::run(verb) {
        Ok(said) => write_out(&said),
        Err(why) => {
            let _ = writeln!(std::io::stderr().lock(), "error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn tell_registers(path: &Path) -> ExitCode {
    match prepare::registers(path) {
        Ok(map) => write_out(&map),
        Err(error) => {
            complain(&error);
            ExitCode::from(WRONG)
        }
    }
}

fn write_out(text: &str) -> ExitCode {
    // A reader that went away has read enough.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn complain(error: &(dyn std::error::Error + 'static)) {
    let _ = writeln!(std::io::stderr().lock(), "error: {}", with_causes(error));
}
