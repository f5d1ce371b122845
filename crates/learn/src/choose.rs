//! Which detector hears most on recordings of one machine, found without any anomaly.
//!
//! Every candidate is fitted to some recordings and scores the others: as they are, and made anomalous. The
//! made anomalies are near on purpose, for far ones are found by every candidate and tell nothing: faults
//! planted at low levels, and windows whose low and high bands come from different recordings.

use std::{collections::BTreeSet, ops::Range};

use ndarray::{Array2, ArrayView2, Axis};
use offkey_core::{Progress, Seed, Stage, stats};
use offkey_eval::auc;
use offkey_monitor::{HeardWindow, MemberCard, Model, WindowRule};
use offkey_recipe::{AudioConfig, ModelConfig, PooledFusion, PooledModel, Recipe, spoken};
use offkey_score::{Fusion, Member, References, Rule, ScoreError};
use offkey_signal::Waveform;
use offkey_synth::plant::{PlantedFault, plant};

use crate::{
    error::LearnError,
    find::{Found, find},
    listening::listen_to_all,
    members::{joined_by, members_of},
    request::LearnRequest,
    source::WindowSource,
    windows::{channel, window_rule},
};

/// Levels of planted faults, in decibels relative to the window.
const LEVELS_DB: [f64; 2] = [-20.0, -10.0];
/// Windows that are made anomalous, at most.
const MOST_WINDOWS: usize = 120;
/// Parts that recordings are dealt to, each scored by what was fitted to the others.
const FOLDS: usize = 5;
/// Fewest recordings that a choice can be made on.
const LEAST_RECORDINGS: usize = 5;
/// Standard errors by which another detector must be ahead of the fusion to be taken.
const SURE: f64 = 2.0;
/// Where low and high bands are crossed, as a share of the sampling rate.
const CROSSING: f32 = 1.0 / 16.0;

/// One candidate and how well it told made anomalies from held-out normal windows.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use offkey_core::Silent;
/// # use offkey_learn::{LearnRequest, choose};
/// # use offkey_synth::{SynthConfig, generate};
/// # let folder = tempfile::tempdir()?;
/// # let data = folder.path().join("data");
/// # let config = SynthConfig { machines: 1, clips: 12, clip_s: 2.0, ..SynthConfig::default() };
/// # generate(&config, &data, &|_| true)?;
/// # let request = LearnRequest::new(vec![data.join("fan/train")], "fan");
/// let choice = choose(&request, &Silent)?;
/// for tried in &choice.candidates {
///     println!("{}: {:.3}", tried.recipe.name, tried.auc);
/// }
/// # assert!(choice.candidates[0].behind.abs() < 1e-12);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// The candidate, ready for [`learn`](crate::learn).
    pub recipe: Recipe,
    /// Mean over folds and kinds of anomaly of the area under the ROC curve, 0 to 1.
    pub auc: f64,
    /// Mean over folds of what it falls short of the candidate with the largest AUC; 0 for that one.
    pub behind: f64,
    /// Standard error of that difference over the folds.
    pub error: f64,
    /// The area for each kind of anomaly, in the order of [`Choice::kinds`].
    pub by_kind: Vec<f64>,
}

/// What was tried, and which candidate is taken.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use offkey_core::Silent;
/// use offkey_learn::{LearnRequest, choose, learn};
/// # use offkey_synth::{SynthConfig, generate};
///
/// # let folder = tempfile::tempdir()?;
/// # let data = folder.path().join("data");
/// # let config = SynthConfig { machines: 1, clips: 12, clip_s: 2.0, ..SynthConfig::default() };
/// # generate(&config, &data, &|_| true)?;
/// let request = LearnRequest::new(vec![data.join("fan/train")], "fan");
/// let choice = choose(&request, &Silent)?;
/// let recipe = choice.candidates[choice.taken].recipe.clone();
/// let (monitor, _) = learn(&LearnRequest { recipe: Some(recipe), ..request }, &Silent)?;
/// # assert_eq!(monitor.card().name, "fan");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The candidates, the best first.
    pub candidates: Vec<Tried>,
    /// Place of the one taken: the fusion, unless another is ahead of it by more than twice the standard error.
    pub taken: usize,
    /// Kinds of made anomalies.
    pub kinds: Vec<String>,
    /// Recordings, and windows of them, that were scored.
    pub recordings: usize,
    /// Windows scored.
    pub windows: usize,
}

/// A candidate and its members.
struct Ears {
    recipe: Recipe,
    cards: Vec<MemberCard>,
    rule: Rule,
    /// Which of all candidates' models are its own.
    models: Range<usize>,
}

/// Windows as all models hear them: per kind of sound, the normal ones first, and per model `[windows, dims]`.
struct Sounds {
    heard: Vec<Vec<Array2<f32>>>,
    of_group: Vec<String>,
    folds: Vec<usize>,
}

