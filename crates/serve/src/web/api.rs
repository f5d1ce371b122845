//! The interface for programs; the pages use it as well.

use std::sync::{Arc, PoisonError};

use axum::{
    Json,
    extract::{Extension, Path, Query, State},
    http::header,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{access::Who, app::App, bank, error::Refusal};
use crate::{
    alarm::Command,
    config::Span,
    engine::Ask,
    store::{EventRow, FeedbackRow, Point, Reader},
};

/// Most events per request.
const MOST_EVENTS: usize = 500;
const LONGEST_NAME: usize = 100;
const LAST_MS: i64 = 1 << 50;

type Answer = Result<Json<Value>, Refusal>;

pub(crate) async fn machines(State(app): State<Arc<App>>) -> Json<Value> {
    let names: Vec<String> =
        app.machines.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
    Json(names.iter().map(|name| app.shown(name)).collect())
}

pub(crate) async fn machine(State(app): State<Arc<App>>, Path(name): Path<String>) -> Answer {
    app.known(&name)?;
    Ok(Json(app.shown(&name)))
}

/// A stretch of time.
#[derive(Deserialize)]
pub(crate) struct Between {
    from_ms: i64,
    to_ms: i64,
}

pub(crate) async fn trend(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(Between { from_ms, to_ms }): Query<Between>,
) -> Result<Json<Vec<Point>>, Refusal> {
    app.known(&name)?;
    // No calendar reaches further, and sums of such times stay numbers.
    let [from_ms, to_ms] = [from_ms, to_ms].map(|ms| ms.clamp(-LAST_MS, LAST_MS));
    Ok(Json(app.read(move |reader| reader.trend(&name, from_ms, to_ms)).await?))
}

/// A page of events.
#[derive(Deserialize)]
pub(crate) struct Before {
    before_ms: Option<i64>,
    most: Option<usize>,
}

impl Before {
    fn bounds(&self) -> (i64, usize) {
        (self.before_ms.unwrap_or(i64::MAX), self.most.unwrap_or(50).min(MOST_EVENTS))
    }
}

pub(crate) async fn events(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(before): Query<Before>,
) -> Result<Json<Vec<EventRow>>, Refusal> {
    app.known(&name)?;
    let (before_ms, most) = before.bounds();
    Ok(Json(app.read(move |reader| reader.events(Some(&name), before_ms, most)).await?))
}

pub(crate) async fn all_events(
    State(app): State<Arc<App>>,
    Query(before): Query<Before>,
) -> Result<Json<Vec<EventRow>>, Refusal> {
    let (before_ms, most) = before.bounds();
    Ok(Json(app.read(move |reader| reader.events(None, before_ms, most)).await?))
}

async fn command(app: &Arc<App>, name: &str, ask: Ask, who: &Who) -> Answer {
    app.known(name)?;
    let changed = app.ask(name, ask, who).await?;
    Ok(Json(json!({ "changed": changed })))
}

pub(crate) async fn acknowledge(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Extension(who): Extension<Who>,
) -> Answer {
    command(&app, &name, Ask::Alarm(Command::Acknowledge), &who).await
}

pub(crate) async fn reset(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Extension(who): Extension<Who>,
) -> Answer {
    command(&app, &name, Ask::Alarm(Command::Reset), &who).await
}

pub(crate) async fn unshelve(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Extension(who): Extension<Who>,
) -> Answer {
    command(&app, &name, Ask::Alarm(Command::Unshelve), &who).await
}

/// For how long.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShelveFor {
    #[serde(rename = "for")]
    time: String,
}

pub(crate) async fn shelve(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Extension(who): Extension<Who>,
    Json(ShelveFor { time }): Json<ShelveFor>,
) -> Answer {
    let span: Span = time.parse().map_err(Refusal::bad)?;
    command(&app, &name, Ask::Alarm(Command::Shelve { for_ms: span.ms() }), &who).await
}

/// Whether the machine runs; none: the sound decides.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Running {
    running: Option<bool>,
}

pub(crate) async fn running(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Extension(who): Extension<Who>,
    Json(Running { running }): Json<Running>,
) -> Answer {
    command(&app, &name, Ask::Running(running), &who).await
}

pub(crate) async fn forget(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Extension(who): Extension<Who>,
) -> Answer {
    app.known(&name)?;
    for folder in [app.folders.faults(&name), app.folders.normals(&name)] {
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Refusal::new(
                    axum::http::StatusCode::INTERNAL_SERVER_ERROR,
                    format!(
                        "cannot remove `{}`: {}: remove it by hand, and ask again",
                        folder.display(),
                        offkey_core::cause_in_words(&error)
                    ),
                ));
            }
            _ => {}
        }
    }
    command(&app, &name, Ask::Forget, &who).await
}

