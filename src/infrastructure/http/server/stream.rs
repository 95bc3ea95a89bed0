//! A client's socket that tells what passes through it, and closes so that the last answer arrives.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::progress::Progress;

pub(super) struct WatchedStream {
    stream: TcpStream,
    progress: Arc<Progress>,
    write_is_stalled: bool,
    client_is_done: bool,
    /// How many bytes are still worth discarding; none before our side is closed.
    discardable: Option<u64>,
}

impl WatchedStream {
    pub(super) fn new(stream: TcpStream, progress: Arc<Progress>) -> Self {
        Self { stream, progress, write_is_stalled: false, client_is_done: false, discardable: None }
    }

    /// Passes a write's outcome on, and tells of a stall's beginning and end.
    fn watch(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_pending() != self.write_is_stalled {
            self.write_is_stalled = written.is_pending();
            if self.write_is_stalled { self.progress.write_stalled() } else { self.progress.write_moved() }
        }
        written
    }

    /// Ready once the client has closed its sending side, or is gone. Where it has sent more before, that hides it.
    fn poll_hang_up(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut room = [0; 1];
        match ready!(self.stream.poll_peek(cx, &mut ReadBuf::new(&mut room))) {
            Ok(1..) => Poll::Pending,
            Ok(0) | Err(_) => Poll::Ready(()),
        }
    }

    /// Reads on until the client is done, or has sent more than is worth the answer.
    fn poll_discard(&mut self, left: &mut u64, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while *left > 0 && !self.client_is_done {
            let mut room = [0; 4096];
            let mut buffer = ReadBuf::new(&mut room);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            self.client_is_done = buffer.filled().is_empty();
            *left = left.saturating_sub(buffer.filled().len() as u64);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let filled = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > filled {
            self.progress.bytes_came();
        } else {
            self.client_is_done = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.watch(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.progress.flushed();
        // hyper flushes whenever it is polled, and reads nothing while the endpoint has a request.
        if self.progress.minds_a_hang_up() && self.poll_hang_up(cx).is_ready() {
            self.progress.client_hung_up();
        }
        Poll::Ready(Ok(()))
    }

    /// Closing a socket with unread bytes resets it, and the reset destroys the answer on its way (RFC 9112, section
    /// 9.6): where there may be such bytes, our side is closed first, and the rest when they are read.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut left = if let Some(left) = self.discardable {
            left
        } else {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.progress.closed()
        };
        let discarded = self.poll_discard(&mut left, cx);
        self.discardable = Some(left);
        discarded
    }
}
