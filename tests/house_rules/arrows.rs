//! Arrows point inward: main → cli → app → infrastructure → application → domain, and no sibling knows another.

use super::{
    paths::paths,
    tree::{Tree, catches, holds, permits},
};

/// The layers, outermost first: each may name itself and what follows. `lib.rs` is the map and `main.rs` outside of all.
const LAYERS: [&str; 5] = ["cli", "app", "infrastructure", "application", "domain"];

fn arrows_point_inward(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, module, rust) in tree.modules() {
        let Some(own) = module.first() else { continue };
        let Some(rank) = LAYERS.iter().position(|layer| layer == own) else {
            faults.push(file.fault(1, format!("{own} is no layer")));
            continue;
        };
        for path in paths(&rust) {
            let Some(target) = path.resolve(&module).and_then(|steps| steps.first().copied()) else { continue };
            if !LAYERS[rank..].contains(&target) {
                faults.push(file.fault(path.line, format!("{own} names {target}")));
            }
        }
    }
    faults
}

fn siblings_do_not_know_each_other(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, module, rust) in tree.modules() {
        let ["infrastructure", own, ..] = module[..] else { continue };
        for path in paths(&rust) {
            let steps = path.resolve(&module).unwrap_or_default();
            if steps.first() == Some(&"infrastructure") && steps.get(1) != Some(&own) {
                let sibling = steps.get(1).unwrap_or(&"all of infrastructure");
                faults.push(file.fault(path.line, format!("{own} names {sibling}")));
            }
        }
    }
    faults
}

#[test]
fn no_layer_names_one_further_out() {
    holds(arrows_point_inward);
}

#[test]
fn an_arrow_that_points_outward_is_found() {
    for (path, text, fault) in [
        ("src/domain/token.rs", "\nuse crate::application::Registry;", "2: domain names application"),
        ("src/domain.rs", "fn f() { super::infrastructure::g() }", "1: domain names infrastructure"),
        (
            "src/application/ports.rs",
            "use crate::{domain::ids, infrastructure::mail};",
            "1: application names infrastructure",
        ),
        ("src/infrastructure/http/wire.rs", "use super::super::super::app::App;", "1: infrastructure names app"),
        ("src/infrastructure/http.rs", "mod tests { use super::super::super::cli; }", "1: infrastructure names cli"),
        ("src/app.rs", "type A = crate::cli::Cli;", "1: app names cli"),
        ("src/domain/token.rs", "use crate::Registry;", "1: domain names Registry"),
        ("src/shared.rs", "", "1: shared is no layer"),
    ] {
        catches(arrows_point_inward, path, text, fault);
    }
}

#[test]
fn an_arrow_that_points_inward_is_right() {
    for (path, text) in [
        ("src/main.rs", "use rollbook::cli;"),
        ("src/lib.rs", "pub use self::domain::customer::Customer;"),
        ("src/cli/serve.rs", "use crate::{app::App, infrastructure::config};"),
        ("src/infrastructure/mail/smtp.rs", "use crate::application::ports::Mailer; use super::sender::Sender;"),
        ("src/application.rs", "mod tests { use super::*; use crate::domain::ids; }"),
        ("src/domain/token.rs", "//! See [`crate::application`].\nuse super::secret::Secret;"),
        ("tests/api/main.rs", "use rollbook::{domain, infrastructure};"),
    ] {
        permits(arrows_point_inward, path, text);
    }
}

#[test]
fn no_room_of_infrastructure_names_its_sibling() {
    holds(siblings_do_not_know_each_other);
}

#[test]
fn a_sibling_that_is_named_is_found() {
    for (path, text, fault) in [
        ("src/infrastructure/http/key.rs", "use crate::infrastructure::sqlite::Store;", "1: http names sqlite"),
        ("src/infrastructure/mail.rs", "use super::{config, mail::sender};", "1: mail names config"),
        ("src/infrastructure/worker.rs", "use crate::infrastructure;", "1: worker names all of infrastructure"),
        ("src/infrastructure/worker.rs", "use crate::infrastructure::*;", "1: worker names *"),
    ] {
        catches(siblings_do_not_know_each_other, path, text, fault);
    }
}

#[test]
fn a_room_may_name_its_own_rooms_and_the_root_may_name_all() {
    for (path, text) in [
        ("src/infrastructure/mail/smtp/wire.rs", "use super::super::sender; use crate::infrastructure::mail::mime;"),
        ("src/infrastructure.rs", "pub use self::{http::serve, mail::smtp};"),
        ("src/app.rs", "use crate::infrastructure::{http, sqlite};"),
    ] {
        permits(siblings_do_not_know_each_other, path, text);
    }
}
