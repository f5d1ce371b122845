//! `offkey study`: a question, many trials, one table.

use std::path::PathBuf;

use clap::Args;
use offkey::Compute;
use offkey_study::{BUILT_IN_STUDIES, Shard, StudyError, StudyFile, StudyRequest};

use super::WorkbenchError;
use super::tables;
use crate::{error::CliError, output::print, progress::Bars};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  offkey study losses --dry-run\n  offkey study losses --out STUDY --trials 3 --data synthetic=DATA\n  offkey study losses --out STUDY --shard 3/8"
)]
pub(crate) struct StudyArgs {
    /// A built-in study's name, or a TOML file
    #[arg(required_unless_present = "list")]
    pub(crate) study: Option<String>,
    /// List the built-in studies
    #[arg(long)]
    pub(crate) list: bool,
    /// Say what would run and how long it takes; needs no data
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Where models, results and tables go; what is there is not run again
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Bind a data set, or the recordings of noise a study names: a folder or manifest; `{trial}` in it
    /// becomes the trial's number
    #[arg(long, value_name = "NAME=PATH")]
    pub(crate) data: Vec<String>,
    /// Trials of each cell, instead of the study's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) trials: Option<u64>,
    /// Change one value of the recipe that cells start from, as in
    /// `model.network.training.length={steps=500}`; what a level sets stays
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Run only share K of N, where several machines work on the study. The same command without it joins
    /// the results
    #[arg(long, value_name = "K/N")]
    pub(crate) shard: Option<Shard>,
    /// Memory for decoded recordings, in megabytes
    #[arg(long, value_name = "MB", default_value_t = offkey::DEFAULT_CACHE_BYTES >> 20)]
    pub(crate) cache_mb: u64,
}

pub(crate) fn study(args: &StudyArgs, bars: &Bars) -> Result<(), CliError> {
    let Some(name) = args.study.as_ref().filter(|_| !args.list) else {
        let mut rows = Vec::new();
        for study in BUILT_IN_STUDIES {
            let question = StudyFile::load(study.name)?.question;
            rows.push(vec![format!("{:<16}{question}", study.name)]);
        }
        print(&tables::render(&["study           what it asks"], &rows));
        return Ok(());
    };
    let mut study = StudyFile::load(name)?;
    if let Some(trials) = args.trials {
        study.set_trials(trials);
    }
    study.set.extend_from_slice(&args.set);
    if args.dry_run {
        let plan = offkey_study::plan(&study, &args.data)?;
        let plan = match args.shard {
            Some(shard) => plan.share(shard),
            None => plan,
        };
        for job in &plan.jobs {
            print(&format!("{job}\n"));
        }
        print(&format!(
            "\n{} jobs, {} trainings, about {:.0} minutes on two cores\n",
            plan.jobs.len(),
            plan.trainings,
            (plan.expected_s / 60.0).ceil()
        ));
        return Ok(());
    }
    let Some(out) = &args.out else {
        return Err(WorkbenchError::NoOutput { what: "study" }.into());
    };
    let request = StudyRequest {
        study,
        data: args.data.clone(),
        out: out.clone(),
        compute: Compute::default(),
        cache_bytes: args.cache_mb << 20,
        shard: args.shard,
    };
    let outcome = offkey_study::run_study(&request, bars);
    if let Some(shard) = args.shard {
        let jobs = offkey::counted(outcome?.jobs.len(), "job");
        print(&format!(
            "share {shard} is done: {jobs}; the same command without --shard joins all shares\n"
        ));
        return Ok(());
    }
    if matches!(outcome, Ok(_) | Err(StudyError::Untrained { .. })) {
        print(&std::fs::read_to_string(out.join("tables.md")).unwrap_or_default());
    }
    outcome?;
    Ok(())
}
