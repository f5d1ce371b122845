//! Sound over HTTP: recordings to judge, recordings to learn from, sounds kept around alarms.

use std::{
    fs,
    io::Write,
    path::{Path as FilePath, PathBuf},
    sync::{Arc, PoisonError},
    time::Duration,
};

use axum::{
    Json,
    body::{Body, BodyDataStream, Bytes},
    extract::{Extension, Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::block_in_place;
use tokio_stream::StreamExt;

use offkey_core::{cause_in_words, with_causes};

use super::{access::Who, app::App, error::Refusal};

/// Recordings that learning needs: one alone says nothing of how they differ.
const LEAST_RECORDINGS: usize = 2;
/// Recordings that may wait in a folder.
const MOST_WAITING: usize = 1000;
/// Longest recording of normal sound in one go.
const LONGEST_RECORD_S: f64 = 3600.0;
/// How long an upload may stand still.
const CHUNK_WITHIN: Duration = Duration::from_secs(30);
/// How long the rest of a refused upload is read.
const REST_WITHIN: Duration = Duration::from_secs(10);

type Answer = Result<Json<Value>, Refusal>;

/// Takes a recording to judge; it is on disk when the answer comes.
pub(crate) async fn upload(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    body: Body,
) -> Answer {
    let (file, bytes) = received(&app, body, || {
        app.known(&name)?;
        let machines = app.machines.read().unwrap_or_else(PoisonError::into_inner);
        if machines.get(&name).is_none_or(|shown| shown.source != "upload") {
            let what = format!(
                "`{name}` takes no recordings: its source is not `upload`; set `source = {{ upload = {{}} }}` for it"
            );
            return Err(Refusal::new(StatusCode::CONFLICT, what));
        }
        Ok(app.folders.uploads(&name))
    })
    .await?;
    Ok(Json(json!({ "taken": file, "bytes": bytes })))
}

/// Takes a normal recording to learn from.
pub(crate) async fn add_normal(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    body: Body,
) -> Answer {
    let folder = app.folders.normals(&name);
    let (file, bytes) = received(&app, body, || app.known(&name).map(|()| folder.clone())).await?;
    let path = folder.join(&file);
    let found = tokio::task::spawn_blocking(move || {
        let found = offkey_signal::probe(&path);
        if found.is_err() {
            // What cannot be heard cannot be learned from.
            let _ = fs::remove_file(&path);
        }
        found
    })
    .await?;
    match found {
        Ok(info) => Ok(Json(
            json!({ "taken": file, "bytes": bytes, "seconds": info.duration_s(), "rate_hz": info.rate_hz }),
        )),
        Err(error) => Err(Refusal::bad(with_causes(&error))),
    }
}

/// How long to record normal sound from the machine's own source.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    seconds: f64,
}

/// Records normal sound from the machine's own source, as it comes; 0 seconds stop that.
pub(crate) async fn record(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Json(Record { seconds }): Json<Record>,
) -> Answer {
    app.known(&name)?;
    if !(0.0..=LONGEST_RECORD_S).contains(&seconds) {
        return Err(Refusal::bad(format!("`seconds` must be from 0 to {LONGEST_RECORD_S}")));
    }
    let waits = {
        let machines = app.machines.read().unwrap_or_else(PoisonError::into_inner);
        machines.get(&name).is_some_and(|shown| ["upload", "folder"].contains(&shown.source))
    };
    if waits && seconds > 0.0 {
        let what = format!(
            "`{name}` hears whole recordings, which wait until there is a model: send normal ones to /api/machines/{name}/normals"
        );
        return Err(Refusal::new(StatusCode::CONFLICT, what));
    }
    let (ear, now_ms) = (app.shared.ear(&name), app.clock.now().unix_ms);
    block_in_place(|| ear.record(&app.folders.normals(&name), seconds, now_ms))
        .map_err(|error| full(&error))?;
    Ok(Json(json!({ "recording_left_s": ear.left_s() })))
}

pub(crate) async fn normals(State(app): State<Arc<App>>, Path(name): Path<String>) -> Answer {
    app.known(&name)?;
    let folder = app.folders.normals(&name);
    let left_s = app.shared.ear(&name).left_s();
    let (recordings, seconds) = tokio::task::spawn_blocking(move || heard(&folder)).await?;
    Ok(Json(json!({ "recordings": recordings, "seconds": seconds, "recording_left_s": left_s })))
}

/// How many recordings of a folder can be heard, and how many seconds they last together.
fn heard(folder: &FilePath) -> (usize, f64) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let lengths =
        entries.filter_map(|entry| Some(offkey_signal::probe(&entry.path()).ok()?.duration_s()));
    lengths.fold((0, 0.0), |(count, seconds), length| (count + 1, seconds + length))
}

