//! What happens, as it happens: server-sent events.

use std::{
    convert::Infallible,
    sync::{Arc, PoisonError},
    time::Duration,
};

use axum::{
    extract::{Query, State},
    response::sse::{Event, KeepAlive, Sse},
};
use tokio_stream::{
    Stream, StreamExt,
    wrappers::{BroadcastStream, errors::BroadcastStreamRecvError},
};

use serde::Deserialize;

use super::app::App;
use crate::{ear::Ear, engine::Live};

const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Which machine somebody looks at, so that its picture is drawn.
#[derive(Deserialize)]
pub(crate) struct Looking {
    machine: Option<String>,
}

/// Somebody looks at a machine, as long as this lives.
struct Look {
    ear: Arc<Ear>,
}

impl Look {
    fn at(ear: Arc<Ear>) -> Self {
        ear.look();
        Self { ear }
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.ear.look_away();
    }
}

/// A stream of everything; a page that is too slow is told to look again.
pub(crate) async fn live(
    State(app): State<Arc<App>>,
    Query(looking): Query<Looking>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let machines = app.machines.read().unwrap_or_else(PoisonError::into_inner);
    let machine = looking.machine.filter(|name| machines.contains_key(name));
    drop(machines);
    let look = machine.as_ref().map(|name| Look::at(app.shared.ear(name)));
    let stream = BroadcastStream::new(app.shared.live.subscribe()).filter_map(move |live| {
        // The look ends with the stream.
        let _look = &look;
        if let Ok(Live::Spectrum { machine: of, .. }) = &live
            && machine.as_ref() != Some(of)
        {
            return None;
        }
        Some(Ok(match live {
            Ok(live) => Event::default().json_data(live).unwrap_or_default(),
            Err(BroadcastStreamRecvError::Lagged(_)) => {
                Event::default().data("{\"type\":\"again\"}")
            }
        }))
    });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}
