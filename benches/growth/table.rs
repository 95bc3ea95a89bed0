//! The table of what was measured: a row for each operation, a column for each size.

use std::fmt;

/// What was measured of one thing at one size.
pub struct Figure {
    what: &'static str,
    /// None where this machine cannot tell.
    amount: Option<f64>,
}

impl Figure {
    pub const fn of(what: &'static str, amount: f64) -> Self {
        Self { what, amount: Some(amount) }
    }

    pub const fn if_any(what: &'static str, amount: Option<f64>) -> Self {
        Self { what, amount }
    }
}

/// Sizes with their figures, the same at each size and in the same order.
#[derive(Default)]
pub struct Table {
    columns: Vec<(u64, Vec<Figure>)>,
}

impl Table {
    pub fn add(&mut self, size: u64, figures: Vec<Figure>) {
        self.columns.push((size, figures));
    }

    fn row(&self, at: usize) -> impl Iterator<Item = &Figure> {
        self.columns.iter().filter_map(move |(_, figures)| figures.get(at))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [(_, first), ..] = self.columns.as_slice() else { return Ok(()) };
        let widest = first.iter().map(|figure| figure.what.chars().count()).max().unwrap_or_default();
        write!(f, "{:widest$}", "customers")?;
        for (size, _) in &self.columns {
            write!(f, " {:>11}", grouped(*size))?;
        }
        writeln!(f, " {:>9}", "last/first")?;
        for (at, Figure { what, .. }) in first.iter().enumerate() {
            write!(f, "{what:widest$}")?;
            for figure in self.row(at) {
                write!(f, " {:>11}", readable(figure.amount))?;
            }
            writeln!(f, " {:>9}", readable(ratio(self.row(at))))?;
        }
        Ok(())
    }
}

/// How many times the first amount the last one is.
fn ratio<'a>(row: impl Iterator<Item = &'a Figure>) -> Option<f64> {
    let amounts: Vec<_> = row.map(|figure| figure.amount).collect();
    match amounts.as_slice() {
        [Some(first), .., Some(last)] => Some(last / first),
        _ => None,
    }
}

/// With three digits, more or less.
fn readable(amount: Option<f64>) -> String {
    let Some(amount) = amount else { return "n/a".to_owned() };
    let decimals = if amount < 10.0 { 2 } else { usize::from(amount < 100.0) };
    format!("{amount:.decimals$}")
}

/// A number with its thousands apart: 10,000.
pub fn grouped(number: u64) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", grouped(number / 1_000), number % 1_000) }
}
