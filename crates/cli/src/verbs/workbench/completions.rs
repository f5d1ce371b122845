//! `offkey completions`: a script that completes the command line in a shell.

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use crate::output::print_raw;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  offkey completions bash")]
pub(crate) struct CompletionsArgs {
    /// Which shell
    pub(crate) shell: Shell,
}

pub(crate) fn completions(args: &CompletionsArgs, mut command: Command) {
    let mut script = Vec::new();
    generate(args.shell, &mut command, "offkey", &mut script);
    print_raw(&String::from_utf8_lossy(&script));
}
