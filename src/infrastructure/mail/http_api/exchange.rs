//! One request and its answer, of which neither the length nor the time is left to the server.

use std::{error::Error, io};

use bytes::Bytes;
use futures_util::{FutureExt, TryFutureExt, future::pending};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout_at},
};

use crate::{
    domain::mail::{SendFault, Stage},
    infrastructure::mail::network,
};

/// The longest head and the longest body of an answer that are read, in octets.
const MOST_OCTETS: usize = 64 * 1024;

/// Posts a mail; any 2xx is a yes, whatever else is said.
pub(super) async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
    ends: Instant,
) -> Result<(), SendFault> {
    let handshake = http1::Builder::new().max_buf_size(MOST_OCTETS).handshake(TokioIo::new(stream));
    let (requests, connection) = network::by(ends, Stage::Api, handshake.map_err(as_io)).await?;
    // The connection only moves the octets: its faults reach the asker, who knows what was answered before them.
    let moving = connection.then(|_| pending());
    tokio::select! {
        outcome = ask(requests, request, ends) => outcome,
        outcome = moving => outcome,
    }
}

async fn ask(
    mut requests: SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
    ends: Instant,
) -> Result<(), SendFault> {
    let answer = requests.send_request(request).map_err(as_io);
    let answer = network::by(ends, Stage::Api, answer).await?;
    if answer.status().is_success() { Ok(()) } else { Err(refusal(answer, ends).await) }
}

/// What the server answered, in its own words if it has any.
async fn refusal(answer: Response<Incoming>, ends: Instant) -> SendFault {
    let status = answer.status();
    let body = beginning(answer.into_body(), ends).await;
    let said = String::from_utf8_lossy(&body);
    let words = if said.trim().is_empty() { status.canonical_reason().unwrap_or_default() } else { &said };
    SendFault::new(Stage::Api, Some(status.as_u16()), words)
}

/// As much of a body as comes in time; the status has said what matters.
async fn beginning(mut body: Incoming, ends: Instant) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < MOST_OCTETS
        && let Ok(Some(Ok(frame))) = timeout_at(ends, body.frame()).await
    {
        read.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
    }
    read.truncate(MOST_OCTETS);
    read
}

/// The network's own error where there is one below hyper's.
fn as_io(error: hyper::Error) -> io::Error {
    match error.source().and_then(|cause| cause.downcast_ref::<io::Error>()) {
        Some(cause) => cause.kind().into(),
        None if error.is_incomplete_message() => io::ErrorKind::UnexpectedEof.into(),
        None => io::Error::other(error),
    }
}
