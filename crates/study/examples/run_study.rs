//! Runs a study without the command line, for whoever embeds studies in a program of their own:
//!
//! ```text
//! cargo run --release -p offkey-study --example run_study -- compactness OUT 'mimii_dev=DATA/mimii_dev/fold_{trial}.csv'
//! ```

#![expect(clippy::print_stdout, reason = "a program prints")]

use std::{error::Error, path::PathBuf};

use offkey::{Compute, DEFAULT_CACHE_BYTES, Progress, Stage};
use offkey_study::{StudyFile, StudyRequest, run_study};

/// Prints what comes next, and warnings.
struct Lines;

impl Progress for Lines {
    fn begin(&self, _stage: Stage, _total: u64, _unit: &str) {}
    fn advance(&self, _done: u64, _note: &str) {}
    fn end(&self) {}
    fn note(&self, message: &str) {
        println!("{message}");
    }
    fn warn(&self, message: &str) {
        println!("warning: {message}");
    }
    fn cancelled(&self) -> bool {
        false
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [study, out, data @ ..] = words.as_slice() else {
        return Err("usage: STUDY OUT [NAME=PATH]...".into());
    };
    let request = StudyRequest {
        study: StudyFile::load(study)?,
        data: data.to_vec(),
        out: PathBuf::from(out),
        compute: Compute::default(),
        cache_bytes: DEFAULT_CACHE_BYTES,
        shard: None,
    };
    run_study(&request, &Lines)?;
    println!("{}", std::fs::read_to_string(request.out.join("tables.md"))?);
    Ok(())
}
