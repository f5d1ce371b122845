//! Why a clip scored as it did: which part of its spectrogram, and of its spectrum, raises the score.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate};
use offkey_core::Seed;
use offkey_embed::{BranchConfig, BranchFeatures, ClipFeatures, Encoder, normalised};
use offkey_report::{
    chart::{Levels, overlaid_png, spectrogram_png},
    rise::{
        Extent, Finding, Importance, RiseConfig, ScoreFailure, explain, explain_spectrum, findings,
    },
};
use serde::Serialize;

use crate::{Detector, OffkeyError, detector::Heard, run_folder, stage::Embedder};

/// Why a clip scored as it did.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The recording.
    pub path: PathBuf,
    /// Its anomaly score.
    pub score: f64,
    /// The threshold of its section.
    pub threshold: f64,
    /// The most similar normal recording.
    pub nearest: PathBuf,
    /// Places that raise the score, the weightiest first.
    pub findings: Vec<Finding>,
    /// Masks scored, and how far two halves of them agree, 0 to 1.
    pub masks: usize,
    /// Reliability of the estimate.
    pub reliability: f64,
    /// The same in sentences.
    pub words: Vec<String>,
}

/// Places named, at most.
const MOST_FINDINGS: usize = 3;
/// Reference clips whose mean level counts as normal.
const NORMAL_CLIPS: usize = 8;

/// Explains a recording's score by RISE and writes pictures and numbers into
/// `folder/<clip name>/`.
///
/// The spectrogram's magnitudes are masked before their temporal mean is subtracted; the other
/// branches hear the clip unchanged. The spectrum is masked likewise, on its own.
///
/// # Errors
/// [`OffkeyError::NothingToMask`] when the model has no spectrogram branch, else whatever keeps the
/// clip from being scored or the files from being written.
pub fn explain_clip(
    detector: &Detector,
    path: &Path,
    machine: Option<&str>,
    section: Option<&str>,
    masks: usize,
    folder: &Path,
) -> Result<Explanation, OffkeyError> {
    let heard = detector.hear(path, machine, section)?;
    let Embedder::Network(encoder) = detector.embedder() else {
        return Err(OffkeyError::NothingToMask);
    };
    let features = encoder.features(&heard.wave).map_err(OffkeyError::embed)?;
    let masked = Masked::new(encoder, &heard, &features)?;
    let branches = &encoder.config().branches;
    let stft = branches
        .iter()
        .position(|branch| matches!(branch, BranchConfig::Stft(_)))
        .ok_or(OffkeyError::NothingToMask)?;
    let BranchFeatures::Stft(magnitude) = &features.branches[stft] else {
        return Err(OffkeyError::NothingToMask);
    };
    let config = RiseConfig { masks, ..RiseConfig::default() };
    let seed = Seed::new(0).child("rise");
    let importance = explain(magnitude.dim(), &config, seed, |batch| {
        let changed = batch.axis_iter(Axis(0)).map(|mask| BranchFeatures::Stft(magnitude * &mask));
        masked.scores(stft, &changed.collect::<Vec<_>>())
    })
    .map_err(OffkeyError::embed)?;
    let levels = decibels(magnitude.view());
    let normal = normal_levels(detector, &heard, encoder, stft)?;
    let above = normal.map(|normal| &levels - &normal.insert_axis(Axis(0)));
    let (rate_hz, samples) = detector.clip_shape();
    let extent = Extent {
        duration_s: samples as f64 / f64::from(rate_hz),
        low_hz: 0.0,
        high_hz: f64::from(rate_hz) / 2.0,
    };
    let found = findings(&importance, extent, above.as_ref().map(ArrayView2::from), MOST_FINDINGS);
    let spectrum = spectrum_importance(&masked, &features, masks, seed)?;
    let explanation = Explanation {
        path: path.to_owned(),
        score: heard.score,
        threshold: heard.threshold,
        nearest: heard.nearest.clone(),
        words: words(&heard, &found),
        findings: found,
        masks: importance.masks,
        reliability: importance.reliability,
    };
    write(&target(folder, path), &explanation, &levels, &importance, spectrum.as_ref(), extent)?;
    Ok(explanation)
}

/// A clip whose unchanged branches are embedded once.
struct Masked<'a> {
    encoder: &'a Encoder,
    heard: &'a Heard<'a>,
    parts: Vec<Array2<f32>>,
}

impl<'a> Masked<'a> {
    fn new(
        encoder: &'a Encoder,
        heard: &'a Heard<'a>,
        features: &ClipFeatures,
    ) -> Result<Self, OffkeyError> {
        let part = |(branch, features): (usize, &BranchFeatures)| {
            encoder.embed_branch(branch, std::slice::from_ref(features)).map_err(OffkeyError::embed)
        };
        let parts = features.branches.iter().enumerate().map(part).collect::<Result<_, _>>()?;
        Ok(Self { encoder, heard, parts })
    }

