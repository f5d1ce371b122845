//! From normal recordings to a monitor.
//!
//! By default the detector is a fusion of four pooled spectra: nothing is trained, every recording is
//! a reference, and each is scored without itself to calibrate. A network joins where a recipe asks for
//! one, the recordings name real classes, and it proves that it hears.

mod choose;
mod faults;
mod find;
mod members;
mod network;
mod request;
mod selftest;
mod source;
mod windows;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use ndarray::{Array2, ArrayView1, Axis};
use offkey_core::{Clip, counted};
use offkey_monitor::{
    Heard, HeardWindow, MemberCard, Model, Monitor, MonitorCard, MonitorError, Profile,
    RecordingCard, Role, WindowRule, channels_cancel, listen, unusable,
};
use offkey_signal::decode_range;

pub use self::{
    choose::{Choice, Tried, choose},
    request::LearnRequest,
    selftest::self_test,
};
use self::{
    faults::known_faults,
    find::{Candidate, Found, find, named},
    members::{joined_by, members_of},
    network::{Outcome, try_network},
    request::Prepared,
    windows::window_rule,
};
use crate::{ModelConfig, OffkeyError, Progress, Recipe, Stage};

/// What learning found out, beside the monitor.
#[derive(Debug, Clone, PartialEq)]
pub struct LearnReport {
    /// Recordings learned from.
    pub recordings: usize,
    /// Windows of them.
    pub windows: usize,
    /// Length of a window in seconds.
    pub window_s: f64,
    /// Recordings that lie far from all others, with how many deviations.
    pub odd: Vec<(String, f64)>,
    /// What a person should know of the recordings.
    pub warnings: Vec<String>,
    /// Recordings left out in whole or in part, with the reason.
    pub left_out: Vec<(PathBuf, String)>,
}

/// Windows kept as sound for the self-test, and most samples of them all together.
const KEPT_SOUNDS: usize = 8;
const KEPT_SAMPLES: usize = 320_000;

/// Learns a monitor from normal recordings.
///
/// # Errors
/// [`OffkeyError::TooFewWindows`] when there is too little to learn from, or whatever keeps a stage
/// from its work.
pub fn learn(
    request: &LearnRequest,
    progress: &dyn Progress,
) -> Result<(Monitor, LearnReport), OffkeyError> {
    let Found { candidates, mut left_out } = find(&request.data, progress)?;
    let rule = window_rule(request, &candidates)?;
    let (mut members, mut models) = members_of(request.recipe.as_ref(), rule.rate_hz)?;
    let faults = known_faults(&request.faults, rule, progress)?;
    let mut contents = BTreeMap::new();
    if let Some(faults) = faults {
        members.push(faults.member);
        models.push(faults.model);
        left_out.extend(faults.left_out);
        contents = faults.contents;
    }
    let (mut recordings, mut heard) =
        listen_to_all(candidates, rule, &models, &mut left_out, progress)?;
    if let Some((recording, fault)) = recordings
        .iter()
        .find_map(|recording| Some((recording, contents.get(&recording.card.content)?)))
    {
        let (normal, fault) = (recording.clip.path.clone(), fault.clone());
        return Err(OffkeyError::FaultAmongNormals { normal, fault });
    }
    let windows = heard.len();
    if windows < 3 {
        let recordings = recordings.len();
        return Err(OffkeyError::TooFewWindows { found: windows, recordings, left_out });
    }
    let mut explanation = explain(&members, &recordings);
    if let Some(Recipe { model: ModelConfig::Network(network), backend, .. }) = &request.recipe {
        match try_network(request, network, backend, rule, &recordings, progress)? {
            Outcome::LeftOut(reason) => explanation += &format!("; {reason}"),
            Outcome::Joins { member, model, trained_on, explanation: joined } => {
                for recording in &mut recordings {
                    if trained_on.contains(&recording.card.group) {
                        recording.card.role = Role::Reference;
                    }
                }
                let model = [model];
                let further = hear_again(&recordings, rule, &model)?;
                heard.embeddings.extend(further.embeddings);
                models.extend(model);
                members.push(*member);
                explanation += &format!("; {joined}");
            }
        }
    }
    let profile =
        Profile::new(rule.rate_hz, &heard.levels, heard.spectra.iter().map(Vec::as_slice));
    let rates: BTreeSet<u32> = recordings.iter().map(|recording| recording.rate_hz).collect();
    let sounds = kept_sounds(rule, &recordings)?;
    let card = MonitorCard {
        name: request.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seed: request.seed,
        recipe: request.recipe.as_ref().map_or("fusion", |recipe| &recipe.name).to_owned(),
        windows: rule,
        rates_hz: rates.into_iter().collect(),
        explanation,
        members,
        rule: joined_by(request.recipe.as_ref()),
        wished: request.false_alarms,
        profile,
        recordings: recordings.into_iter().map(|recording| recording.card).collect(),
        journal: Vec::new(),
    };
    let recordings = card.recordings.len();
    let monitor = Monitor::new(card, heard, models, sounds)?;
    let report = LearnReport {
        recordings,
        windows,
        window_s: rule.seconds(rule.samples as u64),
        odd: monitor.odd_recordings(),
        warnings: monitor.warnings(),
        left_out,
    };
    Ok((monitor, report))
}

