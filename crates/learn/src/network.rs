//! A network beside the spectra of a monitor: trained where the recordings name real classes, kept
//! where it proves that it hears.

use std::collections::BTreeSet;

use ndarray::{Array2, ArrayView2, Axis, concatenate};
use offkey_core::{Clip, FileError, Progress, Seed, Split};
use offkey_eval::auc;
use offkey_infer::{BranchRegistry, ClipSource, Encoder};
use offkey_monitor::{LEAST_RECORDINGS, MemberCard, Model, ModelCard, WindowRule};
use offkey_recipe::NetworkConfig;
use offkey_score::{BackendConfig, References};
use offkey_signal::Waveform;
use offkey_synth::plant::{PlantedFault, plant};
use offkey_train::{Labels, TrainJob, TrainProgress, load_encoder, loss::LossRegistry};

use crate::{
    error::LearnError,
    joining::{Joining, trained_on},
    request::{LearnRequest, Prepared},
    source::WindowSource,
};

/// Fewest classes that are a task.
const LEAST_CLASSES: usize = 2;
/// Held-out windows that faults are planted into.
const MOST_PROBED: usize = 24;
/// Windows embedded at a time.
const BLOCK_WINDOWS: usize = 32;
/// Level of the faults, in decibels relative to the window.
const PLANTED_DB: f64 = 0.0;
/// A network that ranks fewer planted faults above their normal windows is deaf.
const LEAST_HEARD: f64 = 0.65;

/// What became of the networks of a recipe.
pub(crate) enum Outcome {
    /// One or several join the detector.
    Joins(Joining),
    /// It is left out, for this reason.
    LeftOut(String),
}

/// Trains a network and lets it prove itself.
///
/// # Errors
/// [`LearnError`] when training fails or the caller asks to stop.
pub(crate) fn try_network(
    request: &LearnRequest,
    config: &NetworkConfig,
    backend: &BackendConfig,
    rule: WindowRule,
    recordings: &[Prepared],
    progress: &dyn Progress,
) -> Result<Outcome, LearnError> {
    let seed = Seed::new(request.seed);
    let clips: Vec<Clip> = recordings
        .iter()
        .map(|recording| Clip { split: Split::Train, ..recording.clip.clone() })
        .collect();
    let clips: Vec<&Clip> = clips.iter().collect();
    let classes = config.task.labels(&clips, None, seed.child("labels"))?;
    if classes.classes.len() < LEAST_CLASSES {
        return Ok(Outcome::LeftOut(
            "the network of the recipe is left out: the recordings name one machine in one condition, and it needs several to tell apart"
                .to_owned(),
        ));
    }
    let trained_on = trained_on(recordings, &classes.of_clip, seed);
    let groups: BTreeSet<&str> = recordings.iter().map(|r| r.card.group.as_str()).collect();
    if groups.len() - trained_on.len() < LEAST_RECORDINGS || trained_on.len() < LEAST_CLASSES {
        return Ok(Outcome::LeftOut(format!(
            "the network of the recipe is left out: {} recordings are too few to train on some and calibrate on {LEAST_RECORDINGS} others",
            groups.len()
        )));
    }
    let learned = || {
        let both = recordings.iter().zip(&classes.of_clip);
        both.filter(|(recording, _)| trained_on.contains(&recording.card.group))
    };
    let of_clip = learned()
        .flat_map(|(recording, &class)| recording.card.starts.iter().map(move |_| class))
        .collect();
    let labels = Labels { classes: classes.classes.len(), of_clip };
    let source = WindowSource::of(rule, learned().map(|(recording, _)| recording));
    let scratch = tempfile::tempdir().map_err(FileError::io(&std::env::temp_dir()))?;
    let (mut members, mut models, mut shares) = (Vec::new(), Vec::new(), Vec::new());
    for (network, own) in config.seeds(seed).enumerate() {
        let folder = scratch.path().join(network.to_string());
        let job = TrainJob {
            source: &source,
            labels: &labels,
            encoder: &config.encoder,
            loss: &config.loss,
            losses: &LossRegistry::default(),
            train: &config.training,
            seed: own,
            compute: request.compute,
            folder: &folder,
            resume: false,
        };
        let report = offkey_train::train(&job, &mut TrainProgress::new(progress))?;
        progress.end();
        if !report.finished {
            return Err(LearnError::Cancelled);
        }
        let encoder = load_encoder(&folder, &BranchRegistry::default(), request.compute)?;
        let heard = hears(&encoder, backend, rule, recordings, &trained_on, seed)?;
        shares.push(heard);
        if heard < LEAST_HEARD {
            continue;
        }
        let (card, _) = encoder.to_parts()?;
        let number = if network == 0 { String::new() } else { format!(" {}", network + 1) };
        members.push(MemberCard {
            name: format!("network{number}"),
            model: ModelCard::Network(card),
            backend: backend.clone(),
        });
        models.push(Model::Network(Box::new(encoder)));
    }
    Ok(outcome(members, models, trained_on, classes.classes.len(), &shares))
}

