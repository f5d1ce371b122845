//! Lets in who may come in: on loopback everybody of this computer, else those with the password or the token.
//! Requests that change something have to come from our own pages.

use std::{
    net::IpAddr,
    sync::{Arc, PoisonError},
};

use argon2::{Argon2, PasswordHash, PasswordVerifier};
use axum::{
    Json,
    extract::{ConnectInfo, Extension, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{
    access::{Access, SESSION_MS, Who, code, same_code, too_many},
    app::App,
    door::Peer,
    error::Refusal,
};

const CSRF: &str = "x-csrf-token";
const LONGEST_PASSWORD: usize = 256;

/// Lets in who may come in.
pub(crate) async fn guard(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let access = &app.access;
    let now_ms = app.clock.now().steady_ms;
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|info| info.0.0.ip());
    let from = access.from(peer.unwrap_or(IpAddr::from([0; 4])), request.headers());
    let token = match access.is_token(from, request.headers(), now_ms) {
        Ok(token) => token,
        Err(refusal) => return refusal.into_response(),
    };
    let who = if token {
        "token"
    } else if access.is_open() {
        "this computer"
    } else {
        let Some(session) = access.session(request.headers(), now_ms) else {
            let what = "nobody is logged in: log in at `/api/login`, or send `Authorization: Bearer TOKEN`";
            return Refusal::new(StatusCode::UNAUTHORIZED, what).into_response();
        };
        let given = request.headers().get(CSRF).and_then(|value| value.to_str().ok());
        let ours = code(&access.key, &session.csrf);
        let same = given.is_some_and(|given| same_code(&access.key, given, &ours));
        if changes(request.method()) && !same {
            let what = "the request changes something and has no valid `X-CSRF-Token`: take it from `/api/session`";
            return Refusal::new(StatusCode::FORBIDDEN, what).into_response();
        }
        "page"
    };
    request.extensions_mut().insert(Who(who.to_owned()));
    next.run(request).await
}

/// Refuses requests that another site makes a browser send, and names that are not ours where there is no
/// password: another site's name may be made to point here.
pub(crate) async fn same_origin(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    match stranger(&app.access, request.method(), request.headers()) {
        Some(refusal) => refusal.into_response(),
        None => next.run(request).await,
    }
}

fn stranger(access: &Access, method: &Method, headers: &HeaderMap) -> Option<Refusal> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    if access.is_open() && !is_loopback(host) {
        let what = format!(
            "`{host}` is another name than this computer's own: without a password ask for `localhost` or 127.0.0.1"
        );
        return Some(Refusal::new(StatusCode::FORBIDDEN, what));
    }
    let origin = text(header::ORIGIN).filter(|_| changes(method))?;
    let same = origin.split_once("://").map(|(_, rest)| rest) == Some(host);
    let what = || format!("the request comes from another site, `{origin}`: send it from `{host}`");
    (!same).then(|| Refusal::new(StatusCode::FORBIDDEN, what()))
}

fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    password: String,
}

pub(crate) async fn login(
    State(app): State<Arc<App>>,
    ConnectInfo(Peer(from)): ConnectInfo<Peer>,
    headers: HeaderMap,
    Json(login): Json<Login>,
) -> Result<Response, Refusal> {
    let access = &app.access;
    let now_ms = app.clock.now().steady_ms;
    let from = access.from(from.ip(), &headers);
    let Some(hash) = access.password.clone() else {
        return Err(Refusal::bad("there is no password to log in with: set `password` in `[web]`"));
    };
    let wait_ms =
        access.failures.lock().unwrap_or_else(PoisonError::into_inner).wait_ms(from, now_ms);
    if wait_ms > 0 {
        return Err(too_many(wait_ms));
    }
    // Counted before it is checked, so that many at once are as many failures.
    access.failures.lock().unwrap_or_else(PoisonError::into_inner).fail(from, now_ms);
    let permit = access.checking.acquire().await;
    let right = tokio::task::spawn_blocking(move || {
        login.password.len() <= LONGEST_PASSWORD
            && PasswordHash::new(&hash).is_ok_and(|hash| {
                Argon2::default().verify_password(login.password.as_bytes(), &hash).is_ok()
            })
    })
    .await?;
    drop(permit);
    if !right {
        return Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "that is not the password: after five wrong ones you have to wait",
        ));
    }
    access.failures.lock().unwrap_or_else(PoisonError::into_inner).by.remove(&from);
    let (secret, csrf) = access
        .begin_session(now_ms)
        .map_err(|error| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    let cookie = access.cookie(&secret, SESSION_MS / 1000);
    Ok(([(header::SET_COOKIE, cookie)], Json(serde_json::json!({ "csrf": csrf }))).into_response())
}

pub(crate) async fn logout(
    State(app): State<Arc<App>>,
    Extension(_who): Extension<Who>,
    headers: HeaderMap,
) -> Response {
    let now_ms = app.clock.now().steady_ms;
    if let Some(session) = app.access.session(&headers, now_ms) {
        let mut sessions = app.access.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|other| other.code != session.code);
    }
    ([(header::SET_COOKIE, app.access.cookie("", 0))], Json(serde_json::json!({}))).into_response()
}

/// Whether the page has to ask for a password, and what it needs to change things.
pub(crate) async fn session(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let access = &app.access;
    let session = access.session(&headers, app.clock.now().steady_ms);
    Json(serde_json::json!({
        "open": access.is_open(),
        "inside": access.is_open() || session.is_some(),
        "password": access.password.is_some(),
        "csrf": session.map(|session| session.csrf),
    }))
    .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_computer_are_loopback() {
        for host in ["localhost", "localhost:7080", "127.0.0.1:7080", "[::1]:7080", "127.0.0.1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in
            ["", "example.org", "127.0.0.1.example.org", "192.168.0.2:7080", "localhost.evil:80"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
