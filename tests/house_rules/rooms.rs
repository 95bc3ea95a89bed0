//! A file is a room with one purpose, found where one would look for it.

use super::tree::{Tree, catches, holds, permits};

const MOST_LINES: usize = 400;

/// The top level shows these, and files that hide behind a dot.
const TOP_LEVEL: [&str; 14] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "benches",
    "build.rs",
    "fuzz",
    "migrations",
    "openapi",
    "packaging",
    "src",
    "tests",
];

/// Folders of one machine that mean nothing on another.
const FOLDERS_OF_A_MACHINE: [&str; 5] = ["home", "root", "tmp", "work", "Users"];

fn a_module_is_a_file_beside_its_folder(tree: &Tree) -> Vec<String> {
    let nameless = tree.0.iter().filter(|file| file.path.split('/').next_back() == Some("mod.rs"));
    nameless.map(|file| file.fault(1, "names no module: it goes beside its folder")).collect()
}

fn a_room_has_a_headline(tree: &Tree) -> Vec<String> {
    let mute = tree.0.iter().filter(|file| file.is_rust() && !file.text.starts_with("//! "));
    mute.map(|file| file.fault(1, "begins without a `//!` headline")).collect()
}

fn a_room_is_small(tree: &Tree) -> Vec<String> {
    let lengths = tree.0.iter().filter(|file| file.is_rust()).map(|file| (file, file.lines().count()));
    let long = lengths.filter(|(_, lines)| *lines > MOST_LINES);
    long.map(|(file, lines)| file.fault(MOST_LINES + 1, format!("goes on to line {lines}: two rooms"))).collect()
}

fn the_top_level_is_clear(tree: &Tree) -> Vec<String> {
    let is_listed = |top: &str| top.starts_with('.') || TOP_LEVEL.contains(&top);
    let stray = tree.0.iter().filter(|file| !file.path.split('/').next().is_some_and(is_listed));
    stray.map(|file| file.fault(1, "does not belong to the top level")).collect()
}

fn nothing_names_a_machine(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for file in &tree.0 {
        for (line, text) in file.lines() {
            let named = FOLDERS_OF_A_MACHINE.map(|folder| format!("/{folder}/")).into_iter().find(|path| {
                // `src/work/` is no machine's folder, nor is a host name's path.
                text.match_indices(path.as_str()).any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric()))
            });
            faults.extend(named.map(|path| file.fault(line, format!("names a path of a machine: {path}"))));
        }
    }
    faults
}

#[test]
fn every_module_is_a_file_beside_its_folder() {
    holds(a_module_is_a_file_beside_its_folder);
}

#[test]
fn a_mod_rs_is_found() {
    let fault = "1: names no module: it goes beside its folder";
    catches(a_module_is_a_file_beside_its_folder, "src/domain/mod.rs", "//! The domain.", fault);
    catches(a_module_is_a_file_beside_its_folder, "tests/api/mod.rs", "", fault);
    permits(a_module_is_a_file_beside_its_folder, "src/domain/a_mod.rs", "");
}

#[test]
fn every_room_has_a_headline() {
    holds(a_room_has_a_headline);
}

#[test]
fn a_room_without_a_headline_is_found() {
    let fault = "1: begins without a `//!` headline";
    catches(a_room_has_a_headline, "src/domain/token.rs", "use std::fmt;\n//! Tokens.", fault);
    permits(a_room_has_a_headline, "src/domain/token.rs", "//! Tokens.");
    permits(a_room_has_a_headline, "README.md", "Rollbook");
}

#[test]
fn every_room_is_small() {
    holds(a_room_is_small);
}

#[test]
fn a_room_that_is_two_is_found() {
    catches(a_room_is_small, "src/app.rs", &"\n".repeat(402), "401: goes on to line 402: two rooms");
    permits(a_room_is_small, "src/app.rs", &"\n".repeat(400));
    permits(a_room_is_small, "Cargo.lock", &"\n".repeat(4000));
}

#[test]
fn the_top_level_shows_what_a_newcomer_needs() {
    holds(the_top_level_is_clear);
}

#[test]
fn a_stray_file_on_the_top_level_is_found() {
    for stray in ["notes.txt", "scripts/build", "source/main.rs"] {
        catches(the_top_level_is_clear, stray, "", "1: does not belong to the top level");
    }
    for listed in [".ci/run", ".gitignore", "README.md", "src/main.rs", "tests/run"] {
        permits(the_top_level_is_clear, listed, "");
    }
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    holds(nothing_names_a_machine);
}

#[test]
fn a_path_of_one_machine_is_found() {
    for folder in FOLDERS_OF_A_MACHINE {
        let fault = format!("2: names a path of a machine: /{folder}/");
        catches(nothing_names_a_machine, "README.md", &format!("\ncd /{folder}/rollbook"), &fault);
        permits(nothing_names_a_machine, "README.md", &format!("cd src/{folder}/rollbook"));
    }
}
