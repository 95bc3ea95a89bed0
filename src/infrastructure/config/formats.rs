//! How the text of a setting is read. A fault completes the sentence that the value begins: `"foo" is not a …`.

mod choices;
mod quantities;
mod texts;
mod wrappers;

pub(super) use choices::{OneOf, Switch};
pub(super) use quantities::{Count, KIB, MIB, Readers, Size, Span};
pub(super) use texts::{ADDRESS, BASE_URL, LOG_FILTER, ORIGIN, PATH, SECRET, SENDER, SMTP_URL};
pub(super) use wrappers::{Hidden, List, Maybe};

/// What the table knows of a format, whatever type it yields.
pub(super) trait Shape {
    /// What stands for the value in `--help`.
    fn placeholder(&self) -> String;

    /// The least and the most, where there are such.
    fn limits(&self) -> Option<String> {
        None
    }

    fn is_secret(&self) -> bool {
        false
    }

    fn is_switch(&self) -> bool {
        false
    }
}

/// Turns text into a value; the empty text stands for "none".
pub(super) trait Format: Shape {
    type Value;

    fn read(&self, text: &str) -> Result<Self::Value, String>;
}
