//! How recordings become windows.

use offkey_core::counted;
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
    let lengths = Lengths::of(recipe);
    let lowest = candidates.iter().map(|candidate| candidate.info.rate_hz).min();
    if let (Some(Recipe { model: ModelConfig::Onnx(foreign), .. }), Some(lowest)) = (recipe, lowest)
    {
        foreign.check_recorded(lowest)?;
    }
    let rate_hz = match recipe {
        Some(recipe) => recipe.clip_shape().0,
        None => lowest.unwrap_or(RATE_HZ).min(RATE_HZ),
    };
    if let (Lengths::Fixed { recipe_s, .. }, Some(asked_s)) = (lengths, request.window_s)
        && (asked_s - recipe_s).abs() > 1e-6
    {
        return Err(LearnError::WindowLength { asked_s, recipe_s });
    }
    let sorted = by_length(candidates);
    let usual = sorted.get(sorted.len() / SHORTER).map_or(WINDOW_S, |(length_s, _)| *length_s);
    let window_s = request.window_s.unwrap_or_else(|| lengths.fitting(usual));
    let every_s = request.every_s.unwrap_or(window_s.min(WINDOW_S));
    let samples = |seconds: f64| (seconds * f64::from(rate_hz)).round().max(1.0) as usize;
    let rule = WindowRule { channel, rate_hz, samples: samples(window_s), hop: samples(every_s) };
    if rule.is_usable() { Ok(rule) } else { Err(LearnError::Windows { window_s, every_s }) }
}

/// That one recording, much shorter than most, decides how long windows are, and what to do; where
/// nobody chose the length.
pub(crate) fn one_decides(request: &LearnRequest, candidates: &[Candidate]) -> Option<String> {
    let lengths = Lengths::of(request.recipe.as_ref());
    if request.window_s.is_some() || matches!(lengths, Lengths::Fixed { .. }) {
        return None;
    }
    let sorted = by_length(candidates);
    let (decides_s, decides) = *sorted.get(sorted.len() / SHORTER)?;
    let (median_s, _) = *sorted.get(sorted.len() / 2)?;
    let (window_s, others_s) = (lengths.fitting(decides_s), lengths.fitting(median_s));
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

/// Recordings with their lengths in seconds, the shortest first. What is too short for any window, as what is left of a
/// damaged file, is left out and has no say; unless there is nothing else.
fn by_length(candidates: &[Candidate]) -> Vec<(f64, &Candidate)> {
    let mut sorted: Vec<_> =
        candidates.iter().map(|candidate| (candidate.info.duration_s(), candidate)).collect();
    if sorted.iter().any(|(length_s, _)| *length_s >= LEAST_WINDOW_S) {
        sorted.retain(|(length_s, _)| *length_s >= LEAST_WINDOW_S);
    }
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    sorted
}

/// Which lengths of a window a model takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Lengths {
    /// Any: as long as recordings are, up to this, which a recipe may say.
    UpTo(f64),
    /// One, which the recipe says.
    Fixed {
        /// The length.
        recipe_s: f64,
        /// What of the recipe says it, where a person can change that.
        key: Option<&'static str>,
    },
}

impl Lengths {
    /// Those that a recipe's model takes; without a recipe pooled spectra, which take any.
    pub(crate) fn of(recipe: Option<&Recipe>) -> Self {
        let Some(recipe) = recipe else { return Self::UpTo(WINDOW_S) };
        let (rate_hz, samples) = recipe.clip_shape();
        let recipe_s = samples as f64 / f64::from(rate_hz);
        match recipe.model {
            ModelConfig::Network(_) => {
                Self::Fixed { recipe_s, key: Some("model.network.encoder.clip_s") }
            }
            ModelConfig::Onnx(_) => Self::Fixed { recipe_s, key: None },
            ModelConfig::Pooled(_) | ModelConfig::Statistics(_) | ModelConfig::Autoencoder(_) => {
                Self::UpTo(recipe_s)
            }
        }
    }

    /// The window for recordings of a length: whole tenths of a second, so that rounding makes no recording too
    /// short.
    fn fitting(self, length_s: f64) -> f64 {
        match self {
            Self::Fixed { recipe_s, .. } => recipe_s,
            Self::UpTo(longest_s) => {
                ((length_s * 10.0).floor() / 10.0).max(LEAST_WINDOW_S).min(longest_s)
            }
        }
    }
}

/// That most recordings are shorter than the one length that a recipe's model takes, and what to do.
pub(crate) fn most_too_short(request: &LearnRequest, candidates: &[Candidate]) -> Option<String> {
    let Lengths::Fixed { recipe_s, key } = Lengths::of(request.recipe.as_ref()) else {
        return None;
    };
    let sorted = by_length(candidates);
    let short = sorted.iter().filter(|(length_s, _)| *length_s < recipe_s - 1e-6).count();
    let (shortest_s, _) = *sorted.first()?;
    let what_to_do = key.map_or_else(String::new, |key| {
        format!(
            "; a recipe for them: `--set {key}={}`",
            Lengths::UpTo(recipe_s).fitting(shortest_s)
        )
    });
    (2 * short > sorted.len()).then(|| {
        format!(
            "{short} of {} are shorter than the {recipe_s} s that the recipe's network takes, and are left out{what_to_do}",
            counted(sorted.len(), "recording")
        )
    })
}

/// The channel that is heard: as the recipe says.
pub(crate) fn channel(recipe: Option<&Recipe>) -> ChannelRule {
    recipe.and_then(|recipe| recipe.audio.channel).unwrap_or_default()
}
