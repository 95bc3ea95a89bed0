//! The paths that code names, with `use` groups spelt out.

use super::rust::{Rust, Token, is_word};

/// A path as it is written: `crate::domain::text`, `std::env`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Path<'a> {
    pub(crate) steps: Vec<&'a str>,
    pub(crate) line: usize,
    /// The modules of this file around it, outermost first.
    pub(crate) inside: Vec<&'a str>,
}

impl<'a> Path<'a> {
    /// What it leads to, from the root of the crate, when it is written in this module; none if it does not say so.
    pub(crate) fn resolve(&self, module: &[&'a str]) -> Option<Vec<&'a str>> {
        let mut place = [module, &self.inside].concat();
        let mut steps = self.steps.iter().peekable();
        if !matches!(**steps.peek()?, "crate" | "self" | "super") {
            return None;
        }
        while let Some(step) = steps.next_if(|step| matches!(**step, "crate" | "self" | "super")) {
            match *step {
                "crate" => place.clear(),
                "super" => drop(place.pop()),
                _ => {}
            }
        }
        place.extend(steps);
        Some(place)
    }

    pub(crate) fn ends_with(&self, end: &[&str]) -> bool {
        self.steps.ends_with(end)
    }
}

/// Every path of two steps and more, and what a `use` names with one.
pub(crate) fn paths<'a>(rust: &Rust<'a>) -> Vec<Path<'a>> {
    let mut walk = Walk { code: &rust.code, at: 0, depth: 0, inside: Vec::new(), found: Vec::new() };
    while walk.at < walk.code.len() {
        walk.step();
    }
    walk.found
}

struct Walk<'t, 'a> {
    code: &'t [Token<'a>],
    at: usize,
    /// How many braces are open.
    depth: usize,
    /// The modules around, each with the depth at which it was opened.
    inside: Vec<(&'a str, usize)>,
    found: Vec<Path<'a>>,
}

impl<'a> Walk<'_, 'a> {
    fn step(&mut self) {
        match self.text(0) {
            "mod" if self.text(2) == "{" => {
                self.inside.push((self.text(1), self.depth));
                self.at += 2;
            }
            "{" => {
                self.depth += 1;
                self.at += 1;
            }
            "}" => {
                self.depth = self.depth.saturating_sub(1);
                self.inside.pop_if(|(_, depth)| *depth == self.depth);
                self.at += 1;
            }
            _ if self.begins_a_path() => self.branch(&[]),
            _ => self.at += 1,
        }
    }

    /// The token so many places further on; nothing past the ends.
    fn text(&self, further: isize) -> &'a str {
        self.at.checked_add_signed(further).and_then(|at| self.code.get(at)).map_or("", |token| token.text)
    }

    fn begins_a_path(&self) -> bool {
        let (before, word, after) = (self.text(-1), self.text(0), self.text(1));
        let goes_on = before == "::" && (self.text(-2) == ">" || is_name(self.text(-2)));
        is_name(word) && !goes_on && (after == "::" || matches!(before, "use" | "::"))
    }

    /// Reads a path, or every path of a group, that begins with these steps.
    fn branch(&mut self, above: &[&'a str]) {
        let Some(&Token { line, .. }) = self.code.get(self.at) else { return };
        let mut steps = above.to_vec();
        loop {
            match self.text(0) {
                "{" => return self.group(&steps),
                "self" if !steps.is_empty() => {}
                step if step == "*" || is_name(step) => steps.push(step),
                _ => break,
            }
            self.at += 1;
            if self.text(0) != "::" {
                break;
            }
            self.at += 1;
        }
        let inside = self.inside.iter().map(|(name, _)| *name).collect();
        self.found.push(Path { steps, line, inside });
    }

    fn group(&mut self, above: &[&'a str]) {
        self.at += 1;
        while !matches!(self.text(0), "}" | "") {
            self.branch(above);
            // Past `as name`, to the next of the group.
            while !matches!(self.text(0), "," | "}" | "") {
                self.at += 1;
            }
            if self.text(0) == "," {
                self.at += 1;
            }
        }
        self.at += 1;
    }
}

fn is_name(text: &str) -> bool {
    text != "use" && text.starts_with(|first: char| is_word(first) && !first.is_numeric())
}

fn written(source: &str) -> Vec<String> {
    paths(&Rust::read(source)).iter().map(|path| path.steps.join("::")).collect()
}

#[test]
fn groups_are_spelt_out() {
    let source = "use crate::{a::{self, b as c, d::*}, e};\nuse ::f;\npub use {g::h, i::J};";
    assert_eq!(written(source), ["crate::a", "crate::a::b", "crate::a::d::*", "crate::e", "f", "g::h", "i::J"]);
}

#[test]
fn paths_stand_anywhere_in_code() {
    let source = "#[a::b(c::D)] fn e(f: &g::H<i::J>) -> Vec<u8> { k::l!(m::<N>(o::p(), <q::R as S>::t::u)) }";
    let named = ["a::b", "c::D", "g::H", "i::J", "k::l", "m", "o::p", "q::R"];
    assert_eq!(written(source), named);
}

#[test]
fn paths_are_followed_from_the_module_they_stand_in() {
    let rust =
        Rust::read("use super::a; mod tests { use super::{super::b, c}; fn d() { crate::e::f(); } } use self::g;");
    let led_to: Vec<_> = paths(&rust).iter().map(|path| path.resolve(&["x", "y"]).unwrap().join("::")).collect();
    assert_eq!(led_to, ["x::a", "x::b", "x::y::c", "e::f", "x::y::g"]);
}
