//! How recordings become windows.

use offkey_monitor::WindowRule;
use offkey_recipe::{ModelConfig, Recipe};
use offkey_signal::ChannelRule;

use crate::{error::LearnError, find::Candidate, request::LearnRequest};

/// Length of a window where nothing else decides it, as in the challenge's years 2020 to 2022.
const WINDOW_S: f64 = 10.0;
/// Shortest window that is chosen by itself.
const LEAST_WINDOW_S: f64 = 1.0;
/// Share of recordings that may be shorter than the window that is chosen.
const SHORTER: usize = 10;
/// Highest rate that is listened at where no recipe says otherwise.
const RATE_HZ: u32 = 16_000;

/// The rule for recordings: as asked for, as the recipe says, or as they are long.
pub(crate) fn window_rule(
    request: &LearnRequest,
    candidates: &[Candidate],
) -> Result<WindowRule, LearnError> {
    let recipe = request.recipe.as_ref();
    let channel = channel(recipe);
    let lowest = candidates.iter().map(|candidate| candidate.info.rate_hz).min();
    let (rate_hz, by_recipe) = match recipe {
        Some(recipe) => {
            let (rate_hz, samples) = recipe.clip_shape();
            (rate_hz, Some(samples as f64 / f64::from(rate_hz)))
        }
        None => (lowest.unwrap_or(RATE_HZ).min(RATE_HZ), None),
    };
    let sorted = by_length(candidates);
    let usual = sorted.get(sorted.len() / SHORTER).map_or(WINDOW_S, |(length_s, _)| *length_s);
    let fitting = fitting(usual);
    if let (Some(ModelConfig::Network(_) | ModelConfig::Onnx(_)), Some(asked), Some(fixed)) =
        (recipe.map(|recipe| &recipe.model), request.window_s, by_recipe)
        && (asked - fixed).abs() > 1e-6
    {
        return Err(LearnError::WindowLength { asked_s: asked, recipe_s: fixed });
    }
    let window_s = request.window_s.or(by_recipe).unwrap_or(fitting);
    let every_s = request.every_s.unwrap_or(window_s.min(WINDOW_S));
    let samples = |seconds: f64| (seconds * f64::from(rate_hz)).round().max(1.0) as usize;
    let rule = WindowRule { channel, rate_hz, samples: samples(window_s), hop: samples(every_s) };
    if rule.is_usable() { Ok(rule) } else { Err(LearnError::Windows { window_s, every_s }) }
}

/// That one recording, much shorter than most, decides how long windows are, and what to do; where
/// nobody chose the length.
pub(crate) fn one_decides(request: &LearnRequest, candidates: &[Candidate]) -> Option<String> {
    if request.window_s.is_some() || request.recipe.is_some() {
        return None;
    }
    let sorted = by_length(candidates);
    let (decides_s, decides) = *sorted.get(sorted.len() / SHORTER)?;
    let (median_s, _) = *sorted.get(sorted.len() / 2)?;
    let (window_s, others_s) = (fitting(decides_s), fitting(median_s));
    (window_s < MUCH_SHORTER * others_s).then(|| {
        format!(
            "windows are {window_s:.1} s long because of `{}`, which lasts {decides_s:.1} s: half of the recordings last \
             {median_s:.1} s or more. Leave it out, or say `--window {others_s}s`",
            decides.clip.path.display()
        )
    })
}

/// Below this share of what most recordings allow, a window is told to be short.
const MUCH_SHORTER: f64 = 0.8;

/// Recordings with their lengths in seconds, the shortest first.
fn by_length(candidates: &[Candidate]) -> Vec<(f64, &Candidate)> {
    let mut sorted: Vec<_> =
        candidates.iter().map(|candidate| (candidate.info.duration_s(), candidate)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    sorted
}

/// The window for recordings of a length: whole tenths of a second, so that rounding makes no recording
/// too short.
fn fitting(length_s: f64) -> f64 {
    ((length_s * 10.0).floor() / 10.0).clamp(LEAST_WINDOW_S, WINDOW_S)
}

/// The channel that is heard: as the recipe says.
pub(crate) fn channel(recipe: Option<&Recipe>) -> ChannelRule {
    recipe.and_then(|recipe| recipe.audio.channel).unwrap_or_default()
}