/// Compares detectors that need no training on normal recordings, without anomalies. `request.recipe` is
/// one more candidate, and says which channel is heard.
///
/// # Errors
/// [`LearnError::TooFewToChoose`] with fewer than five recordings that can be heard,
/// [`LearnError::NeedsTraining`] for a recipe that does; whatever keeps recordings from being heard.
pub fn choose(request: &LearnRequest, progress: &dyn Progress) -> Result<Choice, LearnError> {
    let further = request.recipe.as_ref();
    if let Some(Recipe {
        model: ModelConfig::Network(_) | ModelConfig::Autoencoder(_), name, ..
    }) = further
    {
        return Err(LearnError::NeedsTraining { recipe: name.clone() });
    }
    let Found { candidates: found, mut left_out, .. } = find(&request.data, progress)?;
    let foreign = further.filter(|recipe| matches!(recipe.model, ModelConfig::Onnx(_))).cloned();
    let mut rule = window_rule(&LearnRequest { recipe: foreign, ..request.clone() }, &found)?;
    rule.channel = channel(further);
    let seed = Seed::new(request.seed).child("choose");
    let recordings = listen_to_all(found, rule, &[], &mut left_out, progress)?.recordings;
    let groups: BTreeSet<&str> = recordings.iter().map(|one| one.card.group.as_str()).collect();
    let (recordings_heard, expected) = (groups.len(), LEAST_RECORDINGS);
    if recordings_heard < expected {
        let recordings = recordings_heard;
        return Err(LearnError::TooFewToChoose { recordings, expected, left_out });
    }
    let source = WindowSource::of(rule, &recordings);
    let places: Vec<usize> = source.spread(MOST_WINDOWS).collect();
    // Recordings are known by their place, not by their names: where a folder lies changes no choice.
    let groups: Vec<&str> = groups.into_iter().collect();
    let number = |group: &str| groups.iter().position(|one| *one == group).unwrap_or_default();
    let of_window: Vec<usize> = recordings
        .iter()
        .flat_map(|one| one.card.starts.iter().map(|_| number(&one.card.group)))
        .collect();
    let of_group: Vec<String> =
        places.iter().map(|&place| format!("{:06}", of_window[place])).collect();
    let windows = source.waves(places, seed)?;
    let made = made_anomalies(&windows, &of_group, rule, seed);
    let (mut tried, mut models) = (Vec::new(), Vec::new());
    for recipe in candidates(rule, further) {
        let (cards, own) = members_of(Some(&recipe), rule.rate_hz)?;
        let joined = joined_by(Some(&recipe));
        let range = models.len()..models.len() + own.len();
        models.extend(own);
        tried.push(Ears { recipe, cards, rule: joined, models: range });
    }
    progress.begin(Stage::Embed, (1 + made.len()) as u64, "kinds of sound");
    let mut heard = Vec::new();
    let all = std::iter::once(&windows).chain(made.iter().map(|(_, made)| made));
    for (done, kind) in all.enumerate() {
        heard.push(hear(&models, kind, rule)?);
        progress.advance(done as u64 + 1, "");
        if progress.cancelled() {
            return Err(LearnError::Cancelled);
        }
    }
    progress.end();
    let folds = folds(&of_group, seed);
    let sounds = Sounds { heard, of_group, folds };
    let mut scored = Vec::new();
    for candidate in &tried {
        scored.push(candidate.areas(&sounds, seed).map_err(|source| LearnError::Score {
            detector: candidate.recipe.name.clone(),
            source,
        })?);
    }
    let kinds = made.into_iter().map(|(kind, _)| kind).collect();
    let recipes = tried.into_iter().map(|candidate| candidate.recipe).collect();
    Ok(ranked(recipes, &scored, kinds, recordings_heard, windows.len()))
}

fn hear(
    models: &[Model],
    windows: &[Vec<f32>],
    rule: WindowRule,
) -> Result<Vec<Array2<f32>>, LearnError> {
    let mut heard = offkey_monitor::Heard::default();
    for window in windows {
        heard.push(HeardWindow::of(models, rule, window)?);
    }
    Ok(heard.embeddings)
}

