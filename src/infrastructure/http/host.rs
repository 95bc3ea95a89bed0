//! The host that a request is for: whoever passes it on must not read another one than we do.

use poem::{
    Request,
    http::{HeaderValue, Version, header},
};

/// Whether there is one field `Host`, which names a host or is empty, or none where HTTP was too old for it (RFC 9112, section 3.2).
pub(super) fn is_clear(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => is_host(host),
        (None, _) => request.version() < Version::HTTP_11,
        (Some(_), Some(_)) => false,
    }
}

/// Whether nothing is in it that a host and a port are not made of (RFC 3986, sections 3.2.2 and 3.2.3).
fn is_host(value: &HeaderValue) -> bool {
    value.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%:[]".contains(byte))
}
