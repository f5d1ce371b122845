//! The server: sockets, bounds and patience around the plain protocol.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    sync::{Semaphore, watch},
    time,
};

use super::{
    map::Image,
    protocol::{HEADER_BYTES, Header, LONGEST_BODY, answer},
};
use crate::{
    guests::{Net, may_connect},
    picture::Plant,
};

/// How long an answer may take to be read by who asked.
const WITHIN: Duration = Duration::from_secs(5);
/// Pause after the system refused a connection, as when there are too many open files.
const AFTER_REFUSAL: Duration = Duration::from_millis(200);
/// Refusals are told this often at most, so that nobody can fill the log.
const TELL_EVERY: Duration = Duration::from_mins(1);

/// What is shown, who may connect, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Machines that have a block: the first ones of every picture.
    pub blocks: usize,
    /// Other computers that may connect.
    pub allow: Vec<Net>,
    /// Connections at the same time.
    pub connections: usize,
    /// A connection without a request for so long is closed.
    pub idle: Duration,
}

/// Answers requests from the latest picture until the sender of pictures is gone.
pub async fn serve(listener: TcpListener, pictures: watch::Receiver<Arc<Plant>>, limits: Limits) {
    let (image_to, images) = watch::channel(Arc::new(Image::of(&pictures.borrow(), limits.blocks)));
    let room = Arc::new(Semaphore::new(limits.connections));
    tokio::join!(draw(pictures, image_to, limits.blocks), async {
        let mut ended = images.clone();
        let mut refusals = Refusals::default();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = gone(&mut ended) => return,
            };
            let (stream, from) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!("Modbus: the system refuses a connection: {error}");
                    time::sleep(AFTER_REFUSAL).await;
                    continue;
                }
            };
            if let Some(why) = refusal(&limits, from.ip(), room.available_permits()) {
                refusals.tell(from, why);
                continue;
            }
            let Ok(place) = Arc::clone(&room).try_acquire_owned() else { continue };
            let (images, idle) = (images.clone(), limits.idle);
            // Answers are small and are waited for; without this they would be late, but not wrong.
            let _ = stream.set_nodelay(true);
            tokio::spawn(async move {
                if let Err(error) = attend(stream, from, images, idle).await {
                    tracing::debug!("Modbus: {from} is gone: {error}");
                }
                drop(place);
            });
        }
    });
}

/// Why somebody may not connect.
fn refusal(limits: &Limits, from: IpAddr, room: usize) -> Option<&'static str> {
    if !may_connect(&limits.allow, from) {
        return Some("`allow` does not name it");
    }
    (room == 0).then_some("there are as many connections as `connections` allows")
}

/// Those who may not connect, told now and then.
#[derive(Default)]
struct Refusals {
    told: Option<Instant>,
    untold: u64,
}

impl Refusals {
    fn tell(&mut self, from: SocketAddr, why: &str) {
        if self.told.is_some_and(|told| told.elapsed() < TELL_EVERY) {
            self.untold += 1;
            return;
        }
        tracing::warn!("Modbus: {from} is refused: {why}; {} others since last told", self.untold);
        *self = Self { told: Some(Instant::now()), untold: 0 };
    }
}

/// Turns pictures into images as they come.
async fn draw(
    mut pictures: watch::Receiver<Arc<Plant>>,
    images: watch::Sender<Arc<Image>>,
    blocks: usize,
) {
    while pictures.changed().await.is_ok() {
        let plant = Arc::clone(&pictures.borrow_and_update());
        images.send_replace(Arc::new(Image::of(&plant, blocks)));
    }
}

/// Waits until no more images come.
async fn gone(images: &mut watch::Receiver<Arc<Image>>) {
    while images.changed().await.is_ok() {}
}

