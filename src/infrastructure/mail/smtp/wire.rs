//! The stream under an SMTP session: it bounds what a server may say, and turns from plain text to TLS in place.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, lookup_host},
    sync::Notify,
    time::{Instant, timeout},
};
use tokio_rustls::client::TlsStream;

/// Connects to the first of a name's addresses that answers. Each address gets a fair share of the time that is left,
/// so that a dead one cannot use up that of a living one.
pub(super) async fn dial(host: &str, port: u16, within: Duration) -> io::Result<TcpStream> {
    let ends = Instant::now() + within;
    let addresses: Vec<SocketAddr> = lookup_host((host, port)).await?.collect();
    let mut fault = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for (address, untried) in addresses.iter().zip((1..=u32::try_from(addresses.len()).unwrap_or(u32::MAX)).rev()) {
        let share = ends.saturating_duration_since(Instant::now()) / untried;
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // lettre writes mail and final dot apart; Nagle's algorithm would cost 40 ms between them.
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => fault = error,
            Err(_) => fault = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(fault)
}

/// A handle on the stream: lettre holds one to talk, the session another to watch it and to turn it to TLS.
#[derive(Debug, Clone)]
pub(super) struct Wire(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    written: Notify,
}

#[derive(Debug)]
struct State {
    channel: Channel,
    /// Octets that the server has sent since we last wrote.
    heard: usize,
    /// Line ends among them.
    lines: usize,
}

#[derive(Debug)]
pub(super) enum Channel {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// Taken out for a handshake.
    Taken,
}

impl Wire {
    /// The longest reply, in octets, so that memory stays bounded whatever a server sends.
    pub(super) const MOST_OCTETS: usize = 64 * 1024;
    /// The longest reply, in lines.
    pub(super) const MOST_LINES: usize = 100;

    pub(super) fn new(channel: Channel) -> Self {
        let state = Mutex::new(State { channel, heard: 0, lines: 0 });
        Self(Arc::new(Shared { state, written: Notify::new() }))
    }

    /// How many octets the server has sent since we last wrote.
    pub(super) fn heard(&self) -> usize {
        self.state().heard
    }

    /// Waits until something was written since this was last asked.
    pub(super) async fn written(&self) {
        self.0.written.notified().await;
    }

    /// Takes the plain connection out, for a handshake; none where it is not plain.
    pub(super) fn take_plain(&self) -> Option<TcpStream> {
        let channel = &mut self.state().channel;
        match std::mem::replace(channel, Channel::Taken) {
            Channel::Plain(tcp) => Some(tcp),
            other => {
                *channel = other;
                None
            }
        }
    }

    /// Puts the connection back after its handshake.
    pub(super) fn put_tls(&self, stream: TlsStream<TcpStream>) {
        self.state().channel = Channel::Tls(Box::new(stream));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts what the server sent, and makes ASCII of it: replies are (RFC 5321, section 4.2), and lettre would take
    /// one in another charset for a broken connection.
    fn hear(&mut self, octets: &mut [u8]) -> io::Result<()> {
        self.heard += octets.len();
        for octet in octets {
            match octet {
                b'\n' => self.lines += 1,
                0x80.. => *octet = b'?',
                _ => {}
            }
        }
        if self.heard > Wire::MOST_OCTETS || self.lines > Wire::MOST_LINES {
            return Err(io::Error::other("the answer has no end"));
        }
        Ok(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state();
        let before = buf.filled().len();
        ready!(match &mut state.channel {
            Channel::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Channel::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
            Channel::Taken => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        })?;
        let (_, new) = buf.filled_mut().split_at_mut(before);
        Poll::Ready(state.hear(new))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        let written = ready!(match &mut state.channel {
            Channel::Plain(tcp) => Pin::new(tcp).poll_write(cx, octets),
            Channel::Tls(tls) => Pin::new(tls).poll_write(cx, octets),
            Channel::Taken => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        })?;
        state.heard = 0;
        state.lines = 0;
        self.0.written.notify_one();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.state().channel {
            Channel::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Channel::Tls(tls) => Pin::new(tls).poll_flush(cx),
            Channel::Taken => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.state().channel {
            Channel::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Channel::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
            Channel::Taken => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.state().channel {
            Channel::Plain(tcp) => tcp.peer_addr(),
            Channel::Tls(tls) => tls.get_ref().0.peer_addr(),
            Channel::Taken => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn what_is_written_leaves_at_once() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = dial("127.0.0.1", port, Duration::from_secs(10)).await.unwrap();
        assert!(stream.nodelay().unwrap());
    }

    #[tokio::test]
    async fn every_address_of_a_name_is_tried() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        // Commonly ::1 comes first, where nobody listens.
        let stream = dial("localhost", address.port(), Duration::from_secs(10)).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
    }
}
