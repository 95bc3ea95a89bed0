//! Numbers, sizes and lengths of time, each from a least to a most.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr, thread, time::Duration};

use super::{Format, Shape};

/// A whole number.
pub(in super::super) struct Count<T>(pub(in super::super) RangeInclusive<T>);

/// A number of bytes, with `KiB` or `MiB` or without.
pub(in super::super) struct Size(pub(in super::super) RangeInclusive<usize>);

/// A length of time with its unit: `30s`, `1h 30m`.
pub(in super::super) struct Span(pub(in super::super) RangeInclusive<Duration>);

/// How many readers the pool has, or `auto` for two a core.
pub(in super::super) struct Readers(pub(in super::super) RangeInclusive<u32>);

/// Bytes in a `KiB`.
pub(in super::super) const KIB: usize = 1024;
/// Bytes in a `MiB`.
pub(in super::super) const MIB: usize = 1024 * KIB;

impl<T: Display + Copy> Shape for Count<T> {
    fn placeholder(&self) -> String {
        "NUMBER".to_owned()
    }

    fn limits(&self) -> Option<String> {
        Some(limits(&self.0, |number| number.to_string()))
    }
}

impl<T: FromStr + PartialOrd + Display + Copy> Format for Count<T> {
    type Value = T;

    fn read(&self, text: &str) -> Result<T, String> {
        let number = text.parse().ok().filter(|number| self.0.contains(number));
        number.ok_or_else(|| format!("is not a whole number within {}", limits(&self.0, |number| number.to_string())))
    }
}

impl Shape for Size {
    fn placeholder(&self) -> String {
        "SIZE".to_owned()
    }

    fn limits(&self) -> Option<String> {
        Some(limits(&self.0, write_size))
    }
}

impl Format for Size {
    type Value = usize;

    fn read(&self, text: &str) -> Result<usize, String> {
        let size = read_size(text).filter(|size| self.0.contains(size));
        size.ok_or_else(|| {
            let limits = limits(&self.0, write_size);
            format!("is not a size in bytes within {limits}, such as 65536 or 64KiB")
        })
    }
}

impl Shape for Span {
    fn placeholder(&self) -> String {
        "DURATION".to_owned()
    }

    fn limits(&self) -> Option<String> {
        Some(limits(&self.0, write_span))
    }
}

impl Format for Span {
    type Value = Duration;

    fn read(&self, text: &str) -> Result<Duration, String> {
        let span = humantime::parse_duration(text).ok().filter(|span| self.0.contains(span));
        span.ok_or_else(|| {
            let limits = limits(&self.0, write_span);
            format!("is not a duration within {limits}, such as 500ms, 30s or 24h")
        })
    }
}

impl Shape for Readers {
    fn placeholder(&self) -> String {
        "NUMBER|auto".to_owned()
    }

    fn limits(&self) -> Option<String> {
        Some(limits(&self.0, |number| number.to_string()))
    }
}

impl Format for Readers {
    type Value = u32;

    fn read(&self, text: &str) -> Result<u32, String> {
        if text == "auto" {
            let cores =
                thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX));
            return Ok(cores.saturating_mul(2).clamp(*self.0.start(), *self.0.end()));
        }
        Count(self.0.clone()).read(text).map_err(|fault| format!("{fault}, nor auto"))
    }
}

fn limits<T: Copy>(range: &RangeInclusive<T>, write: impl Fn(T) -> String) -> String {
    format!("{}–{}", write(*range.start()), write(*range.end()))
}

fn read_size(text: &str) -> Option<usize> {
    let (digits, unit) = match (text.strip_suffix("KiB"), text.strip_suffix("MiB")) {
        (Some(digits), _) => (digits, KIB),
        (_, Some(digits)) => (digits, MIB),
        (None, None) => (text, 1),
    };
    digits.trim_end().parse::<usize>().ok()?.checked_mul(unit)
}

fn write_size(bytes: usize) -> String {
    match bytes {
        MIB.. if bytes.is_multiple_of(MIB) => format!("{}MiB", bytes / MIB),
        KIB.. if bytes.is_multiple_of(KIB) => format!("{}KiB", bytes / KIB),
        _ => bytes.to_string(),
    }
}

fn write_span(span: Duration) -> String {
    humantime::format_duration(span).to_string()
}
