//! From normal recordings to a monitor: windows, an auxiliary task that works, training,
//! calibration on whole recordings that training never saw.

use std::{collections::BTreeMap, path::PathBuf};

use ndarray::Array2;
use offkey_core::{Clip, Condition, Dataset, Seed};
use offkey_embed::{Compute, Encoder, TrainJob};
use offkey_signal::{AudioError, probe};

use super::{
    hearing::{Heard, hear},
    model::{Monitor, MonitorArrays, MonitorCard, WindowRow},
    profile::Profile,
    promise::{FalseAlarmRate, Promise},
    task::{self, Task},
    windows::{WindowRef, WindowRule, WindowSource},
};
use crate::{ModelConfig, OffkeyError, Progress, Recipe, stage::TrainProgress};

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
    /// How the auxiliary task was made.
    pub task: String,
    /// Recordings that look odd among the others, with how odd: deviations above the usual score.
    pub odd: Vec<(PathBuf, f64)>,
    /// Recordings left out, with the reason.
    pub left_out: Vec<(PathBuf, String)>,
}

/// Share of the recordings held out for calibration.
const HELD_OUT: f64 = 0.3;
/// Held-out windows kept as sound for the self-test.
const KEPT_SOUNDS: usize = 6;
/// Robust deviations above the median from which on a training recording is called odd.
const ODD: f64 = 6.0;

