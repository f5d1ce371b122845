//! Model files of the first form: a network and a plain spectrum, calibrated on windows held out from
//! training. They are read and judge as they did; nothing writes them any more.

mod calibration;
mod promise;
mod spectra;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use ndarray::{Array2, ArrayView1};
use offkey_core::Seed;
use offkey_infer::{Compute, Encoder};
use offkey_score::{Backend, BackendConfig, References, Rule};
use serde::Deserialize;

use self::{
    calibration::{Distances, place},
    promise::{FirstPromise, at_most},
    spectra::{MELS, Spectra, spectrum},
};
use crate::{
    EventEvidence, MonitorCard, MonitorError, PKind, Profile, Promise, RecordingCard, Role,
    Verdict, WindowRef, WindowRule, file_error::Unusable, finding::Finding, parts::Parts,
};

/// What a file of the first form says besides its arrays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstCard {
    name: String,
    version: String,
    seed: u64,
    recipe: serde_json::Value,
    windows: WindowRule,
    rates_hz: Vec<u32>,
    task: String,
    promise: FirstPromise,
    profile: Profile,
    references: Vec<Row>,
    calibration: Vec<Row>,
    journal: Vec<serde_json::Value>,
}

/// Where a window comes from.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    window: WindowRef,
    group: String,
    entry: u32,
}

/// The detector of the first form.
pub(crate) struct First {
    encoder: Encoder,
    backend: Backend,
    spectra: Spectra,
    calibration: Vec<Distances>,
    references: Vec<Row>,
    promise: FirstPromise,
    /// Windows of each calibration recording.
    lengths: Vec<usize>,
    name: String,
}

/// Reads a file of the first form.
pub(crate) fn read(
    path: &Path,
    parts: &Parts<'_>,
    compute: Compute,
) -> Result<(MonitorCard, First, Array2<f32>), MonitorError> {
    let card: FirstCard =
        serde_json::from_str(parts.text("card")?).map_err(MonitorError::json(path))?;
    let (references, spectra) = (parts.array("references")?, parts.array("reference_spectra")?);
    let (held_out, held_out_spectra) =
        (parts.array("calibration")?, parts.array("calibration_spectra")?);
    let sounds = parts.array("sounds")?;
    let expected = [
        ("references", &references, [card.references.len(), references.ncols()]),
        ("reference_spectra", &spectra, [card.references.len(), 2 * MELS]),
        ("calibration", &held_out, [card.calibration.len(), references.ncols()]),
        ("calibration_spectra", &held_out_spectra, [card.calibration.len(), 2 * MELS]),
        ("sounds", &sounds, [sounds.nrows(), card.windows.samples]),
    ];
    for (name, array, expected) in expected {
        parts.check_array(name, array, expected)?;
    }
    parts.check_rule(card.windows, &card.rates_hz)?;
    let encoder = parts.encoder("encoder.", parts.text("encoder")?, compute)?;
    parts.check_encoder(&encoder, references.ncols(), card.windows)?;
    let journal_entries: BTreeSet<u32> = card.references.iter().map(|row| row.entry).collect();
    let added = card.references.iter().filter(|row| row.entry > 0).count();
    let sound = card.promise.is_sound(card.calibration.len() + added)
        && card.profile.is_sound()
        && journal_entries.len() <= card.journal.len() + 1;
    if !sound {
        return Err(parts.refuse(Unusable::Values));
    }
    let backend = card.recipe.get("backend").cloned().unwrap_or_default();
    let backend: BackendConfig =
        serde_json::from_value(backend).map_err(MonitorError::json(path))?;
    let arrays = Arrays { references, spectra, held_out, held_out_spectra };
    let first = First::fit(&card, &backend, &arrays, encoder)?;
    Ok((card.into_card(), first, sounds))
}

struct Arrays {
    references: Array2<f32>,
    spectra: Array2<f32>,
    held_out: Array2<f32>,
    held_out_spectra: Array2<f32>,
}

