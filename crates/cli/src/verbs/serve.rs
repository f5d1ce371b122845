//! `offkey serve` and `offkey history`: the program `offkey-serve` beside this one does the work, so that this
//! one needs neither a server nor a database.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use clap::Args;

use crate::error::CliError;

pub(crate) const SERVE_EXAMPLES: &str = "\
Examples:
  offkey serve --init
  offkey serve --check offkey.toml
  offkey serve offkey.toml";

pub(crate) const HISTORY_EXAMPLES: &str = "\
Example:
  offkey history offkey.toml --help";

/// Everything after the verb goes to the program.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct ServeArgs {
    /// Arguments of `offkey-serve`: a configuration, `--check FILE`, `--init`, or `--help`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    pub(crate) arguments: Vec<String>,
}

pub(crate) fn serve(args: &ServeArgs) -> Result<ExitCode, CliError> {
    hand_over(&[], args)
}

pub(crate) fn history(args: &ServeArgs) -> Result<ExitCode, CliError> {
    hand_over(&["history"], args)
}

fn hand_over(first: &[&str], args: &ServeArgs) -> Result<ExitCode, CliError> {
    let path = program();
    let mut command = Command::new(&path);
    command.args(first).args(&args.arguments);
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => CliError::NoService { path: path.clone() },
        _ => CliError::Service { path: path.clone(), source },
    };
    run(command).map_err(failed)
}

/// The program beside this one.
fn program() -> PathBuf {
    let name = format!("offkey-serve{}", env::consts::EXE_SUFFIX);
    let own = env::current_exe().unwrap_or_default();
    own.parent().unwrap_or(Path::new("")).join(name)
}

/// Becomes the program: signals reach it, and its exit code is ours.
#[cfg(unix)]
fn run(mut command: Command) -> io::Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    Err(command.exec())
}

#[cfg(not(unix))]
fn run(mut command: Command) -> io::Result<ExitCode> {
    let code = command.status()?.code().unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}
