//! Nothing is left half done, switched off or waited out.

use super::{
    paths::paths,
    rust::is_word,
    tree::{File, Tree, catches, holds, permits},
};

const PROMISES_TO_ONESELF: [&str; 3] = ["FIXME", "TODO", "XXX"];

/// What talks to a terminal, where `cli` and `main` alone belong.
const PRINTING: [&str; 4] = ["eprint", "eprintln", "print", "println"];

fn nothing_is_put_off(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for file in tree.0.iter().filter(|file| !file.is_rust()) {
        for (line, text) in file.lines() {
            faults.extend(put_off(text).map(|word| file.fault(line, word)));
        }
    }
    for (file, rust) in tree.rust() {
        for comment in &rust.comments {
            for (line, text) in (comment.line..).zip(comment.text.lines()) {
                faults.extend(put_off(text).map(|word| file.fault(line, word)));
            }
        }
        for call in ["dbg", "todo", "unimplemented"] {
            faults.extend(rust.find([call, "!"]).map(|code| file.fault(code[0].line, format!("{call}!"))));
        }
    }
    faults
}

fn put_off(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_word(c)).filter(|word| PROMISES_TO_ONESELF.contains(word))
}

fn every_test_runs(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, rust) in tree.rust() {
        let switches = rust.find(["[", "ignore"]).chain(rust.find([",", "ignore", ")", "]"]).map(|code| &code[..2]));
        faults.extend(switches.map(|code| file.fault(code[1].line, "a test that does not run")));
    }
    faults
}

fn no_test_sleeps(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, rust) in tree.rust() {
        for path in paths(&rust) {
            let is_sleep = [["thread", "sleep"], ["time", "sleep"], ["time", "sleep_until"]];
            let is_test = is_of_tests(file) || path.inside.contains(&"tests");
            if is_test && is_sleep.iter().any(|sleep| path.ends_with(sleep)) {
                faults.push(file.fault(path.line, "a test that sleeps: wait for what it waits for"));
            }
        }
    }
    faults
}

fn is_of_tests(file: &File) -> bool {
    ["tests", "tests.rs", "benches"].iter().any(|part| file.path.split('/').any(|step| step == *part))
}

fn every_exception_has_its_reason(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, rust) in tree.rust() {
        for (at, window) in rust.code.windows(2).enumerate() {
            let is_exception = matches!(window[0].text, "allow" | "expect") && window[1].text == "(";
            let is_attribute = at > 0 && matches!(rust.code[at - 1].text, "[" | ",");
            let mut rest = rust.code[at..].iter().take_while(|token| token.text != "]");
            if is_exception && is_attribute && !rest.any(|token| token.text == "reason") {
                faults.push(file.fault(window[0].line, "a lint is switched off without a reason"));
            }
        }
    }
    faults
}

fn nothing_is_unsafe(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, rust) in tree.rust() {
        faults.extend(rust.find(["unsafe"]).map(|code| file.fault(code[0].line, "unsafe code")));
    }
    faults
}

fn the_command_line_alone_prints(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, module, rust) in tree.modules() {
        if file.path == "src/main.rs" || module.first() == Some(&"cli") {
            continue;
        }
        for call in PRINTING {
            faults
                .extend(rust.find([call, "!"]).map(|code| file.fault(code[0].line, format!("{call}! outside of cli"))));
        }
    }
    faults
}

#[test]
fn nothing_is_put_off_until_later() {
    holds(nothing_is_put_off);
}

