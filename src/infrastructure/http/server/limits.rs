//! Every deadline and cap of the server, in one place.

use std::time::Duration;

use hyper::Uri;

/// What a client may cost; [`Default`] gives the promised numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// From a request's first byte to the end of its head, and from accepting a connection to its first byte.
    pub head: Duration,
    /// From an answer to the next request's first byte.
    pub idle: Duration,
    /// Waiting for one request's body, in all. Time in which nobody asked for more of it is not the client's.
    pub body: Duration,
    /// Waiting for a body before [`Self::body_rate`] is asked of it.
    pub body_grace: Duration,
    /// Bytes a second that a body has to bring in the waiting beyond [`Self::body_grace`]; 0 asks for none.
    pub body_rate: u32,
    /// From a write the client's window had no room for to the next byte it takes.
    pub write_stall: Duration,
    /// How long a request that changes nothing (RFC 9110, section 9.2.1) goes on without an answer once its client has
    /// closed its sending side: most who do have gone away, and some have only said all they had to say.
    pub hang_up: Duration,
    /// Bytes of a head, request line included; beyond is 431 (RFC 6585, section 5).
    pub head_size: usize,
    /// Header fields of a request; beyond is 431.
    pub head_fields: usize,
    /// Bytes of a request target; beyond is 414 (RFC 9110, section 15.5.15), see [`Self::target_fits`].
    pub target_size: usize,
    /// Connections at a time; see [`connection_cap`](super::descriptors::connection_cap).
    pub connections: usize,
    /// Bytes of an unread body that are read and thrown away so that an early answer arrives.
    pub discard_size: u64,
    /// How long that may take.
    pub discard_time: Duration,
    /// How long a connection closed on a client that is still sending goes on discarding, so that the last answer is
    /// not lost to a reset (RFC 9112, section 9.6). At most [`Self::discard_size`] bytes, too.
    pub linger: Duration,
    /// From the stop to the cutting of requests that are still in flight.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            idle: Duration::from_mins(1),
            body: Duration::from_secs(20),
            body_grace: Duration::from_secs(5),
            body_rate: 1024,
            write_stall: Duration::from_secs(30),
            hang_up: Duration::from_millis(100),
            head_size: 16 * 1024,
            head_fields: 64,
            target_size: 2 * 1024,
            connections: 10_000,
            discard_size: 32 * 1024 * 1024,
            discard_time: Duration::from_secs(5),
            linger: Duration::from_secs(2),
            drain: Duration::from_secs(20),
        }
    }
}

impl Limits {
    /// Whether a request target is short enough.
    ///
    /// The outermost middleware asks, and answers 414 where it is not: unlike a head that hyper refuses, the request is
    /// there, so its answer is the envelope with its id, in the log and counted as any other.
    #[must_use]
    pub fn target_fits(&self, target: &Uri) -> bool {
        let scheme = target.scheme_str().map_or(0, |scheme| scheme.len() + "://".len());
        let authority = target.authority().map_or(0, |authority| authority.as_str().len());
        let path = target.path_and_query().map_or(0, |path| path.as_str().len());
        scheme + authority + path <= self.target_size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(size: usize) -> Uri {
        format!("/?q={}", "x".repeat(size - 4)).parse().unwrap()
    }

    #[test]
    fn a_target_may_have_two_kibibytes_and_no_more() {
        assert!(Limits::default().target_fits(&target(2048)));
        assert!(!Limits::default().target_fits(&target(2049)));
    }

    #[test]
    fn the_absolute_form_of_a_target_counts_whole() {
        let limits = Limits { target_size: "http://a.example/b".len(), ..Limits::default() };
        assert!(limits.target_fits(&Uri::from_static("http://a.example/b")));
        assert!(!limits.target_fits(&Uri::from_static("http://a.example/bc")));
    }
}
