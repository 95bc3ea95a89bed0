//! A client that says exactly what it is told to, and waits for nothing longer than a test may.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

/// Longer than any deadline a test sets, so that what never comes shows as a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Client {
    reader: OwnedReadHalf,
    writer: Option<OwnedWriteHalf>,
    received: Vec<u8>,
    pub(crate) since: Instant,
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn closes(&self) -> bool {
        self.head.contains("connection: close")
    }
}

impl Client {
    pub(crate) fn over(stream: TcpStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { reader, writer: Some(writer), received: Vec::new(), since: Instant::now() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.writer.as_mut().unwrap().write_all(bytes.as_ref()).await.unwrap();
    }

    /// Closes the sending side.
    pub(crate) fn say_no_more(&mut self) {
        self.writer = None;
    }

    /// Sends `piece` at every `pause` from a task of its own, until nobody takes it any more; gives how often it did.
    pub(crate) fn drip(&mut self, piece: impl AsRef<[u8]> + Send + 'static, pause: Duration) -> JoinHandle<usize> {
        let mut writer = self.writer.take().unwrap();
        let mut ticks = interval(pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::spawn(async move {
            for sent in 0.. {
                ticks.tick().await;
                if writer.write_all(piece.as_ref()).await.is_err() {
                    return sent;
                }
            }
            unreachable!("a drip ends with its connection")
        })
    }

    /// Sends `piece` again and again, as fast as it is taken; gives the bytes once none is taken any more.
    pub(crate) fn flood(&mut self, piece: Vec<u8>) -> JoinHandle<usize> {
        let mut writer = self.writer.take().unwrap();
        tokio::spawn(async move {
            let mut sent = 0;
            while let Ok(Ok(())) = timeout(Duration::from_millis(500), writer.write_all(&piece)).await {
                sent += piece.len();
            }
            sent
        })
    }

    /// The next response, with a body of known length.
    pub(crate) async fn response(&mut self) -> Response {
        self.response_to("GET").await
    }

    /// The next response, which has no body if the method is HEAD.
    pub(crate) async fn response_to(&mut self, method: &str) -> Response {
        let head_size = loop {
            if let Some(at) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert_ne!(self.read().await.unwrap(), 0, "closed before a response: {:?}", self.text());
        };
        let head = String::from_utf8(self.received.drain(..head_size).collect()).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = if method == "HEAD" { 0 } else { length.map_or(0, |length| length.parse().unwrap()) };
        while self.received.len() < length {
            assert_ne!(self.read().await.unwrap(), 0, "closed within a body: {:?}", self.text());
        }
        let body = String::from_utf8(self.received.drain(..length).collect()).unwrap();
        Response { status: head[9..12].parse().unwrap(), head, body }
    }

    /// What still comes until the server closes, and when that is, counted from the connection's beginning.
    pub(crate) async fn rest(&mut self) -> (String, Duration) {
        while let Ok(1..) = self.read().await {}
        (self.text(), self.since.elapsed())
    }

    /// Reads once; 0 is the end.
    pub(crate) async fn read(&mut self) -> io::Result<usize> {
        let read = self.reader.read_buf(&mut self.received);
        timeout(PATIENCE, read).await.expect("the server should have said something or closed")
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }
}
