//! An HTTP e-mail API that answers every mail as it is told to, be it HTTP or not.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};

/// Longer than anything a test waits for, so that what never comes shows as a failure.
const PATIENCE: Duration = Duration::from_secs(10);

/// What follows an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Then {
    /// The connection is closed.
    Close,
    /// Nothing, with the connection kept open.
    Silence,
    /// This, again and again, for as long as it is taken.
    Flood(&'static str),
}

pub(crate) struct ApiPeer {
    address: SocketAddr,
    requests: UnboundedReceiver<String>,
    ends: UnboundedReceiver<()>,
}

/// What is answered to a request, as octets.
type Answer = Arc<dyn Fn(&str) -> String + Send + Sync>;

impl ApiPeer {
    pub(crate) async fn start(answer: impl Into<String>, then: Then) -> Self {
        let answer = answer.into();
        Self::begin(Arc::new(move |_| answer.clone()), then).await
    }

    /// Answers each request with the status that is found for it.
    pub(crate) async fn judging(status: impl Fn(&str) -> u16 + Send + Sync + 'static) -> Self {
        Self::begin(Arc::new(move |request| response(status(request), "{}")), Then::Close).await
    }

    async fn begin(answer: Answer, then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, requests) = unbounded_channel();
        let (ended, ends) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answer.clone(), then, asked.clone(), ended.clone()));
            }
        });
        Self { address, requests, ends }
    }

    /// Answers with a status and a body.
    pub(crate) async fn answering(status: u16, body: &str) -> Self {
        Self::start(response(status, body), Then::Close).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    /// The next request, head and body.
    pub(crate) async fn request(&mut self) -> String {
        timeout(PATIENCE, self.requests.recv()).await.expect("a request").unwrap()
    }

    /// Whether nobody has asked anything since.
    pub(crate) fn is_unasked(&mut self) -> bool {
        self.requests.try_recv().is_err()
    }

    /// Waits until a connection has ended, by whichever side.
    pub(crate) async fn end(&mut self) {
        timeout(PATIENCE, self.ends.recv()).await.expect("the end of a connection").unwrap();
    }
}

/// A whole answer as octets.
pub(crate) fn response(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} Whatever\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

async fn serve(
    mut stream: TcpStream,
    answer: Answer,
    then: Then,
    asked: UnboundedSender<String>,
    ended: UnboundedSender<()>,
) {
    let request = read_request(&mut stream).await;
    let answer = answer(request.as_deref().unwrap_or_default());
    if let Some(request) = request {
        asked.send(request).ok();
    }
    stream.write_all(answer.as_bytes()).await.ok();
    match then {
        Then::Close => {}
        Then::Silence => while stream.read(&mut [0; 1024]).await.is_ok_and(|octets| octets > 0) {},
        Then::Flood(piece) => while stream.write_all(piece.repeat(1024).as_bytes()).await.is_ok() {},
    }
    ended.send(()).ok();
}

/// Head and body; none where the client goes away or speaks something else.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut octets = Vec::new();
    loop {
        if stream.read_buf(&mut octets).await.ok()? == 0 {
            return None;
        }
        let Ok(text) = std::str::from_utf8(&octets) else { return None };
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && header(head, "content-length").is_some_and(|length| length.parse() == Ok(body.len()))
        {
            return Some(text.to_owned());
        }
    }
}

/// The value of a header.
pub(crate) fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let head = request.split("\r\n\r\n").next()?;
    head.lines().find_map(|line| line.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name))).map(|(_, v)| v)
}
