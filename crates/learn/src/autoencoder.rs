//! An autoencoder of the machine as a member of its monitor: trained on some recordings, calibrated on the others.

use std::{collections::BTreeSet, ops::ControlFlow};

use offkey_core::{Progress, Seed, Stage};
use offkey_infer::autoencoder::AutoencoderConfig;
use offkey_monitor::{LEAST_RECORDINGS, MemberCard, Model, ModelCard, WindowRule};
use offkey_recipe::Recipe;
use offkey_train::autoencoder::{AutoencoderJob, AutoencoderTrainError, train_autoencoder};

use crate::{
    error::LearnError,
    joining::{Joining, trained_on},
    request::{LearnRequest, Prepared},
    source::WindowSource,
};

/// Trains the autoencoder of a recipe on some recordings. The others calibrate it.
///
/// # Errors
/// [`LearnError::TooFewToTrain`] where too few recordings would be left to calibrate, else whatever keeps training
/// from its work.
pub(crate) fn autoencoder(
    request: &LearnRequest,
    (recipe, config): (&Recipe, &AutoencoderConfig),
    rule: WindowRule,
    recordings: &[Prepared],
    progress: &dyn Progress,
) -> Result<Joining, LearnError> {
    let seed = Seed::new(request.seed);
    let trained_on = trained_on(recordings, &vec![0; recordings.len()], seed);
    let groups: BTreeSet<&str> = recordings.iter().map(|r| r.card.group.as_str()).collect();
    if groups.len() - trained_on.len() < LEAST_RECORDINGS {
        let (recordings, expected) = (groups.len(), LEAST_RECORDINGS);
        return Err(LearnError::TooFewToTrain { recordings, expected });
    }
    let learned = recordings.iter().filter(|one| trained_on.contains(&one.card.group));
    let source = WindowSource::of(rule, learned);
    let is_target = vec![false; offkey_infer::ClipSource::len(&source)];
    let job = AutoencoderJob {
        source: &source,
        is_target: &is_target,
        config,
        seed: seed.child("autoencoder"),
        compute: request.compute,
    };
    progress.begin(Stage::Train, config.epochs as u64, "epochs");
    let trained = train_autoencoder(&job, &mut |epoch, squared_error| {
        progress.advance(epoch as u64 + 1, &format!("squared error {squared_error:.3}"));
        if progress.cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let trained = trained.map_err(|error| match error {
        AutoencoderTrainError::Stopped { .. } => LearnError::Cancelled,
        other => LearnError::Autoencoder(other),
    })?;
    progress.end();
    let member = MemberCard {
        name: recipe.name.clone(),
        model: ModelCard::Autoencoder(Box::new(config.clone())),
        backend: recipe.backend.clone(),
    };
    let explanation = format!(
        "an autoencoder learned to reconstruct the sound of {} recordings, which calibrate nothing",
        trained_on.len()
    );
    let models = vec![Model::Autoencoder(Box::new(trained))];
    Ok(Joining { members: vec![member], models, trained_on, explanation })
}
