//! The range of every number in a recipe, checked when the recipe is read.

use crate::error::RecipeError;

/// Numbers whose key ends like this, and the smallest and largest that make sense. The first line that
/// fits counts.
const LIMITS: &[(&str, f64, f64)] = &[
    // Audio.
    ("audio.holdout", 0.0, 0.99),
    ("channel.pick", 0.0, 255.0),
    ("cancel.near", 0.0, 255.0),
    ("cancel.far", 0.0, 255.0),
    ("snr_db", -200.0, 200.0),
    // Clips and spectrograms.
    ("rate_hz", 100.0, 384_000.0),
    ("clip_s", 0.01, 3600.0),
    ("window", 2.0, 1e6),
    ("hop", 1.0, 1e6),
    ("fft", 2.0, 1e6),
    ("mels", 1.0, 4096.0),
    ("fmin_hz", 0.0, 192_000.0),
    ("fmax_hz", 1.0, 192_000.0),
    ("floor", 1e-30, 1.0),
    // Encoders that were trained elsewhere.
    ("clip_hz", 100.0, 384_000.0),
    ("blocks.size", 1.0, 1e8),
    ("subtract", -1e6, 1e6),
    ("divide", 1e-9, 1e9),
    // Networks.
    ("pseudo_attributes", 1.0, 4096.0),
    ("ensemble", 1.0, 64.0),
    ("filters", 1.0, 4096.0),
    ("kernels", 1.0, 65_536.0),
    ("strides", 1.0, 65_536.0),
    ("dense_layers", 0.0, 64.0),
    ("dims", 1.0, 8192.0),
    ("stem_stride", 1.0, 64.0),
    ("stage_channels", 1.0, 4096.0),
    // Training.
    ("batch_clips", 2.0, 65_536.0),
    ("at-least.epochs", 0.0, 1e6),
    ("at-least.steps", 0.0, 1e9),
    ("epochs", 1.0, 1e6),
    ("steps", 1.0, 1e9),
    ("learning_rate", 1e-12, 10.0),
    ("mixup", 0.0, 1.0),
    ("time_masks", 0.0, 64.0),
    ("frequency_masks", 0.0, 64.0),
    ("time_share", 0.0, 1.0),
    ("frequency_share", 0.0, 1.0),
    ("l2_penalty", 0.0, 1000.0),
    ("prefetch_batches", 0.0, 64.0),
    ("held_out", 0.0, 0.5),
    ("cosine.warm_up", 0.0, 1.0),
    ("cosine.final_share", 0.0, 1.0),
    ("weight_decay", 0.0, 100.0),
    ("gradient_length", 1e-12, 1e12),
    ("average_weights", 0.0, 0.999_999_9),
    ("patience_epochs", 1.0, 1e6),
    ("flat_steps", 1.0, 1e9),
    ("measure_epochs", 1.0, 1e6),
    ("least_steps", 0.0, 1e9),
    ("tolerance", 0.0, 1.0),
    // Losses.
    ("cross_entropy_weight", 0.0, 1e6),
    ("sub_clusters", 1.0, 4096.0),
    ("scale", 1e-6, 1000.0),
    ("cosface.margin", 0.0, 2.0),
    ("margin", 0.0, std::f64::consts::FRAC_PI_2),
    // Autoencoders.
    ("frames", 1.0, 1000.0),
    ("hidden", 1.0, 8192.0),
    ("hidden_layers", 0.0, 64.0),
    ("waist", 1.0, 8192.0),
    ("batch_windows", 1.0, 1e6),
    // Backends.
    ("column", 0.0, 65_535.0),
    ("components", 1.0, 4096.0),
    ("regularization", 0.0, 1e6),
    ("means", 1.0, 65_536.0),
    ("restarts", 1.0, 1000.0),
    ("smote_neighbors", 1.0, 100_000.0),
    ("neighbors", 1.0, 100_000.0),
    ("target_share", 0.0, 10.0),
    // Pooled spectra.
    ("gwrp.r", 0.0, 1.0),
    ("rdp.g", 0.0, 100.0),
    // Thresholds.
    ("percentile.q", 0.0, 1.0),
    ("gamma.quantile", 1e-6, 0.999_999),
    ("held-out.false_alarms", 0.001, 0.999),
    ("held-out.share", 0.0, 0.5),
];

/// Most items of a list of numbers: layers of a network.
const MOST_ITEMS: usize = 64;

