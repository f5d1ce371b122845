//! Models that come from elsewhere: which ones machines have, how a model that is tried compares, and what people here
//! decide otherwise than the plan.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

use axum::{
    Json,
    extract::{Extension, Path, State},
    http::StatusCode,
};
use serde_json::{Value, json};

use super::{access::Who, app::App, error::Refusal};
use crate::fleet::{FleetError, Follower};

type Answer = Result<Json<Value>, Refusal>;

/// What this computer follows, and what keeps it from that.
pub(crate) async fn all(State(app): State<Arc<App>>) -> Answer {
    let follower = app.follower()?;
    let (plan, troubles) = follower.standing();
    let machines = app.machines.read().unwrap_or_else(PoisonError::into_inner).clone();
    let machines: BTreeMap<String, Value> =
        machines.into_keys().map(|name| (name.clone(), json!(follower.state(&name)))).collect();
    Ok(Json(json!({ "plan": plan, "troubles": troubles, "machines": machines })))
}

/// The models of one machine, and how the one that is tried compares.
pub(crate) async fn machine(State(app): State<Arc<App>>, Path(name): Path<String>) -> Answer {
    app.known(&name)?;
    let follower = app.follower()?;
    let state = follower.state(&name);
    let tried = state.as_ref().and_then(|state| state.tried.clone());
    let compared = match tried {
        Some(tried) => Some(app.read(move |reader| reader.compared(&name, &tried)).await?),
        None => None,
    };
    Ok(Json(json!({ "state": state, "compared": compared })))
}

/// Goes back to the model before.
pub(crate) async fn back(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Extension(who): Extension<Who>,
) -> Answer {
    decide(&app, name, move |follower, name| follower.go_back(name, &who.0)).await
}

/// Takes the model that is tried into use.
pub(crate) async fn promote(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Extension(who): Extension<Who>,
) -> Answer {
    decide(&app, name, move |follower, name| follower.end_trial(name, true, &who.0)).await
}

/// Drops the model that is tried.
pub(crate) async fn drop_trial(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Extension(who): Extension<Who>,
) -> Answer {
    decide(&app, name, move |follower, name| follower.end_trial(name, false, &who.0)).await
}

async fn decide(
    app: &Arc<App>,
    name: String,
    does: impl FnOnce(&Follower, &str) -> Result<(), FleetError> + Send + 'static,
) -> Answer {
    app.known(&name)?;
    let follower = app.follower()?;
    let state =
        tokio::task::spawn_blocking(move || does(&follower, &name).map(|()| follower.state(&name)));
    let state = state.await?.map_err(|error| {
        let status = match &error {
            FleetError::Node(_) | FleetError::NoStore | FleetError::Busy => StatusCode::CONFLICT,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Refusal::new(status, offkey_core::with_causes(&error))
    })?;
    Ok(Json(json!({ "state": state })))
}
