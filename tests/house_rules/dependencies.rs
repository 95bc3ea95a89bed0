//! What is taken from others: each crate for a reason that `Cargo.toml` tells, without the features that bite.

use super::{
    manifest::dependencies,
    tree::{File, Tree, catches, finds, holds, permits},
};

/// Features that must stay off: crate, features, why.
const BITING: [(&str, &[&str], &str); 2] = [
    ("lettre", &["pool", "tracing"], "the pool takes half-used connections back, the log shows mails and passwords"),
    (
        "poem",
        &["acme", "compression", "native-tls", "openssl-tls", "opentelemetry", "prometheus", "rustls"],
        "they bring a second TLS or second telemetry, or unpack a body before any limit",
    ),
];

fn manifests(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.0.iter().filter(|file| file.path.split('/').next_back() == Some("Cargo.toml"))
}

fn dependencies_are_explained(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for file in manifests(tree) {
        for dependency in dependencies(&file.text) {
            if !dependency.is_explained {
                faults.push(file.fault(dependency.line, format!("no word on why {} is needed", dependency.name)));
            }
            if !is_whole(dependency.terms) {
                faults.push(file.fault(dependency.line, format!("{} takes more than its line", dependency.name)));
            }
        }
        let tables = file.lines().filter(|(_, text)| text.starts_with('[') && text.contains("dependencies."));
        faults.extend(tables.map(|(line, text)| file.fault(line, format!("{text} takes more than its line"))));
    }
    faults
}

/// Whether what is opened is closed: the other rules read a dependency from its line.
fn is_whole(terms: &str) -> bool {
    !terms.is_empty() && terms.matches(['[', '{']).count() == terms.matches([']', '}']).count()
}

fn biting_features_are_off(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for file in manifests(tree) {
        for dependency in dependencies(&file.text) {
            let Some((name, features, why)) = BITING.iter().find(|(name, ..)| *name == dependency.name) else {
                continue;
            };
            for feature in features.iter().filter(|feature| dependency.terms.contains(&format!("\"{feature}\""))) {
                faults.push(file.fault(dependency.line, format!("{name} with {feature}: {why}")));
            }
            if !dependency.terms.contains("default-features = false") {
                faults.push(file.fault(dependency.line, format!("{name} with its default features: {why}")));
            }
        }
    }
    faults
}

/// A panic is caught at the edge and around each command of the writer: it must unwind.
fn panics_unwind(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for file in tree.0.iter().filter(|file| file.has_suffix("toml")) {
        let aborts = file.lines().filter(|(_, text)| {
            let dense: String = text.split_whitespace().collect();
            dense.replace('\'', "\"").starts_with("panic=\"abort\"")
        });
        faults.extend(aborts.map(|(line, _)| file.fault(line, "a panic that aborts cannot be caught")));
    }
    faults
}

/// The reader of XML that poem-openapi brings has open advisories, which `.cargo/deny.toml` waves through: nobody calls it.
fn xml_is_not_read(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, _, rust) in tree.modules() {
        faults.extend(rust.find(["Xml"]).map(|code| file.fault(code[0].line, "reads XML")));
    }
    faults
}

#[test]
fn every_dependency_is_explained() {
    holds(dependencies_are_explained);
}

#[test]
fn a_dependency_without_a_reason_is_found() {
    for (text, fault) in [
        ("[dependencies]\na = \"1\"", "2: no word on why a is needed"),
        ("[dependencies]\n# A group.\na = \"1\"\n\nb = \"1\"", "5: no word on why b is needed"),
        ("# A file.\n[dev-dependencies]\na = \"1\"", "3: no word on why a is needed"),
        ("[target.'cfg(unix)'.dependencies]\na = { version = \"1\" }", "2: no word on why a is needed"),
        ("[dependencies]\n# A group.\na = { version = \"1\", features = [", "3: a takes more than its line"),
        ("[dependencies.a]\nversion = \"1\"", "1: [dependencies.a] takes more than its line"),
    ] {
        catches(dependencies_are_explained, "Cargo.toml", text, fault);
    }
    let explained = "[dependencies]\n# A group.\na = \"1\"\nb = { version = \"1\", features = [\"c\"] }\n\nd = \"1\" # D.\n[lints.rust]\ne = 1";
    permits(dependencies_are_explained, "Cargo.toml", explained);
}

#[test]
fn the_features_that_bite_are_off() {
    holds(biting_features_are_off);
}

#[test]
fn a_feature_that_bites_is_found() {
    for (name, features, why) in BITING {
        for feature in features {
            let text =
                format!("[dependencies]\n{name} = {{ default-features = false, features = [\"a\", \"{feature}\"] }}");
            catches(biting_features_are_off, "Cargo.toml", &text, &format!("2: {name} with {feature}: {why}"));
        }
        let text = format!("[dependencies]\n{name} = \"1\"");
        catches(biting_features_are_off, "Cargo.toml", &text, &format!("2: {name} with its default features: {why}"));
        let text =
            format!("[dependencies]\n{name} = {{ version = \"1\", default-features = false, features = [\"a\"] }}");
        permits(biting_features_are_off, "Cargo.toml", &text);
    }
}

#[test]
fn every_panic_unwinds() {
    holds(panics_unwind);
}

#[test]
fn a_panic_that_aborts_is_found() {
    const FAULT: &str = "2: a panic that aborts cannot be caught";
    catches(panics_unwind, "Cargo.toml", "[profile.release]\npanic = \"abort\"", FAULT);
    catches(panics_unwind, ".cargo/config.toml", "[profile.release]\npanic='abort'", FAULT);
    permits(panics_unwind, "Cargo.toml", "[lints.clippy]\npanic = \"warn\"");
}

#[test]
fn nobody_reads_xml() {
    holds(xml_is_not_read);
}

#[test]
fn reading_xml_is_found() {
    let planted = [
        ("src/infrastructure/http/wire.rs", "use poem_openapi::payload::{Json, Xml};"),
        ("src/infrastructure/http/key.rs", "fn f() -> payload::Xml<A> {}"),
        ("src/infrastructure/http/body.rs", "use poem_openapi::payload::Json; // no Xml"),
    ];
    let faults = ["src/infrastructure/http/wire.rs:1: reads XML", "src/infrastructure/http/key.rs:1: reads XML"];
    finds(xml_is_not_read, &planted, &faults);
}
