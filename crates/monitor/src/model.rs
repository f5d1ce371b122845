//! A monitor: everything one model file holds, ready to judge windows.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use ndarray::{Array2, ArrayView2, Axis, concatenate};
use offkey_core::Seed;
use offkey_infer::Encoder;
use offkey_score::{Backend, BackendConfig, References};
use offkey_signal::{AudioInfo, probe};
use serde::{Deserialize, Serialize};

use super::{
    calibration::{Distances, Place, place},
    hearing::Heard,
    profile::Profile,
    promise::Promise,
    spectra::{Spectra, spectrum},
    verdict::{ClipVerdict, Verdict},
    windows::{WindowRef, WindowRule, each_window},
};
use crate::MonitorError;

/// What a model file says besides its arrays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonitorCard {
    /// What the machine is called.
    pub name: String,
    /// Version of offkey that wrote the file.
    pub version: String,
    /// Seed of the training.
    pub seed: u64,
    /// The recipe, resolved; only its name and its backend are looked at.
    pub recipe: serde_json::Value,
    /// How recordings become windows.
    pub windows: WindowRule,
    /// Sampling rates of the normal recordings; others cannot be judged.
    pub rates_hz: Vec<u32>,
    /// How the auxiliary task was made, in words.
    pub task: String,
    /// What the model promises about false alarms.
    pub promise: Promise,
    /// What the normal recordings sound like, band by band.
    pub profile: Profile,
    /// Where each reference comes from, in the order of the array's rows.
    pub references: Vec<WindowRow>,
    /// Where each calibration window comes from, in the order of the array's rows.
    pub calibration: Vec<WindowRow>,
    /// What was added after learning.
    pub journal: Vec<JournalEntry>,
}

/// Where a window of the model comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowRow {
    /// Recording and position.
    pub window: WindowRef,
    /// The recording session: windows of a group stay on one side of every split.
    pub group: String,
    /// The journal entry that added it; 0 is the learning itself.
    pub entry: u32,
}

/// One later addition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalEntry {
    /// Number of the entry, from 1.
    pub entry: u32,
    /// Seconds since 1970 when it was made.
    pub unix_s: u64,
    /// The recordings a person called normal.
    pub recordings: Vec<String>,
    /// Windows added.
    pub windows: usize,
    /// Whether it was forced over a warning.
    pub forced: bool,
    /// The profile as it was before, to return to.
    pub profile_before: Profile,
}

/// The arrays of a model file, one row a window.
#[derive(Debug, Clone, PartialEq)]
pub struct MonitorArrays {
    /// Embeddings of the references, `[windows, dims]`.
    pub references: Array2<f32>,
    /// Mean and deviation over time of each mel band of the references, `[windows, 2 * bands]`.
    pub reference_spectra: Array2<f32>,
    /// Embeddings of the calibration windows.
    pub calibration: Array2<f32>,
    /// Spectra of the calibration windows.
    pub calibration_spectra: Array2<f32>,
    /// A few held-out normal windows as sound, `[windows, samples]`, for the self-test.
    pub sounds: Array2<f32>,
}

/// A loaded model file, ready to judge.
pub struct Monitor {
    pub(crate) card: MonitorCard,
    pub(crate) arrays: MonitorArrays,
    pub(crate) encoder: Encoder,
    backend: Backend,
    pub(crate) spectra: Spectra,
    pub(crate) calibration: Vec<Distances>,
}

/// What is said of one window.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowVerdict {
    /// First sample of the window in its recording, at the model's rate.
    pub start: u64,
    /// Anomaly score; absent where it cannot be scored.
    pub score: Option<f64>,
    /// Probability that a normal window looks at least this bad.
    pub p_value: Option<f64>,
    /// The answer.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub reason: String,
}

impl MonitorCard {
    /// Name of the recipe it was learned by.
    pub fn recipe_name(&self) -> &str {
        self.recipe.get("name").and_then(serde_json::Value::as_str).unwrap_or("unnamed")
    }

    fn backend(&self) -> Result<BackendConfig, MonitorError> {
        let backend = self.recipe.get("backend").cloned().unwrap_or_default();
        serde_json::from_value(backend).map_err(MonitorError::json(Path::new("backend")))
    }
}

