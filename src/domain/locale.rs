//! The language a customer reads, as a BCP 47 tag (RFC 5646).

use oxilangtag::LanguageTag;

/// A well-formed language tag in its canonical case, such as `pt-BR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locale(String);

/// What is no language tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LocaleError {
    /// Longer than any tag in use.
    #[error("must have at most {} characters", Locale::MOST_CHARACTERS)]
    TooLong,
    /// Not of the form language-Script-REGION.
    #[error("must be a BCP 47 language tag such as en or pt-BR")]
    Shape,
}

impl Locale {
    /// The longest tag, in characters: what RFC 5646, section 4.4.1 asks systems to provide for.
    pub const MOST_CHARACTERS: usize = 35;

    /// Judges a tag and brings it to its canonical case.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(tag: &str) -> Result<Self, LocaleError> {
        if tag.len() > Self::MOST_CHARACTERS {
            return Err(LocaleError::TooLong);
        }
        LanguageTag::parse_and_normalize(tag).map(|tag| Self(tag.into_inner())).map_err(|_| LocaleError::Shape)
    }

    /// A tag that was judged before it was stored.
    #[must_use]
    pub const fn stored(tag: String) -> Self {
        Self(tag)
    }

    /// The tag.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{LocaleError as E, *};

    #[test]
    fn a_tag_is_brought_to_its_canonical_case() {
        assert_eq!(Locale::parse("PT-br").unwrap().as_str(), "pt-BR");
        assert_eq!(Locale::parse("zh-hant-tw").unwrap().as_str(), "zh-Hant-TW");
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        for tag in ["", "english please", "de_DE", "-de", "d"] {
            assert_eq!(Locale::parse(tag), Err(E::Shape), "{tag}");
        }
        assert_eq!(Locale::parse(&format!("de-{}", "x".repeat(40))), Err(E::TooLong));
    }
}
