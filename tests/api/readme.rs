//! What README says is so: its tables, its paths, and its first five minutes, which are run to the letter.

use std::{path::Path, process::Command};

use rollbook::infrastructure::config::markdown_table;

use crate::program::{running::Program, server::Server};

const README: &str = include_str!("../../README.md");

/// How README starts the program from the source; here it is built already.
const FROM_THE_SOURCE: &str = "cargo run --release --";

/// The part of README under a heading.
fn section(heading: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("\n## {heading}\n")).unwrap();
    rest.split("\n## ").next().unwrap()
}

/// The commands of a part, block by block.
fn commands(section: &str) -> Vec<&str> {
    section.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap().trim_end()).collect()
}

/// A shell in a folder, with nothing of the test's own environment but where programs are.
fn bash(script: &str, folder: &Path) -> Command {
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", script]).current_dir(folder).env_clear().env("PATH", env!("PATH"));
    bash
}

#[tokio::test]
async fn the_first_five_minutes_end_with_a_verified_customer() {
    let folder = tempfile::tempdir().unwrap();
    let blocks = commands(section("The first five minutes")).into_iter();
    let mut blocks = blocks.map(|block| block.replace(FROM_THE_SOURCE, env!("CARGO_BIN_EXE_rollbook")));
    let mut first_terminal = bash(&format!("exec {}", blocks.next().unwrap()), folder.path());
    // The default port may be taken on this machine.
    let server = Server::spawn(first_terminal.env("ROLLBOOK_LISTEN", "127.0.0.1:0"), None).await;

    let script = blocks.collect::<Vec<_>>().join("\n").replace("127.0.0.1:8080", server.address());
    let second_terminal = Program::spawn(&mut bash(&script, folder.path())).end().await;
    assert_eq!(second_terminal.code, Some(0), "{second_terminal:?}");
    let said: Vec<&str> = second_terminal.stdout.lines().collect();
    assert_eq!(said.last(), Some(&"\"verified\":true"), "{second_terminal:?}");
    assert!(said.contains(&"<h1>Thank you, that is confirmed</h1>"), "{second_terminal:?}");
    assert_eq!(server.stop().await.code, Some(0));
}

#[test]
fn the_tables_of_settings_are_the_programs_own() {
    let (_, rest) = README.split_once("held by tests/api/readme.rs -->\n\n").unwrap();
    let (tables, _) = rest.split_once("\n<!-- end of settings -->").unwrap();
    assert!(tables == markdown_table(), "put this between the comments of README:\n\n{}", markdown_table());
}

#[test]
fn every_path_on_the_map_is_there() {
    let source = section("The source");
    let paths: Vec<&str> = source.split('`').skip(1).step_by(2).filter(|path| path.contains(['/', '-'])).collect();
    assert!(paths.len() > 10, "{paths:?}");
    for path in paths.into_iter().filter(|path| !path.contains(' ')) {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists(), "{path}");
    }
}