impl Monitor {
    /// Fits the backend and the calibration to the arrays.
    ///
    /// # Errors
    /// [`MonitorError::Score`] when the arrays cannot serve as references.
    pub fn new(
        card: MonitorCard,
        arrays: MonitorArrays,
        encoder: Encoder,
    ) -> Result<Self, MonitorError> {
        let failed = |source| MonitorError::Score { name: card.name.clone(), source };
        let backend = card.backend()?;
        let groups: Vec<String> = card.references.iter().map(|row| row.group.clone()).collect();
        let domains = vec![None; groups.len()];
        let seed = Seed::new(card.seed).child("monitor");
        let references =
            References::new(arrays.references.view(), &domains, &groups, seed).map_err(failed)?;
        let fitted = backend.fit(&references).map_err(failed)?;
        let names: Vec<&str> = groups.iter().map(String::as_str).collect();
        let spectra = Spectra::new(&arrays.reference_spectra, &names);
        let scores = fitted.score(arrays.calibration.view()).map_err(failed)?;
        let rows = scores.into_iter().zip(arrays.calibration_spectra.rows());
        let mut calibration: Vec<Distances> = rows
            .map(|(network, row)| Distances { network, spectrum: spectra.distance(row) })
            .collect();
        if card.references.iter().any(|row| row.entry > 0) {
            // Windows a person added are references and calibration at once: each is scored
            // against the references of other recordings.
            let held_out = backend.held_out_scores(&references).map_err(failed)?;
            let held_out = held_out.into_iter().zip(spectra.held_out_distances());
            let added = card.references.iter().zip(held_out).filter(|(row, _)| row.entry > 0);
            calibration
                .extend(added.map(|(_, (network, spectrum))| Distances { network, spectrum }));
        }
        Ok(Self { card, arrays, encoder, backend: fitted, spectra, calibration })
    }

    /// What the model file says of itself.
    pub fn card(&self) -> &MonitorCard {
        &self.card
    }

    /// Normal windows the promise rests on.
    pub fn calibration_windows(&self) -> usize {
        self.calibration.len()
    }

    /// Score of the calibration window that lies farthest among the others.
    pub(crate) fn farthest_calibration_score(&self) -> f64 {
        let scores = self.calibration.iter().map(|&window| place(&self.calibration, window).score);
        scores.fold(f64::NEG_INFINITY, f64::max)
    }

    /// Judges one window of the model's length.
    ///
    /// # Errors
    /// [`MonitorError`] when the network refuses the window.
    pub fn judge(&self, start: u64, window: &[f32]) -> Result<WindowVerdict, MonitorError> {
        let spectrum = spectrum(self.card.windows.rate_hz, window).map_err(MonitorError::embed)?;
        if let Some(reason) = self.card.profile.cannot_tell(window, &spectrum) {
            let verdict = Verdict::CannotTell;
            return Ok(WindowVerdict { start, score: None, p_value: None, verdict, reason });
        }
        let embedding = self.encoder.embed(&[window.to_vec()]).map_err(MonitorError::embed)?;
        let network =
            self.backend.score(embedding.view()).map_err(|source| self.failed(source))?[0];
        let distances = Distances { network, spectrum: self.spectra.distance((&spectrum).into()) };
        let place = place(&self.calibration, distances);
        let verdict = Verdict::of(place.p_value, &self.card.promise);
        let reason = self.reason(verdict, &place, &spectrum, embedding.view());
        let (score, p_value) = (Some(place.score), Some(place.p_value));
        Ok(WindowVerdict { start, score, p_value, verdict, reason })
    }

    /// Judges a recording by its worst window; calls `on_window` with every window's verdict.
    ///
    /// A recording that cannot be judged is an answer, not an error.
    ///
    /// # Errors
    /// [`MonitorError`] when the network refuses a window.
    pub fn check(
        &self,
        path: &Path,
        on_window: &mut dyn FnMut(&WindowVerdict),
    ) -> Result<ClipVerdict, MonitorError> {
        let cannot_tell = |reason: String| ClipVerdict {
            path: path.to_owned(),
            score: None,
            p_value: None,
            verdict: Verdict::CannotTell,
            reason,
        };
        let info = match probe(path) {
            Ok(info) => info,
            Err(error) => return Ok(cannot_tell(error.to_string())),
        };
        if !self.card.rates_hz.contains(&info.rate_hz) {
            let rates: Vec<String> =
                self.card.rates_hz.iter().map(|rate| format!("{rate} Hz")).collect();
            return Ok(cannot_tell(format!(
                "recorded at {} Hz, and the normal recordings at {}: record alike, or learn again",
                info.rate_hz,
                rates.join(" or ")
            )));
        }
        let rule = self.card.windows;
        let mut worst: Option<WindowVerdict> = None;
        let mut windows = 0;
        let heard = each_window(path, rule, |start, window| {
            let next = self.judge(start, window)?;
            on_window(&next);
            windows += 1;
            let key = |v: &WindowVerdict| (v.verdict, v.score.unwrap_or(f64::NEG_INFINITY));
            if worst.as_ref().is_none_or(|worst| key(&next) > key(worst)) {
                worst = Some(next);
            }
            Ok::<(), MonitorError>(())
        });
        match heard {
            Ok(()) => {}
            Err(MonitorError::Audio(error)) => return Ok(cannot_tell(error.to_string())),
            Err(error) => return Err(error),
        }
        let Some(worst) = worst else {
            return Ok(cannot_tell(format!(
                "lasts {:.1} s, and the model needs {:.1} s",
                info.duration_s(),
                rule.seconds(rule.samples as u64)
            )));
        };
        let reason = if windows > 1 {
            format!("at {:.0} s: {}", rule.seconds(worst.start), worst.reason)
        } else {
            worst.reason
        };
        let (score, p_value, verdict) = (worst.score, worst.p_value, worst.verdict);
        Ok(ClipVerdict { path: path.to_owned(), score, p_value, verdict, reason })
    }

