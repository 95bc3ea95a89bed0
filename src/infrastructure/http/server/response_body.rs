//! A response's body that tells when hyper has all of it.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Frame, SizeHint};

use super::progress::Progress;

/// hyper drops the body as soon as it has the last of it, which is how the end shows, whatever the response is like.
pub(super) struct ResponseBody {
    body: BoxBody<Bytes, io::Error>,
    progress: Arc<Progress>,
}

impl ResponseBody {
    pub(super) fn new(body: BoxBody<Bytes, io::Error>, progress: Arc<Progress>) -> Self {
        progress.answering();
        Self { body, progress }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.progress.answered();
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
