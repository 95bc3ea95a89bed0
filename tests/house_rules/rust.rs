//! Rust source taken apart into code, comments and literals, so that a rule about one is not misled by another.

/// A piece of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    /// Where it begins, counted from 1.
    pub(crate) line: usize,
}

/// The pieces of a source file, in order.
#[derive(Default)]
pub(crate) struct Rust<'a> {
    /// Words and marks; of the marks only `::` is longer than a character.
    pub(crate) code: Vec<Token<'a>>,
    /// Comments with their slashes.
    pub(crate) comments: Vec<Token<'a>>,
    /// String literals with their quotes.
    pub(crate) literals: Vec<Token<'a>>,
}

enum Kind {
    Code,
    Comment,
    Literal,
    /// Space, and characters in quotes.
    Nothing,
}

impl<'a> Rust<'a> {
    pub(crate) fn read(source: &'a str) -> Self {
        let mut pieces = Self::default();
        let (mut rest, mut line) = (source, 1);
        while let Some(first) = rest.chars().next() {
            let (kind, length) = measure(rest, first);
            let (text, after) = rest.split_at(length);
            let token = Token { text, line };
            match kind {
                Kind::Code => pieces.code.push(token),
                Kind::Comment => pieces.comments.push(token),
                Kind::Literal => pieces.literals.push(token),
                Kind::Nothing => {}
            }
            line += text.matches('\n').count();
            rest = after;
        }
        pieces
    }

    /// Where the code reads like this, each piece as a token; `_` stands for any one.
    pub(crate) fn find<const N: usize>(&self, pattern: [&str; N]) -> impl Iterator<Item = &[Token<'a>]> {
        self.code.windows(N).filter(move |window| {
            window.iter().zip(pattern).all(|(token, expected)| expected == "_" || token.text == expected)
        })
    }
}

fn measure(rest: &str, first: char) -> (Kind, usize) {
    if rest.starts_with("//") {
        (Kind::Comment, rest.find('\n').unwrap_or(rest.len()))
    } else if rest.starts_with("/*") {
        (Kind::Comment, block_comment(rest))
    } else if let Some(length) = literal(rest) {
        (Kind::Literal, length)
    } else if let Some(length) = character(rest) {
        (Kind::Nothing, length)
    } else if is_word(first) {
        (Kind::Code, rest.find(|c| !is_word(c)).unwrap_or(rest.len()))
    } else if first.is_whitespace() {
        (Kind::Nothing, first.len_utf8())
    } else {
        (Kind::Code, if rest.starts_with("::") { 2 } else { first.len_utf8() })
    }
}

/// Whether it may stand in a name or a number.
pub(crate) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The length of the comment that begins here: they nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    for (at, _) in rest.char_indices() {
        if rest[at..].starts_with("/*") {
            depth += 1;
        } else if rest[..at].ends_with("*/") {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
    }
    rest.len()
}

/// The length of the string literal that begins here, if one does.
fn literal(rest: &str) -> Option<usize> {
    let raw = ["br", "cr", "r"].iter().find_map(|prefix| rest.strip_prefix(prefix));
    if let Some(body) = raw {
        let hashes = &body[..body.find(|c| c != '#')?];
        if let Some(text) = body[hashes.len()..].strip_prefix('"') {
            let end = format!("\"{hashes}");
            let length = text.find(&end).map_or(text.len(), |at| at + end.len());
            return Some(rest.len() - text.len() + length);
        }
    }
    let text = ["b", "c", ""].iter().find_map(|prefix| rest.strip_prefix(prefix)?.strip_prefix('"'))?;
    Some(rest.len() - text.len() + quoted(text, '"'))
}

/// The length of the character literal that begins here; none for a lifetime.
fn character(rest: &str) -> Option<usize> {
    let text = rest.strip_prefix('\'')?;
    let mut characters = text.chars();
    let is_character = characters.next()? == '\\' || characters.next()? == '\'';
    is_character.then(|| 1 + quoted(text, '\''))
}

/// The length up to and with the quote that ends the text.
fn quoted(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, character) in text.char_indices() {
        if is_escaped {
            is_escaped = false;
        } else if character == '\\' {
            is_escaped = true;
        } else if character == quote {
            return at + 1;
        }
    }
    text.len()
}

fn texts<'a>(tokens: &[Token<'a>]) -> Vec<&'a str> {
    tokens.iter().map(|token| token.text).collect()
}

#[test]
fn code_is_words_and_marks() {
    let rust = Rust::read("fn a<'b>(c: &'b d::E) -> u8 { 1_0 }");
    let code = "fn a < ' b > ( c : & ' b d :: E ) - > u8 { 1_0 }";
    assert_eq!(texts(&rust.code), code.split(' ').collect::<Vec<_>>());
}

#[test]
fn comments_and_literals_are_no_code() {
    let source =
        concat!("//! a \"b\"\n", "c /* d /* e */ f */ \"g \\\" // h\" 'i' '\\'' '\"' b\"j\"\n", "r#\"k \" l\"# // m",);
    let rust = Rust::read(source);
    assert_eq!(texts(&rust.code), ["c"]);
    assert_eq!(texts(&rust.comments), ["//! a \"b\"", "/* d /* e */ f */", "// m"]);
    assert_eq!(texts(&rust.literals), ["\"g \\\" // h\"", "b\"j\"", "r#\"k \" l\"#"]);
}

#[test]
fn lines_are_counted_through_comments_and_literals() {
    let rust = Rust::read("/*\n*/ \"\n\" a\nb");
    assert_eq!(rust.code, [Token { text: "a", line: 3 }, Token { text: "b", line: 4 }]);
}
