//! What a page or a mail shows of somebody's words is escaped, always.

use super::{
    rust::is_word,
    tree::{Tree, catches, holds, permits},
};

const FAULT: &str = "text goes out as it came in";

/// Looks into the templates, which stand in files of their own or in the literals of a Rust file.
fn nothing_goes_out_raw(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for file in tree.0.iter().filter(|file| file.path.starts_with("src/") && !file.is_rust()) {
        let raw = file.lines().filter(|(_, text)| is_raw(text));
        faults.extend(raw.map(|(line, _)| file.fault(line, FAULT)));
    }
    for (file, _, rust) in tree.modules() {
        let raw = rust.literals.iter().filter(|literal| is_raw(literal.text));
        faults.extend(raw.map(|literal| file.fault(literal.line, FAULT)));
        faults.extend(rust.find(["from_safe_string"]).map(|code| file.fault(code[0].line, FAULT)));
    }
    faults
}

fn is_raw(template: &str) -> bool {
    let dense: String = template.split_whitespace().collect();
    let filters_nothing =
        dense.match_indices("|safe").any(|(at, filter)| !dense[at + filter.len()..].starts_with(is_word));
    filters_nothing || dense.contains("autoescapefalse")
}

#[test]
fn everything_that_goes_out_is_escaped() {
    holds(nothing_goes_out_raw);
}

#[test]
fn a_template_that_does_not_escape_is_found() {
    for raw in ["{{ name|safe }}", "{{ name | safe | upper }}", "{% autoescape false %}"] {
        let fault = format!("2: {FAULT}");
        catches(nothing_goes_out_raw, "src/infrastructure/mail/verify.html", &format!("<p>\n{raw}"), &fault);
        catches(
            nothing_goes_out_raw,
            "src/infrastructure/http/pages.rs",
            &format!("\nconst A: &str = r#\"{raw}\"#;"),
            &fault,
        );
    }
    let text = "Value::from_safe_string(name)";
    catches(nothing_goes_out_raw, "src/infrastructure/http/pages.rs", text, &format!("1: {FAULT}"));
}

#[test]
fn a_template_that_escapes_is_right() {
    for text in ["{{ name }}", "{{ name|safely }}", "{% autoescape true %}"] {
        permits(nothing_goes_out_raw, "src/infrastructure/mail/verify.html", text);
    }
    permits(nothing_goes_out_raw, "src/infrastructure/http/pages.rs", "match a { b|safe => {} } // {{ a|safe }}");
}
