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
    let mut lengths: Vec<f64> =
        candidates.iter().map(|candidate| candidate.info.duration_s()).collect();
    lengths.sort_by(f64::total_cmp);
    let usual = lengths.get(lengths.len() / SHORTER).copied().unwrap_or(WINDOW_S);
    // Whole tenths of a second, so that rounding makes no recording too short.
    let fitting = ((usual * 10.0).floor() / 10.0).clamp(LEAST_WINDOW_S, WINDOW_S);
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

/// The channel that is heard: as the recipe says.
pub(crate) fn channel(recipe: Option<&Recipe>) -> ChannelRule {
    recipe.and_then(|recipe| recipe.audio.channel).unwrap_or_default()
}
