//! What is looked for in names and addresses, without regard to case and accents.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Stands for the rules of [`folded`] and [`words`], the characters that Unicode knows included: an index of texts that
/// were folded by other rules is of no use, so whoever changes them counts on.
pub const RULES: u32 = 1;

/// Terms that must all be found: one of three characters or more anywhere in a word, a shorter one at a word's beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    terms: Vec<String>,
}

/// Which rule of a search is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// Nothing to look for.
    #[error("must not be empty")]
    Empty,
    /// More than a search needs.
    #[error("must have at most {} characters", Search::MOST_CHARACTERS)]
    TooLong,
    /// A character that no name and no address has, and that no index takes.
    #[error("must not contain the character U+0000")]
    Nul,
}

/// A term at least so long, in characters, is found anywhere in a word.
pub const ANYWHERE_FROM: usize = 3;

impl Search {
    /// The longest search, in characters (Unicode code points).
    pub const MOST_CHARACTERS: usize = 100;

    /// Splits a search at blanks and folds its terms.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, SearchError> {
        if text.len() > 4 * Self::MOST_CHARACTERS || text.chars().count() > Self::MOST_CHARACTERS {
            return Err(SearchError::TooLong);
        }
        if text.contains('\0') {
            return Err(SearchError::Nul);
        }
        let mut terms: Vec<String> = folded(text.to_owned()).split_whitespace().map(str::to_owned).collect();
        terms.sort_unstable();
        terms.dedup();
        if terms.is_empty() { Err(SearchError::Empty) } else { Ok(Self { terms }) }
    }

    /// The folded terms.
    #[must_use]
    pub fn terms(&self) -> &[String] {
        &self.terms
    }

    /// Whether all terms are found in a text that was folded.
    #[must_use]
    pub fn finds(&self, folded: &str) -> bool {
        self.terms.iter().all(|term| {
            if term.chars().nth(ANYWHERE_FROM - 1).is_some() {
                folded.contains(term.as_str())
            } else {
                words(folded).any(|word| word.starts_with(term.as_str()))
            }
        })
    }
}

/// A text without regard to case and accents: compatibility forms taken apart (NFKD), marks dropped, lower case.
#[must_use]
pub fn folded(mut text: String) -> String {
    if text.is_ascii() {
        text.make_ascii_lowercase();
        return text;
    }
    text.nfkd().filter(|&c| !is_combining_mark(c)).flat_map(char::to_lowercase).collect()
}

/// The words of a folded text: runs of letters, digits and marks, so that `ada.lovelace@example.org` has four.
pub fn words(folded: &str) -> impl Iterator<Item = &str> {
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_accents_do_not_matter() {
        assert_eq!(folded("\u{c1}d\u{e1}m STRA\u{df}E \u{fb01}".to_owned()), "adam stra\u{df}e fi");
        assert!(Search::parse("\u{e1}DAM").unwrap().finds(&folded("Adam".to_owned())));
    }

    #[test]
    fn a_long_term_is_found_anywhere_and_a_short_one_where_a_word_begins() {
        let text = folded("Ada Lovelace ada.lovelace@example.org".to_owned());
        for (q, found) in [
            ("vela", true),
            ("lo", true),
            ("ov", false),
            ("o", true),
            ("z", false),
            ("ada exam", true),
            ("ada zzz", false),
            ("a@e", false),
            ("ace@exa", true),
        ] {
            assert_eq!(Search::parse(q).unwrap().finds(&text), found, "{q}");
        }
    }

    #[test]
    fn a_search_is_neither_empty_nor_endless() {
        assert_eq!(Search::parse("  "), Err(SearchError::Empty));
        assert_eq!(Search::parse("a\0b"), Err(SearchError::Nul));
        assert_eq!(Search::parse(&"x".repeat(101)), Err(SearchError::TooLong));
        assert!(Search::parse(&"\u{e9}".repeat(100)).is_ok());
    }
}