/// Refuses the first number outside its range, by the key it stands at.
pub(crate) fn check(name: &str, recipe: &toml::Value) -> Result<(), RecipeError> {
    for (key, number) in numbers(recipe) {
        let Some((low, high)) = limits(&key) else { continue };
        if !(low..=high).contains(&number) {
            return Err(RecipeError::Limit {
                name: name.to_owned(),
                key,
                found: number,
                low,
                high,
            });
        }
    }
    match longest_list(recipe, String::new()) {
        Some((key, found)) => Err(RecipeError::Limit {
            name: name.to_owned(),
            key: format!("{key}, number of items"),
            found: found as f64,
            low: 0.0,
            high: MOST_ITEMS as f64,
        }),
        None => Ok(()),
    }
}

/// The smallest and the largest number at a dotted key; none where the key has no range.
pub(crate) fn limits(key: &str) -> Option<(f64, f64)> {
    // Items of lists stand at `kernels.0`; what their list is called counts.
    let without_index = key.trim_end_matches(|c: char| c.is_ascii_digit());
    let key = without_index.strip_suffix('.').unwrap_or(key);
    let fits = |suffix: &str| {
        key.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    LIMITS.iter().find(|(suffix, ..)| fits(suffix)).map(|&(_, low, high)| (low, high))
}

/// Every number with its dotted key.
fn numbers(value: &toml::Value) -> Vec<(String, f64)> {
    let mut found = Vec::new();
    collect(value, String::new(), &mut found);
    found
}

fn collect(value: &toml::Value, key: String, found: &mut Vec<(String, f64)>) {
    match value {
        toml::Value::Integer(number) => found.push((key, *number as f64)),
        toml::Value::Float(number) => found.push((key, *number)),
        toml::Value::Table(table) => {
            table.iter().for_each(|(name, value)| collect(value, below(&key, name), found));
        }
        toml::Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(index, item)| collect(item, below(&key, &index.to_string()), found));
        }
        toml::Value::String(_) | toml::Value::Boolean(_) | toml::Value::Datetime(_) => {}
    }
}

fn longest_list(value: &toml::Value, key: String) -> Option<(String, usize)> {
    match value {
        toml::Value::Array(items) if items.len() > MOST_ITEMS => Some((key, items.len())),
        toml::Value::Table(table) => {
            table.iter().find_map(|(name, value)| longest_list(value, below(&key, name)))
        }
        _ => None,
    }
}

fn below(key: &str, part: &str) -> String {
    if key.is_empty() { part.to_owned() } else { format!("{key}.{part}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{BUILT_IN, Recipe};

    /// Changes that lead to every alternative with a number of its own.
    const ALTERNATIVES: &[&str] = &[
        "audio.channel.pick=1",
        "audio.channel.cancel={}",
        "audio.noise={kind='white', snr_db=0.0, clips='all'}",
        "model.network.pseudo_attributes=2",
        "model.network.ensemble=2",
        "model.network.training.length.epochs=3",
        "model.network.training.length.steps=3",
        "model.network.training.schedule.cosine={}",
        "model.network.training.gradient_length=1.0",
        "model.network.training.average_weights=0.99",
        "model.network.training.early_stopping={}",
        "model.network.training.convergence={}",
        "model.network.training.measure_epochs=2",
        "model.network.loss.intra-class-compactness-cross-entropy={}",
        "model.network.loss.aam={}",
        "model.network.loss.noisy-arcmix={}",
        "model.network.loss.cosface={}",
        "model.network.loss.adaproj={}",
        "backend.k-means={}",
        "backend.knn-smote={}",
        "backend.local-density={}",
        "backend.gmm={}",
        "backend.column={}",
        "threshold.gamma.quantile=0.9",
        "threshold.held-out={}",
        "fusion={}",
        "fusion={members=[{rdp={}}]}",
    ];

    #[test]
    fn every_number_has_a_range() {
        let mut recipes: Vec<Recipe> = BUILT_IN
            .iter()
            .map(|built_in| Recipe::load(built_in.name, &[]).expect("built in"))
            .collect();
        recipes.extend(ALTERNATIVES.iter().map(|change| {
            Recipe::load("paper", &[(*change).to_owned()])
                .unwrap_or_else(|e| panic!("{change}: {e:?}"))
        }));
        for recipe in recipes {
            let table: toml::Value = toml::from_str(&recipe.to_toml()).expect("a recipe is TOML");
            for (key, _) in numbers(&table) {
                assert!(limits(&key).is_some(), "`{key}` has no range");
            }
        }
    }
}