pub(crate) async fn feedbacks(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<Vec<FeedbackRow>>, Refusal> {
    app.known(&name)?;
    Ok(Json(app.read(move |reader| reader.feedback(&name)).await?))
}

/// What a person says about an event.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Feedback {
    event: String,
    kind: FeedbackKind,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    force: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FeedbackKind {
    Normal,
    Fault,
}

pub(crate) async fn feedback(
    State(app): State<Arc<App>>,
    Path(machine): Path<String>,
    Extension(who): Extension<Who>,
    Json(feedback): Json<Feedback>,
) -> Answer {
    app.known(&machine)?;
    let Feedback { event, kind, name, force } = feedback;
    if name.as_ref().is_some_and(|name| name.len() > LONGEST_NAME) {
        return Err(Refusal::bad(format!("a fault's name has at most {LONGEST_NAME} bytes")));
    }
    let id = event.clone();
    let found = app.read(move |reader| reader.event(&id)).await?;
    let found = found.filter(|event| event.machine == machine);
    let Some(found) = found else {
        return Err(Refusal::bad(format!(
            "there is no event `{event}` of this machine: its events stand at `/api/machines/{machine}/events`"
        )));
    };
    let (bank, banked) = (app.folders.faults(&machine), found.clip.clone());
    let mut told = None;
    if kind == FeedbackKind::Normal {
        let clip = found.clip.filter(|clip| !bank::is_picture(clip));
        let Some(clip) = clip else {
            return Err(Refusal::bad(
                "the event has no sound, so there is nothing to learn from it: `keep = true` in `[machine.NAME.sound]` keeps that of later ones",
            ));
        };
        let path = app.shared.clips.path(&clip);
        let (models, of) = (Arc::clone(&app.models), machine.clone());
        told = tokio::task::spawn_blocking(move || models.update(&of, &path, force)).await??;
    } else if let Some(clip) = banked.map(|clip| app.shared.clips.path(&clip)) {
        let event = event.clone();
        tokio::task::spawn_blocking(move || bank::keep(&bank, &event, &clip)).await??;
    }
    let at_ms = app.clock.now().unix_ms;
    let kind = if kind == FeedbackKind::Normal { "normal" } else { "fault" };
    let id = format!("{event}/{kind}/{at_ms}");
    let row = FeedbackRow {
        id: id.clone(),
        machine: machine.clone(),
        at_ms,
        event,
        kind: kind.to_owned(),
        name,
        who: Some(who.0.clone()),
        undone_ms: None,
    };
    app.ask(&machine, Ask::Feedback(row), &who).await?;
    Ok(Json(json!({ "id": id, "told": told })))
}

/// Which feedback is taken back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Undo {
    id: String,
}

pub(crate) async fn undo(
    State(app): State<Arc<App>>,
    Path(machine): Path<String>,
    Extension(who): Extension<Who>,
    Json(Undo { id }): Json<Undo>,
) -> Answer {
    app.known(&machine)?;
    let name = machine.clone();
    let rows = app.read(move |reader| reader.feedback(&name)).await?;
    let standing: Vec<&FeedbackRow> = rows.iter().filter(|row| row.undone_ms.is_none()).collect();
    let Some(row) = standing.iter().find(|row| row.id == id) else {
        return Err(Refusal::bad(format!(
            "there is no such feedback to take back: what stands is at `/api/machines/{machine}/feedback`"
        )));
    };
    if row.kind == "normal" {
        // The model takes back its last addition only.
        if standing.iter().find(|row| row.kind == "normal").is_some_and(|last| last.id != id) {
            return Err(Refusal::bad(
                "the model takes back its last addition only: take back the later ones first",
            ));
        }
        let event = row.event.clone();
        let clip = app.read(move |reader| reader.event(&event)).await?.and_then(|event| event.clip);
        let path = app.shared.clips.path(&clip.unwrap_or_default());
        let (models, of) = (Arc::clone(&app.models), machine.clone());
        tokio::task::spawn_blocking(move || models.undo(&of, &path)).await??;
    }
    if row.kind == "fault" {
        bank::drop_fault(&app.folders.faults(&machine), &row.event);
    }
    let changed = app.ask(&machine, Ask::Undo { feedback: id }, &who).await?;
    Ok(Json(json!({ "changed": changed })))
}

pub(crate) async fn health(State(app): State<Arc<App>>) -> Answer {
    let health = app.shared.health();
    let sinks = app.sinks.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (waiting, counters) = app
        .read(|reader| Ok((reader.outbox_counts()?, reader.counters()?)))
        .await
        .unwrap_or_default();
    Ok(Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "store": {
            "trouble": health.trouble,
            "waiting": health.waiting,
            "scores_dropped": health.scores_dropped,
            "others_dropped": health.others_dropped,
            "repairs": health.repairs,
        },
        "sinks": sinks,
        "outbox": waiting,
        "counters": counters,
    })))
}

pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    // A store that cannot be read must not take the other numbers away.
    let waiting = app.read(Reader::outbox_counts).await.unwrap_or_default();
    let machines = app.machines.read().unwrap_or_else(PoisonError::into_inner).clone();
    let models = machines.into_keys().map(|name| {
        let ok = app.models.view(&name).is_some();
        (name, ok)
    });
    let text = app.shared.metrics.text(&waiting, models).map_err(|error| {
        Refusal::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    })?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
