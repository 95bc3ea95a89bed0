//! The stream under an SMTP session: it bounds what a server may say, and turns from plain text to TLS in place.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Notify,
};
use tokio_rustls::client::TlsStream;

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
