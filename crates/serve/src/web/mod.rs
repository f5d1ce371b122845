//! The pages and the interface for programs: one address, nothing from outside, nothing open to strangers.

mod access;
mod api;
mod app;
mod assets;
mod auth;
mod bank;
mod compare;
mod door;
mod error;
mod fleet;
mod live;
mod sound;
mod tls;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post},
};

pub use access::{Access, AccessError};
pub use app::{App, Shown};
pub use door::{Door, Peer};
pub use tls::{Certificate, TlsError};

/// Uploads at the same time at most.
pub const MOST_UPLOADS: usize = 8;
/// Largest body of a request that is no upload.
const SMALL_BODY_BYTES: usize = 64 << 10;

/// All addresses.
pub fn router(app: Arc<App>) -> Router {
    let machine = Router::new()
        .route("/", get(api::machine))
        .route("/trend", get(api::trend))
        .route("/events", get(api::events))
        .route("/events/{event}/map", get(compare::map))
        .route("/normals/{file}", get(compare::normal))
        .route("/feedback", get(api::feedbacks).post(api::feedback))
        .route("/feedback/undo", post(api::undo))
        .route("/acknowledge", post(api::acknowledge))
        .route("/reset", post(api::reset))
        .route("/shelve", post(api::shelve))
        .route("/unshelve", post(api::unshelve))
        .route("/running", post(api::running))
        .route("/faults", get(bank::faults))
        .route("/faults/{event}", get(bank::sound))
        .route("/forget", post(api::forget))
        .route("/learn", get(sound::learning).post(sound::learn))
        .route("/record", post(sound::record))
        .route("/selftest", post(sound::self_test))
        .route("/fleet", get(fleet::machine))
        .route("/fleet/back", post(fleet::back))
        .route("/fleet/promote", post(fleet::promote))
        .route("/fleet/drop", post(fleet::drop_trial));
    let uploads = Router::new()
        .route("/api/machines/{name}/sound", post(sound::upload))
        .route(
            "/api/machines/{name}/normals",
            get(sound::normals).post(sound::add_normal).delete(sound::drop_normals),
        )
        // The limit is kept while the body is read, since it depends on the configuration.
        .layer(DefaultBodyLimit::disable());
    Router::new()
        .route("/api/machines", get(api::machines))
        .nest("/api/machines/{name}", machine)
        .route("/api/fleet", get(fleet::all))
        .route("/api/events", get(api::all_events))
        .route("/api/clips/{machine}/{file}", get(sound::clip))
        .route("/api/live", get(live::live))
        .route("/api/health", get(api::health))
        .route("/api/logout", post(auth::logout))
        .route("/metrics", get(api::metrics))
        .layer(DefaultBodyLimit::max(SMALL_BODY_BYTES))
        .merge(uploads)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), auth::guard))
        .route("/api/login", post(auth::login))
        .route("/api/session", get(auth::session))
        .route("/api/openapi.json", get(assets::openapi))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/", get(assets::page))
        .route("/app.js", get(assets::script))
        .route("/draw.js", get(assets::drawing))
        .route("/record.js", get(assets::recording))
        .route("/recorder.js", get(assets::recorder))
        .route("/app.css", get(assets::style))
        .route("/icon.svg", get(assets::icon))
        .fallback(error::nowhere)
        .layer(middleware::from_fn(error::in_one_form))
        .layer(middleware::from_fn(assets::headers))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), auth::same_origin))
        .with_state(app)
}
