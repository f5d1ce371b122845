//! From normal recordings to a monitor: windows, an auxiliary task that works, training,
//! calibration on whole recordings that training never saw.

mod selftest;
mod split;
mod task;

use std::path::PathBuf;

use ndarray::Array2;
use offkey_core::{Clip, Seed};
use offkey_infer::Compute;
use offkey_train::{TrainJob, load_encoder};

use offkey_monitor::{
    FalseAlarmRate, Monitor, MonitorArrays, MonitorCard, Profile, Promise, WindowRow, WindowRule,
    WindowSource, hear,
};

pub use self::selftest::self_test;
use self::{
    split::{Found, Sides, find, split},
    task::Task,
};
use crate::{
    ModelConfig, OffkeyError, Progress, Recipe, Stage, progress::steps, stage::TrainProgress,
};

/// Everything asked of learning.
#[derive(Debug, Clone)]
pub struct LearnRequest {
    /// Folders or manifests of normal recordings.
    pub data: Vec<PathBuf>,
    /// What the machine is called.
    pub name: String,
    /// How often it may cry wolf; none: as rarely as the recordings support.
    pub false_alarms: Option<FalseAlarmRate>,
    /// Seconds between the starts of windows.
    pub every_s: f64,
    /// The recipe; its model must be a network.
    pub recipe: Recipe,
    /// Seed of everything random.
    pub seed: u64,
    /// Where to compute.
    pub compute: Compute,
}

/// What learning found out, beside the monitor.
#[derive(Debug, Clone, PartialEq)]
pub struct LearnReport {
    /// Windows trained on, from so many recordings.
    pub training: (usize, usize),
    /// Windows held out for calibration, from so many recordings.
    pub calibration: (usize, usize),
    /// Whether those are recordings that training never saw; else they are the last parts of the
    /// same recordings, since there were too few.
    pub held_out_whole: bool,
    /// How the auxiliary task was made.
    pub task: String,
    /// Recordings that look odd among the others, with how many times as far they lie as is usual.
    pub odd: Vec<(PathBuf, f64)>,
    /// Recordings left out in whole or in part, with the reason.
    pub left_out: Vec<(PathBuf, String)>,
}

/// Held-out windows kept as sound for the self-test.
const KEPT_SOUNDS: usize = 6;

/// Learns a monitor from normal recordings.
///
/// # Errors
/// [`OffkeyError::TooFewWindows`] when there is too little to learn from and to calibrate on, or
/// whatever keeps a stage from its work.
pub fn learn(
    request: &LearnRequest,
    progress: &dyn Progress,
) -> Result<(Monitor, LearnReport), OffkeyError> {
    let ModelConfig::Network(network) = &request.recipe.model else {
        return Err(OffkeyError::NotANetwork { recipe: request.recipe.name.clone() });
    };
    let rule = WindowRule {
        channel: request.recipe.audio.channel.unwrap_or_default(),
        rate_hz: network.encoder.rate_hz,
        samples: network.encoder.clip_samples(),
        hop: (request.every_s * f64::from(network.encoder.rate_hz)).round().max(1.0) as usize,
    };
    let seed = Seed::new(request.seed);
    let Found { recordings, left_out } = find(&request.data, rule, progress)?;
    let Sides { training, calibration, whole } = split(&recordings, seed);
    if training.len() < 2 || calibration.is_empty() {
        return Err(OffkeyError::TooFewWindows {
            found: training.len() + calibration.len(),
            recordings: recordings.len(),
            left_out,
        });
    }
    let scratch = tempfile::tempdir().map_err(OffkeyError::io(&std::env::temp_dir()))?;
    let Task { labels, windows, explanation } =
        task::choose(rule, &training, &network.task, seed, scratch.path(), progress)?;

    let source = WindowSource { rule, windows };
    let folder = scratch.path().join("model");
    let job = TrainJob {
        source: &source,
        labels: &labels,
        held_out: None,
        encoder: &network.encoder,
        loss: &network.loss,
        train: &network.training,
        seed: seed.child("train"),
        compute: request.compute,
        folder: &folder,
        resume: false,
    };
    let report =
        offkey_train::train(&job, &mut TrainProgress::new(progress)).map_err(OffkeyError::embed)?;
    progress.end();
    if !report.finished {
        return Err(OffkeyError::Cancelled { run: PathBuf::new() });
    }
    let encoder = load_encoder(&folder, request.compute).map_err(OffkeyError::embed)?;
    let step = steps(progress, Stage::Embed, "windows");
    let learned = hear(&encoder, &window_source(rule, &training), &step)?;
    let held_out = hear(&encoder, &window_source(rule, &calibration), &step)?;
    progress.end();
    let profile = Profile::new(rule.rate_hz, &learned.levels, learned.spectrum_rows())
        .widened(&held_out.levels, held_out.spectrum_rows());
    let count = |rows: &[(WindowRow, Clip)]| {
        let groups: std::collections::BTreeSet<&str> =
            rows.iter().map(|(row, _)| row.group.as_str()).collect();
        (rows.len(), groups.len())
    };
    let (windows, held_out_recordings) = count(&calibration);
    let others = match (whole, recordings.len()) {
        (true, _) => held_out_recordings,
        (false, 1) => 1,
        (false, _) => 0,
    };
    let promise = Promise::new(request.false_alarms, request.every_s, windows, others);
    let rows = |pairs: &[(WindowRow, Clip)]| pairs.iter().map(|(row, _)| row.clone()).collect();
    let mut rates_hz: Vec<u32> = recordings.iter().map(|recording| recording.rate_hz).collect();
    rates_hz.sort_unstable();
    rates_hz.dedup();
    let card = MonitorCard {
        name: request.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seed: request.seed,
        recipe: serde_json::to_value(&request.recipe).map_err(OffkeyError::json(&folder))?,
        windows: rule,
        rates_hz,
        task: explanation.clone(),
        promise,
        profile,
        references: rows(&training),
        calibration: rows(&calibration),
        journal: Vec::new(),
    };
    let arrays = MonitorArrays {
        references: learned.embeddings,
        reference_spectra: learned.spectra,
        calibration: held_out.embeddings,
        calibration_spectra: held_out.spectra,
        sounds: kept_sounds(rule, &calibration)?,
    };
    let monitor = Monitor::new(card, arrays, encoder)?;
    let report = LearnReport {
        training: count(&training),
        calibration: (windows, held_out_recordings),
        held_out_whole: whole,
        task: explanation,
        odd: monitor.odd_recordings(),
        left_out,
    };
    Ok((monitor, report))
}

fn window_source(rule: WindowRule, rows: &[(WindowRow, Clip)]) -> WindowSource {
    WindowSource { rule, windows: rows.iter().map(|(row, _)| row.window.clone()).collect() }
}

/// A few held-out windows, spread over the recordings.
fn kept_sounds(rule: WindowRule, rows: &[(WindowRow, Clip)]) -> Result<Array2<f32>, OffkeyError> {
    let source = window_source(rule, rows);
    let kept = rows.len().min(KEPT_SOUNDS);
    let mut sounds = Array2::zeros((kept, rule.samples));
    for (row, mut sound) in sounds.rows_mut().into_iter().enumerate() {
        let window = source.samples(row * rows.len() / kept)?;
        sound.assign(&ndarray::ArrayView1::from(&window));
    }
    Ok(sounds)
}
