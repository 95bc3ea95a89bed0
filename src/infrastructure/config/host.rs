//! Which hosts are this machine.

use std::net::IpAddr;

/// Whether a host, as a URL writes it, is this machine without asking any name server: `localhost` or a loopback address.
pub(super) fn is_loopback(host: &str) -> bool {
    let literal = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || literal.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}
