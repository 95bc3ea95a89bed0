//! What we say to log in, to be known again where a server repeats it.

use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::replies::ascii;
use crate::domain::{mail::SendFault, secret::Secret};

/// The password and all that AUTH makes of it and of the user (RFC 4616, section 2, for PLAIN; LOGIN says both apart).
pub(super) struct SaidToLogIn(Vec<Secret>);

impl SaidToLogIn {
    pub(super) fn of(credentials: Option<&(String, Secret)>) -> Self {
        let Some((user, password)) = credentials else { return Self(Vec::new()) };
        let password = password.expose();
        let plain = Zeroizing::new(format!("\0{user}\0{password}"));
        // An empty text is found in any words.
        let texts = [user, password, &plain].into_iter().filter(|text| !text.is_empty());
        let encoded = texts.map(|text| BASE64.encode(text.as_bytes()));
        let raw = (!password.is_empty()).then(|| password.bytes().map(|octet| char::from(ascii(octet))).collect());
        Self(encoded.chain(raw).map(Secret::new).collect())
    }

    /// The fault, cut off where any of it begins.
    pub(super) fn hide_in(&self, fault: SendFault) -> SendFault {
        self.0.iter().fold(fault, SendFault::without)
    }
}
