//! One of a few words.

use super::{Format, Shape};

/// Words, and what each stands for.
pub(in super::super) struct OneOf<T: 'static>(pub(in super::super) &'static [(&'static str, T)]);

/// `true` or `false`.
pub(in super::super) struct Switch;

impl<T> Shape for OneOf<T> {
    fn placeholder(&self) -> String {
        let words: Vec<&str> = self.0.iter().map(|(word, _)| *word).collect();
        words.join("|")
    }
}

impl<T: Copy> Format for OneOf<T> {
    type Value = T;

    fn read(&self, text: &str) -> Result<T, String> {
        let found = self.0.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value).ok_or_else(|| format!("is none of {}", self.placeholder()))
    }
}

impl Shape for Switch {
    fn placeholder(&self) -> String {
        "true|false".to_owned()
    }

    fn is_switch(&self) -> bool {
        true
    }
}

impl Format for Switch {
    type Value = bool;

    fn read(&self, text: &str) -> Result<bool, String> {
        text.parse().map_err(|_| "is neither true nor false".to_owned())
    }
}
