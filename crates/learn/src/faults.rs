//! Recordings of known faults, as one more member of a detector: how near sound is to them.

use std::{collections::BTreeMap, path::PathBuf};

use offkey_core::{Progress, Stage, about_it, recordings};
use offkey_infer::pooled::Pooling;
use offkey_monitor::{
    Heard, HeardWindow, MemberCard, Model, ModelCard, MonitorError, WindowRule, listen, unusable,
};
use offkey_recipe::pooled;
use offkey_score::{BackendConfig, KnownFaultsConfig, MOST_FAULTS};

use crate::error::LearnError;

/// Known faults, ready to join a detector.
pub(crate) struct Faults {
    pub(crate) member: MemberCard,
    pub(crate) model: Model,
    /// By the fingerprint of its sound, the path of every recording.
    pub(crate) contents: BTreeMap<String, PathBuf>,
    /// Recordings left out, with the reason.
    pub(crate) left_out: Vec<(PathBuf, String)>,
}

/// Listens to recordings of faults; of very many windows some are kept, spread over all.
///
/// # Errors
/// [`LearnError`] when there are no recordings, or the caller asks to stop.
pub(crate) fn known_faults(
    paths: &[PathBuf],
    rule: WindowRule,
    progress: &dyn Progress,
) -> Result<Option<Faults>, LearnError> {
    if paths.is_empty() {
        return Ok(None);
    }
    let config = pooled(Pooling::MeanDeviation, rule.rate_hz);
    let models = [Model::Pooled(config.clone())];
    let (mut heard, mut contents, mut left_out) = (Heard::default(), BTreeMap::new(), Vec::new());
    let found = recordings(paths)?;
    progress.begin(Stage::Embed, found.len() as u64, "recordings of faults");
    for (done, path) in found.into_iter().enumerate() {
        let stop = || progress.cancelled();
        let listened =
            listen(&path, rule, &stop, |_, window| match unusable(rule.rate_hz, window) {
                None => HeardWindow::of(&models, rule, window).map(Some),
                Some(_) => Ok(None),
            });
        progress.advance(done as u64 + 1, "");
        match listened {
            Ok(listened) if listened.starts.is_empty() => {
                left_out.push((path, "a fault of which no window can be heard".to_owned()));
            }
            Ok(listened) => {
                contents.insert(listened.content, path);
                heard.extend(listened.heard);
            }
            Err(MonitorError::Cancelled) => return Err(LearnError::Cancelled),
            Err(error @ MonitorError::Audio(_)) => {
                let reason = about_it(&path, &error);
                left_out.push((path, reason));
            }
            Err(error) => return Err(error.into()),
        }
    }
    progress.end();
    let Some(rows) = heard.embeddings.first() else {
        return Err(LearnError::NoFaults { left_out });
    };
    let kept = rows.nrows().min(MOST_FAULTS);
    let faults = (0..kept).map(|index| rows.row(index * rows.nrows() / kept).to_vec()).collect();
    let [model] = models;
    let member = MemberCard {
        name: "known faults".to_owned(),
        model: ModelCard::Pooled(config),
        backend: BackendConfig::KnownFaults(KnownFaultsConfig {
            faults,
            ..KnownFaultsConfig::default()
        }),
    };
    Ok(Some(Faults { member, model, contents, left_out }))
}
