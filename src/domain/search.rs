//! What is looked for in names and addresses, without regard to case and accents.

use unicode_normalization::char::{canonical_combining_class, decompose_compatible, is_combining_mark};

/// Stands for the rules of [`folded`] and [`words`]: an index of texts that were folded by other ones is of no use. Whoever
/// changes them counts [`REVISION`] on; what Unicode knows of characters changes by itself.
pub const RULES: u32 = {
    let (of_letters, of_forms) = (char::UNICODE_VERSION, unicode_normalization::UNICODE_VERSION);
    // 1, 17.0 and 16.0 become 117_001_600.
    (REVISION * 10_000 + of_letters.0 as u32 * 100 + of_letters.1 as u32) * 10_000
        + of_forms.0 as u32 * 100
        + of_forms.1 as u32
};

const REVISION: u32 = 2;

/// Terms that must all be found: one of three characters or more anywhere, a shorter one where a word begins. So a shorter
/// one counts by its letters and digits only: who looks for `J. Smith & Sons` has typed two terms and a `j`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    terms: Vec<String>,
}

/// Which rule of a search is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// Nothing to look for.
    #[error("must have a letter, a digit, or {ANYWHERE_FROM} characters without a blank")]
    Empty,
    /// More than a search needs.
    #[error("must have at most {} characters", Search::MOST_CHARACTERS)]
    TooLong,
    /// A character that no name and no address has, and that no index takes.
    #[error("must not contain the character U+0000")]
    Nul,
}

/// A term at least so long, in characters, is found anywhere.
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
        let folded = folded(text.to_owned());
        let counted = |typed| if is_long(typed) { Some(typed) } else { runs(typed).next() };
        let mut terms: Vec<String> = folded.split_whitespace().filter_map(counted).map(str::to_owned).collect();
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
            if is_long(term) {
                folded.contains(term.as_str())
            } else {
                words(folded).any(|word| word.starts_with(term.as_str()))
            }
        })
    }
}

/// A text without regard to case and accents: compatibility forms taken apart (as NFKD does, whose order of marks does not
/// matter here), accents dropped, lower case, and what is left as one types it on a keyboard that has no key for it.
#[must_use]
pub fn folded(mut text: String) -> String {
    if text.is_ascii() {
        text.make_ascii_lowercase();
        return text;
    }
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        decompose_compatible(c, |part| {
            if !is_accent(part) {
                part.to_lowercase().for_each(|lower| push_plain(&mut folded, lower));
            }
        });
    }
    folded
}

/// Whether a character is a mark that may be left out where one types. A vowel that is written around its consonant, as in
/// the scripts of India and in Thai, is a mark too, but is left out no more than other letters; those of Hebrew and Arabic
/// are. They are told apart by their classes (Unicode, section 4.3).
fn is_accent(c: char) -> bool {
    let is_vowel =
        || c.is_alphabetic() && matches!(canonical_combining_class(c), 0 | 84 | 91 | 103 | 118 | 129 | 130 | 132);
    is_combining_mark(c) && !is_vowel()
}

/// Letters with a stroke and ligatures are letters of their own to Unicode, which takes none of them apart; those of case
/// folding (Unicode, section 5.18) that lower case leaves alone are here too.
fn push_plain(text: &mut String, lower: char) {
    match lower {
        'ß' => text.push_str("ss"),
        'æ' => text.push_str("ae"),
        'œ' => text.push_str("oe"),
        'þ' => text.push_str("th"),
        'ø' => text.push('o'),
        'ł' => text.push('l'),
        'đ' | 'ð' => text.push('d'),
        'ħ' => text.push('h'),
        'ŧ' => text.push('t'),
        'ı' => text.push('i'),
        'ς' => text.push('σ'),
        '‘' | '’' | 'ʻ' | 'ʼ' => text.push('\''),
        '‐' | '–' => text.push('-'),
        other => text.push(other),
    }
}

fn is_long(term: &str) -> bool {
    term.chars().nth(ANYWHERE_FROM - 1).is_some()
}

/// Runs of letters and digits.
fn runs(folded: &str) -> impl Iterator<Item = &str> {
    folded.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty())
}

