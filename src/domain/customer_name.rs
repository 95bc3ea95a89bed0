//! A customer's name: what people read, and nothing that hides.

use std::fmt;

use super::text;

/// A name of 1 to 100 characters, trimmed and in NFC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerName(String);

/// Which rule of a name is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CustomerNameError {
    /// Nothing, or only blanks.
    #[error("must not be empty")]
    Empty,
    /// More characters or octets than a name needs.
    #[error("must have at most {} characters (and {} bytes)", CustomerName::MOST_CHARACTERS, CustomerName::MOST_BYTES)]
    TooLong,
    /// A control, line-break, bidi-override, zero-width or unassigned character.
    #[error("must not contain the character U+{:04X}, which cannot be seen or changes how the rest is read", u32::from(*.0))]
    Forbidden(char),
    /// Marks stacked upon marks.
    #[error("must not stack more than {} combining marks", CustomerName::MOST_STACKED_MARKS)]
    Stacked,
    /// Only punctuation and symbols.
    #[error("must have at least one letter or digit")]
    Unreadable,
}

impl CustomerName {
    /// The longest name, in characters (Unicode code points).
    pub const MOST_CHARACTERS: usize = 100;
    /// The longest name, in bytes of UTF-8.
    pub const MOST_BYTES: usize = 400;
    /// How many combining marks may follow each other.
    pub const MOST_STACKED_MARKS: usize = 4;

    /// Trims, brings to NFC and judges a name.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, CustomerNameError> {
        use CustomerNameError as E;
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(E::Empty);
        }
        // Normalising can at most triple a text; this bound keeps a hostile one from being worked on at all.
        if trimmed.len() > 3 * Self::MOST_BYTES {
            return Err(E::TooLong);
        }
        let name = text::composed(trimmed);
        if name.len() > Self::MOST_BYTES || name.chars().count() > Self::MOST_CHARACTERS {
            return Err(E::TooLong);
        }
        if let Some(c) = text::forbidden_character(&name) {
            return Err(E::Forbidden(c));
        }
        if text::longest_run_of_marks(&name) > Self::MOST_STACKED_MARKS {
            return Err(E::Stacked);
        }
        if !text::has_letter_or_digit(&name) {
            return Err(E::Unreadable);
        }
        Ok(Self(name))
    }

    /// A name that was judged before it was stored.
    #[must_use]
    pub const fn stored(name: String) -> Self {
        Self(name)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CustomerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{CustomerNameError as E, *};

    #[test]
    fn names_of_all_scripts_are_welcome() {
        for name in [
            "Ada",
            "X \u{c6} A-12",
            "Jos\u{e9} \u{d1}u\u{f1}ez",
            "\u{738b}\u{5c0f}\u{660e}",
            "\u{646}\u{627}\u{645}\u{200c}\u{647}",
            "O'Neil & Sons (Ltd.)",
        ] {
            assert_eq!(CustomerName::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn a_name_is_trimmed_and_composed() {
        assert_eq!(CustomerName::parse(" \u{a0}Jose\u{301} ").unwrap().as_str(), "Jos\u{e9}");
    }

    #[test]
    fn each_rule_is_named_when_it_is_broken() {
        for (name, rule) in [
            (String::new(), E::Empty),
            ("\u{2003} ".to_owned(), E::Empty),
            ("x".repeat(101), E::TooLong),
            ("\u{1f600}a".repeat(60), E::TooLong),
            ("x".repeat(1_000_000), E::TooLong),
            ("a\nb".to_owned(), E::Forbidden('\n')),
            ("a\0b".to_owned(), E::Forbidden('\0')),
            ("a\u{202e}b".to_owned(), E::Forbidden('\u{202e}')),
            ("a\u{200b}b".to_owned(), E::Forbidden('\u{200b}')),
            (format!("q{}", "\u{323}".repeat(5)), E::Stacked),
            ("-- ! --".to_owned(), E::Unreadable),
        ] {
            assert_eq!(CustomerName::parse(&name), Err(rule), "{name:?}");
        }
        assert!(CustomerName::parse(&"x".repeat(100)).is_ok());
    }
}