fn explain(members: &[MemberCard], recordings: &[Prepared]) -> String {
    let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let clips: Vec<&Clip> = recordings.iter().map(|recording| &recording.clip).collect();
    let mut text = format!("the largest of {} scores: {}", names.len(), names.join(", "));
    let conditions = named(&clips).len();
    if conditions > 1 {
        text += &format!("; {conditions} named machines and conditions are learned as one");
    }
    text
}

/// Listens to every recording once: copies count once, and what is silent or clipped teaches nothing.
fn listen_to_all(
    candidates: Vec<Candidate>,
    rule: WindowRule,
    models: &[Model],
    left_out: &mut Vec<(PathBuf, String)>,
    progress: &dyn Progress,
) -> Result<(Vec<Prepared>, Heard), OffkeyError> {
    let (mut recordings, mut heard) = (Vec::new(), Heard::default());
    let (mut contents, mut beginnings) =
        (BTreeMap::<String, PathBuf>::new(), BTreeMap::<String, PathBuf>::new());
    progress.begin(Stage::Embed, candidates.len() as u64, "recordings");
    for (index, candidate) in candidates.into_iter().enumerate() {
        if progress.cancelled() {
            return Err(OffkeyError::Cancelled { run: PathBuf::new() });
        }
        let Candidate { clip, info, group } = candidate;
        let (mut windows, mut problem) = (0_usize, None);
        let listened = listen(&clip.path, rule, |_, window| {
            windows += 1;
            match unusable(rule.rate_hz, window) {
                None => HeardWindow::of(models, rule, window).map(Some),
                Some(finding) => {
                    problem = problem.take().or(Some(finding));
                    Ok(None)
                }
            }
        });
        progress.advance(index as u64 + 1, "");
        let listened = match listened {
            Ok(listened) => listened,
            Err(error @ MonitorError::Audio(_)) => {
                left_out.push((clip.path, error.to_string()));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let usable = listened.starts.len();
        match problem {
            _ if windows == 0 => {
                let needed_s = rule.seconds(rule.samples as u64);
                let short = format!("shorter than {needed_s:.1} s");
                let damage = listened.damage.map(|damage| format!("{short}: {damage}"));
                left_out.push((clip.path, damage.unwrap_or(short)));
                continue;
            }
            Some(finding) if usable == 0 => {
                let cancelled = channels_cancel(&clip.path, rule);
                left_out.push((clip.path, cancelled.unwrap_or_else(|| finding.to_string())));
                continue;
            }
            Some(finding) => {
                let unused = windows - usable;
                left_out.push((
                    clip.path.clone(),
                    format!("{unused} of {}: {finding}", counted(windows, "window")),
                ));
            }
            None => {}
        }
        if let Some(first) = contents.get(&listened.content) {
            left_out.push((clip.path, format!("a copy of `{}`", first.display())));
            continue;
        }
        if let Some(first) = beginnings.get(&listened.first) {
            left_out.push((clip.path, format!("begins as `{}` does: a copy", first.display())));
            continue;
        }
        if let Some(damage) = listened.damage {
            left_out.push((
                clip.path.clone(),
                format!("what comes after {}: {damage}", counted(usable, "window")),
            ));
        }
        contents.insert(listened.content.clone(), clip.path.clone());
        beginnings.insert(listened.first, clip.path.clone());
        heard.extend(listened.heard);
        let card = RecordingCard {
            path: clip.path.display().to_string(),
            group,
            content: listened.content,
            starts: listened.starts,
            role: Role::Calibration,
            entry: 0,
            codec: Some(listened.codec),
        };
        recordings.push(Prepared { clip, rate_hz: info.rate_hz, card });
    }
    progress.end();
    Ok((recordings, heard))
}

/// The same windows as further members hear them.
fn hear_again(
    recordings: &[Prepared],
    rule: WindowRule,
    models: &[Model],
) -> Result<Heard, OffkeyError> {
    let mut heard = Heard::default();
    for recording in recordings {
        let wanted: BTreeSet<u64> = recording.card.starts.iter().copied().collect();
        let listened = listen(&recording.clip.path, rule, |start, window| {
            if wanted.contains(&start) {
                HeardWindow::of(models, rule, window).map(Some)
            } else {
                Ok(None)
            }
        })?;
        heard.extend(listened.heard);
    }
    Ok(heard)
}

/// A few windows, spread over the recordings.
fn kept_sounds(rule: WindowRule, recordings: &[Prepared]) -> Result<Array2<f32>, OffkeyError> {
    let all: Vec<(&Prepared, u64)> = recordings
        .iter()
        .flat_map(|recording| recording.card.starts.iter().map(move |&start| (recording, start)))
        .collect();
    let kept = all.len().min(KEPT_SOUNDS).min((KEPT_SAMPLES / rule.samples).max(1));
    let mut sounds = Array2::zeros((0, rule.samples));
    for index in 0..kept {
        let (recording, start) = all[index * all.len() / kept];
        let range = start..start + rule.samples as u64;
        let wave = decode_range(&recording.clip.path, &rule.decode_config(), range)?;
        sounds
            .push(Axis(0), ArrayView1::from(&wave.samples))
            .expect("windows of one rule have equal length");
    }
    Ok(sounds)
}
