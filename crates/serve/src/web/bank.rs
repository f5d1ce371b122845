//! Confirmed faults: what people called a fault is kept with its sound and its name, beyond every quota, until
//! they take it back.

use std::{
    fs, io,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
};

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use offkey_core::cause_in_words;
use serde_json::{Value, json};

use super::{app::App, error::Refusal, sound::ranged};
use crate::store::FeedbackRow;

/// Faults kept per machine at most.
const MOST_FAULTS: usize = 1000;

/// Keeps the sound, or the picture, of a confirmed fault.
pub(super) fn keep(folder: &FilePath, event: &str, clip: &FilePath) -> Result<(), Refusal> {
    let failed = |error: io::Error| {
        Refusal::new(
            StatusCode::INSUFFICIENT_STORAGE,
            format!(
                "cannot keep its sound: {}: make room and say it again",
                cause_in_words(&error)
            ),
        )
    };
    fs::create_dir_all(folder).map_err(failed)?;
    if fs::read_dir(folder).map_err(failed)?.count() >= MOST_FAULTS {
        let what = format!("{MOST_FAULTS} faults are kept already: take one back first");
        return Err(Refusal::new(StatusCode::INSUFFICIENT_STORAGE, what));
    }
    let end = clip.extension().and_then(|end| end.to_str()).unwrap_or("wav");
    let to = folder.join(format!("{event}.{end}"));
    if to.exists() {
        return Ok(());
    }
    // Written beside and renamed: a crash leaves no half of a sound.
    let beside = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    fs::copy(clip, beside.path()).map_err(failed)?;
    beside.as_file().sync_data().map_err(failed)?;
    beside.persist(to).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Forgets a confirmed fault that was taken back.
pub(super) fn drop_fault(folder: &FilePath, event: &str) {
    for path in files(folder, event) {
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!("`{}` stays: {error}", path.display());
        }
    }
}

fn files(folder: &FilePath, event: &str) -> impl Iterator<Item = PathBuf> {
    let paths = ["wav", "json"].map(|end| folder.join(format!("{event}.{end}")));
    paths.into_iter().filter(|path| path.is_file())
}

/// Whether what was kept is a picture, of which nothing can be learned.
pub(super) fn is_picture(clip: &str) -> bool {
    FilePath::new(clip).extension().is_some_and(|end| end == "json")
}

/// What was said to be a fault, and not taken back.
async fn standing(app: &Arc<App>, name: &str) -> Result<Vec<FeedbackRow>, Refusal> {
    app.known(name)?;
    let machine = name.to_owned();
    let mut rows = app.read(move |reader| reader.feedback(&machine)).await?;
    rows.retain(|row| row.kind == "fault" && row.undone_ms.is_none());
    Ok(rows)
}

pub(crate) async fn faults(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let rows = standing(&app, &name).await?;
    let folder = app.folders.faults(&name);
    let shown = rows.iter().map(|row| {
        let kept = files(&folder, &row.event).next();
        let kept = kept.and_then(|path| Some(path.extension()?.to_str()?.to_owned()));
        json!({ "event": row.event, "name": row.name, "at_ms": row.at_ms, "who": row.who, "kept": kept })
    });
    Ok(Json(shown.collect()))
}

/// The sound of a confirmed fault; the event is looked for in the database, never on the disk.
pub(crate) async fn sound(
    State(app): State<Arc<App>>,
    Path((name, event)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let rows = standing(&app, &name).await?;
    let absent = || {
        Refusal::new(
            StatusCode::NOT_FOUND,
            "there is no such sound: the fault was taken back, or had none",
        )
    };
    let row = rows.into_iter().find(|row| row.event == event).ok_or_else(absent)?;
    let path = files(&app.folders.faults(&name), &row.event).next().ok_or_else(absent)?;
    let picture = path.extension().is_some_and(|end| end == "json");
    let bytes = tokio::task::spawn_blocking(move || fs::read(path)).await?.map_err(|_| absent())?;
    if picture {
        return Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response());
    }
    Ok(ranged(Bytes::from(bytes), headers.get(header::RANGE).and_then(|range| range.to_str().ok())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_kept_once_until_it_is_taken_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clip = folder.path().join("1-1.wav");
        fs::write(&clip, b"RIFF").expect("a sound");
        let bank = folder.path().join("faults/pump");
        for _ in 0..2 {
            keep(&bank, "pump.1.1", &clip).expect("it is kept");
        }
        fs::remove_file(&clip).expect("the quota took it");
        assert_eq!(fs::read(bank.join("pump.1.1.wav")).expect("the sound"), b"RIFF");
        assert_eq!(fs::read_dir(&bank).expect("the bank").count(), 1);
        drop_fault(&bank, "pump.1.1");
        assert_eq!(files(&bank, "pump.1.1").count(), 0);
    }
}