/// What is said of networks that rank these shares of planted faults above the normal windows they are planted into.
fn outcome(
    members: Vec<MemberCard>,
    models: Vec<Model>,
    trained_on: BTreeSet<String>,
    classes: usize,
    shares: &[f64],
) -> Outcome {
    let ranked: Vec<String> =
        shares.iter().map(|share| format!("{:.0} %", 100.0 * share)).collect();
    let ranked = ranked.join(", ");
    let needed = 100.0 * LEAST_HEARD;
    if members.is_empty() {
        return Outcome::LeftOut(format!(
            "the recipe's {} left out: of planted faults {ranked} rank above the normal windows they are planted into, {needed:.0} % \
             are needed",
            if shares.len() == 1 { "network is" } else { "networks are" }
        ));
    }
    let networks = match shares.len() {
        1 => "a network".to_owned(),
        several => format!("{} of {several} networks", members.len()),
    };
    let recordings = trained_on.len();
    let explanation = format!(
        "{networks} told {classes} named machines and conditions apart on {recordings} recordings, which calibrate nothing; of planted \
         faults {ranked} rank above the normal windows they are planted into"
    );
    Outcome::Joins(Joining { members, models, trained_on, explanation })
}

/// Share of planted faults that a network ranks above the held-out normal windows.
fn hears(
    encoder: &Encoder,
    backend: &BackendConfig,
    rule: WindowRule,
    recordings: &[Prepared],
    trained_on: &BTreeSet<String>,
    seed: Seed,
) -> Result<f64, LearnError> {
    let (trained, held_out): (Vec<&Prepared>, Vec<&Prepared>) =
        recordings.iter().partition(|recording| trained_on.contains(&recording.card.group));
    let embed = |waves: &[Vec<f32>]| encoder.embed(waves);
    let source = WindowSource::of(rule, trained);
    let mut references = Vec::new();
    for begin in (0..source.len()).step_by(BLOCK_WINDOWS) {
        let block = begin..(begin + BLOCK_WINDOWS).min(source.len());
        references.push(embed(&source.waves(block, seed)?)?);
    }
    let references = stacked(&references);
    let source = WindowSource::of(rule, held_out);
    let normal = source.waves(source.spread(MOST_PROBED), seed)?;
    let planted = |kind: PlantedFault| {
        let fault = |(index, wave): (usize, &Vec<f32>)| {
            let mut wave = Waveform { samples: wave.clone(), rate_hz: rule.rate_hz };
            plant(&mut wave, kind, PLANTED_DB, seed.child("hears").child(index));
            wave.samples
        };
        normal.iter().enumerate().map(fault).collect::<Vec<_>>()
    };
    let faults: Vec<Array2<f32>> = PlantedFault::ALL
        .into_iter()
        .map(|kind| embed(&planted(kind)))
        .collect::<Result<_, _>>()?;
    let faults = stacked(&faults);
    let failed = |source| LearnError::Score { detector: "network".to_owned(), source };
    let groups: Vec<String> = (0..references.nrows()).map(|row| row.to_string()).collect();
    let domains = vec![None; groups.len()];
    let checked = References::new(references.view(), &domains, &groups, seed).map_err(failed)?;
    let fitted = backend.fit(&checked).map_err(failed)?;
    let of_normal = fitted.score(embed(&normal)?.view()).map_err(failed)?;
    let of_faults = fitted.score(faults.view()).map_err(failed)?;
    Ok(auc(&of_normal, &of_faults).unwrap_or(0.0))
}

/// Embeddings of one network, one block below the other.
fn stacked(blocks: &[Array2<f32>]) -> Array2<f32> {
    let views: Vec<ArrayView2<f32>> = blocks.iter().map(|rows| rows.view()).collect();
    concatenate(Axis(0), &views).expect("embeddings of one network")
}
