//! What happens, as it happens: server-sent events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use tokio_stream::{
    Stream, StreamExt,
    wrappers::{BroadcastStream, errors::BroadcastStreamRecvError},
};

use super::App;

const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// A stream of everything; a page that is too slow is told to look again.
pub(crate) async fn live(
    State(app): State<Arc<App>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let stream = BroadcastStream::new(app.shared.live.subscribe()).map(|live| {
        Ok(match live {
            Ok(live) => Event::default().json_data(live).unwrap_or_default(),
            Err(BroadcastStreamRecvError::Lagged(_)) => {
                Event::default().data("{\"type\":\"again\"}")
            }
        })
    });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}
