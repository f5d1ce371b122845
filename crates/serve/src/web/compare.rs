//! Where the sound of an event lies among what the model learned as normal, and the normal sound nearest to it.

use std::{
    fs,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
};

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use offkey_monitor::Map;
use serde::Serialize;

use super::{app::App, bank::is_picture, error::Refusal, sound::ranged_as};
use crate::models::ModelError;

/// A map, and what of it can be heard.
#[derive(Serialize)]
pub(crate) struct Compared {
    #[serde(flatten)]
    map: Map,
    /// The nearest normal recording, where it is one of those that the machine was learned from here.
    nearest_kept: Option<String>,
}

fn absent(what: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, what)
}

/// Where the windows of an event's sound lie among the normal ones.
pub(crate) async fn map(
    State(app): State<Arc<App>>,
    Path((name, event)): Path<(String, String)>,
) -> Result<Json<Compared>, Refusal> {
    app.known(&name)?;
    let found = app.read(move |reader| reader.event(&event)).await?;
    let found = found.filter(|event| event.machine == name);
    let found = found.ok_or_else(|| absent("there is no such event"))?;
    let clip = found.clip.filter(|clip| !is_picture(clip));
    let path = clip.map(|clip| app.shared.clips.path(&clip)).filter(|path| path.is_file());
    let path = path.ok_or_else(|| absent("the event has no sound, or it is no longer kept"))?;
    let no_model = || ModelError::None { machine: name.clone() };
    let judge = app.models.judge(&name).ok_or_else(no_model)?;
    let map = tokio::task::spawn_blocking(move || judge.map(&path)).await?;
    let map = map.map_err(ModelError::Monitor)?.ok_or_else(|| {
        let what = format!(
            "the model of `{name}` cannot compare this sound: it is of the first form, or no window can be judged"
        );
        Refusal::new(StatusCode::CONFLICT, what)
    })?;
    let nearest = map.nearest.as_ref().and_then(|(recording, _)| {
        FilePath::new(recording).file_name()?.to_str().map(str::to_owned)
    });
    let folder = app.folders.normals(&name);
    let nearest_kept = nearest.filter(|file| kept(&folder, file).is_some());
    Ok(Json(Compared { map, nearest_kept }))
}

/// A normal recording that the machine was learned from. Its name is looked for in the folder, and never becomes a path.
pub(crate) async fn normal(
    State(app): State<Arc<App>>,
    Path((name, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    app.known(&name)?;
    let no_sound = || absent("there is no such recording to learn from");
    let path = kept(&app.folders.normals(&name), &file).ok_or_else(no_sound)?;
    let kind = match path.extension() {
        Some(end) if end == "flac" => "audio/flac",
        _ => "audio/wav",
    };
    let bytes = tokio::task::spawn_blocking(move || fs::read(path)).await?;
    let bytes = Bytes::from(bytes.map_err(|_| no_sound())?);
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    Ok(ranged_as(kind, bytes, range))
}

fn kept(folder: &FilePath, file: &str) -> Option<PathBuf> {
    let mut entries = fs::read_dir(folder).ok()?.flatten();
    let entry = entries.find(|entry| entry.file_name() == file)?;
    entry.file_type().ok()?.is_file().then(|| entry.path())
}
