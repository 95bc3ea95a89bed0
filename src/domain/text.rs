//! Which characters a text for people may have: what shows, and nothing that hides or reorders.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';
const ZERO_WIDTH_JOINER: char = '\u{200d}';

/// A text in NFC, as all of ASCII is.
#[must_use]
pub fn composed(text: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { text.nfc().collect() }
}

/// The first character of a text that must not be in it: controls, line breaks, bidi overrides, zero-width and
/// unassigned ones. ZWJ and ZWNJ between letters belong to the spelling of several scripts and are fine.
#[must_use]
pub fn forbidden_character(text: &str) -> Option<char> {
    let mut before: Option<char> = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let joins = matches!(c, ZERO_WIDTH_JOINER | ZERO_WIDTH_NON_JOINER)
            && before.is_some_and(belongs_to_a_word)
            && rest.peek().copied().is_some_and(belongs_to_a_word);
        if !joins && hides_or_breaks(c) {
            return Some(c);
        }
        before = Some(c);
    }
    None
}

/// Whether a text has anything to be read: a letter or a digit.
#[must_use]
pub fn has_letter_or_digit(text: &str) -> bool {
    text.chars().any(|c| is_letter(c) || matches!(c.general_category(), GeneralCategory::DecimalNumber))
}

/// The longest run of combining marks, in characters: stacked ones climb over the lines above.
#[must_use]
pub fn longest_run_of_marks(text: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if is_mark(c) { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

// Most characters are of ASCII, which needs no look into the tables.

fn is_mark(c: char) -> bool {
    !c.is_ascii() && matches!(c.general_category_group(), GeneralCategoryGroup::Mark)
}

fn is_letter(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphabetic()
    } else {
        matches!(c.general_category_group(), GeneralCategoryGroup::Letter)
    }
}

fn belongs_to_a_word(c: char) -> bool {
    is_mark(c) || is_letter(c)
}

/// A letter, mark or symbol by its category, and yet nothing to be seen: Hangul fillers, Khmer inherent vowels, the
/// grapheme joiner, the blank Braille pattern.
const fn shows_nothing(c: char) -> bool {
    matches!(c, '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}')
}

fn hides_or_breaks(c: char) -> bool {
    use GeneralCategory as G;
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    matches!(
        c.general_category(),
        G::Control
            | G::Format
            | G::Surrogate
            | G::PrivateUse
            | G::Unassigned
            | G::LineSeparator
            | G::ParagraphSeparator
    ) || shows_nothing(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joiners_are_fine_between_letters_only() {
        assert_eq!(forbidden_character("\u{646}\u{200c}\u{645}"), None);
        assert_eq!(forbidden_character("\u{915}\u{94d}\u{200d}\u{937}"), None);
        assert_eq!(forbidden_character("a\u{200d}"), Some('\u{200d}'));
        assert_eq!(forbidden_character("\u{200c}a"), Some('\u{200c}'));
        assert_eq!(forbidden_character("a\u{200d}\u{200d}b"), Some('\u{200d}'));
    }

    #[test]
    fn what_hides_or_reorders_is_found() {
        for c in [
            '\0',
            '\n',
            '\t',
            '\u{85}',
            '\u{202e}',
            '\u{2066}',
            '\u{200b}',
            '\u{feff}',
            '\u{2028}',
            '\u{e000}',
            '\u{e0041}',
            '\u{3164}',
            '\u{2800}',
        ] {
            assert_eq!(forbidden_character(&format!("a{c}b")), Some(c), "{c:?}");
        }
    }
}