/// The detectors that are tried: the fusion, by the largest and by the mean; each of its spectra alone; the
/// plain statistics.
fn candidates(rule: WindowRule, further: Option<&Recipe>) -> Vec<Recipe> {
    let built_in = |name: &str, changes: &[String]| {
        Recipe::load(name, changes).expect("a built-in recipe is valid")
    };
    let mut recipes = vec![built_in("fusion", &[])];
    let mean = "fusion.rule=\"mean\"".to_owned();
    recipes.push(Recipe { name: "fusion by the mean".to_owned(), ..built_in("fusion", &[mean]) });
    for pooling in PooledFusion::default().members {
        let alone = built_in("fusion", &[]);
        let model = ModelConfig::Pooled(PooledModel { pooling, ..PooledModel::default() });
        let name = format!("{} alone", spoken(pooling));
        recipes.push(Recipe { name, model, fusion: None, ..alone });
    }
    for name in ["log-mel-statistics", "spectrogram-statistics"] {
        recipes.push(built_in(name, &[]));
    }
    recipes.extend(further.cloned());
    let audio = further.map_or_else(AudioConfig::default, |recipe| recipe.audio.clone());
    let clip_s = rule.seconds(rule.samples as u64);
    recipes.into_iter().map(|one| one.for_clips(rule.rate_hz, clip_s, &audio)).collect()
}

/// Windows made anomalous, a list for each kind.
fn made_anomalies(
    windows: &[Vec<f32>],
    of_group: &[String],
    rule: WindowRule,
    seed: Seed,
) -> Vec<(String, Vec<Vec<f32>>)> {
    let mut made = Vec::new();
    for kind in PlantedFault::ALL {
        for level_db in LEVELS_DB {
            let name = format!("{} at {level_db} dB", kind.name());
            let planted = windows.iter().enumerate().map(|(index, window)| {
                let mut wave = Waveform { samples: window.clone(), rate_hz: rule.rate_hz };
                plant(&mut wave, kind, level_db, seed.child(&name).child(index));
                wave.samples
            });
            made.push((name.clone(), planted.collect()));
        }
    }
    let crossed = windows.iter().enumerate().map(|(index, window)| {
        let others = (1..windows.len()).map(|step| (index + step) % windows.len());
        let mut others = others.filter(|&other| of_group[other] != of_group[index]);
        // Far enough along that the partner is not always the next recording.
        let partner = others.nth(index % 3).or_else(|| others.next()).unwrap_or(index);
        crossed(window, &windows[partner])
    });
    made.push(("bands of two recordings".to_owned(), crossed.collect()));
    made
}

/// The low band of one window and the high band of another.
fn crossed(low: &[f32], high: &[f32]) -> Vec<f32> {
    let below = low_passed(low);
    let above = low_passed(high);
    below
        .iter()
        .zip(high.iter().zip(above))
        .map(|(low, (high, above))| low + high - above)
        .collect()
}

/// Four poles in a row: what lies an octave above the crossing is nearly gone.
fn low_passed(samples: &[f32]) -> Vec<f32> {
    let keep = (-std::f32::consts::TAU * CROSSING).exp();
    let mut state = [0.0_f32; 4];
    let step = |&sample: &f32| {
        state.iter_mut().fold(sample, |input, pole| {
            *pole = keep * *pole + (1.0 - keep) * input;
            *pole
        })
    };
    samples.iter().map(step).collect()
}

/// The fold of each window: whole recordings, dealt by the seed.
fn folds(of_group: &[String], seed: Seed) -> Vec<usize> {
    let names: BTreeSet<&str> = of_group.iter().map(String::as_str).collect();
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_by_key(|name| seed.child("fold").child(name).value());
    let count = FOLDS.min(names.len());
    let place = |group: &String| names.iter().position(|name| name == group).unwrap_or(0) % count;
    of_group.iter().map(place).collect()
}

impl Ears {
    /// For each fold the area under the ROC curve of each kind of anomaly.
    fn areas(&self, sounds: &Sounds, seed: Seed) -> Result<Vec<Vec<f64>>, ScoreError> {
        let Sounds { heard, of_group, folds } = sounds;
        let count = folds.iter().max().map_or(0, |last| last + 1);
        let mut areas = Vec::new();
        for fold in 0..count {
            let (out, kept): (Vec<usize>, Vec<usize>) =
                (0..folds.len()).partition(|&row| folds[row] == fold);
            let groups: Vec<String> = kept.iter().map(|&row| of_group[row].clone()).collect();
            let domains = vec![None; groups.len()];
            let select = |rows: &[usize], kind: usize| -> Vec<Array2<f32>> {
                let own = &heard[kind][self.models.clone()];
                own.iter().map(|member| member.select(Axis(0), rows)).collect()
            };
            let references = select(&kept, 0);
            let mut members = Vec::new();
            for (card, own) in self.cards.iter().zip(&references) {
                let references = References::new(own.view(), &domains, &groups, seed)?;
                let (name, backend) = (card.name.clone(), card.backend.clone());
                members.push(Member { name, backend, references });
            }
            let fusion = Fusion::fit(&members, self.rule)?;
            let score = |kind: usize| {
                let rows = select(&out, kind);
                let views: Vec<ArrayView2<f32>> = rows.iter().map(|rows| rows.view()).collect();
                fusion.score(&views)
            };
            let normal = score(0)?;
            let of_kind = |kind: usize| Ok(auc(&normal, &score(kind)?).unwrap_or(0.5));
            areas.push((1..heard.len()).map(of_kind).collect::<Result<_, ScoreError>>()?);
        }
        Ok(areas)
    }
}

