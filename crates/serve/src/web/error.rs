//! What goes wrong with a request, as a status and a sentence.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use offkey_core::with_causes;

use crate::{models::ModelError, store::StoreError};

/// A refusal.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) what: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, what: impl Into<String>) -> Self {
        Self { status, what: what.into() }
    }

    pub(crate) fn no_machine(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no machine `{name}`"))
    }

    pub(crate) fn bad(what: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, what)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(serde_json::json!({ "error": self.what }))).into_response()
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, with_causes(&error))
    }
}

impl From<ModelError> for Refusal {
    fn from(error: ModelError) -> Self {
        let status = match &error {
            ModelError::Busy { .. }
            | ModelError::Monitor(_)
            | ModelError::Refused { .. }
            | ModelError::SelfTest { .. } => StatusCode::CONFLICT,
            ModelError::None { .. } => StatusCode::NOT_FOUND,
            ModelError::NoLearner { .. } => StatusCode::NOT_IMPLEMENTED,
            ModelError::Io { .. } => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, with_causes(&error))
    }
}

impl From<tokio::task::JoinError> for Refusal {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the work was given up: {error}"))
    }
}
