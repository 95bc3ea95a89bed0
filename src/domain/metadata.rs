//! The team's own notes on a customer: short texts under short keys.

use std::collections::BTreeMap;

/// At most 50 keys of at most 40 characters, with values of at most 500 characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata(BTreeMap<String, String>);

/// Which rule of the metadata is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Too many keys.
    #[error("must have at most {} keys", Metadata::MOST_KEYS)]
    TooManyKeys,
    /// A key that is empty or too long.
    #[error("must have keys of 1 to {} characters", Metadata::MOST_KEY_CHARACTERS)]
    KeyLength,
    /// A key with a control character.
    #[error("must not have control characters in its keys")]
    KeyControl,
    /// A value that is too long.
    #[error("must have values of at most {} characters; the one of {key:?} is longer", Metadata::MOST_VALUE_CHARACTERS)]
    ValueLength {
        /// Whose value.
        key: String,
    },
}

impl Metadata {
    /// The most keys.
    pub const MOST_KEYS: usize = 50;
    /// The longest key, in characters (Unicode code points).
    pub const MOST_KEY_CHARACTERS: usize = 40;
    /// The longest value, in characters (Unicode code points).
    pub const MOST_VALUE_CHARACTERS: usize = 500;

    /// Judges the entries.
    ///
    /// # Errors
    /// The first rule that they break.
    pub fn parse(entries: BTreeMap<String, String>) -> Result<Self, MetadataError> {
        use MetadataError as E;
        if entries.len() > Self::MOST_KEYS {
            return Err(E::TooManyKeys);
        }
        for (key, value) in &entries {
            if key.is_empty() || key.chars().count() > Self::MOST_KEY_CHARACTERS {
                return Err(E::KeyLength);
            }
            if key.chars().any(char::is_control) {
                return Err(E::KeyControl);
            }
            if value.chars().count() > Self::MOST_VALUE_CHARACTERS {
                return Err(E::ValueLength { key: key.clone() });
            }
        }
        Ok(Self(entries))
    }

    /// Entries that were judged before they were stored.
    #[must_use]
    pub const fn stored(entries: BTreeMap<String, String>) -> Self {
        Self(entries)
    }

    /// The entries, in the order of their keys.
    #[must_use]
    pub const fn entries(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{MetadataError as E, *};

    fn entries(keys: usize, key: &str, value: &str) -> BTreeMap<String, String> {
        (0..keys).map(|i| (format!("{i}{key}"), value.to_owned())).collect()
    }

    #[test]
    fn each_limit_holds_to_the_last_character() {
        assert!(Metadata::parse(entries(50, "", &"\u{e9}".repeat(500))).is_ok());
        assert_eq!(Metadata::parse(entries(51, "", "")), Err(E::TooManyKeys));
        assert!(Metadata::parse(entries(1, &"\u{e9}".repeat(39), "")).is_ok());
        assert_eq!(Metadata::parse(entries(1, &"k".repeat(40), "")), Err(E::KeyLength));
        assert_eq!(Metadata::parse([(String::new(), String::new())].into()), Err(E::KeyLength));
        assert_eq!(Metadata::parse(entries(1, "\n", "")), Err(E::KeyControl));
        assert_eq!(Metadata::parse(entries(1, "", &"v".repeat(501))), Err(E::ValueLength { key: "0".to_owned() }));
    }
}
