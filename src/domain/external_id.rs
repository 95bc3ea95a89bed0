//! The team's own key for a customer.

use super::text;

/// A key of another system: 1 to 200 characters, kept exactly as given, unique on the roll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalId(String);

/// Which rule of an external id is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExternalIdError {
    /// Nothing; leave the field out, or null, instead.
    #[error("must not be empty; leave it out if there is none")]
    Empty,
    /// More than a key needs.
    #[error("must have at most {} characters", ExternalId::MOST_CHARACTERS)]
    TooLong,
    /// A character that cannot be seen.
    #[error("must not contain the character U+{:04X}", u32::from(*.0))]
    Forbidden(char),
}

impl ExternalId {
    /// The longest key, in characters (Unicode code points).
    pub const MOST_CHARACTERS: usize = 200;

    /// Judges a key; nothing of it is changed.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(key: &str) -> Result<Self, ExternalIdError> {
        use ExternalIdError as E;
        if key.is_empty() {
            return Err(E::Empty);
        }
        if key.len() > 4 * Self::MOST_CHARACTERS || key.chars().count() > Self::MOST_CHARACTERS {
            return Err(E::TooLong);
        }
        text::forbidden_character(key).map_or_else(|| Ok(Self(key.to_owned())), |c| Err(E::Forbidden(c)))
    }

    /// A key that was judged before it was stored.
    #[must_use]
    pub const fn stored(key: String) -> Self {
        Self(key)
    }

    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{ExternalIdError as E, *};

    #[test]
    fn a_key_is_kept_exactly_and_judged_to_the_character() {
        assert_eq!(ExternalId::parse(" CRM/42 ").unwrap().as_str(), " CRM/42 ");
        assert!(ExternalId::parse(&"\u{1f600}".repeat(200)).is_ok());
        assert_eq!(ExternalId::parse(&"x".repeat(201)), Err(E::TooLong));
        assert_eq!(ExternalId::parse(""), Err(E::Empty));
        assert_eq!(ExternalId::parse("a\u{7f}"), Err(E::Forbidden('\u{7f}')));
    }
}