    /// Scores of the clip with one branch's features changed.
    fn scores(&self, branch: usize, changed: &[BranchFeatures]) -> Result<Vec<f64>, ScoreFailure> {
        let part = self.encoder.embed_branch(branch, changed)?;
        let rows = changed.len();
        let parts: Vec<Array2<f32>> = self
            .parts
            .iter()
            .enumerate()
            .map(|(index, unchanged)| {
                if index == branch {
                    part.clone()
                } else {
                    unchanged
                        .broadcast((rows, unchanged.ncols()))
                        .map_or_else(|| unchanged.clone(), |repeated| repeated.to_owned())
                }
            })
            .collect();
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        let embeddings = normalised(concatenate(Axis(1), &views)?);
        Ok(self.heard.scorer.score(embeddings.view())?)
    }
}

/// Importance of the spectrum branch's bins, where there is such a branch.
fn spectrum_importance(
    masked: &Masked<'_>,
    features: &ClipFeatures,
    masks: usize,
    seed: Seed,
) -> Result<Option<Importance>, OffkeyError> {
    let branch = features.branches.iter().enumerate().find_map(|(index, branch)| match branch {
        BranchFeatures::Spectrum(bins) => Some((index, bins)),
        BranchFeatures::Stft(_) => None,
    });
    let Some((index, bins)) = branch else { return Ok(None) };
    let config = RiseConfig { masks: masks.min(512), ..RiseConfig::spectrum() };
    explain_spectrum(bins.len(), &config, seed.child("spectrum"), |batch| {
        let changed = batch.rows().into_iter().map(|mask| BranchFeatures::Spectrum(bins * &mask));
        masked.scores(index, &changed.collect::<Vec<_>>())
    })
    .map(Some)
    .map_err(OffkeyError::embed)
}

/// Mean level of each bin over a few normal clips of the section.
fn normal_levels(
    detector: &Detector,
    heard: &Heard<'_>,
    encoder: &Encoder,
    branch: usize,
) -> Result<Option<Array1<f32>>, OffkeyError> {
    let mut sum: Option<Array1<f32>> = None;
    let mut count = 0.0;
    for wave in detector.reference_waves(heard.scorer, NORMAL_CLIPS)? {
        let features = encoder.features(&wave).map_err(OffkeyError::embed)?;
        if let BranchFeatures::Stft(magnitude) = &features.branches[branch]
            && let Some(levels) = decibels(magnitude.view()).mean_axis(Axis(0))
        {
            count += 1.0;
            sum = Some(sum.map_or_else(|| levels.clone(), |sum| sum + &levels));
        }
    }
    Ok(sum.map(|sum| sum / count))
}

fn decibels(magnitude: ArrayView2<f32>) -> Array2<f32> {
    magnitude.mapv(|value| 20.0 * value.max(1e-6).log10())
}

fn words(heard: &Heard<'_>, found: &[Finding]) -> Vec<String> {
    let side = if heard.score > heard.threshold { "above" } else { "below" };
    let mut words = vec![format!(
        "score {:.4}, {side} the threshold {:.4}; nearest normal clip: {}",
        heard.score,
        heard.threshold,
        heard.nearest.display()
    )];
    words.extend(found.iter().map(ToString::to_string));
    if found.is_empty() {
        words.push("no part of the spectrogram raises the score more than the rest".to_owned());
    }
    words
}

fn target(folder: &Path, path: &Path) -> PathBuf {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    folder.join(stem.unwrap_or_else(|| "clip".to_owned()))
}

fn write(
    folder: &Path,
    explanation: &Explanation,
    levels: &Array2<f32>,
    importance: &Importance,
    spectrum: Option<&Importance>,
    extent: Extent,
) -> Result<(), OffkeyError> {
    fs::create_dir_all(folder).map_err(OffkeyError::io(folder))?;
    let range = Levels::around(&[levels.view()]);
    let plain = spectrogram_png(levels.view(), range).map_err(OffkeyError::embed)?;
    let overlaid =
        overlaid_png(levels.view(), range, importance.values.view()).map_err(OffkeyError::embed)?;
    run_folder::write_atomically(&folder.join("spectrogram.png"), &plain)?;
    run_folder::write_atomically(&folder.join("importance.png"), &overlaid)?;
    run_folder::write_json(&folder.join("explanation.json"), explanation)?;
    let (frames, bins) = importance.values.dim();
    let mut csv = "time_s,frequency_hz,importance\n".to_owned();
    for ((frame, bin), value) in importance.values.indexed_iter() {
        let time_s = extent.duration_s * frame as f64 / frames as f64;
        let frequency_hz = extent.high_hz * bin as f64 / bins as f64;
        csv += &format!("{time_s:.3},{frequency_hz:.1},{value:.6}\n");
    }
    run_folder::write_atomically(&folder.join("importance.csv"), csv.as_bytes())?;
    if let Some(spectrum) = spectrum {
        /// Bins of the whole-clip spectrum put together in one row: 10 Hz at 10 s.
        const TOGETHER: usize = 100;
        let by_bin = spectrum.by_bin();
        let mut csv = "frequency_hz,importance\n".to_owned();
        for (row, bins) in by_bin.axis_chunks_iter(Axis(0), TOGETHER).enumerate() {
            let frequency_hz = extent.high_hz * (row * TOGETHER) as f64 / by_bin.len() as f64;
            csv += &format!("{frequency_hz:.1},{:.6}\n", bins.sum() / bins.len() as f32);
        }
        run_folder::write_atomically(&folder.join("spectrum_importance.csv"), csv.as_bytes())?;
    }
    Ok(())
}
