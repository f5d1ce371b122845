//! What goes wrong with a request, as a status and a sentence.

use axum::{
    Json,
    body::to_bytes,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use offkey_core::with_causes;

use crate::{models::ModelError, store::StoreError};

/// The longest refusal that is read to be put into words.
const LONGEST_REFUSAL: usize = 4096;

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
        Self::new(
            StatusCode::NOT_FOUND,
            format!("there is no machine `{name}`: those that there are stand at `/api/machines`"),
        )
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

/// There is nothing at an address.
pub(crate) async fn nowhere(uri: Uri) -> Refusal {
    let what =
        format!("there is nothing at `{}`; what there is stands in /api/openapi.json", uri.path());
    Refusal::new(StatusCode::NOT_FOUND, what)
}

/// How the server begins to say what is wrong with a request, and how we do.
const WORDS: [(&str, &str); 3] = [
    ("Failed to parse the request body as JSON: ", "the body is not JSON"),
    ("Failed to deserialize the JSON body into the target type: ", "the body does not fit"),
    ("Failed to deserialize query string: ", "the query does not fit"),
];

/// What is wrong with a request that does not fit, why, and where to find what would.
fn does_not_fit(method: &Method, path: &str, said: &str) -> String {
    let ours = WORDS.iter().find_map(|(theirs, ours)| Some((ours, said.strip_prefix(theirs)?)));
    let what = ours.map_or_else(|| said.to_owned(), |(what, why)| format!("{what}: {why}"));
    format!("`{method} {path}`: {what}; what it expects stands in /api/openapi.json")
}

/// Puts what the server refuses by itself, in words of its own, into the form of all refusals.
pub(crate) async fn in_one_form(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answer = next.run(request).await;
    let (status, headers) = (answer.status(), answer.headers());
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return answer;
    }
    let allowed = headers.get(header::ALLOW).cloned();
    let said = to_bytes(answer.into_body(), LONGEST_REFUSAL).await.unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let what = match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            let can =
                allowed.as_ref().and_then(|can| can.to_str().ok()).unwrap_or("another method");
            format!("`{method}` is not for `{path}`, expected {can}")
        }
        StatusCode::PAYLOAD_TOO_LARGE => format!("the request is too large for `{path}`: {said}"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            format!("expected JSON, with the header `Content-Type: application/json`: {said}")
        }
        _ if said.is_empty() => status.canonical_reason().unwrap_or("refused").to_owned(),
        _ => does_not_fit(&method, &path, &said),
    };
    let mut refused = Refusal::new(status, what).into_response();
    if let Some(allowed) = allowed {
        refused.headers_mut().insert::<_>(header::ALLOW, HeaderValue::clone(&allowed));
    }
    refused
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
