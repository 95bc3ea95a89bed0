//! The accept loop: connections into poem's endpoint, each under its deadlines, all of them under one cap.
//!
//! poem's own server has no deadline for a head, no cap on connections and retries a failing accept at once; hyper is
//! driven directly instead, and only in HTTP/1.1: there is no cleartext HTTP/2, by preface or by `Upgrade: h2c`.

#![expect(
    clippy::disallowed_methods,
    reason = "the deadlines of connections run on tokio's clock, which paces their waiting"
)]

mod alarm;
mod connection;
pub mod descriptors;
mod exchange;
mod limits;
mod progress;
mod request_body;
mod response_body;
mod stream;

use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use poem::{Endpoint, Response};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

pub use self::{limits::Limits, request_body::BodyLate};

/// Long enough not to spin, short enough that a freed descriptor is used at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accept errors closer together than this are one bout, and one line in the log.
const ACCEPT_BOUT: Duration = Duration::from_secs(10);

/// So many connections may wait in the kernel to be accepted, unless the system allows fewer. Whoever comes when they do is
/// not answered, and tries again a second later (RFC 6298, section 2.1).
const BACKLOG: u32 = 4_096;

/// Listens at an address, or at a free port of it if its port is 0.
///
/// # Errors
/// The system's, where the address is taken or none of this machine's.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of a program that has just ended do not keep the port from the next one.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves `listener` until `stop` completes, then finishes what was taken and returns.
///
/// - At [`Limits::connections`] nobody is accepted until a connection ends; the kernel's backlog holds who waits.
/// - What hyper refuses by itself gets its bare answer, without a body: 400, and 431 for a head over its limits. A head
///   that comes too late is closed without one. [`Limits::target_fits`] is for the endpoint to ask, which can answer
///   414 in its own words.
/// - The peer's socket address is the request's [`poem::web::RemoteAddr`].
/// - A client that shuts down its sending side after the request still gets its answer; if the request changes nothing,
///   only within [`Limits::hang_up`], since most who do so have gone away. Then what was sent behind it is lost as well.
/// - After `stop`: the listener is closed; connections between requests, half a head included, are closed at once;
///   requests in flight have [`Limits::drain`], and are cut when it is over.
///
/// The endpoint's own time is not limited here.
pub async fn serve<E>(listener: TcpListener, endpoint: Arc<E>, limits: Arc<Limits>, stop: impl Future<Output = ()>)
where
    E: Endpoint<Output = Response> + 'static,
{
    let mut stop = pin!(stop);
    let (running, stopping) = watch::channel(());
    let mut entrance = Entrance { listener, bout_ends: Instant::now() };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            (stream, peer) = entrance.admit(), if connections.len() < limits.connections => {
                connections.spawn(connection::serve(stream, peer, endpoint.clone(), limits.clone(), stopping.clone()));
            }
        }
    }
    drop(entrance);
    drop(running);
    let ended = async { while connections.join_next().await.is_some() {} };
    if timeout(limits.drain, ended).await.is_err() {
        tracing::warn!(requests = connections.len(), "cutting requests that outlasted the drain");
        connections.shutdown().await;
    }
}

/// Where connections come in, also after accepting has failed.
struct Entrance {
    listener: TcpListener,
    bout_ends: Instant,
}

impl Entrance {
    /// The next connection. An error to accept (no descriptor left, mostly) passes by itself or by a connection ending.
    async fn admit(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => return accepted,
                Err(error) => {
                    let now = Instant::now();
                    if now >= self.bout_ends {
                        tracing::warn!(%error, "cannot accept connections, trying on");
                    }
                    self.bout_ends = now + ACCEPT_BOUT;
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}