/// The words of a folded text: runs of letters and digits, so that `ada.lovelace@example.org` has four. Where no
/// spaces are written, a word begins with each character: 山田太郎 has four as well, the last of them 郎.
pub fn words(folded: &str) -> impl Iterator<Item = &str> {
    runs(folded).flat_map(|run| {
        let begins = |&(at, c): &(usize, char)| at == 0 || is_written_without_spaces(c);
        run.char_indices().filter(begins).filter_map(|(at, _)| run.get(at..))
    })
}

/// Han characters with their marks of repetition, and kana; other forms of them are taken apart into these.
const fn is_written_without_spaces(c: char) -> bool {
    matches!(c, '\u{3005}'..='\u{3007}' | '\u{303b}' | '\u{3041}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{9fff}' | '\u{fa0e}'..='\u{fa29}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_accents_do_not_matter() {
        for (text, expected) in [
            ("Ádám ﬁ", "adam fi"),
            ("STRASSE Straße STRAẞE", "strasse strasse strasse"),
            ("ΟΔΥΣΣΕΑΣ Οδυσσέας", "οδυσσεασ οδυσσεασ"),
            ("Łódź Søren Đorđe", "lodz soren dorde"),
            ("ISPARTA ısparta İzmir", "isparta isparta izmir"),
            ("O’Brien Jean‑Luc–Marc", "o'brien jean-luc-marc"),
            ("Œuvre Æsir Þór", "oeuvre aesir thor"),
        ] {
            assert_eq!(folded(text.to_owned()), expected, "{text}");
        }
        assert!(Search::parse("áDAM").unwrap().finds(&folded("Adam".to_owned())));
    }

    #[test]
    fn a_vowel_that_is_a_mark_counts_where_it_is_not_left_out() {
        for (name, q, found) in [
            ("अनिता शर्मा", "नित", true),
            ("अनिता शर्मा", "अनत", false),
            ("अनिता शर्मा", "शर्मा", true),
            ("ดีใจ", "ีใจ", true),
            ("ดีใจ", "ดใจ", false),
            ("สุดา", "สดา", false),
            ("ตั้ง", "ตัง", true),
            ("தமிழ்", "தமிழ", true),
            ("שָׁלוֹם", "שלום", true),
            ("مُحَمَّد", "محمد", true),
            ("ᾳδω", "αδω", true),
            ("A\u{20dd}da ❤\u{fe0f}da", "❤da", true),
        ] {
            assert_eq!(Search::parse(q).unwrap().finds(&folded(name.to_owned())), found, "{q} in {name}");
        }
    }

    #[test]
    fn where_no_spaces_are_written_a_short_term_is_found_anywhere() {
        let text = folded("山田太郎 佐々木ｱｲ Ada 山﨑".to_owned());
        for (q, found) in
            [("太郎", true), ("郎", true), ("々木", true), ("イ", true), ("﨑", true), ("da", false), ("郎太", false)]
        {
            assert_eq!(Search::parse(q).unwrap().finds(&text), found, "{q}");
        }
        assert_eq!(words("山田太郎").collect::<Vec<_>>(), ["山田太郎", "田太郎", "太郎", "郎"]);
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
    fn whoever_is_looked_for_by_the_whole_name_is_found() {
        for name in [
            "J. Smith",
            "Smith & Sons",
            "Anna - Maria",
            "Jean–Luc",
            "Jeanne d' Arc",
            "O. Henry",
            "Ada 😀",
            "Nagy Á.",
            "A.I.",
        ] {
            assert!(Search::parse(name).unwrap().finds(&folded(name.to_owned())), "{name}");
        }
        assert!(!Search::parse("j. doe").unwrap().finds("ada doe"));
    }

    #[test]
    fn a_search_is_neither_empty_nor_endless() {
        for nothing in ["", "  ", "&", "- .. 😀"] {
            assert_eq!(Search::parse(nothing), Err(SearchError::Empty), "{nothing}");
        }
        assert_eq!(Search::parse("a\0b"), Err(SearchError::Nul));
        assert_eq!(Search::parse(&"x".repeat(101)), Err(SearchError::TooLong));
        assert!(Search::parse(&"\u{e9}".repeat(100)).is_ok());
    }
}
