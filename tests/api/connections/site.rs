//! A small site behind the accept loop, that does what a path's name says and tells what happens to it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use poem::{Body, Endpoint, Request, Response, error::ReadBodyError, http::StatusCode};
use rollbook::infrastructure::http::server::{BodyLate, Limits, listen, serve};
use tokio::{
    net::TcpStream,
    sync::{
        Semaphore,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        oneshot,
    },
    task::JoinHandle,
    time::timeout,
};

use super::client::{Client, PATIENCE};

/// The size of `/large`, in bytes: beyond all the buffers on its way.
pub(crate) const LARGE: usize = 64 * 1024 * 1024;

/// A running server over its endpoint.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) server: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
    arrivals: UnboundedReceiver<()>,
    departures: UnboundedReceiver<()>,
    tickets: Arc<Semaphore>,
}

impl Site {
    pub(crate) fn open(limits: Limits) -> Self {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let (arrived, arrivals) = unbounded_channel();
        let (departed, departures) = unbounded_channel();
        let tickets = Arc::new(Semaphore::new(0));
        let paths = Arc::new(Paths { arrived, departed, tickets: tickets.clone() });
        let server = tokio::spawn(serve(listener, paths, Arc::new(limits), async {
            stopped.await.ok();
        }));
        Self { address, server, stop: Some(stop), arrivals, departures, tickets }
    }

    pub(crate) async fn visit(&self) -> Client {
        Client::over(TcpStream::connect(self.address).await.unwrap())
    }

    /// Waits until a request is at `/wait`.
    pub(crate) async fn arrival(&mut self) {
        timeout(PATIENCE, self.arrivals.recv()).await.expect("a request should have arrived").unwrap();
    }

    /// Waits until `/pour` or `/wait` is done with, or given up.
    pub(crate) async fn departure(&mut self) {
        timeout(PATIENCE, self.departures.recv()).await.expect("the response should have been given up").unwrap();
    }

    /// Lets one request at `/wait` go.
    pub(crate) fn release_one(&self) {
        self.tickets.add_permits(1);
    }

    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until `serve` has returned.
    pub(crate) async fn ended(self) {
        timeout(PATIENCE, self.server).await.expect("the server should have ended").unwrap();
    }
}

struct Paths {
    arrived: UnboundedSender<()>,
    departed: UnboundedSender<()>,
    tickets: Arc<Semaphore>,
}

impl Endpoint for Paths {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        Ok(match request.uri().path() {
            "/hello" => Body::from("hello").into(),
            "/peer" => request.remote_addr().to_string().into(),
            "/echo" => echo(request.take_body()).await,
            "/mirror" => Body::from_bytes_stream(request.take_body().into_bytes_stream()).into(),
            "/refuse" => (StatusCode::PAYLOAD_TOO_LARGE, "too large").into(),
            "/large" => Body::from(vec![b'x'; LARGE]).into(),
            "/pour" => pour(Departure(self.departed.clone())),
            "/wait" => {
                let _departure = Departure(self.departed.clone());
                self.arrived.send(()).unwrap();
                self.tickets.acquire().await.unwrap().forget();
                "waited".into()
            }
            _ => StatusCode::NOT_FOUND.into(),
        })
    }
}

/// The body back, if it is no longer than 1 MiB and comes in time.
async fn echo(body: Body) -> Response {
    match body.into_bytes_limit(1024 * 1024).await {
        Ok(bytes) => bytes.into(),
        Err(ReadBodyError::PayloadTooLarge) => (StatusCode::PAYLOAD_TOO_LARGE, "too large").into(),
        Err(ReadBodyError::Io(error)) if BodyLate::caused(&error) => (StatusCode::REQUEST_TIMEOUT, "late").into(),
        Err(_) => (StatusCode::BAD_REQUEST, "broken").into(),
    }
}

struct Departure(UnboundedSender<()>);

impl Drop for Departure {
    fn drop(&mut self) {
        // Nobody listens any more where the test is over.
        self.0.send(()).ok();
    }
}

/// More than anybody reads.
fn pour(departure: Departure) -> Response {
    let piece = Bytes::from(vec![b'x'; 64 * 1024]);
    let pieces = stream::unfold(departure, move |departure| {
        let piece = piece.clone();
        async move { Some((Ok::<_, std::io::Error>(piece), departure)) }
    });
    Body::from_bytes_stream(pieces).into()
}

/// Deadlines short enough to wait for, and apart enough to be told from one another.
pub(crate) fn short() -> Limits {
    Limits { head: Duration::from_millis(200), idle: Duration::from_millis(800), ..Limits::default() }
}

/// A request without a body, of the method and to the path.
pub(crate) fn request(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: rollbook.example\r\n\r\n")
}

pub(crate) fn get(path: &str) -> String {
    request("GET", path)
}

/// The head of a POST, up to its own fields.
pub(crate) fn post(path: &str, fields: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: rollbook.example\r\n{fields}\r\n\r\n")
}
