//! A name says what the thing is. These words say nothing, so no file, type, function or module is called by them.

use super::{
    rust::{Token, is_word},
    tree::{File, Tree, catches, holds, permits},
};

const EMPTY_WORDS: [&str; 13] = [
    "data",
    "handler",
    "handlers",
    "helper",
    "helpers",
    "info",
    "infos",
    "manager",
    "managers",
    "process",
    "processor",
    "util",
    "utils",
];

/// Where such a word is part of a term that says it all: a part of the file's path, the term, whose it is.
const TERMS: [(&str, &str, &str); 3] = [
    ("", "data_folder", "the operator's: the folder that ROLLBOOK_DATA_DIR names"),
    ("config/environment.rs", "of_the_process", "the operating system's: the process whose environment it is"),
    ("smtp", "data", "the command of RFC 5321, section 4.1.1.4"),
];

fn names_say_something(tree: &Tree) -> Vec<String> {
    let files = tree.0.iter().filter(|file| is_empty(file, &file.path));
    let mut faults: Vec<_> = files.map(|file| file.fault(1, "the file's name says nothing")).collect();
    for (file, rust) in tree.rust() {
        let names = declared(&rust.code).into_iter().filter(|name| is_empty(file, name.text));
        faults.extend(names.map(|name| file.fault(name.line, format!("`{}` says nothing", name.text))));
    }
    faults
}

/// The types, functions and modules declared here. Left out are a test's name, which is a sentence and may use any word,
/// and an associated type, which the trait has named.
fn declared<'a>(code: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut names = Vec::new();
    let (mut depth, mut is_test) = (0_usize, false);
    for window in code.windows(2) {
        let [token, next] = [window[0], window[1]];
        match token.text {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        match token.text {
            "{" | "}" | ";" => is_test = false,
            "test" => is_test |= matches!(next.text, "]" | "("),
            "fn" if is_test => {}
            "type" if depth > 0 => {}
            "enum" | "fn" | "mod" | "struct" | "trait" | "type" | "union" if next.text.starts_with(is_word) => {
                names.push(next);
            }
            _ => {}
        }
    }
    names
}

/// Whether one of the words in the name says nothing, terms apart.
fn is_empty(file: &File, name: &str) -> bool {
    let mut words = in_words(name);
    for (_, term, _) in TERMS.iter().filter(|(place, ..)| file.path.contains(place)) {
        words = words.replace(&format!("_{term}_"), "_");
    }
    words.split('_').any(|word| EMPTY_WORDS.contains(&word))
}

/// `ApiKey` and `api/key` are `_api_key_`: a word ends at a mark and before a capital.
fn in_words(name: &str) -> String {
    let mut words = String::from("_");
    for character in name.chars() {
        if character.is_uppercase() || !character.is_alphanumeric() {
            words.push('_');
        }
        words.extend(character.to_lowercase().filter(|c| c.is_alphanumeric()));
    }
    words + "_"
}

#[test]
fn every_name_says_something() {
    holds(names_say_something);
}

#[test]
fn a_name_that_says_nothing_is_found() {
    for (text, fault) in [
        ("\npub struct KeyManager;", "2: `KeyManager` says nothing"),
        ("enum MailInfo { A }", "1: `MailInfo` says nothing"),
        ("trait Handler {}", "1: `Handler` says nothing"),
        ("type UserData = u8;", "1: `UserData` says nothing"),
        ("mod utils { }", "1: `utils` says nothing"),
        ("impl A { #[must_use] pub async fn process_it() {} }", "1: `process_it` says nothing"),
        ("#[test] fn a() {} fn helper() {}", "1: `helper` says nothing"),
    ] {
        catches(names_say_something, "src/domain/token.rs", text, fault);
    }
    catches(names_say_something, "src/domain/token_util.rs", "", "1: the file's name says nothing");
    catches(names_say_something, "tests/api/helpers/a.rs", "", "1: the file's name says nothing");
}

#[test]
fn a_name_that_says_something_is_right() {
    for text in [
        "struct Metadata; fn information() {} mod datagram {}",
        "use poem::web::Data; fn f(data: Data<u8>) { tracing::info!() }",
        "impl Body for B { type Data = Bytes; }",
        "#[test] fn another_process_may_read() {} #[tokio::test(a = 1)] async fn data_is_kept() {}",
    ] {
        permits(names_say_something, "src/domain/token.rs", text);
    }
    permits(names_say_something, "tests/api/smtp_peer/dialogue.rs", "async fn data() {}");
    permits(names_say_something, "src/infrastructure/data_folder.rs", "struct DataFolder; fn data_folder_of() {}");
}
