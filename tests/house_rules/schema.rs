//! The migrations: numbered without a gap, their tables strict, their constraints named, so that an error can name them
//! too. (An index has a name anyway: SQLite knows no other.)

use super::{
    rust::{Token, is_word},
    tree::{File, Tree, catches, finds, holds, permits},
};

fn migrations(tree: &Tree) -> impl Iterator<Item = (&File, &str)> {
    tree.0.iter().filter_map(|file| Some((file, file.path.strip_prefix("migrations/")?)))
}

fn migrations_are_numbered(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    let mut numbered = Vec::new();
    for (file, name) in migrations(tree) {
        match number(name) {
            Some(number) => numbered.push((number, file)),
            None => faults.push(file.fault(1, "is not named V<number>__<words>.sql")),
        }
    }
    numbered.sort_by_key(|(number, _)| *number);
    for (expected, (number, file)) in (1..).zip(numbered) {
        if number != expected {
            faults.push(file.fault(1, format!("stands where V{expected} belongs")));
        }
    }
    faults
}

fn number(name: &str) -> Option<u32> {
    let (number, words) = name.strip_prefix('V')?.strip_suffix(".sql")?.split_once("__")?;
    let is_words = words.starts_with(|c: char| c.is_ascii_lowercase())
        && words.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    number.parse().ok().filter(|_| is_words && !number.starts_with(['0', '+']))
}

fn tables_are_strict(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, _) in migrations(tree) {
        for table in tables(&words(&file.text)) {
            if !table.options.iter().any(|word| word.text == "STRICT") {
                faults.push(file.fault(table.line, "the table is not STRICT"));
            }
        }
    }
    faults
}

fn constraints_are_named(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, _) in migrations(tree) {
        for table in tables(&words(&file.text)) {
            let nameless = nameless_constraints(table.columns);
            faults.extend(nameless.iter().map(|word| file.fault(word.line, format!("{} without a name", word.text))));
        }
    }
    faults
}

struct Table<'t, 'a> {
    line: usize,
    /// The columns and constraints, with the parentheses around them.
    columns: &'t [Token<'a>],
    /// What follows them.
    options: &'t [Token<'a>],
}

fn tables<'t, 'a>(sql: &'t [Token<'a>]) -> Vec<Table<'t, 'a>> {
    let statements = sql.split(|word| word.text == ";");
    let created = statements.filter(|words| words.len() > 1 && words[0].text == "CREATE" && words[1].text == "TABLE");
    created
        .map(|words| {
            let begin = words.iter().position(|word| word.text == "(").unwrap_or(words.len());
            let end = words.iter().rposition(|word| word.text == ")").map_or(words.len(), |at| at + 1);
            Table { line: words[0].line, columns: &words[begin.min(end)..end], options: &words[end..] }
        })
        .collect()
}

fn nameless_constraints<'a>(columns: &[Token<'a>]) -> Vec<Token<'a>> {
    let (mut depth, mut is_foreign_key) = (0_usize, false);
    let mut nameless = Vec::new();
    for (at, word) in columns.iter().enumerate() {
        let is_named = at >= 2 && columns[at - 2].text == "CONSTRAINT";
        match word.text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            "," if depth == 1 => is_foreign_key = false,
            // The second half of a foreign key bears the name of the first.
            "REFERENCES" if is_foreign_key => {}
            "CHECK" | "FOREIGN" | "PRIMARY" | "REFERENCES" | "UNIQUE" if depth == 1 => {
                is_foreign_key = word.text == "FOREIGN";
                nameless.extend((!is_named).then_some(*word));
            }
            _ => {}
        }
    }
    nameless
}

