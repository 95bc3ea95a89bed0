//! What is derived from the secret key instead of being stored: mailed tokens and page cursors.
//!
//! A stolen database, backup or log holds nothing to confirm an address with: the link is made anew from the key for
//! each attempt to send it, and checked by making it again.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{email_address::EmailAddress, secret::Secret, verification::VerificationId};

/// The secret of one installation: 256 bits, kept in a file of its own beside the database. Held as what HMAC makes of it
/// before the first octet of a message, which is made once; wiped when dropped.
#[derive(Clone)]
pub struct MacKey(Hmac<Sha256>);

/// Of these an HMAC is made. That they are wiped is a feature of their crate, which nothing else would miss.
const _: () = {
    const fn is_wiped<T: ZeroizeOnDrop>() {}
    is_wiped::<Sha256>();
};

/// The token of a mailed link, split but not yet believed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// Which proof it claims to be for.
    pub verification_id: VerificationId,
    mac: [u8; 32],
}

/// What a cursor goes on in: it leads nowhere in any other list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// Customers, from the last one put on the roll.
    CustomersNewestFirst,
    /// Customers, from the first one.
    CustomersOldestFirst,
    /// Messages.
    Messages,
}

/// How long a token is, in characters: 16 bytes of id and 32 of MAC in base64url.
pub const TOKEN_CHARACTERS: usize = 64;

/// How long a cursor is: 8 bytes of row and the first 8 of its MAC, and so many characters of base64url.
const CURSOR_BYTES: usize = 16;
const CURSOR_CHARACTERS: usize = 22;

