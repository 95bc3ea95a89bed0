//! SQL has one home, and pages by keys there.

use super::{
    rust::is_word,
    tree::{Tree, catches, holds, permits},
};

const HOME: &str = "infrastructure/sqlite";

/// Where several statements may run at once, unprepared: each is the program's own and runs seldom.
const BATCHES: [&str; 3] =
    ["infrastructure/sqlite/connection", "infrastructure/sqlite/migrations", "infrastructure/sqlite/writer"];

/// How statements begin, in the capitals that they are written in; `_` stands for any word.
const BEGINNINGS: [&[&str]; 9] = [
    &["ALTER", "TABLE"],
    &["BEGIN", "IMMEDIATE"],
    &["CREATE", "INDEX"],
    &["CREATE", "TABLE"],
    &["DELETE", "FROM"],
    &["INSERT", "INTO"],
    &["PRAGMA"],
    &["SELECT"],
    &["UPDATE", "_", "SET"],
];

fn sql_stays_at_home(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, _, rust) in tree.modules().filter(|(file, ..)| !file.is_within(HOME)) {
        let statements = rust.literals.iter().filter(|literal| is_statement(literal.text));
        faults.extend(statements.map(|literal| file.fault(literal.line, format!("SQL outside of {HOME}"))));
    }
    faults
}

fn is_statement(text: &str) -> bool {
    let words: Vec<_> = words(text).collect();
    let begins = |beginning: &&[&str], words: &[&str]| {
        beginning.iter().zip(words).all(|(expected, word)| *expected == "_" || expected == word)
    };
    BEGINNINGS.iter().any(|beginning| words.windows(beginning.len()).any(|window| begins(beginning, window)))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_word(c)).filter(|word| !word.is_empty())
}

fn batches_are_the_programs_own(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, _, rust) in tree.modules() {
        if !BATCHES.iter().any(|home| file.is_within(home)) {
            faults
                .extend(rust.find(["execute_batch"]).map(|code| file.fault(code[0].line, "statements run in a batch")));
        }
    }
    faults
}

fn pages_are_found_by_key(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    let is_offset = |text: &str| words(text).any(|word| word.eq_ignore_ascii_case("offset"));
    for (file, _, rust) in tree.modules().filter(|(file, ..)| file.is_within(HOME)) {
        let counted = rust.literals.iter().filter(|literal| is_offset(literal.text));
        faults.extend(counted.map(|literal| file.fault(literal.line, "OFFSET reads what it skips: page by the key")));
    }
    faults
}

#[test]
fn all_sql_stays_at_home() {
    holds(sql_stays_at_home);
}

#[test]
fn sql_outside_of_its_home_is_found() {
    for sql in [
        "SELECT id FROM customers",
        "WITH a AS (SELECT 1) DELETE FROM b",
        "INSERT INTO customers VALUES (1)",
        "UPDATE outbox\n SET state = 'sent'",
        "DELETE FROM outbox",
        "CREATE TABLE a (b) STRICT",
        "PRAGMA optimize",
    ] {
        let text = format!("fn f() {{\n g(\"{sql}\") }}");
        catches(sql_stays_at_home, "src/cli/key.rs", &text, "2: SQL outside of infrastructure/sqlite");
        permits(sql_stays_at_home, "src/infrastructure/sqlite/customers.rs", &text);
        permits(sql_stays_at_home, "tests/api/storage.rs", &text);
    }
    permits(sql_stays_at_home, "src/cli/key.rs", "f(\"DELETE /api/customers, UPDATE it, select one\") // SELECT");
}

#[test]
fn only_the_program_itself_runs_batches() {
    holds(batches_are_the_programs_own);
}

#[test]
fn a_batch_elsewhere_is_found() {
    const TEXT: &str = "fn f() { db.execute_batch(sql) }";
    catches(batches_are_the_programs_own, "src/infrastructure/sqlite/outbox.rs", TEXT, "1: statements run in a batch");
    for home in BATCHES {
        permits(batches_are_the_programs_own, &format!("src/{home}.rs"), TEXT);
    }
}

#[test]
fn every_page_is_found_by_its_key() {
    holds(pages_are_found_by_key);
}

#[test]
fn a_page_that_is_counted_off_is_found() {
    const FAULT: &str = "1: OFFSET reads what it skips: page by the key";
    const PATH: &str = "src/infrastructure/sqlite/customers.rs";
    catches(pages_are_found_by_key, PATH, "f(\"SELECT 1 LIMIT ?1 OFFSET ?2\")", FAULT);
    catches(pages_are_found_by_key, PATH, "f(\"select 1 limit ?1 offset ?2\")", FAULT);
    permits(pages_are_found_by_key, PATH, "let offset = f(\"SELECT utc_offset\");");
}