pub(crate) async fn drop_normals(State(app): State<Arc<App>>, Path(name): Path<String>) -> Answer {
    app.known(&name)?;
    let folder = app.folders.normals(&name);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(full(&error)),
        _ => Ok(Json(json!({}))),
    }
}

/// How to learn.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Learn {
    /// Seconds between windows.
    #[serde(default)]
    every_s: Option<f64>,
    /// A false-alarm rate as in `1 per week`.
    #[serde(default)]
    false_alarms: Option<String>,
}

pub(crate) async fn learn(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Extension(_who): Extension<Who>,
    Json(learn): Json<Learn>,
) -> Answer {
    app.known(&name)?;
    let mut more = Vec::new();
    if let Some(recipe) = &app.learn_recipe {
        more.push(format!("--recipe={}", recipe.display()));
    }
    if let Some(every_s) = learn.every_s {
        if !(0.01..=3600.0).contains(&every_s) {
            return Err(Refusal::bad("`every_s` must be from 0.01 to 3600"));
        }
        more.push(format!("--every={every_s}s"));
    }
    if let Some(rate) = learn.false_alarms {
        let rate: offkey_monitor::FalseAlarmRate = rate
            .parse()
            .map_err(|error: offkey_monitor::RateError| Refusal::bad(error.to_string()))?;
        more.push(format!("--false-alarms={rate}"));
    }
    let folder = app.folders.normals(&name);
    let there = folder.clone();
    let (recordings, _) = tokio::task::spawn_blocking(move || heard(&there)).await?;
    if recordings < LEAST_RECORDINGS {
        let what = format!(
            "learning needs at least {LEAST_RECORDINGS} recordings of the healthy machine, and `{name}` has {recordings}: \
             send them to /api/machines/{name}/normals, or record them with /api/machines/{name}/record"
        );
        return Err(Refusal::new(StatusCode::CONFLICT, what));
    }
    let begun = app.models.begin(&name)?;
    let (models, fleet) = (Arc::clone(&app.models), app.fleet.clone());
    tokio::task::spawn_blocking(move || match models.learn(begun, &folder, &more) {
        Ok(true) => {
            if let Some(fleet) = &fleet {
                fleet.learned_here(&name);
            }
        }
        Ok(false) => {}
        Err(error) => tracing::error!("`{name}` was not learned: {}", with_causes(&error)),
    });
    Ok(Json(json!({ "started": true })))
}

pub(crate) async fn learning(State(app): State<Arc<App>>, Path(name): Path<String>) -> Answer {
    app.known(&name)?;
    Ok(Json(json!({ "learning": app.models.learning(&name), "model": app.models.view(&name) })))
}

/// How loud faults have to be to be found.
pub(crate) async fn self_test(State(app): State<Arc<App>>, Path(name): Path<String>) -> Answer {
    app.known(&name)?;
    let models = Arc::clone(&app.models);
    Ok(Json(tokio::task::spawn_blocking(move || models.self_test(&name)).await??))
}

/// A sound that the database knows: the name in the address is looked for there, never on the disk.
pub(crate) async fn clip(
    State(app): State<Arc<App>>,
    Path((machine, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    app.known(&machine)?;
    let file_is_picture = FilePath::new(&file).extension().is_some_and(|end| end == "json");
    let name = format!("{machine}/{file}");
    let rows = app.read(move |reader| reader.clips(Some(&machine))).await?;
    let Some(row) = rows.into_iter().find(|row| row.name == name) else {
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "there is no such sound: the quota may have removed it",
        ));
    };
    let clips = app.shared.clips.clone();
    let bytes = tokio::task::spawn_blocking(move || clips.read(&row)).await??;
    if file_is_picture {
        return Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response());
    }
    Ok(ranged(Bytes::from(bytes), headers.get(header::RANGE).and_then(|value| value.to_str().ok())))
}

/// A WAV file, or the part of it that a player asks for.
pub(super) fn ranged(bytes: Bytes, range: Option<&str>) -> Response {
    ranged_as("audio/wav", bytes, range)
}

/// Players ask for parts of a sound.
pub(super) fn ranged_as(kind: &'static str, bytes: Bytes, range: Option<&str>) -> Response {
    let kind = [(header::CONTENT_TYPE, kind), (header::ACCEPT_RANGES, "bytes")];
    let total = bytes.len();
    let asked = range.and_then(|range| {
        let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
        let from: usize = from.parse().ok()?;
        let to = if to.is_empty() { total.checked_sub(1)? } else { to.parse().ok()? };
        (from <= to && from < total).then_some((from, to.min(total - 1)))
    });
    match asked {
        None => (kind, bytes).into_response(),
        Some((from, to)) => {
            let place = [(header::CONTENT_RANGE, format!("bytes {from}-{to}/{total}"))];
            (StatusCode::PARTIAL_CONTENT, kind, place, bytes.slice(from..=to)).into_response()
        }
    }
}