impl MacKey {
    /// Takes 256 random bits for the key.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Self {
        // A key shorter than a block is filled up with zeros (RFC 2104, section 2).
        let mut block = Zeroizing::new([0; 64]);
        block.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Self(Hmac::new((&*block).into()))
    }

    /// The token for a proof of an address: bound to both, so that neither can be exchanged.
    #[must_use]
    pub fn token(&self, id: VerificationId, email: &EmailAddress) -> Secret {
        let mut bytes = Zeroizing::new([0; 48]);
        let (head, tail) = bytes.split_at_mut(16);
        head.copy_from_slice(&id.to_bytes());
        tail.copy_from_slice(&self.verification_mac(id, email.canonical()));
        Secret::new(BASE64URL_NOPAD.encode(&*bytes))
    }

    /// Whether a token is the one for this canonical address, in constant time.
    #[must_use]
    pub fn matches(&self, token: &Token, canonical: &str) -> bool {
        let right = self.verification_mac(token.verification_id, canonical);
        right.ct_eq(&token.mac).into()
    }

    /// An opaque cursor that goes on behind a row of a list.
    #[must_use]
    pub fn cursor(&self, list: List, row: u64) -> String {
        let mut bytes = [0; CURSOR_BYTES];
        let (head, tail) = bytes.split_at_mut(8);
        head.copy_from_slice(&row.to_be_bytes());
        tail.copy_from_slice(&self.cursor_mac(list, row));
        let mut text = String::with_capacity(CURSOR_CHARACTERS);
        BASE64URL_NOPAD.encode_append(&bytes, &mut text);
        text
    }

    /// The row behind a cursor of ours to this list; none for any other text.
    #[must_use]
    pub fn row_of(&self, list: List, cursor: &str) -> Option<u64> {
        let mut bytes = [0; CURSOR_BYTES];
        if cursor.len() != CURSOR_CHARACTERS || BASE64URL_NOPAD.decode_mut(cursor.as_bytes(), &mut bytes).is_err() {
            return None;
        }
        let (row, mac) = bytes.split_first_chunk()?;
        let row = u64::from_be_bytes(*row);
        bool::from(self.cursor_mac(list, row).ct_eq(mac)).then_some(row)
    }

    fn cursor_mac(&self, list: List, row: u64) -> [u8; CURSOR_BYTES - 8] {
        self.mac(&[b"cursor1", &[list as u8], &row.to_be_bytes()]).first_chunk().copied().unwrap_or_default()
    }

    fn verification_mac(&self, id: VerificationId, canonical: &str) -> [u8; 32] {
        self.mac(&[b"verify1", &id.to_bytes(), canonical.as_bytes()])
    }

    /// HMAC-SHA256 (RFC 2104) over parts that a fixed-length purpose keeps apart.
    fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl Token {
    /// Splits a token: 64 characters of base64url, strictly (RFC 4648, section 3.5). Nothing is checked yet.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != TOKEN_CHARACTERS {
            return None;
        }
        let bytes = Zeroizing::new(BASE64URL_NOPAD.decode(text.as_bytes()).ok()?);
        let (id, mac) = bytes.split_first_chunk::<16>()?;
        Some(Self { verification_id: VerificationId::from_bytes(*id), mac: mac.try_into().ok()? })
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(…)")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: VerificationId = VerificationId { customer_key: 42, number: 1, salt: 7 };

    fn ada() -> EmailAddress {
        EmailAddress::parse("Ada@Example.org").unwrap()
    }

    #[test]
    fn a_token_is_64_characters_and_matches_its_address_only() {
        let key = MacKey::new(&[1; 32]);
        let text = key.token(ID, &ada());
        assert_eq!(text.expose().len(), TOKEN_CHARACTERS);
        let token = Token::parse(text.expose()).unwrap();
        assert_eq!(token.verification_id, ID);
        assert!(key.matches(&token, ada().canonical()));
        assert!(key.matches(&token, EmailAddress::parse("ada@example.ORG").unwrap().canonical()));
        assert!(!key.matches(&token, "eve@example.org"));
        assert!(!MacKey::new(&[2; 32]).matches(&token, ada().canonical()));
    }

    #[test]
    fn every_changed_character_of_a_token_spoils_it() {
        let key = MacKey::new(&[1; 32]);
        let text = key.token(ID, &ada()).expose().to_owned();
        for place in 0..text.len() {
            let other = if text.as_bytes()[place] == b'A' { "B" } else { "A" };
            let mut changed = text.clone();
            changed.replace_range(place..=place, other);
            assert!(!Token::parse(&changed).is_some_and(|token| key.matches(&token, ada().canonical())), "at {place}");
        }
    }

    #[test]
    fn what_is_no_token_is_not_parsed() {
        for text in ["", "abc", &"A".repeat(63), &"A".repeat(65), &"+".repeat(64), &"\u{e9}".repeat(32)] {
            assert!(Token::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_cursor_of_another_list_or_installation_or_a_made_up_one_leads_nowhere() {
        let key = MacKey::new(&[1; 32]);
        let list = List::CustomersNewestFirst;
        let cursor = key.cursor(list, 77);
        assert_eq!(key.row_of(list, &cursor), Some(77));
        assert_eq!(MacKey::new(&[2; 32]).row_of(list, &cursor), None);
        for other in [List::CustomersOldestFirst, List::Messages] {
            assert_eq!(key.row_of(other, &cursor), None, "{other:?}");
        }
        for text in ["", "77", "AAAAAAAAAAA", &format!("{cursor}A"), &"A".repeat(10_000)] {
            assert_eq!(key.row_of(list, text), None, "{text}");
        }
        for at in 0..cursor.len() {
            let mut changed = cursor.clone();
            changed.replace_range(at..=at, if cursor.as_bytes()[at] == b'A' { "B" } else { "A" });
            assert_eq!(key.row_of(list, &changed), None, "{changed}");
        }
    }

    #[test]
    fn a_key_and_a_token_do_not_show_in_debug() {
        let key = MacKey::new(&[0xab; 32]);
        let token = Token::parse(key.token(ID, &ada()).expose()).unwrap();
        assert_eq!(format!("{key:?} {token:?}"), "MacKey(…) Token(…)");
    }
}
