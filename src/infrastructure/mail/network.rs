//! The way to a mail server, and what goes wrong on it in plain words.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout, timeout_at},
};

use super::tls;
use crate::domain::mail::{SendFault, Stage};

/// Connects to the first of a name's addresses that answers. Each address gets a fair share of the time that is left,
/// so that a dead one cannot use up that of a living one.
pub(super) async fn dial(host: &str, port: u16, within: Duration) -> io::Result<TcpStream> {
    let ends = Instant::now() + within;
    let addresses: Vec<SocketAddr> = lookup_host((host, port)).await?.collect();
    let mut fault = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for (address, untried) in addresses.iter().zip((1..=u32::try_from(addresses.len()).unwrap_or(u32::MAX)).rev()) {
        let share = ends.saturating_duration_since(Instant::now()) / untried;
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // lettre writes mail and final dot apart; Nagle's algorithm would cost 40 ms between them.
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => fault = error,
            Err(_) => fault = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(fault)
}

/// Waits for a step until the attempt's end.
pub(super) async fn by<T>(
    ends: Instant,
    stage: Stage,
    step: impl Future<Output = io::Result<T>>,
) -> Result<T, SendFault> {
    let outcome = timeout_at(ends, step).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    outcome.map_err(|error| fault_of(stage, &error))
}

/// A fault of the connection itself.
pub(super) fn fault_of(stage: Stage, error: &io::Error) -> SendFault {
    use io::ErrorKind as Kind;
    let words = match error.kind() {
        Kind::ConnectionRefused => "connection refused".to_owned(),
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::UnexpectedEof => CUT.to_owned(),
        Kind::TimedOut => "no answer in time".to_owned(),
        _ => tls::words(error).unwrap_or_else(|| error.to_string()),
    };
    SendFault::new(stage, None, &words)
}

/// How the end of a connection is told where an answer was due.
pub(super) const CUT: &str = "the server closed the connection without an answer";

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn what_is_written_leaves_at_once() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = dial("127.0.0.1", port, Duration::from_secs(10)).await.unwrap();
        assert!(stream.nodelay().unwrap());
    }

    #[tokio::test]
    async fn every_address_of_a_name_is_tried() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        // Commonly ::1 comes first, where nobody listens.
        let stream = dial("localhost", address.port(), Duration::from_secs(10)).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
    }
}