/// The words and marks, without comments and texts.
fn words(sql: &str) -> Vec<Token<'_>> {
    let mut words = Vec::new();
    let (mut rest, mut line) = (sql, 1);
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if first == '\'' {
            rest[1..].find('\'').map_or(rest.len(), |at| at + 2)
        } else if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (text, after) = rest.split_at(length);
        if !text.starts_with("--") && !text.starts_with(|c: char| c.is_whitespace() || c == '\'') {
            words.push(Token { text, line });
        }
        line += text.matches('\n').count();
        rest = after;
    }
    words
}

#[test]
fn the_migrations_are_numbered_without_a_gap() {
    holds(migrations_are_numbered);
}

#[test]
fn a_migration_that_would_be_skipped_is_found() {
    const NAME: &str = "1: is not named V<number>__<words>.sql";
    for path in
        ["V1_first.sql", "v1__first.sql", "V01__first.sql", "V1__First.sql", "V1__.sql", "1__first.sql", "notes.md"]
    {
        catches(migrations_are_numbered, &format!("migrations/{path}"), "", NAME);
    }
    for (second, expected) in [("migrations/V3__third.sql", 2), ("migrations/V1__again.sql", 2)] {
        let fault = format!("{second}:1: stands where V{expected} belongs");
        finds(migrations_are_numbered, &[("migrations/V1__first.sql", ""), (second, "")], &[&fault]);
    }
    let eleven: Vec<_> = (1..=11).rev().map(|number| format!("migrations/V{number}__words_2.sql")).collect();
    let eleven: Vec<_> = eleven.iter().map(|path| (path.as_str(), "")).collect();
    finds(migrations_are_numbered, &eleven, &[]);
}

#[test]
fn every_table_is_strict() {
    holds(tables_are_strict);
}

#[test]
fn a_table_that_takes_any_type_is_found() {
    const PATH: &str = "migrations/V1__first.sql";
    catches(tables_are_strict, PATH, "\nCREATE TABLE a (b TEXT CHECK (c));", "2: the table is not STRICT");
    catches(tables_are_strict, PATH, "CREATE TABLE a (b TEXT) WITHOUT ROWID; -- STRICT", "1: the table is not STRICT");
    catches(tables_are_strict, PATH, "CREATE TABLE a AS SELECT 1", "1: the table is not STRICT");
    permits(tables_are_strict, PATH, "CREATE TABLE a (b TEXT DEFAULT (';')) STRICT, WITHOUT ROWID;");
    permits(tables_are_strict, PATH, "CREATE VIRTUAL TABLE a USING fts5 (b); -- CREATE TABLE c (d)");
}

#[test]
fn every_constraint_is_named() {
    holds(constraints_are_named);
}

#[test]
fn a_constraint_without_a_name_is_found() {
    const PATH: &str = "migrations/V1__first.sql";
    for (column, fault) in [
        ("a INTEGER PRIMARY KEY", "1: PRIMARY without a name"),
        ("a TEXT NOT NULL,\nUNIQUE (a)", "2: UNIQUE without a name"),
        ("a TEXT CONSTRAINT b CHECK (a > 0) UNIQUE", "1: UNIQUE without a name"),
        ("a TEXT CHECK (a IN ('b', 'c'))", "1: CHECK without a name"),
        ("a INTEGER REFERENCES b (c)", "1: REFERENCES without a name"),
        ("FOREIGN KEY (a) REFERENCES b (c)", "1: FOREIGN without a name"),
        ("CONSTRAINT d FOREIGN KEY (a) REFERENCES b (c), e TEXT REFERENCES f", "1: REFERENCES without a name"),
    ] {
        catches(constraints_are_named, PATH, &format!("CREATE TABLE t ({column}) STRICT;"), fault);
    }
    permits(
        constraints_are_named,
        PATH,
        "CREATE TABLE t (a TEXT NOT NULL, -- a UNIQUE one\nb TEXT CONSTRAINT c CHECK (b <> 'CHECK'),
         CONSTRAINT d PRIMARY KEY (a), CONSTRAINT e FOREIGN KEY (b) REFERENCES f (g) ON DELETE CASCADE) STRICT;",
    );
}
