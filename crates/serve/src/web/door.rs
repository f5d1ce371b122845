//! Connections: bounded in number, ended when nothing moves on them, encrypted where there is a certificate.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Instant, Sleep, sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::tls::Certificate;

/// Connections at the same time at most.
const MOST: usize = 512;
/// Connections of one other computer at most; a proxy in front of the service may have all.
const MOST_OF_ONE: usize = 64;
/// A connection on which nothing moves for so long is ended. A self-test answers within it.
const IDLE: Duration = Duration::from_mins(10);
/// How long a stranger may take to agree on a key.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The wait when the system has no connection left.
const AGAIN: Duration = Duration::from_millis(500);
/// First byte of every TLS connection.
const TLS_HANDSHAKE: u8 = 0x16;
const SPEAKS_HTTPS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 53\r\n\
    Connection: close\r\n\r\n{\"error\":\"this port speaks HTTPS: ask for https://\"}\n";

/// Takes connections in.
pub struct Door {
    local: SocketAddr,
    taken: mpsc::Receiver<(Connection, SocketAddr)>,
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

impl Door {
    /// Takes connections of a listener, encrypted where there is a certificate. `behind_proxy`: all may
    /// come from one address.
    ///
    /// # Errors
    /// [`io::Error`] when the listener has no address.
    pub fn open(
        listener: TcpListener,
        certificate: Option<Arc<Certificate>>,
        behind_proxy: bool,
    ) -> io::Result<Self> {
        let local = listener.local_addr()?;
        let (to, taken) = mpsc::channel(16);
        tokio::spawn(take_in(listener, certificate, behind_proxy, to));
        Ok(Self { local, taken })
    }
}

async fn take_in(
    listener: TcpListener,
    certificate: Option<Arc<Certificate>>,
    behind_proxy: bool,
    to: mpsc::Sender<(Connection, SocketAddr)>,
) {
    let places: Places = Arc::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = to.closed() => return,
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!("a connection was not taken: {error}");
                sleep(AGAIN).await;
                continue;
            }
        };
        let most = if behind_proxy || from.ip().is_loopback() { MOST } else { MOST_OF_ONE };
        let Some(place) = Place::take(&places, from.ip(), most) else { continue };
        let (to, certificate) = (to.clone(), certificate.clone());
        tokio::spawn(async move {
            let stream = match &certificate {
                None => Some(Stream::Plain(stream)),
                Some(certificate) => shake_hands(stream, certificate).await.map(Stream::Encrypted),
            };
            if let Some(stream) = stream {
                let idle = Box::pin(sleep(IDLE));
                // Without a receiver the service is stopping.
                let _ = to.send((Connection { stream, idle, _place: place }, from)).await;
            }
        });
    }
}

async fn shake_hands(
    mut stream: TcpStream,
    certificate: &Certificate,
) -> Option<Box<TlsStream<TcpStream>>> {
    let acceptor = TlsAcceptor::from(certificate.config());
    let shaking = async move {
        let mut first = [0];
        if stream.peek(&mut first).await.ok()? == 1 && first[0] != TLS_HANDSHAKE {
            // Read first: an answer before the question is lost with the connection.
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(SPEAKS_HTTPS).await;
            let _ = stream.shutdown().await;
            return None;
        }
        acceptor.accept(stream).await.ok()
    };
    timeout(HANDSHAKE, shaking).await.ok().flatten().map(Box::new)
}

impl Listener for Door {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        match self.taken.recv().await {
            Some(taken) => taken,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// How many connections each address has.
type Places = Arc<Mutex<BTreeMap<IpAddr, usize>>>;

/// One connection's right to be there.
struct Place {
    places: Places,
    from: IpAddr,
}

impl Place {
    fn take(places: &Places, from: IpAddr, most_of_one: usize) -> Option<Self> {
        let mut held = places.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = held.values().sum();
        let own = held.get(&from).copied().unwrap_or(0);
        if all >= MOST || own >= most_of_one {
            return None;
        }
        held.insert(from, own + 1);
        Some(Self { places: Arc::clone(places), from })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        match held.get_mut(&self.from) {
            Some(own) if *own > 1 => *own -= 1,
            _ => {
                held.remove(&self.from);
            }
        }
    }
}

/// A connection.
pub struct Connection {
    stream: Stream,
    idle: Pin<Box<Sleep>>,
    _place: Place,
}

enum Stream {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

impl Connection {
    /// What a step came to; it fails when nothing has moved for too long.
    fn moved<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.idle.as_mut().reset(Instant::now() + IDLE);
            return polled;
        }
        match self.idle.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Encrypted(stream) => Pin::new(stream).poll_read(context, buffer),
        };
        this.moved(context, polled)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Encrypted(stream) => Pin::new(stream).poll_write(context, bytes),
        };
        this.moved(context, polled)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Encrypted(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Encrypted(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_the_places_of_all() {
        let places: Places = Arc::default();
        let [greedy, other] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(IpAddr::from);
        let mut taken: Vec<Place> =
            (0..1000).filter_map(|_| Place::take(&places, greedy, MOST_OF_ONE)).collect();
        assert_eq!(taken.len(), MOST_OF_ONE);
        assert!(Place::take(&places, other, MOST_OF_ONE).is_some());
        taken.pop();
        assert!(Place::take(&places, greedy, MOST_OF_ONE).is_some());
        drop(taken);
        assert!(places.lock().expect("the places").is_empty());
        let all: Vec<Place> =
            (0..1000).filter_map(|_| Place::take(&places, other, usize::MAX)).collect();
        assert_eq!(all.len(), MOST);
    }

    #[test]
    fn the_answer_to_plain_http_says_its_own_length() {
        let text = std::str::from_utf8(SPEAKS_HTTPS).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a body");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{}", body.len());
    }
}