/// Candidates in the order of their areas, and the one that is taken; the first given is the fusion.
fn ranked(
    recipes: Vec<Recipe>,
    scored: &[Vec<Vec<f64>>],
    kinds: Vec<String>,
    recordings: usize,
    windows: usize,
) -> Choice {
    let of_folds: Vec<Vec<f64>> =
        scored.iter().map(|folds| folds.iter().map(|kinds| mean(kinds)).collect()).collect();
    let total = |candidate: usize| mean(&of_folds[candidate]);
    let mut order: Vec<usize> = (0..recipes.len()).collect();
    order.sort_by(|&a, &b| total(b).total_cmp(&total(a)).then(a.cmp(&b)));
    let behind = |candidate: usize, of: usize| {
        let differences: Vec<f64> =
            of_folds[of].iter().zip(&of_folds[candidate]).map(|(of, own)| of - own).collect();
        let deviation = stats::deviation(&differences).unwrap_or(0.0);
        (mean(&differences), deviation / (differences.len() as f64).sqrt())
    };
    let best = order[0];
    let (ahead, error) = behind(0, best);
    let taken = if ahead > SURE * error { best } else { 0 };
    let candidate = |&index: &usize| {
        let (behind, error) = behind(index, best);
        let of_kind =
            |kind: usize| mean(&scored[index].iter().map(|fold| fold[kind]).collect::<Vec<_>>());
        Tried {
            recipe: recipes[index].clone(),
            auc: total(index),
            behind,
            error,
            by_kind: (0..kinds.len()).map(of_kind).collect(),
        }
    };
    let candidates = order.iter().map(candidate).collect();
    let taken = order.iter().position(|&index| index == taken).unwrap_or(0);
    Choice { candidates, taken, kinds, recordings, windows }
}

fn mean(values: &[f64]) -> f64 {
    stats::mean(values).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(name: &str) -> Recipe {
        Recipe { name: name.to_owned(), ..Recipe::load("fusion", &[]).expect("built in") }
    }

    #[test]
    fn the_fusion_is_taken_unless_another_is_ahead_of_it_by_more_than_the_error() {
        let choice = |other: [f64; 4]| {
            let fusion = [0.8, 0.7, 0.9, 0.8].map(|area| vec![area]).to_vec();
            let other = other.map(|area| vec![area]).to_vec();
            let recipes = vec![recipe("fusion"), recipe("other")];
            let choice = ranked(recipes, &[fusion, other], vec!["knock".to_owned()], 8, 8);
            (choice.candidates[choice.taken].recipe.name.clone(), choice.candidates)
        };
        let (taken, candidates) = choice([0.9, 0.8, 1.0, 0.9]);
        assert_eq!(taken, "other");
        assert!((candidates[1].behind - 0.1).abs() < 1e-12 && candidates[1].error < 1e-12);
        let (taken, candidates) = choice([1.0, 0.5, 1.0, 0.75]);
        assert_eq!((taken.as_str(), candidates[0].recipe.name.as_str()), ("fusion", "other"));
    }

    #[test]
    fn a_crossed_window_has_the_low_band_of_one_and_the_high_band_of_the_other() {
        let tone = |hz: f32| -> Vec<f32> {
            (0..4000).map(|i| (std::f32::consts::TAU * hz * i as f32 / 16_000.0).sin()).collect()
        };
        let power = |samples: &[f32]| {
            samples[1000..].iter().map(|sample| sample * sample).sum::<f32>() / 3000.0
        };
        assert!(power(&crossed(&tone(100.0), &tone(100.0))) > 0.3);
        assert!(power(&crossed(&tone(100.0), &vec![0.0; 4000])) > 0.3);
        assert!(power(&crossed(&tone(6000.0), &vec![0.0; 4000])) < 0.01);
        assert!(power(&crossed(&vec![0.0; 4000], &tone(6000.0))) > 0.3);
    }

    #[test]
    fn recordings_stay_whole_in_folds() {
        let groups: Vec<String> = (0..24).map(|window| format!("r{}", window / 3)).collect();
        let folds = folds(&groups, Seed::new(1));
        for (window, fold) in folds.iter().enumerate() {
            assert_eq!(*fold, folds[window / 3 * 3]);
        }
        assert_eq!(folds.iter().collect::<BTreeSet<_>>().len(), FOLDS);
    }
}
