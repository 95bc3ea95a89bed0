//! Formats around a format: many values, perhaps a value, a value that is never shown.

use std::ops::RangeInclusive;

use super::{Format, Shape};

/// Values between commas, as many as the range says.
pub(in super::super) struct List<F>(pub(in super::super) F, pub(in super::super) RangeInclusive<usize>);

/// A value or none.
pub(in super::super) struct Maybe<F>(pub(in super::super) F);

/// A value that is never shown.
pub(in super::super) struct Hidden<F>(pub(in super::super) F);

impl<F: Shape> Shape for List<F> {
    fn placeholder(&self) -> String {
        format!("{},…", self.0.placeholder())
    }

    fn limits(&self) -> Option<String> {
        let most = format!("at most {}", self.1.end());
        Some(match self.0.limits() {
            Some(limits) => format!("{most}, each {limits}"),
            None => most,
        })
    }
}

impl<F: Format> Format for List<F> {
    type Value = Vec<F::Value>;

    fn read(&self, text: &str) -> Result<Self::Value, String> {
        let items = text.split(',').map(str::trim).filter(|_| !text.is_empty());
        let values: Vec<_> = items
            .map(|item| self.0.read(item).map_err(|fault| format!("has {item:?}, which {fault}")))
            .collect::<Result<_, _>>()?;
        if self.1.contains(&values.len()) {
            Ok(values)
        } else {
            Err(format!("is not a list of {} to {} values with commas between", self.1.start(), self.1.end()))
        }
    }
}

impl<F: Shape> Shape for Maybe<F> {
    fn placeholder(&self) -> String {
        self.0.placeholder()
    }

    fn limits(&self) -> Option<String> {
        self.0.limits()
    }

    fn is_secret(&self) -> bool {
        self.0.is_secret()
    }
}

impl<F: Format> Format for Maybe<F> {
    type Value = Option<F::Value>;

    fn read(&self, text: &str) -> Result<Self::Value, String> {
        if text.is_empty() { Ok(None) } else { self.0.read(text).map(Some) }
    }
}

impl<F: Shape> Shape for Hidden<F> {
    fn placeholder(&self) -> String {
        self.0.placeholder()
    }

    fn is_secret(&self) -> bool {
        true
    }
}

impl<F: Format> Format for Hidden<F> {
    type Value = F::Value;

    fn read(&self, text: &str) -> Result<F::Value, String> {
        self.0.read(text)
    }
}
