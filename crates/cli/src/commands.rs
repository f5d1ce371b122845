//! Each verb: arguments as meant, one library call, the result printed.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::CommandFactory;
use offkey::{
    BUILT_IN, ClipScore, Compute, Detector, ExplainRequest, Metrics, OffkeyError, PlantRequest,
    Progress, Recipe, RiseConfig, RunMetrics, RunRequest, Seed, Seeds, SynthConfig,
};
use offkey_study::{BUILT_IN_STUDIES, StudyError, StudyFile, StudyRequest};
use serde::Serialize;

use crate::{
    args::{
        Cli, Command, DataCommand, DemoArgs, EvaluateArgs, ExplainArgs, InspectArgs, PlantArgs,
        RecipesArgs, ReportArgs, RunArgs, ScoreArgs, StudyArgs, SynthArgs,
    },
    error::CliError,
    monitor,
    progress::Bars,
    table,
};

/// Carries out one command line.
pub(crate) fn execute(cli: Cli) -> Result<ExitCode, CliError> {
    offkey::set_threads(cli.threads)?;
    let bars = Bars::new(cli.quiet);
    match cli.command {
        Command::Demo(args) => demo(&args, &bars)?,
        Command::Run(args) => run(args, &bars)?,
        Command::Train(args) => offkey::train(&args.run, args.resume, &bars)?,
        Command::Embed(args) => offkey::embed(&args.run, &bars)?,
        Command::Score(args) => score(&args, &bars)?,
        Command::Evaluate(args) => evaluate(&args, &bars)?,
        Command::Report(args) => report(&args, &bars)?,
        Command::Explain(args) => explain(&args, &bars)?,
        Command::Tsne(args) => print(&format!("{}\n", offkey::map(&args.run, &bars)?.display())),
        Command::Study(args) => study(&args, &bars)?,
        Command::Learn(args) => monitor::learn(&args, &bars)?,
        Command::Check(args) => return Ok(monitor::check(&args)?),
        Command::Watch(args) => return Ok(monitor::watch(&args, cli.quiet)?),
        Command::Info(args) => monitor::info(&args)?,
        Command::Selftest(args) => monitor::selftest(&args, &bars)?,
        Command::Update(args) => monitor::update(&args, &bars)?,
        Command::Recipes(args) => recipes(&args)?,
        Command::Data(DataCommand::Inspect(args)) => inspect(&args, &bars)?,
        Command::Data(DataCommand::Synth(args)) => synth(&args, &bars)?,
        Command::Data(DataCommand::Plant(args)) => plant(args, &bars)?,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "offkey", &mut io::stdout());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn demo(args: &DemoArgs, bars: &Bars) -> Result<(), OffkeyError> {
    let report = offkey::demo(&args.out, args.seed, args.existing.into(), bars)?;
    print(&table::run_metrics(&report.metrics));
    print(&format!(
        "\nrecordings: {}\neverything about the run: {}\n",
        report.data.display(),
        report.run.join("report.html").display()
    ));
    Ok(())
}

fn run(args: RunArgs, bars: &Bars) -> Result<(), OffkeyError> {
    let request = RunRequest {
        data: args.data,
        truth: args.truth,
        recipe: Recipe::load(&args.recipe, &args.set)?,
        out: args.out,
        existing: args.existing.into(),
        seeds: args.seeds.seeds.map_or(Seeds::One(args.seeds.seed), Seeds::Each),
        year: args.year,
        compute: Compute { device: args.device.into(), kernels: args.kernels.into() },
        skip_bad: args.skip_bad,
        cache_bytes: args.cache_mb << 20,
    };
    let metrics = offkey::run(&request, bars)?;
    print_run_metrics(&metrics, args.json);
    if !args.json {
        print(&format!(
            "\neverything about the run: {}\n",
            request.out.join("report.html").display()
        ));
    }
    Ok(())
}

fn score(args: &ScoreArgs, bars: &Bars) -> Result<(), OffkeyError> {
    if let (Some(embeddings), Some(rows)) = (&args.embeddings, &args.table) {
        let backend = offkey::load_backend(args.backend.as_deref().unwrap_or("k-means"))?;
        let metrics = offkey::score_embeddings(
            embeddings,
            rows,
            &backend,
            args.seed,
            args.out.as_deref(),
            bars,
        )?;
        print_metrics(&metrics, args.json);
        if !args.json {
            let last = args.out.as_ref().map_or_else(
                || "the scores of the clips are written where --out names a folder".to_owned(),
                |out| format!("scores, thresholds and decisions: {}", out.display()),
            );
            print(&format!("\n{last}\n"));
        }
        return Ok(());
    }
    let Some(model) = &args.model else {
        return args.inputs.iter().try_for_each(|run| offkey::score(run, bars));
    };
    let detector = Detector::load(model)?;
    let paths = offkey::recordings(&args.inputs)?;
    let mut scores = Vec::new();
    for path in &paths {
        let (machine, section) = (args.machine.as_deref(), args.section.as_deref());
        match detector.score(std::slice::from_ref(path), machine, section) {
            // One clip that cannot be used keeps no other from its score.
            Err(error @ (OffkeyError::Audio(_) | OffkeyError::UnknownSection { .. }))
                if paths.len() > 1 =>
            {
                bars.warn(&error.to_string());
            }
            scored => scores.extend(scored?),
        }
    }
    if args.json {
        print_json(&scores);
    } else {
        print_clip_scores(&scores);
    }
    let failed = paths.len() - scores.len();
    if failed > 0 {
        return Err(OffkeyError::Unscored { failed, total: paths.len() });
    }
    Ok(())
}

fn print_clip_scores(scores: &[ClipScore]) {
    let rows: Vec<Vec<String>> = scores
        .iter()
        .map(|clip| {
            vec![
                clip.path.display().to_string(),
                format!("{} {}", clip.machine, clip.section),
                format!("{:.4}", clip.score),
                format!("{:.4}", clip.threshold),
                if clip.decision { "anomalous" } else { "normal" }.to_owned(),
            ]
        })
        .collect();
    print(&table::render(&["clip", "compared with", "score", "threshold", "decision"], &rows));
}

fn evaluate(args: &EvaluateArgs, bars: &Bars) -> Result<(), OffkeyError> {
    match (&args.run, &args.scores) {
        (_, Some(scores)) => {
            let metrics = offkey::evaluate_scores(scores, args.truth.as_deref(), args.year)?;
            print_metrics(&metrics, args.json);
        }
        (Some(run), None) => {
            let metrics = offkey::evaluate(run, args.year, bars)?;
            print_run_metrics(&metrics, args.json);
        }
        (None, None) => {}
    }
    Ok(())
}

fn report(args: &ReportArgs, bars: &Bars) -> Result<(), OffkeyError> {
    let path = offkey::report(&args.run, args.masks, &args.against, bars)?;
    print(&format!("{}\n", path.display()));
    Ok(())
}

fn explain(args: &ExplainArgs, bars: &Bars) -> Result<(), OffkeyError> {
    let detector = Detector::load(&args.model)?;
    let paths = offkey::recordings(&args.clips)?;
    let request = ExplainRequest {
        machine: args.machine.clone(),
        section: args.section.clone(),
        rise: RiseConfig {
            time_cells: args.grid.0,
            frequency_cells: args.grid.1,
            keep: args.keep,
            masks: args.masks.get(),
            ..RiseConfig::default()
        },
        seed: Seed::new(args.seed),
        folder: args.out.clone().unwrap_or_else(|| args.model.join("explain")),
    };
    let mut explanations = Vec::new();
    for path in &paths {
        let explanation = match offkey::explain_clip(&detector, path, &request, bars) {
            // One clip that cannot be used keeps no other from its explanation.
            Err(error @ (OffkeyError::Audio(_) | OffkeyError::UnknownSection { .. }))
                if paths.len() > 1 =>
            {
                bars.warn(&error.to_string());
                continue;
            }
            other => other?,
        };
        if !args.json {
            print(&format!("{}\n", path.display()));
            for words in &explanation.words {
                print(&format!("  {words}\n"));
            }
            let sheet = explanation.folder.join("explanation.svg");
            print(&format!("  to look at: {}\n", sheet.display()));
        }
        explanations.push(explanation);
    }
    if args.json {
        print_json(&explanations);
    }
    let failed = paths.len() - explanations.len();
    if failed > 0 {
        return Err(OffkeyError::Unexplained { failed, total: paths.len() });
    }
    Ok(())
}

fn study(args: &StudyArgs, bars: &Bars) -> Result<(), CliError> {
    let Some(name) = args.study.as_ref().filter(|_| !args.list) else {
        let mut rows = Vec::new();
        for study in BUILT_IN_STUDIES {
            let question = StudyFile::load(study.name).map_err(StudyError::from)?.question;
            rows.push(vec![format!("{:<16}{question}", study.name)]);
        }
        print(&table::render(&["study           what it asks"], &rows));
        return Ok(());
    };
    let mut study = StudyFile::load(name).map_err(StudyError::from)?;
    if let Some(trials) = args.trials {
        study.set_trials(trials);
    }
    study.set.extend_from_slice(&args.set);
    let plan = offkey_study::plan(&study, &args.data).map_err(StudyError::from)?;
    if args.dry_run {
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
    let Some(out) = &args.out else { return Err(CliError::NoOutput { what: "study" }) };
    let request = StudyRequest {
        study,
        data: args.data.clone(),
        out: out.clone(),
        compute: Compute::default(),
        cache_bytes: args.cache_mb << 20,
    };
    let outcome = offkey_study::run_study(&request, bars);
    if matches!(outcome, Ok(_) | Err(StudyError::Untrained { .. })) {
        print(&std::fs::read_to_string(out.join("tables.md")).unwrap_or_default());
    }
    outcome?;
    Ok(())
}

fn recipes(args: &RecipesArgs) -> Result<(), OffkeyError> {
    if let Some(name) = &args.name {
        let recipe = Recipe::load(name, &[])?;
        if args.json {
            print_json(&recipe);
        } else {
            print(&recipe.to_toml());
        }
        return Ok(());
    }
    if args.json {
        let recipes: Result<Vec<Recipe>, _> =
            BUILT_IN.iter().map(|built_in| Recipe::load(built_in.name, &[])).collect();
        print_json(&recipes?);
        return Ok(());
    }
    let mut rows = Vec::new();
    for built_in in BUILT_IN {
        rows.push(vec![format!(
            "{:<24}{}",
            built_in.name,
            Recipe::load(built_in.name, &[])?.description
        )]);
    }
    print(&table::render(&["recipe                  what it is for"], &rows));
    Ok(())
}

fn inspect(args: &InspectArgs, bars: &Bars) -> Result<(), OffkeyError> {
    let inspection = offkey::inspect(&args.data, &args.truth, bars)?;
    if args.json {
        print_json(&inspection);
        return Ok(());
    }
    let word = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let rows: Vec<Vec<String>> = inspection
        .groups
        .iter()
        .map(|group| {
            vec![
                format!("{} {}", group.machine, group.section),
                word(group.split.map(|s| s.to_string())),
                word(group.domain.map(|d| d.to_string())),
                word(group.label.map(|l| l.to_string())),
                group.clips.to_string(),
                group.attributes.to_string(),
            ]
        })
        .collect();
    print(&table::render(
        &["machine, section", "split", "domain", "label", "clips", "attributes"],
        &rows,
    ));
    let list = |counts: Vec<String>| counts.join(", ");
    let rates = inspection.rates_hz.iter().map(|(rate, clips)| format!("{rate} Hz ({clips})"));
    let channels = inspection.channels.iter().map(|(count, clips)| format!("{count} ({clips})"));
    let lengths = inspection.clip_s.map_or_else(String::new, |[shortest, median, longest]| {
        format!(", each {shortest:.1}-{longest:.1} s, median {median:.1} s")
    });
    let year = inspection.year.map(|year| format!(", year {year}")).unwrap_or_default();
    print(&format!(
        "\n{} clips, {:.2} hours{lengths}\nlayout: {:?}{year}\nsampling rates: {}\nchannels: {}\n",
        inspection.clips,
        inspection.hours,
        inspection.layout,
        list(rates.collect()),
        list(channels.collect()),
    ));
    if inspection.problems.is_empty() {
        print("no problems\n");
        return Ok(());
    }
    print(&format!("\n{} problems:\n", inspection.problems.len()));
    for problem in &inspection.problems {
        print(&format!("  {}\n", problem.message));
    }
    Ok(())
}

fn synth(args: &SynthArgs, bars: &Bars) -> Result<(), OffkeyError> {
    let defaults = SynthConfig::default();
    let config = SynthConfig {
        machines: args.machines,
        sections: args.sections,
        clips: args.clips,
        hours: args.hours,
        snr_db: args.snr.unwrap_or(defaults.snr_db),
        clip_s: args.clip_s,
        seed: args.seed,
        ..defaults
    };
    let report = offkey::synthesize(&config, &args.out, bars)?;
    print(&format!(
        "{} training and {} test clips in {}\n",
        report.train_clips,
        report.test_clips,
        args.out.display()
    ));
    Ok(())
}

fn plant(args: PlantArgs, bars: &Bars) -> Result<(), OffkeyError> {
    let PlantArgs { data, out, level, holdout, seed } = args;
    let request = PlantRequest { data, out, level_db: level, holdout, seed };
    let report = offkey::plant_faults(&request, bars)?;
    print(&format!(
        "{} clips to train on, {} held out, each with and without a fault; now: offkey run --data {} --recipe NAME --out RUN\n",
        report.training,
        report.held_out,
        report.manifest.display()
    ));
    Ok(())
}

fn print_run_metrics(metrics: &RunMetrics, json: bool) {
    if json { print_json(metrics) } else { print(&table::run_metrics(metrics)) }
}

fn print_metrics(metrics: &Metrics, json: bool) {
    if json { print_json(metrics) } else { print(&table::metrics(metrics)) }
}

pub(crate) fn print_json<T: Serialize>(value: &T) {
    let text =
        serde_json::to_string_pretty(value).expect("results have string keys and finite numbers");
    print(&(text + "\n"));
}

/// Writes to standard output; a closed pipe ends the process quietly, as it does other tools.
pub(crate) fn print(text: &str) {
    if io::stdout().write_all(text.as_bytes()).is_err() {
        std::process::exit(0);
    }
}
