//! A program started for each event; it reads the event as JSON on standard input.

use std::{
    io::Write,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::deliver::{Deliver, Failure};
use crate::store::OutboxRow;

/// How often a running program is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Starts a program.
pub(super) struct CommandSink {
    run: Vec<String>,
    within: Duration,
}

impl CommandSink {
    pub(super) fn new(run: Vec<String>, within: Duration) -> Self {
        Self { run, within }
    }
}

impl Deliver for CommandSink {
    fn deliver(&mut self, message: &OutboxRow) -> Result<(), Failure> {
        let (program, arguments) =
            self.run.split_first().ok_or_else(|| Failure::Never("no program".to_owned()))?;
        let later = |what: &str, error: std::io::Error| {
            Failure::Later(format!("`{program}` {what}: {error}"))
        };
        let mut child = Command::new(program)
            .args(arguments)
            .env("OFFKEY_EVENT_ID", &message.id)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| later("cannot be started", error))?;
        if let Some(mut input) = child.stdin.take() {
            // A program need not read it.
            let _ = input.write_all(message.message.as_bytes());
        }
        let until = Instant::now() + self.within;
        loop {
            match child.try_wait().map_err(|error| later("cannot be watched", error))? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => {
                    return Err(Failure::Later(format!("`{program}` failed ({status})")));
                }
                None if Instant::now() >= until => {
                    let _ = child.kill();
                    let _ = child.wait();
                    let within_s = self.within.as_secs_f64();
                    return Err(Failure::Later(format!(
                        "`{program}` took longer than {within_s} s"
                    )));
                }
                None => thread::sleep(LOOK),
            }
        }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str) -> Result<(), Failure> {
        let run = ["sh", "-c", script].map(str::to_owned).to_vec();
        let row = OutboxRow {
            id: "pump.1.1".to_owned(),
            sink: "script".to_owned(),
            made_ms: 0,
            message: "{\"kind\":\"alarm.began\"}".to_owned(),
        };
        CommandSink::new(run, Duration::from_millis(300)).deliver(&row)
    }

    #[test]
    fn a_program_reads_the_event_and_its_name() {
        assert_eq!(run("grep -q alarm.began && test $OFFKEY_EVENT_ID = pump.1.1"), Ok(()));
    }

    #[test]
    fn a_program_that_fails_or_hangs_is_tried_again() {
        assert!(matches!(run("exit 3"), Err(Failure::Later(why)) if why.contains('3')));
        assert!(matches!(run("exec sleep 60"), Err(Failure::Later(why)) if why.contains("longer")));
    }
}