impl First {
    fn fit(
        card: &FirstCard,
        config: &BackendConfig,
        arrays: &Arrays,
        encoder: Encoder,
    ) -> Result<Self, MonitorError> {
        let failed = |source| MonitorError::Score { name: card.name.clone(), source };
        let groups: Vec<String> = card.references.iter().map(|row| row.group.clone()).collect();
        let domains = vec![None; groups.len()];
        let seed = Seed::new(card.seed).child("monitor");
        let references =
            References::new(arrays.references.view(), &domains, &groups, seed).map_err(failed)?;
        let backend = config.fit(&references).map_err(failed)?;
        let names: Vec<&str> = groups.iter().map(String::as_str).collect();
        let spectra = Spectra::new(&arrays.spectra, &names);
        let scores = backend.score(arrays.held_out.view()).map_err(failed)?;
        let rows = scores.into_iter().zip(arrays.held_out_spectra.rows());
        let mut calibration: Vec<Distances> = rows
            .map(|(network, row)| Distances { network, spectrum: spectra.distance(row) })
            .collect();
        if card.references.iter().any(|row| row.entry > 0) {
            // Windows a person added are references and calibration at once: each is scored
            // against the references of other recordings.
            let held_out = config.held_out_scores(&references).map_err(failed)?;
            let held_out = held_out.into_iter().zip(spectra.held_out_distances());
            let added = card.references.iter().zip(held_out).filter(|(row, _)| row.entry > 0);
            calibration
                .extend(added.map(|(_, (network, spectrum))| Distances { network, spectrum }));
        }
        let mut lengths: BTreeMap<&str, usize> = BTreeMap::new();
        let added = card.references.iter().filter(|row| row.entry > 0);
        for row in card.calibration.iter().chain(added) {
            *lengths.entry(&row.group).or_insert(0) += 1;
        }
        Ok(Self {
            encoder,
            backend,
            spectra,
            calibration,
            references: card.references.clone(),
            promise: card.promise.clone(),
            lengths: lengths.into_values().collect(),
            name: card.name.clone(),
        })
    }

    /// The spectrum that the profile of a first form compares.
    pub(crate) fn spectrum(rate_hz: u32, window: &[f32]) -> Result<Vec<f32>, MonitorError> {
        Ok(spectrum(rate_hz, window)?)
    }

    /// What it says of a window and its spectrum.
    pub(crate) fn judge(&self, window: &[f32], spectrum: &[f32]) -> Result<Finding, MonitorError> {
        let failed = |source| MonitorError::Score { name: self.name.clone(), source };
        let embedding = self.encoder.embed(&[window.to_vec()])?;
        let network = self.backend.score(embedding.view()).map_err(failed)?[0];
        let distances =
            Distances { network, spectrum: self.spectra.distance(ArrayView1::from(spectrum)) };
        let place = place(&self.calibration, distances);
        let windows = self.calibration.len();
        let verdict =
            Verdict::of(place.p_value, self.promise.alarm_p(), 1.0 / (windows as f64 + 1.0));
        let nearest = self.backend.nearest(embedding.view()).map_err(failed)?;
        let nearest = nearest.first().map(|nearest| {
            let WindowRef { path, start } = &self.references[nearest.reference].window;
            (path.display().to_string(), *start)
        });
        let words = match place.at_least_as_far {
            0 => format!("farther from normal than all {windows} calibration windows"),
            alike => format!("{alike} of {windows} calibration windows look at least as unusual"),
        };
        let (score, p_value, p_kind) = (place.score, place.p_value, PKind::Measured);
        let (change, loudest, by_member) = (None, None, Vec::new());
        Ok(Finding { score, p_value, p_kind, verdict, words, change, nearest, loudest, by_member })
    }

    /// What holds for normal recordings.
    pub(crate) fn promise(&self) -> Promise {
        let FirstPromise { wished, per_window, every_s, calibration_windows: windows, .. } =
            self.promise;
        let recordings = self.promise.calibration_recordings;
        let bound = per_window.map(|per_window| {
            // Calibration windows that may look as bad as a window that alarms; the slack absorbs
            // rounding, as in `Verdict::of`.
            let as_bad = (per_window * (windows as f64 + 1.0) + 1e-6).floor() as usize - 1;
            at_most(as_bad, &self.lengths).max(per_window)
        });
        Promise {
            at_most: bound,
            measured: bound.is_none().then(|| self.promise.alarm_p()),
            recordings,
            windows,
            every_s,
            wished,
            wish_kept: wished.map(|wish| bound.is_some_and(|b| b <= wish.per_window(every_s))),
            events: EventEvidence::default(),
        }
    }
}

impl FirstCard {
    fn into_card(self) -> MonitorCard {
        let recipe = self.recipe.get("name").and_then(serde_json::Value::as_str);
        let recipe = recipe.unwrap_or("unnamed").to_owned();
        let mut recordings: Vec<RecordingCard> = Vec::new();
        let rows = self.references.iter().map(|row| (row, Role::Reference));
        for (row, role) in rows.chain(self.calibration.iter().map(|row| (row, Role::Calibration))) {
            let path = row.window.path.display().to_string();
            match recordings.last_mut().filter(|last| last.path == path && last.role == role) {
                Some(last) => last.starts.push(row.window.start),
                None => recordings.push(RecordingCard {
                    path,
                    group: row.group.clone(),
                    content: String::new(),
                    starts: vec![row.window.start],
                    role,
                    entry: row.entry,
                    codec: None,
                    sound: None,
                }),
            }
        }
        MonitorCard {
            name: self.name,
            version: self.version,
            seed: self.seed,
            recipe,
            windows: self.windows,
            rates_hz: self.rates_hz,
            explanation: self.task,
            members: Vec::new(),
            rule: Rule::Max,
            wished: self.promise.wished,
            profile: self.profile,
            recordings,
            journal: Vec::new(),
        }
    }
}
