//! `offkey score`: the scores of a run, of single clips, or of any embeddings.

use std::path::PathBuf;

use clap::Args;
use offkey::{
    ClipScore, Compute, DetectError, ErrorKind, Loaded, OffkeyError, Progress, with_causes,
};

use super::{
    WorkbenchError,
    shared::{DetectorArgs, print_metrics},
    tables,
};
use crate::{
    error::CliError,
    output::{print, print_json},
    progress::Bars,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  offkey score RUN\n  offkey score CLIP.wav --run RUN --machine fan --section 00\n  offkey score CLIP.wav --model pump.offkey\n  offkey score --embeddings VECTORS.npy --table ROWS.csv --backend knn"
)]
pub(crate) struct ScoreArgs {
    /// A run's folder; or clips, or folders of them, to score with --run or --model
    #[arg(value_name = "RUN|CLIP", required_unless_present = "embeddings")]
    pub(crate) inputs: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) detector: DetectorArgs,
    /// The clips' machine, where the run has several and the names do not say
    #[arg(long, requires = "detector")]
    pub(crate) machine: Option<String>,
    /// The clips' section, likewise
    #[arg(long, requires = "detector")]
    pub(crate) section: Option<String>,
    /// Score these vectors: float32 `.npy`, one row per clip
    #[arg(long, value_name = "FILE.npy", requires = "table", conflicts_with_all = ["inputs", "detector"])]
    pub(crate) embeddings: Option<PathBuf>,
    /// The clips of the vectors, as a manifest CSV in the same order
    #[arg(long, value_name = "ROWS.csv", requires = "embeddings")]
    pub(crate) table: Option<PathBuf>,
    /// Backend: a name for its defaults, or a TOML file with a [backend] table
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) backend: Option<String>,
    /// Where to write the scores
    #[arg(short, long, value_name = "DIR", requires = "embeddings")]
    pub(crate) out: Option<PathBuf>,
    /// Seed of the backend
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn score(args: &ScoreArgs, bars: &Bars) -> Result<(), CliError> {
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
    let Some(path) = args.detector.path() else {
        return Ok(args.inputs.iter().try_for_each(|run| offkey::score(run, bars))?);
    };
    let detector = Loaded::open(path, Compute::default())?;
    let paths = offkey::recordings(&args.inputs)?;
    let mut scores = Vec::new();
    for path in &paths {
        if let Ok(Some(note)) = detector.about_rate(path) {
            bars.warn(&note);
        }
        let (machine, section) = (args.machine.as_deref(), args.section.as_deref());
        match detector.score_until(path, (machine, section), &|| bars.cancelled()) {
            Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error.into()),
            // One clip that cannot be used keeps no other from its score.
            Err(
                error @ (OffkeyError::Audio(_)
                | OffkeyError::Monitor(_)
                | OffkeyError::Detect(DetectError::UnknownSection { .. })),
            ) if paths.len() > 1 => {
                bars.warn(&with_causes(&error));
            }
            scored => scores.push(scored?),
        }
    }
    if args.json {
        print_json(&scores);
    } else {
        print_clip_scores(&scores);
    }
    let failed = paths.len() - scores.len();
    if failed > 0 {
        return Err(WorkbenchError::Some { failed, total: paths.len(), done: "scored" }.into());
    }
    Ok(())
}

fn print_clip_scores(scores: &[ClipScore]) {
    let joined = scores.iter().any(|clip| clip.raised_by.is_some());
    let rows: Vec<Vec<String>> = scores
        .iter()
        .map(|clip| {
            let mut cells = vec![
                clip.path.display().to_string(),
                format!("{} {}", clip.machine, clip.section).trim_end().to_owned(),
                format!("{:.4}", clip.score),
                format!("{:.4}", clip.threshold),
                if clip.decision { "anomalous" } else { "normal" }.to_owned(),
                tables::rate(clip.expected_false_alarms),
            ];
            if joined {
                cells.push(clip.raised_by.clone().unwrap_or_default());
            }
            cells
        })
        .collect();
    let mut header =
        vec!["clip", "compared with", "score", "threshold", "decision", "false alarms"];
    if joined {
        header.push("raised by");
    }
    print(&tables::render(&header, &rows));
    if scores.iter().any(|clip| clip.expected_false_alarms.is_none()) {
        print(
            "false alarms: not known where the threshold comes from recordings the model was trained on\n",
        );
    }
}