/// A usable recording.
struct Recording {
    clip: Clip,
    rate_hz: u32,
    starts: Vec<u64>,
}

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
        channel: request.recipe.audio.channel,
        rate_hz: network.encoder.rate_hz,
        samples: network.encoder.clip_samples(),
        hop: (request.every_s * f64::from(network.encoder.rate_hz)).round().max(1.0) as usize,
    };
    let seed = Seed::new(request.seed);
    let (recordings, left_out) = find(request, rule)?;
    let (training, calibration) = split(&recordings, seed);
    if training.len() < 2 || calibration.is_empty() {
        return Err(OffkeyError::TooFewWindows {
            found: training.len() + calibration.len(),
            recordings: recordings.len(),
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
        offkey_embed::train(&job, &mut TrainProgress::new(progress)).map_err(OffkeyError::embed)?;
    progress.end();
    if !report.finished {
        return Err(OffkeyError::Cancelled { run: PathBuf::new() });
    }
    let encoder = Encoder::load(&folder, request.compute).map_err(OffkeyError::embed)?;
    let Heard { embeddings: references, spectra: reference_spectra, levels } =
        hear(&encoder, &window_source(rule, &training), progress)?;
    let held_out = hear(&encoder, &window_source(rule, &calibration), progress)?;
    let rows = reference_spectra.rows().into_iter();
    let rows: Vec<&[f32]> = rows.filter_map(|row| row.to_slice()).collect();
    let profile = Profile::new(rule.rate_hz, &levels, rows.iter().copied());
    let count = |rows: &[(WindowRow, Clip)]| {
        let groups: std::collections::BTreeSet<&str> =
            rows.iter().map(|(row, _)| row.group.as_str()).collect();
        (rows.len(), groups.len())
    };
    let (windows, held_out_recordings) = count(&calibration);
    let single = count(&training).1 == 1 && recordings.len() == 1;
    let promise = Promise::new(
        request.false_alarms,
        request.every_s,
        windows,
        if single { 1 } else { held_out_recordings },
    );
    let rows = |pairs: &[(WindowRow, Clip)]| pairs.iter().map(|(row, _)| row.clone()).collect();
    let mut rates_hz: Vec<u32> = recordings.iter().map(|recording| recording.rate_hz).collect();
    rates_hz.sort_unstable();
    rates_hz.dedup();
    let card = MonitorCard {
        name: request.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seed: request.seed,
        recipe: request.recipe.clone(),
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
        references,
        reference_spectra,
        calibration: held_out.embeddings,
        calibration_spectra: held_out.spectra,
        sounds: kept_sounds(rule, &calibration)?,
    };
    let odd = odd_recordings(&card, &arrays)?;
    let report = LearnReport {
        training: count(&training),
        calibration: (windows, held_out_recordings),
        task: explanation,
        odd,
        left_out,
    };
    Ok((Monitor::new(card, arrays, encoder)?, report))
}

/// Recordings that could be used, and those that could not, with the reason.
type Found = (Vec<Recording>, Vec<(PathBuf, String)>);

fn find(request: &LearnRequest, rule: WindowRule) -> Result<Found, OffkeyError> {
    let mut dataset = Dataset::read_all(&request.data, &[])?;
    dataset.assume_normal();
    let mut recordings = Vec::new();
    let mut left_out = Vec::new();
    for clip in dataset.clips {
        if clip.condition == Some(Condition::Anomaly) {
            left_out.push((clip.path, "labelled anomalous".to_owned()));
            continue;
        }
        match usable(&clip, rule) {
            Ok((rate_hz, starts)) if !starts.is_empty() => {
                recordings.push(Recording { clip, rate_hz, starts });
            }
            Ok(_) => {
                let needed = rule.seconds(rule.samples as u64);
                left_out.push((clip.path, format!("shorter than {needed:.1} s")));
            }
            Err(error) => left_out.push((clip.path.clone(), error.to_string())),
        }
    }
    Ok((recordings, left_out))
}

fn usable(clip: &Clip, rule: WindowRule) -> Result<(u32, Vec<u64>), AudioError> {
    let info = probe(&clip.path)?;
    let samples = offkey_signal::resampled_len(info.frames, info.rate_hz, rule.rate_hz);
    Ok((info.rate_hz, rule.starts(samples).collect()))
}

/// Windows for training and for calibration: whole recordings on either side, of every machine
/// and condition that has several; where there is one recording only, its last part in time.
#[expect(clippy::type_complexity, reason = "two lists of the same pairs, named by the function")]
fn split(recordings: &[Recording], seed: Seed) -> (Vec<(WindowRow, Clip)>, Vec<(WindowRow, Clip)>) {
    let windows = |recording: &Recording, starts: &[u64]| -> Vec<(WindowRow, Clip)> {
        starts
            .iter()
            .map(|&start| {
                let window = WindowRef { path: recording.clip.path.clone(), start };
                let row = WindowRow { window, group: group_of(&recording.clip), entry: 0 };
                (row, recording.clip.clone())
            })
            .collect()
    };
    let (mut training, mut calibration) = (Vec::new(), Vec::new());
    if let [only] = recordings {
        let kept = ((1.0 - HELD_OUT) * only.starts.len() as f64).ceil() as usize;
        let (first, last) = only.starts.split_at(kept.min(only.starts.len()));
        return (windows(only, first), windows(only, last));
    }
    for members in by_condition(recordings).into_values() {
        let mut groups: Vec<String> =
            members.iter().map(|recording| group_of(&recording.clip)).collect();
        groups.sort();
        groups.dedup();
        groups.sort_by_key(|group| seed.child("hold out").child(group).value());
        let held_out = (HELD_OUT * groups.len() as f64).round() as usize;
        let held_out = held_out.max(usize::from(groups.len() > 1));
        for recording in members {
            let held = groups[..held_out].contains(&group_of(&recording.clip));
            let side = if held { &mut calibration } else { &mut training };
            side.extend(windows(recording, &recording.starts));
        }
    }
    if calibration.is_empty() && !training.is_empty() {
        // Every condition has one recording: a whole condition is held out.
        let last = training.last().map(|(row, _): &(WindowRow, Clip)| row.group.clone());
        (calibration, training) =
            training.into_iter().partition(|(row, _)| Some(&row.group) == last.as_ref());
    }
    (training, calibration)
}

fn by_condition(recordings: &[Recording]) -> BTreeMap<(&str, &str, &str), Vec<&Recording>> {
    let mut members: BTreeMap<_, Vec<&Recording>> = BTreeMap::new();
    for recording in recordings {
        let clip = &recording.clip;
        let key = (clip.machine.as_str(), clip.section.as_str(), clip.attributes.as_str());
        members.entry(key).or_default().push(recording);
    }
    members
}

/// The recording session, told apart between machines and sections.
fn group_of(clip: &Clip) -> String {
    format!("{}/{}/{}", clip.machine, clip.section, clip.group)
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

/// Training recordings whose worst window lies far above the usual score among the others.
fn odd_recordings(
    card: &MonitorCard,
    arrays: &MonitorArrays,
) -> Result<Vec<(PathBuf, f64)>, OffkeyError> {
    let groups: Vec<String> = card.references.iter().map(|row| row.group.clone()).collect();
    let domains = vec![None; groups.len()];
    let failed = |source| OffkeyError::Score {
        machine: card.name.clone(),
        section: "all".to_owned(),
        source,
    };
    let references = offkey_score::References::new(
        arrays.references.view(),
        &domains,
        &groups,
        Seed::new(card.seed).child("monitor"),
    )
    .map_err(failed)?;
    let scores = card.recipe.backend.held_out_scores(&references).map_err(failed)?;
    let median_of = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let median = median_of(scores.clone());
    let spread = median_of(scores.iter().map(|score| (score - median).abs()).collect());
    // 1.4826 turns the median absolute deviation into a normal distribution's deviation.
    let deviation = (1.4826 * spread).max(f64::MIN_POSITIVE);
    let mut worst: BTreeMap<&PathBuf, f64> = BTreeMap::new();
    for (row, score) in card.references.iter().zip(scores) {
        let oddness = (score - median) / deviation;
        let entry = worst.entry(&row.window.path).or_insert(oddness);
        *entry = entry.max(oddness);
    }
    Ok(worst.into_iter().filter(|(_, odd)| *odd > ODD).map(|(p, odd)| (p.clone(), odd)).collect())
}