pub(super) fn full(error: &std::io::Error) -> Refusal {
    Refusal::new(
        StatusCode::INSUFFICIENT_STORAGE,
        format!("cannot store it: {}: make room and send it again", cause_in_words(error)),
    )
}

fn crowd() -> Refusal {
    let what = "too many uploads at once: send it again in a moment";
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, what)
}

/// Takes a body into the folder that is found for it. Of one that is refused the rest is read and thrown away, within
/// bounds: who still sends would else find a broken connection in place of the answer.
async fn received(
    app: &Arc<App>,
    body: Body,
    folder: impl FnOnce() -> Result<PathBuf, Refusal>,
) -> Result<(String, u64), Refusal> {
    let mut stream = body.into_data_stream();
    let taken = match folder() {
        Ok(folder) => take(app, &folder, &mut stream).await,
        Err(refusal) => Err(refusal),
    };
    if taken.is_err() {
        let mut left = app.upload_bytes;
        let rest = async {
            while let (1.., Some(Ok(chunk))) = (left, stream.next().await) {
                left = left.saturating_sub(chunk.len() as u64);
            }
        };
        // Whoever is slower than that need not hear the answer.
        let _ = tokio::time::timeout(REST_WITHIN, rest).await;
    }
    taken
}

/// Writes a body into a folder, under a name of ours: its name and its size.
async fn take(
    app: &Arc<App>,
    folder: &FilePath,
    stream: &mut BodyDataStream,
) -> Result<(String, u64), Refusal> {
    let _permit = app.uploads.try_acquire().map_err(|_| crowd())?;
    fs::create_dir_all(folder).map_err(|error| full(&error))?;
    if fs::read_dir(folder).map_err(|error| full(&error))?.count() >= MOST_WAITING {
        let what = format!(
            "{MOST_WAITING} recordings are there already: wait until some were heard, or remove the normal ones"
        );
        return Err(Refusal::new(StatusCode::INSUFFICIENT_STORAGE, what));
    }
    let mut file = tempfile::Builder::new()
        .prefix(".upload-")
        .tempfile_in(folder)
        .map_err(|error| full(&error))?;
    let (mut bytes, mut head) = (0_u64, Vec::new());
    // Who falls silent in the middle must not keep others out.
    let next = async |stream: &mut BodyDataStream| {
        let chunk = tokio::time::timeout(CHUNK_WITHIN, stream.next()).await;
        chunk.map_err(|_| {
            let what =
                format!("the upload stood still for {} s: send it again", CHUNK_WITHIN.as_secs());
            Refusal::new(StatusCode::REQUEST_TIMEOUT, what)
        })
    };
    while let Some(chunk) = next(stream).await? {
        let chunk =
            chunk.map_err(|error| Refusal::bad(format!("the upload broke off: {error}")))?;
        bytes += chunk.len() as u64;
        if bytes > app.upload_bytes {
            let what = format!(
                "the recording is larger than {} bytes: send it in parts, or raise `upload_mb` in `[web]`",
                app.upload_bytes
            );
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, what));
        }
        if head.len() < 12 {
            head.extend_from_slice(&chunk[..chunk.len().min(12)]);
        }
        block_in_place(|| file.write_all(&chunk)).map_err(|error| full(&error))?;
    }
    let end = match head.get(..4) {
        Some(b"RIFF" | b"RF64") => "wav",
        Some(b"fLaC") => "flac",
        _ => {
            let what = "these bytes are neither WAV nor FLAC: convert them first, as by `ffmpeg -i IN OUT.wav`";
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, what));
        }
    };
    block_in_place(|| file.as_file().sync_data()).map_err(|error| full(&error))?;
    let stamp = app.clock.now().unix_ms;
    // Names rise with time, and no two are the same.
    for number in 0..10_000 {
        let name = format!("{stamp}-{number:04}.{end}");
        match file.persist_noclobber(folder.join(&name)) {
            Ok(_) => return Ok((name, bytes)),
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
                file = error.file;
            }
            Err(error) => return Err(full(&error.error)),
        }
    }
    Err(crowd())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_sound_can_be_asked_for() {
        let of = |range| {
            let answer = ranged(Bytes::from_static(b"0123456789"), range);
            let place = answer.headers().get(header::CONTENT_RANGE);
            (answer.status().as_u16(), place.map(|place| place.to_str().expect("text").to_owned()))
        };
        assert_eq!(of(None), (200, None));
        assert_eq!(of(Some("bytes=2-3")), (206, Some("bytes 2-3/10".to_owned())));
        assert_eq!(of(Some("bytes=8-99")), (206, Some("bytes 8-9/10".to_owned())));
        for odd in ["bytes=9-2", "bytes=10-", "bytes=-5", "lines=1-2", "bytes=a-b"] {
            assert_eq!(of(Some(odd)), (200, None), "{odd}");
        }
    }
}
