//! A request's body: read by the endpoint under a deadline, and by the server where the endpoint left it.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, timeout};

use super::{alarm::Alarm, limits::Limits};

/// The client took longer over a request's body than [`Limits::body`] or [`Limits::body_rate`] allow.
///
/// Reading the body fails with an [`io::Error`] made of this; the answer is 408 (RFC 9110, section 15.5.9), and the
/// connection closes after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request's body came too slowly")]
pub struct BodyLate;

impl BodyLate {
    /// Whether `error`, from reading a body, comes of its being late; an error wrapped once more by poem is seen through.
    #[must_use]
    pub fn caused(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|cause| cause.is::<Self>() || cause.downcast_ref().is_some_and(Self::caused))
    }
}

/// What is still to come of a body, and how patient we have been.
pub(super) struct Intake {
    incoming: Incoming,
    limits: Arc<Limits>,
    /// The body has been asked for; with `Expect: 100-continue`, so has the client.
    asked: bool,
    ended: bool,
    failed: bool,
    received: u64,
    waited: Duration,
    waiting_since: Option<Instant>,
    alarm: Alarm,
}

impl Intake {
    pub(super) fn new(incoming: Incoming, limits: Arc<Limits>) -> Self {
        Self {
            incoming,
            limits,
            asked: false,
            ended: false,
            failed: false,
            received: 0,
            waited: Duration::ZERO,
            waiting_since: None,
            alarm: Alarm::default(),
        }
    }

    /// Whether anybody has asked for a part of it yet.
    pub(super) fn was_asked(&self) -> bool {
        self.asked
    }

    /// Reads what is left and throws it away. False where that is more than [`Limits::discard_size`], takes longer than
    /// [`Limits::discard_time`], or fails.
    pub(super) async fn discard(mut self) -> bool {
        let (most, time) = (self.limits.discard_size, self.limits.discard_time);
        if self.incoming.size_hint().lower() > most {
            return false;
        }
        let read = async {
            let mut left = most;
            while let Some(Ok(frame)) = poll_fn(|cx| self.poll_frame(cx)).await {
                let size = frame.data_ref().map_or(0, Bytes::len) as u64;
                let Some(rest) = left.checked_sub(size) else { return false };
                left = rest;
            }
            !self.failed
        };
        timeout(time, read).await.unwrap_or(false)
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.asked = true;
        if self.ended || self.failed {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) else { return self.poll_late(cx) };
        if let Some(since) = self.waiting_since.take() {
            self.waited += since.elapsed();
        }
        match &frame {
            Some(Ok(frame)) => self.received += frame.data_ref().map_or(0, Bytes::len) as u64,
            Some(Err(_)) => self.failed = true,
            None => self.ended = true,
        }
        Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)))
    }

    /// Fails the body once the client has used up its time.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let due = since + self.patience().saturating_sub(self.waited);
        self.alarm.poll(due, cx).map(|()| {
            self.failed = true;
            Some(Err(io::Error::new(io::ErrorKind::TimedOut, BodyLate)))
        })
    }

    /// How long the client may let us wait in all, given what it has sent.
    fn patience(&self) -> Duration {
        let earned = (self.received.saturating_mul(1000))
            .checked_div(self.limits.body_rate.into())
            .map_or(Duration::MAX, Duration::from_millis);
        self.limits.body.min(self.limits.body_grace.saturating_add(earned))
    }
}

/// The endpoint's end of an [`Intake`] that the server keeps a hand on.
pub(super) struct RequestBody(pub(super) Arc<Mutex<Intake>>);

impl RequestBody {
    fn intake(&self) -> MutexGuard<'_, Intake> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.intake().poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.intake().incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.intake().incoming.size_hint()
    }
}
