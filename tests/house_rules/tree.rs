//! The files that the rules are about, and what the rules find in them.

use std::{fs, path::Path};

use super::rust::Rust;

/// What stands in the folder without being part of the project.
const NOT_OURS: [&str; 3] = [".git", "rollbook-data", "target"];

/// A text file of the project.
pub(crate) struct File {
    /// From the top of the project, with `/` between the names.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The project's files.
pub(crate) struct Tree(pub(crate) Vec<File>);

/// Finds what breaks it: `path:line: fault`, each.
pub(crate) type Rule = fn(&Tree) -> Vec<String>;

impl File {
    /// The path within `src` without its suffix, a step each: `domain`, `token`. None outside of `src`.
    pub(crate) fn module(&self) -> Option<Vec<&str>> {
        let steps: Vec<_> = self.path.strip_prefix("src/")?.strip_suffix(".rs")?.split('/').collect();
        Some(if matches!(steps[..], ["lib" | "main"]) { Vec::new() } else { steps })
    }

    /// Whether it is the module `home`, given as `infrastructure/http`, or a room of it.
    pub(crate) fn is_within(&self, home: &str) -> bool {
        self.path
            .strip_prefix("src/")
            .and_then(|path| path.strip_prefix(home))
            .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.has_suffix("rs")
    }

    pub(crate) fn has_suffix(&self, suffix: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|extension| extension == suffix)
    }

    pub(crate) fn fault(&self, line: usize, fault: impl AsRef<str>) -> String {
        format!("{}:{line}: {}", self.path, fault.as_ref())
    }

    /// Its lines, counted from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }
}

impl Tree {
    /// The project that these tests belong to.
    fn of_the_house() -> Self {
        let mut files = Vec::new();
        walk(Path::new(env!("CARGO_MANIFEST_DIR")), "", &mut files);
        Self(files)
    }

    /// The Rust files, taken apart.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&File, Rust<'_>)> {
        self.0.iter().filter(|file| file.is_rust()).map(|file| (file, Rust::read(&file.text)))
    }

    /// The Rust files under `src`, taken apart, each with its place there.
    pub(crate) fn modules(&self) -> impl Iterator<Item = (&File, Vec<&str>, Rust<'_>)> {
        self.rust().filter_map(|(file, rust)| Some((file, file.module()?, rust)))
    }
}

fn walk(folder: &Path, above: &str, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{above}{name}");
        if NOT_OURS.contains(&name.as_str()) {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), &format!("{path}/"), files);
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            files.push(File { path, text });
        }
    }
}

/// Asserts that no file of the project breaks the rule.
pub(crate) fn holds(rule: Rule) {
    let found = rule(&Tree::of_the_house());
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// Asserts what the rule finds in files with these paths and texts: these faults and no others.
pub(crate) fn finds(rule: Rule, planted: &[(&str, &str)], faults: &[&str]) {
    let files = planted.iter().map(|&(path, text)| File { path: path.to_owned(), text: text.to_owned() });
    assert_eq!(rule(&Tree(files.collect())), faults, "in {planted:?}");
}

/// Asserts that the rule finds this in a file with this path and text, and nothing else.
pub(crate) fn catches(rule: Rule, path: &str, text: &str, line_and_fault: &str) {
    finds(rule, &[(path, text)], &[&format!("{path}:{line_and_fault}")]);
}

/// Asserts that the rule lets a file with this path and text be.
pub(crate) fn permits(rule: Rule, path: &str, text: &str) {
    finds(rule, &[(path, text)], &[]);
}

#[test]
fn every_corner_of_the_house_is_looked_into() {
    let house = Tree::of_the_house();
    let sees = |path: &str| house.0.iter().any(|file| file.path == path);
    for path in ["Cargo.toml", ".clippy.toml", "migrations/V1__first_schema.sql", "src/domain/token.rs", "tests/run"] {
        assert!(sees(path), "{path}");
    }
    assert!(!house.0.iter().any(|file| file.path.starts_with("target/") || file.path.starts_with(".git/")));
}
