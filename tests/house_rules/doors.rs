//! Each framework stays behind its own door, and none comes near the inner layers.

use super::{
    manifest::{Dependency, dependencies},
    paths::paths,
    tree::{File, Tree, catches, finds, holds, permits},
};

/// What the inner layers may name besides `std`: values and how to make them.
const VALUE_CRATES: [&str; 12] = [
    "data_encoding",
    "hmac",
    "idna",
    "jiff",
    "oxilangtag",
    "sha2",
    "subtle",
    "thiserror",
    "unicode_normalization",
    "unicode_properties",
    "uuid",
    "zeroize",
];

/// What the application may name besides: its ports are `async` and object-safe.
const APPLICATION_CRATES: [&str; 1] = ["async_trait"];

/// The parts of `std` that reach out of the program.
const REACHING_OUT: [&str; 7] = ["env", "fs", "io", "net", "os", "process", "thread"];

/// The frameworks, and behind which doors they stay.
const DOORS: [(&[&str], &[&str]); 8] = [
    (&["poem", "poem_openapi"], &["infrastructure/http"]),
    (&["hyper", "hyper_util", "http_body_util"], &["infrastructure/http", "infrastructure/mail"]),
    (&["rusqlite", "r2d2", "r2d2_sqlite", "refinery"], &["infrastructure/sqlite"]),
    (&["lettre", "tokio_rustls", "rustls_platform_verifier"], &["infrastructure/mail"]),
    (&["minijinja"], &["infrastructure/mail", "infrastructure/http"]),
    (&["clap"], &["cli"]),
    (&["prometheus_client"], &["infrastructure/telemetry"]),
    (&["getrandom"], &["infrastructure/system"]),
];

/// The crates that an inner layer may name; none for a file further out.
fn permitted(file: &File) -> Option<Vec<&'static str>> {
    if file.is_within("domain") {
        Some(VALUE_CRATES.to_vec())
    } else if file.is_within("application") {
        Some([&VALUE_CRATES[..], &APPLICATION_CRATES].concat())
    } else {
        None
    }
}

/// Of the crates, those that are for tests alone could not be named by anything else.
fn inner_layers_name_value_crates_only(tree: &Tree) -> Vec<String> {
    let manifest = tree.0.iter().find(|file| file.path == "Cargo.toml").map_or("", |file| file.text.as_str());
    let crates: Vec<_> = dependencies(manifest)
        .iter()
        .filter(|dependency| dependency.table != "dev-dependencies")
        .map(Dependency::crate_name)
        .collect();
    let mut faults = Vec::new();
    for (file, _, rust) in tree.modules() {
        let Some(permitted) = permitted(file) else { continue };
        for path in paths(&rust) {
            let named = path.steps[0];
            if crates.iter().any(|known| known == named) && !permitted.contains(&named) {
                faults.push(file.fault(path.line, format!("names {named}")));
            }
        }
    }
    faults
}

fn inner_layers_do_not_reach_out(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, _, rust) in tree.modules().filter(|(file, ..)| permitted(file).is_some()) {
        for path in paths(&rust) {
            if let ["std", part, ..] = path.steps[..]
                && REACHING_OUT.contains(&part)
            {
                faults.push(file.fault(path.line, format!("names std::{part}")));
            }
        }
        let waits =
            rust.code.iter().filter(|token| file.is_within("domain") && matches!(token.text, "async" | "await"));
        faults.extend(waits.map(|token| file.fault(token.line, "the domain does not wait")));
    }
    faults
}

fn frameworks_stay_behind_their_doors(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, _, rust) in tree.modules() {
        for path in paths(&rust) {
            let door = DOORS.iter().find(|(crates, _)| crates.contains(&path.steps[0]));
            if let Some((_, homes)) = door.filter(|(_, homes)| !homes.iter().any(|home| file.is_within(home))) {
                let fault = format!("names {}, whose home is {}", path.steps[0], homes.join(" and "));
                faults.push(file.fault(path.line, fault));
            }
        }
    }
    faults
}

