//! The stream under an SMTP session: it hears a server's replies, and turns from plain text to TLS in place.

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

use super::replies::Replies;

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
    replies: Replies,
}

#[derive(Debug)]
pub(super) enum Channel {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// Taken out for a handshake.
    Taken,
}

impl Wire {
    pub(super) fn new(channel: Channel) -> Self {
        let state = Mutex::new(State { channel, replies: Replies::default() });
        Self(Arc::new(Shared { state, written: Notify::new() }))
    }

    /// How many octets the server has said since we last wrote, as lettre reads them.
    pub(super) fn heard(&self) -> usize {
        self.state().replies.len()
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

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let State { channel, replies } = &mut *self.state();
        // To read nothing would mean the end, so a line must have ended.
        while !replies.read(buf) {
            let mut room = [0; 4096];
            let mut octets = ReadBuf::new(&mut room);
            ready!(match channel {
                Channel::Plain(tcp) => Pin::new(tcp).poll_read(cx, &mut octets),
                Channel::Tls(tls) => Pin::new(tls).poll_read(cx, &mut octets),
                Channel::Taken => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            })?;
            if octets.filled().is_empty() {
                break;
            }
            replies.hear(octets.filled())?;
        }
        Poll::Ready(Ok(()))
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
        state.replies.begin();
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
