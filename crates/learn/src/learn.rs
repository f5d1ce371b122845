//! The way from recordings to a monitor, step by step.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use ndarray::{Array2, ArrayView1, Axis};
use offkey_core::{Clip, Progress, Seed};
use offkey_monitor::{MemberCard, Monitor, MonitorCard, Profile, Role, WindowRule};
use offkey_recipe::ModelConfig;
use offkey_score::Rule;

use crate::{
    autoencoder::autoencoder,
    error::LearnError,
    faults::known_faults,
    find::{Found, find, named},
    listening::{HeardAll, hear_again, listen_to_all},
    members::{joined_by, members_of},
    network::{Outcome, try_network},
    request::{LearnRequest, Prepared},
    source::WindowSource,
    windows::{Lengths, most_too_short, one_decides, window_rule},
};

/// What learning found out, beside the monitor.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use offkey_core::Silent;
/// use offkey_learn::{LearnRequest, learn};
/// # use offkey_synth::{SynthConfig, generate};
///
/// # let folder = tempfile::tempdir()?;
/// # let data = folder.path().join("data");
/// # let config = SynthConfig { machines: 1, clips: 12, clip_s: 2.0, ..SynthConfig::default() };
/// # generate(&config, &data, &|_| true)?;
/// let request = LearnRequest::new(vec![data.join("fan/train")], "fan");
/// let (_, report) = learn(&request, &Silent)?;
/// for (path, reason) in &report.left_out {
///     println!("{}: {reason}", path.display());
/// }
/// assert_eq!((report.recordings, report.windows), (12, 12));
/// # Ok(())
/// # }
/// ```
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

/// Fewest windows: with three, two are left to tell how far the third may lie, and nothing ever alarms.
const LEAST_WINDOWS: usize = 4;
/// Windows kept as sound for the self-test, and most samples of them all together.
const KEPT_SOUNDS: usize = 8;
const KEPT_SAMPLES: usize = 320_000;

/// Learns a monitor from normal recordings.
///
/// # Errors
/// [`LearnError::TooFewWindows`] when there is too little to learn from, or whatever keeps a stage
/// from its work.
pub fn learn(
    request: &LearnRequest,
    progress: &dyn Progress,
) -> Result<(Monitor, LearnReport), LearnError> {
    let Found { candidates, mut left_out, joined: microphones } = find(&request.data, progress)?;
    let rule = window_rule(request, &candidates)?;
    let one_decides = one_decides(request, &candidates);
    let most_too_short = most_too_short(request, &candidates);
    let (mut members, mut models) = members_of(request.recipe.as_ref(), rule.rate_hz)?;
    let faults = known_faults(&request.faults, rule, progress)?;
    let mut contents = BTreeMap::new();
    if let Some(faults) = faults {
        members.push(faults.member);
        models.push(faults.model);
        left_out.extend(faults.left_out);
        contents = faults.contents;
    }
    let HeardAll { mut recordings, mut heard, shared } =
        listen_to_all(candidates, rule, &models, &mut left_out, progress)?;
    if let Some((recording, fault)) = recordings
        .iter()
        .find_map(|recording| Some((recording, contents.get(&recording.card.content)?)))
    {
        let (normal, fault) = (recording.clip.path.clone(), fault.clone());
        return Err(LearnError::FaultAmongNormals { normal, fault });
    }
    let windows = heard.levels.len();
    if windows < LEAST_WINDOWS {
        let (recordings, expected) = (recordings.len(), LEAST_WINDOWS);
        let of_network =
            matches!(Lengths::of(request.recipe.as_ref()), Lengths::Fixed { key: Some(_), .. });
        return Err(LearnError::TooFewWindows {
            found: windows,
            expected,
            recordings,
            left_out,
            of_network,
        });
    }
    let joined = joined_by(request.recipe.as_ref());
    let mut explanation = explain(&members, joined, &recordings);
    match joining(request, rule, &recordings, progress)? {
        None => {}
        Some(Outcome::LeftOut(reason)) => explanation.push(reason),
        Some(Outcome::Joins(joining)) => {
            for recording in &mut recordings {
                if joining.trained_on.contains(&recording.card.group) {
                    recording.card.role = Role::Reference;
                }
            }
            let further = hear_again(&recordings, rule, &joining.models, progress)?;
            heard.embeddings.extend(further.embeddings);
            // What there is alone is named first.
            let place = if members.is_empty() { 0 } else { explanation.len() };
            explanation.insert(place, joining.explanation);
            models.extend(joining.models);
            members.extend(joining.members);
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
        explanation: explanation.join("; "),
        members,
        rule: joined,
        wished: request.false_alarms,
        profile,
        recordings: recordings.into_iter().map(|recording| recording.card).collect(),
        journal: Vec::new(),
    };
    let recordings = card.recordings.len();
    if progress.cancelled() {
        return Err(LearnError::Cancelled);
    }
    let monitor = Monitor::new(card, heard, models, sounds)?;
    if progress.cancelled() {
        return Err(LearnError::Cancelled);
    }
    let report = LearnReport {
        recordings,
        windows,
        window_s: rule.seconds(rule.samples as u64),
        odd: monitor.odd_recordings(),
        warnings: microphones
            .into_iter()
            .chain(shared)
            .chain(one_decides)
            .chain(most_too_short)
            .chain(monitor.warnings())
            .collect(),
        left_out,
    };
    Ok((monitor, report))
}

/// What the recipe trains beside the other members, where it trains something.
fn joining(
    request: &LearnRequest,
    rule: WindowRule,
    recordings: &[Prepared],
    progress: &dyn Progress,
) -> Result<Option<Outcome>, LearnError> {
    let Some(recipe) = &request.recipe else { return Ok(None) };
    match &recipe.model {
        ModelConfig::Network(config) => {
            try_network(request, config, &recipe.backend, rule, recordings, progress).map(Some)
        }
        ModelConfig::Autoencoder(config) => {
            let asked = (recipe, &config.network);
            let joining = autoencoder(request, asked, rule, recordings, progress)?;
            Ok(Some(Outcome::Joins(joining)))
        }
        ModelConfig::Statistics(_) | ModelConfig::Pooled(_) | ModelConfig::Onnx(_) => Ok(None),
    }
}

/// What the detector is made of, part by part.
fn explain(members: &[MemberCard], rule: Rule, recordings: &[Prepared]) -> Vec<String> {
    let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let clips: Vec<&Clip> = recordings.iter().map(|recording| &recording.clip).collect();
    let mut parts = match (names.as_slice(), rule) {
        ([], _) => Vec::new(),
        ([only], _) => vec![(*only).to_owned()],
        (names, Rule::Max) => {
            vec![format!("the largest of {} scores: {}", names.len(), names.join(", "))]
        }
        (names, Rule::Mean) => {
            vec![format!("the mean of {} scores: {}", names.len(), names.join(", "))]
        }
    };
    let conditions = named(&clips).len();
    if conditions > 1 {
        parts.push(format!("{conditions} conditions, told apart by names, are learned as one"));
    }
    parts
}

/// A few windows, spread over the recordings.
fn kept_sounds(rule: WindowRule, recordings: &[Prepared]) -> Result<Array2<f32>, LearnError> {
    let source = WindowSource::of(rule, recordings);
    let most = KEPT_SOUNDS.min((KEPT_SAMPLES / rule.samples).max(1));
    let mut sounds = Array2::zeros((0, rule.samples));
    for wave in source.waves(source.spread(most), Seed::new(0))? {
        sounds
            .push(Axis(0), ArrayView1::from(&wave))
            .expect("windows of one rule have equal length");
    }
    Ok(sounds)
}