#[test]
fn the_inner_layers_name_value_crates_only() {
    holds(inner_layers_name_value_crates_only);
}

#[test]
fn a_framework_in_an_inner_layer_is_found() {
    const MANIFEST: &str =
        "[dependencies]\nserde = 1\njiff = 1\nasync-trait = 1\nserde-json = 1\n[dev-dependencies]\ninsta = 1";
    for (path, text, faults) in [
        (
            "src/domain/token.rs",
            "use jiff::Timestamp; use serde::Serialize;",
            &["src/domain/token.rs:1: names serde"][..],
        ),
        ("src/domain/token.rs", "#[async_trait::async_trait]", &["src/domain/token.rs:1: names async_trait"]),
        ("src/application.rs", "fn f() { serde_json::to_string(x) }", &["src/application.rs:1: names serde_json"]),
        ("src/application.rs", "use async_trait::async_trait; use serde_words::x; use insta::y;", &[]),
        ("src/infrastructure/http/wire.rs", "use serde::Serialize;", &[]),
    ] {
        finds(inner_layers_name_value_crates_only, &[("Cargo.toml", MANIFEST), (path, text)], faults);
    }
}

#[test]
fn the_inner_layers_do_nothing_to_the_world() {
    holds(inner_layers_do_not_reach_out);
}

#[test]
fn an_inner_layer_that_reaches_out_is_found() {
    for (path, text, fault) in [
        ("src/domain/token.rs", "use std::{fmt, fs::File};", "1: names std::fs"),
        ("src/domain.rs", "async fn f() {}", "1: the domain does not wait"),
        ("src/application/ports.rs", "async fn f() { std::thread::spawn(g).await }", "1: names std::thread"),
    ] {
        catches(inner_layers_do_not_reach_out, path, text, fault);
    }
    permits(inner_layers_do_not_reach_out, "src/infrastructure/sqlite.rs", "use std::fs;");
}

#[test]
fn every_framework_stays_behind_its_own_door() {
    holds(frameworks_stay_behind_their_doors);
}

#[test]
fn a_framework_in_anothers_room_is_found() {
    for (path, text, crate_name, home) in [
        ("src/app.rs", "use poem::Route;", "poem", "infrastructure/http"),
        ("src/cli/key.rs", "fn f(db: &rusqlite::Connection) {}", "rusqlite", "infrastructure/sqlite"),
        ("src/infrastructure/http.rs", "use lettre::Address;", "lettre", "infrastructure/mail"),
        ("src/infrastructure/httpd.rs", "use poem::Request;", "poem", "infrastructure/http"),
        ("src/app.rs", "use hyper::Uri;", "hyper", "infrastructure/http and infrastructure/mail"),
        ("src/infrastructure/config/flags.rs", "use clap::Parser;", "clap", "cli"),
        (
            "src/infrastructure/worker.rs",
            "use minijinja as m;",
            "minijinja",
            "infrastructure/mail and infrastructure/http",
        ),
        ("src/infrastructure/http.rs", "use prometheus_client::x;", "prometheus_client", "infrastructure/telemetry"),
        ("src/infrastructure/mail.rs", "getrandom::fill(&mut b);", "getrandom", "infrastructure/system"),
    ] {
        let fault = format!("1: names {crate_name}, whose home is {home}");
        catches(frameworks_stay_behind_their_doors, path, text, &fault);
    }
}

#[test]
fn a_framework_at_home_is_right() {
    for (path, text) in [
        ("src/infrastructure/http/server/stream.rs", "use hyper::rt::Read;"),
        ("src/infrastructure/http.rs", "use minijinja::Environment;"),
        ("src/cli.rs", "use clap::Parser;"),
        ("tests/api/harness.rs", "use lettre::Address;"),
    ] {
        permits(frameworks_stay_behind_their_doors, path, text);
    }
}
