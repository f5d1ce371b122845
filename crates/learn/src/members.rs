//! The members of a detector that need no training, as a recipe names them.

use offkey_infer::{foreign::Foreign, pooled::Pooling};
use offkey_monitor::{MemberCard, Model, ModelCard};
use offkey_recipe::{ModelConfig, PooledFusion, Recipe, pooled, spoken};
use offkey_score::{BackendConfig, Distance, Rule};

use crate::error::LearnError;

/// The members that need no training: those of a recipe with statistics, else pooled spectra.
pub(crate) fn members_of(
    recipe: Option<&Recipe>,
    rate_hz: u32,
) -> Result<(Vec<MemberCard>, Vec<Model>), LearnError> {
    match recipe.map(|recipe| (recipe, &recipe.model)) {
        Some((recipe, ModelConfig::Statistics(model))) => {
            // Standardised by the backend, which leaves each recording out in turn; by all
            // recordings at once the bound on false alarms would not hold.
            let statistics = Box::new(model.features.unscaled());
            let member = MemberCard {
                name: recipe.name.clone(),
                model: ModelCard::Statistics(statistics.clone()),
                backend: recipe.backend.clone().with_distance(Distance::Standardized),
            };
            Ok((vec![member], vec![Model::Statistics(statistics)]))
        }
        Some((recipe, ModelConfig::Autoencoder(_))) => Ok(pooled_members(beside(recipe), rate_hz)),
        Some((recipe, ModelConfig::Onnx(config))) => {
            let foreign = Foreign::load(config.as_ref().clone())?;
            let member = MemberCard {
                name: recipe.name.clone(),
                model: ModelCard::Onnx(config.clone()),
                backend: recipe.backend.clone(),
            };
            let (mut cards, mut models) = pooled_members(beside(recipe), rate_hz);
            cards.insert(0, member);
            models.insert(0, Model::Onnx(Box::new(foreign)));
            Ok((cards, models))
        }
        Some((recipe, ModelConfig::Pooled(model))) => {
            let own = (model.pooling, recipe.backend.clone());
            Ok(pooled_members(std::iter::once(own).chain(beside(recipe)), rate_hz))
        }
        Some((_, ModelConfig::Network(_))) | None => {
            let fusion = recipe.and_then(|recipe| recipe.fusion.clone()).unwrap_or_default();
            let members = fusion.members.into_iter();
            let members = members.map(|pooling| (pooling, PooledFusion::backend()));
            Ok(pooled_members(members, rate_hz))
        }
    }
}

/// The pooled spectra beside a recipe's model, and what compares them.
fn beside(recipe: &Recipe) -> impl Iterator<Item = (Pooling, BackendConfig)> {
    let spectra = recipe.fusion.iter().flat_map(|fusion| &fusion.members);
    spectra.map(|&pooling| (pooling, PooledFusion::backend()))
}

/// Pooled spectra and what compares them, as members of a monitor.
fn pooled_members(
    members: impl Iterator<Item = (Pooling, BackendConfig)>,
    rate_hz: u32,
) -> (Vec<MemberCard>, Vec<Model>) {
    let member = |(pooling, backend)| {
        let config = pooled(pooling, rate_hz);
        let name = spoken(pooling).to_owned();
        let model = ModelCard::Pooled(config.clone());
        (MemberCard { name, model, backend }, Model::Pooled(config))
    };
    members.map(member).unzip()
}

/// How members' scores are joined.
pub(crate) fn joined_by(recipe: Option<&Recipe>) -> Rule {
    recipe.and_then(|recipe| recipe.fusion.as_ref()).map_or(Rule::Max, |fusion| fusion.rule)
}