#[test]
fn what_is_put_off_is_found() {
    for word in PROMISES_TO_ONESELF {
        catches(nothing_is_put_off, "src/app.rs", &format!("f();\n/*\n {word}: g */"), &format!("3: {word}"));
        catches(nothing_is_put_off, "src/app.rs", &format!("/// {word}"), &format!("1: {word}"));
        catches(nothing_is_put_off, "README.md", &format!("\n({word})"), &format!("2: {word}"));
    }
    catches(nothing_is_put_off, "src/app.rs", "fn f() { todo!() }", "1: todo!");
    catches(nothing_is_put_off, "src/app.rs", "fn f() { dbg!(1) }", "1: dbg!");
    catches(nothing_is_put_off, "src/app.rs", "fn f() { unimplemented!() }", "1: unimplemented!");
    permits(nothing_is_put_off, "tests/run", "mktemp -d rollbook.XXXXXX");
}

#[test]
fn every_test_is_run() {
    holds(every_test_runs);
}

#[test]
fn a_test_that_does_not_run_is_found() {
    catches(every_test_runs, "tests/api/a.rs", "#[test]\n#[ignore]\nfn a() {}", "2: a test that does not run");
    catches(every_test_runs, "src/app.rs", "#[ignore = \"slow\"]", "1: a test that does not run");
    catches(every_test_runs, "src/app.rs", "#[cfg_attr(unix, ignore)]", "1: a test that does not run");
    permits(every_test_runs, "src/app.rs", "fn ignore(a: u8) { [a].ignore(); }");
}

#[test]
fn tests_wait_without_sleeping() {
    holds(no_test_sleeps);
}

#[test]
fn a_test_that_sleeps_is_found() {
    const FAULT: &str = "1: a test that sleeps: wait for what it waits for";
    catches(no_test_sleeps, "tests/api/a.rs", "fn a() { std::thread::sleep(b) }", FAULT);
    catches(no_test_sleeps, "tests/api/a.rs", "use tokio::time::{sleep as doze, timeout};", FAULT);
    catches(no_test_sleeps, "src/infrastructure/config/tests.rs", "use tokio::time::sleep_until;", FAULT);
    catches(no_test_sleeps, "src/app.rs", "mod tests { async fn a() { time::sleep(b).await } }", FAULT);
    permits(no_test_sleeps, "src/app.rs", "use tokio::time::sleep; mod tests {}");
    permits(no_test_sleeps, "tests/api/a.rs", "use tokio::time::{interval, timeout};");
}

#[test]
fn every_exception_from_a_lint_has_its_reason() {
    holds(every_exception_has_its_reason);
}

#[test]
fn an_exception_without_a_reason_is_found() {
    const FAULT: &str = "1: a lint is switched off without a reason";
    catches(every_exception_has_its_reason, "src/app.rs", "#[allow(dead_code)] fn reason() {}", FAULT);
    catches(every_exception_has_its_reason, "src/app.rs", "#![expect(clippy::panic)]", FAULT);
    catches(every_exception_has_its_reason, "src/app.rs", "#[cfg_attr(test, allow(dead_code))]", FAULT);
    permits(every_exception_has_its_reason, "src/app.rs", "#[allow(dead_code, reason = \"b\")]");
    permits(every_exception_has_its_reason, "src/app.rs", "fn a() { b.expect(\"c\"); }");
}

#[test]
fn no_code_is_unsafe() {
    holds(nothing_is_unsafe);
}

#[test]
fn unsafe_code_is_found() {
    catches(nothing_is_unsafe, "fuzz/a.rs", "fn a() { unsafe { b() } }", "1: unsafe code");
    permits(nothing_is_unsafe, "src/app.rs", "#![forbid(unsafe_code)] // unsafe");
}

#[test]
fn only_the_command_line_prints() {
    holds(the_command_line_alone_prints);
}

#[test]
fn printing_outside_of_the_command_line_is_found() {
    for call in PRINTING {
        let text = format!("fn a() {{ {call}!(\"b\") }}");
        catches(the_command_line_alone_prints, "src/app.rs", &text, &format!("1: {call}! outside of cli"));
        for path in ["src/main.rs", "src/cli.rs", "src/cli/key.rs", "build.rs", "tests/api/main.rs"] {
            permits(the_command_line_alone_prints, path, &text);
        }
    }
}
