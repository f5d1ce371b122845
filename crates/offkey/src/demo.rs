//! The whole tour on synthetic machines: no recordings needed.

use std::path::{Path, PathBuf};

use offkey_synth::{SynthConfig, SynthError};

use crate::{
    Existing, FolderError, OffkeyError, Progress, Recipe, RunMetrics, RunRequest, Seeds, Stage, run,
};

/// Where a demo left its files, and how it went.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::path::Path;
///
/// use offkey::{Existing, Silent, demo};
///
/// let report = demo(Path::new("tour"), 0, Existing::Refuse, &Silent)?; // some minutes
/// println!("AUC {:?}, page in {}", report.metrics.metrics.auc, report.run.display());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct DemoReport {
    /// The synthetic recordings.
    pub data: PathBuf,
    /// The run.
    pub run: PathBuf,
    /// Its metrics.
    pub metrics: RunMetrics,
}

/// Training clips per section of the demo: enough to learn from, little enough for four minutes on
/// two cores.
const DEMO_CLIPS: usize = 80;
/// The demo's machines stand a little closer to the microphone than the generator's default, so that
/// its smallest encoder has something to find.
const DEMO_SNR_DB: f64 = 10.0;

/// Makes synthetic recordings in `out/data`, and trains, scores, evaluates and reports in `out/run`.
///
/// # Errors
/// [`FolderError::Exists`] when there is a demo already and `existing` refuses, else whatever
/// keeps a stage from its work.
pub fn demo(
    out: &Path,
    seed: u64,
    existing: Existing,
    progress: &dyn Progress,
) -> Result<DemoReport, OffkeyError> {
    let (data, run_folder) = (out.join("data"), out.join("run"));
    if existing == Existing::Refuse && run_folder.exists() {
        return Err(FolderError::Exists { path: run_folder }.into());
    }
    let config =
        SynthConfig { clips: DEMO_CLIPS, snr_db: DEMO_SNR_DB, seed, ..SynthConfig::default() };
    synthesize(&config, &data, progress)?;
    let recipe = Recipe::load("tiny", &[])?;
    let request = RunRequest {
        existing,
        seeds: Seeds::One(seed),
        ..RunRequest::new(vec![data.clone()], recipe, run_folder.clone())
    };
    let metrics = run::run(&request, progress)?;
    Ok(DemoReport { data, run: run_folder, metrics })
}

/// Makes a synthetic data set in the challenge's layout.
///
/// # Errors
/// [`OffkeyError::Synth`] when settings do not fit or the folder cannot be written,
/// [`OffkeyError::Unfinished`] when the caller asks to stop.
pub fn synthesize(
    config: &SynthConfig,
    out: &Path,
    progress: &dyn Progress,
) -> Result<offkey_synth::SynthReport, OffkeyError> {
    progress.begin(Stage::Synthesize, config.total_clips() as u64, "clips");
    let go_on = |done: usize| {
        progress.advance(done as u64, "");
        !progress.cancelled()
    };
    let report = match offkey_synth::generate(config, out, &go_on) {
        Err(SynthError::Cancelled { .. }) => {
            return Err(OffkeyError::Unfinished { folder: out.to_owned() });
        }
        other => other?,
    };
    progress.end();
    Ok(report)
}