/// Answers one connection until it ends, is idle, or says what is not Modbus.
async fn attend(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    from: SocketAddr,
    mut images: watch::Receiver<Arc<Image>>,
    idle: Duration,
) -> io::Result<()> {
    let mut ended = images.clone();
    loop {
        let mut body = [0; LONGEST_BODY];
        let asked = tokio::select! {
            asked = time::timeout(idle, request(&mut stream, &mut body)) => asked,
            () = gone(&mut ended) => return Ok(()),
        };
        let header = match asked {
            Ok(Ok(Some(header))) => header,
            Ok(Ok(None)) => {
                tracing::warn!("Modbus: {from} is cut off: it sent what is no Modbus TCP");
                return Ok(());
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                tracing::debug!("Modbus: {from} was idle for {} s", idle.as_secs());
                return Ok(());
            }
        };
        let reply = {
            let image = images.borrow_and_update();
            header.reply(&answer(&body[..header.body], &image))
        };
        time::timeout(WITHIN, stream.write_all(&reply)).await.map_err(io::Error::from)??;
    }
}

/// Reads one request; none where it is no Modbus.
async fn request(
    stream: &mut (impl AsyncRead + Unpin),
    body: &mut [u8; LONGEST_BODY],
) -> io::Result<Option<Header>> {
    let mut head = [0; HEADER_BYTES];
    stream.read_exact(&mut head).await?;
    let Some(header) = Header::read(head) else { return Ok(None) };
    stream.read_exact(&mut body[..header.body]).await?;
    Ok(Some(header))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);
    const LONG: Duration = Duration::from_hours(1);

    /// Sends bytes to a connection; what comes back until the connection is closed.
    async fn talk(sent: &[u8], idle: Duration, hang_up: bool) -> Vec<u8> {
        let (_image_to, images) = watch::channel(Arc::new(Image::of(&Plant::default(), 0)));
        let (mut near, far) = tokio::io::duplex(1024);
        let attended = attend(far, FROM, images, idle);
        let asked = async {
            near.write_all(sent).await.expect("room");
            let mut got = Vec::new();
            if hang_up {
                near.shutdown().await.expect("an end");
            }
            near.read_to_end(&mut got).await.expect("an end");
            got
        };
        let (attended, got) = tokio::join!(attended, asked);
        attended.expect("no error");
        got
    }

    fn now(future: impl Future<Output = ()>) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.expect("a runtime").block_on(future);
    }

    const ASK: [u8; 12] = [0, 1, 0, 0, 0, 6, 9, 4, 0, 0, 0, 1];
    const REPLY: [u8; 11] = [0, 1, 0, 0, 0, 5, 9, 4, 2, 0, 1];

    #[test]
    fn requests_that_come_together_are_answered_one_by_one() {
        now(async {
            let got = talk(&[ASK, ASK].concat(), LONG, true).await;
            assert_eq!(got, [REPLY, REPLY].concat());
        });
    }

    #[test]
    fn who_says_nothing_or_half_a_request_is_closed() {
        now(async {
            let idle = Duration::from_millis(20);
            assert_eq!(talk(&[], idle, false).await, []);
            assert_eq!(talk(&[&ASK[..], &ASK[..9]].concat(), idle, false).await, REPLY);
        });
    }

    #[test]
    fn who_does_not_speak_modbus_is_cut_off() {
        now(async {
            assert_eq!(talk(b"GET / HTTP/1.1\r\n\r\n", LONG, false).await, []);
        });
    }

    #[test]
    fn connections_end_with_the_pictures() {
        now(async {
            let (image_to, images) = watch::channel(Arc::new(Image::of(&Plant::default(), 0)));
            let (_near, far) = tokio::io::duplex(64);
            let attended = tokio::spawn(attend(far, FROM, images, LONG));
            drop(image_to);
            attended.await.expect("no panic").expect("no error");
        });
    }

    #[test]
    fn strangers_and_crowds_are_refused() {
        let allow = vec!["10.0.0.0/8".parse().expect("a net")];
        let limits = Limits { blocks: 1, allow, connections: 2, idle: LONG };
        let from = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert_eq!(refusal(&limits, from("10.1.2.3"), 1), None);
        assert_eq!(refusal(&limits, from("127.0.0.1"), 2), None);
        assert!(refusal(&limits, from("192.168.0.9"), 2).is_some_and(|why| why.contains("allow")));
        assert!(
            refusal(&limits, from("10.1.2.3"), 0).is_some_and(|why| why.contains("connections"))
        );
    }
}
