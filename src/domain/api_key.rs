//! API keys: who may do what. `rb_<id>_<secret>`, of which only a digest of the secret is kept.

use std::fmt;

use data_encoding::HEXLOWER_PERMISSIVE as HEX;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{secret::Secret, text};

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Look customers up.
    CustomersRead,
    /// Register and change customers.
    CustomersWrite,
    /// Look messages up.
    MailRead,
    /// Send messages again, or not at all.
    MailWrite,
    /// All of it, and keys.
    Admin,
}

impl Scope {
    /// All scopes, in the order in which they are listed to people.
    pub const ALL: [Self; 5] =
        [Self::CustomersRead, Self::CustomersWrite, Self::MailRead, Self::MailWrite, Self::Admin];

    /// The scope's word, such as `customers:read`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CustomersRead => "customers:read",
            Self::CustomersWrite => "customers:write",
            Self::MailRead => "mail:read",
            Self::MailWrite => "mail:write",
            Self::Admin => "admin",
        }
    }

    /// The scope of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names a key: 16 lower-case hexadecimal digits. Not secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(u64);

impl KeyId {
    /// Takes 64 random bits for an id.
    #[must_use]
    pub const fn new(bits: u64) -> Self {
        Self(bits)
    }

    /// Reads an id as it is written.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (text.len() == 16 && text.bytes().all(is_digit)).then(|| u64::from_str_radix(text, 16).ok().map(Self)).flatten()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The SHA-256 of a key's secret. The secret has 256 random bits, so a slow hash would protect nothing more.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyDigest(pub [u8; 32]);

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDigest(…)")
    }
}

/// What a caller presents, split but not yet believed.
#[derive(Debug)]
pub struct PresentedKey {
    /// Which key it claims to be.
    pub id: KeyId,
    digest: KeyDigest,
}

impl PresentedKey {
    /// Splits `rb_<id>_<secret>`; none for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix("rb_")?.split_once('_')?;
        let id = KeyId::parse(id)?;
        (secret.len() == 64).then(|| Self { id, digest: digest(secret) })
    }

    /// Whether it is this key, in constant time.
    #[must_use]
    pub fn is(&self, key: &ApiKey) -> bool {
        self.id == key.id && bool::from(self.digest.0.ct_eq(&key.digest.0))
    }
}

/// A key's name for people: 1 to 100 characters that show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName(String);

impl KeyName {
    /// The longest name, in characters (Unicode code points).
    pub const MOST_CHARACTERS: usize = 100;

    /// Trims and judges a name.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence without a subject.
    pub fn parse(name: &str) -> Result<Self, &'static str> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > Self::MOST_CHARACTERS {
            return Err("must have 1 to 100 characters");
        }
        if text::forbidden_character(name).is_some() {
            return Err("must not have control or invisible characters");
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A key as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id, the middle part of what a caller presents.
    pub id: KeyId,
    /// Its name for people.
    pub name: KeyName,
    /// The digest of its secret.
    pub digest: KeyDigest,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops by itself, if ever.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the hour or so: not every use is noted.
    pub last_used_at: Option<Timestamp>,
}

impl ApiKey {
    /// Makes a key and what its owner presents, which is shown once and not kept.
    #[must_use]
    pub fn make(id: KeyId, secret: [u8; 32], name: KeyName, scopes: Vec<Scope>, now: Timestamp) -> (Self, Secret) {
        let secret = HEX.encode(&secret);
        let presented = Secret::new(format!("rb_{id}_{secret}"));
        let digest = digest(&secret);
        (
            Self { id, name, digest, scopes, created_at: now, expires_at: None, revoked_at: None, last_used_at: None },
            presented,
        )
    }

    /// Whether it counts at a moment.
    #[must_use]
    pub fn counts(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether it may do what a scope allows.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|&own| own == scope || own == Scope::Admin)
    }
}

fn digest(secret: &str) -> KeyDigest {
    KeyDigest(Sha256::digest(secret.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> (ApiKey, Secret) {
        let name = KeyName::parse("shop").unwrap();
        ApiKey::make(KeyId::new(0xab), [7; 32], name, vec![Scope::CustomersRead], Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_key_is_known_by_what_its_owner_presents_and_by_nothing_else() {
        let (key, presented) = key();
        let text = presented.expose();
        assert_eq!(text, format!("rb_00000000000000ab_{}", "07".repeat(32)));
        assert!(PresentedKey::parse(text).unwrap().is(&key));
        assert!(!PresentedKey::parse(&text.replace("07", "08")).unwrap().is(&key));
        assert!(!PresentedKey::parse(&text.replace("ab_", "ac_")).unwrap().is(&key));
        for other in ["", "rb_", "rb_ab_07", &text[1..], &text.to_uppercase(), &format!("{text}0")] {
            assert!(PresentedKey::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn admin_may_everything_and_others_their_own() {
        let (mut key, _) = key();
        assert!(key.may(Scope::CustomersRead) && !key.may(Scope::CustomersWrite) && !key.may(Scope::Admin));
        key.scopes = vec![Scope::Admin];
        assert!(Scope::ALL.into_iter().all(|scope| key.may(scope)));
    }

    #[test]
    fn a_key_stops_when_it_expires_or_is_revoked() {
        let (mut key, _) = key();
        let second = |n| Timestamp::from_second(n).unwrap();
        assert!(key.counts(second(1)));
        key.expires_at = Some(second(10));
        assert!(key.counts(second(9)) && !key.counts(second(10)));
        key.revoked_at = Some(second(5));
        assert!(!key.counts(second(6)));
    }

    #[test]
    fn scopes_survive_their_words() {
        assert!(Scope::ALL.into_iter().all(|scope| Scope::parse(scope.as_str()) == Some(scope)));
        assert_eq!(Scope::parse("customers:delete"), None);
    }
}