    /// What a recording is, where it was recorded at a rate the model knows.
    pub(crate) fn probe_alike(&self, path: &Path) -> Result<AudioInfo, MonitorError> {
        let info = probe(path)?;
        if self.card.rates_hz.contains(&info.rate_hz) {
            return Ok(info);
        }
        let (path, expected) = (path.to_owned(), self.card.rates_hz.clone());
        Err(MonitorError::RecordingRate { path, found: info.rate_hz, expected })
    }

    pub(crate) fn all_too_short(&self, recordings: &[PathBuf]) -> MonitorError {
        let needed_s = self.card.windows.seconds(self.card.windows.samples as u64);
        MonitorError::AllTooShort { recordings: recordings.len(), needed_s }
    }

    fn failed(&self, source: offkey_score::ScoreError) -> MonitorError {
        MonitorError::Score { name: self.card.name.clone(), source }
    }

    fn reason(
        &self,
        verdict: Verdict,
        place: &Place,
        spectrum: &[f32],
        embedding: ArrayView2<f32>,
    ) -> String {
        let (windows, alike) = (self.calibration.len(), place.at_least_as_far);
        let mut reason = match alike {
            0 => format!("farther from normal than all {windows} calibration windows"),
            _ => format!("{alike} of {windows} calibration windows look at least as unusual"),
        };
        if verdict == Verdict::Normal {
            return reason;
        }
        if let Some(louder) = self.card.profile.shift_db(spectrum) {
            reason += &format!(
                "; all frequencies are {louder:.0} dB louder alike: a fault, or another gain"
            );
        } else if let Some(change) = self.card.profile.loudest_change(spectrum) {
            let (amount, side) = (change.change_db.abs(), change.change_db > 0.0);
            let side = if side { "above" } else { "below" };
            reason += &format!(
                "; largest change at {:.0}-{:.0} Hz, {amount:.0} dB {side} normal",
                change.low_hz, change.high_hz
            );
        }
        if let Ok(nearest) = self.backend.nearest(embedding) {
            let WindowRef { path, start } = &self.card.references[nearest[0].reference].window;
            let seconds = self.card.windows.seconds(*start);
            reason += &format!("; nearest normal: {} at {seconds:.0} s", path.display());
        }
        reason
    }

    /// The same model with further references, or with those of one journal entry taken out.
    pub(crate) fn with_references(
        self,
        added: Option<(Heard, Vec<WindowRow>)>,
        removed_entry: Option<u32>,
    ) -> Result<Self, MonitorError> {
        let Self { mut card, mut arrays, encoder, .. } = self;
        let keep: Vec<usize> = (0..card.references.len())
            .filter(|&row| Some(card.references[row].entry) != removed_entry)
            .collect();
        arrays.references = arrays.references.select(Axis(0), &keep);
        arrays.reference_spectra = arrays.reference_spectra.select(Axis(0), &keep);
        card.references = keep.iter().map(|&row| card.references[row].clone()).collect();
        if let Some((heard, rows)) = added {
            card.profile = card.profile.widened(&heard.levels, heard.spectrum_rows());
            arrays.references = joined(&arrays.references, &heard.embeddings);
            arrays.reference_spectra = joined(&arrays.reference_spectra, &heard.spectra);
            card.references.extend(rows);
        }
        let (added, learned): (Vec<_>, Vec<_>) =
            card.references.iter().partition(|row| row.entry > 0);
        let learned: BTreeSet<&str> = learned.into_iter().map(|row| row.group.as_str()).collect();
        let windows = card.calibration.len() + added.len();
        let groups = card.calibration.iter().chain(added).map(|row| row.group.as_str());
        let groups: BTreeSet<&str> = groups.filter(|group| !learned.contains(group)).collect();
        // The last part of a single recording that was learned from counts as one, as in learning.
        let single = learned.len() == 1 && groups.is_empty();
        let recordings = groups.len() + usize::from(single);
        card.promise = Promise::new(card.promise.wished, card.promise.every_s, windows, recordings);
        Self::new(card, arrays, encoder)
    }
}

fn joined(first: &Array2<f32>, second: &Array2<f32>) -> Array2<f32> {
    concatenate(Axis(0), &[first.view(), second.view()])
        .expect("rows of one encoder and one rule have equal length")
}
