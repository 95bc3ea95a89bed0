//! The life of one connection: hyper speaks HTTP/1.1, we hold the clock.

use std::{convert::Infallible, future::poll_fn, net::SocketAddr, pin::pin, sync::Arc, task::Poll};

use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use poem::{
    Endpoint, Response,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{net::TcpStream, sync::watch};

use super::{alarm::Alarm, exchange::Exchange, limits::Limits, progress::Progress, stream::WatchedStream};

/// Bodies are read and written through the buffer that heads are read into, and should not pass in small pieces.
const LEAST_BUFFER: usize = 32 * 1024;

/// Serves requests until either side has had enough, a deadline passes, or `stopping` loses its sender.
pub(super) async fn serve<E>(
    stream: TcpStream,
    peer: SocketAddr,
    endpoint: Arc<E>,
    limits: Arc<Limits>,
    mut stopping: watch::Receiver<()>,
) where
    E: Endpoint<Output = Response> + 'static,
{
    // Either fails only where the connection is gone already.
    let (Ok(()), Ok(local)) = (stream.set_nodelay(true), stream.local_addr()) else { return };
    let progress = Arc::new(Progress::new(limits.clone()));
    let http1 = http1(&limits);
    let exchange = Arc::new(Exchange {
        endpoint,
        limits,
        progress: progress.clone(),
        local: LocalAddr(local.into()),
        remote: RemoteAddr(peer.into()),
    });
    let answer = service_fn(|request: hyper::Request<Incoming>| {
        exchange.progress.request_came(request.method().is_safe());
        let exchange = exchange.clone();
        // Boxed, since hyper keeps room for it also while the connection is idle, as thousands are.
        Box::pin(async move { Ok::<_, Infallible>(exchange.answer(request).await) })
    });
    let mut http = pin!(http1.serve_connection(TokioIo::new(WatchedStream::new(stream, progress.clone())), answer));
    let mut stopping = pin!(stopping.changed());
    let mut is_stopping = false;
    let mut alarm = Alarm::default();
    poll_fn(|cx| {
        if http.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        // After hyper, so that a request that is here already is taken.
        if !is_stopping && stopping.as_mut().poll(cx).is_ready() {
            is_stopping = true;
            if progress.is_between_requests() {
                return Poll::Ready(());
            }
            http.as_mut().graceful_shutdown();
            if http.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
        }
        progress.due().map_or(Poll::Pending, |due| alarm.poll(due, cx))
    })
    .await;
}

fn http1(limits: &Limits) -> http1::Builder {
    let mut http1 = http1::Builder::new();
    http1
        // The deadlines are ours: hyper's for heads runs between requests as well, and closes idle clients early.
        .header_read_timeout(None)
        .half_close(true)
        .max_headers(limits.head_fields)
        .max_header_size(limits.head_size)
        .max_buf_size(limits.head_size.max(LEAST_BUFFER));
    http1
}
