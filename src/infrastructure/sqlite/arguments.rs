//! What SQLite hands to a function of ours, read in its order, each as what the domain calls it.

use std::ops::RangeInclusive;

use rusqlite::{
    functions::Context,
    types::{FromSqlError, FromSqlResult, ValueRef},
};

pub(super) struct Arguments<'row> {
    context: &'row Context<'row>,
    next: usize,
}

impl<'row> Arguments<'row> {
    pub(super) const fn of(context: &'row Context<'row>) -> Self {
        Self { context, next: 0 }
    }

    fn value(&mut self) -> ValueRef<'row> {
        let value = self.context.get_raw(self.next);
        self.next += 1;
        value
    }

    pub(super) fn integer(&mut self) -> FromSqlResult<i64> {
        self.value().as_i64()
    }

    pub(super) fn number<T: TryFrom<i64>>(&mut self) -> FromSqlResult<T> {
        let number = self.integer()?;
        number.try_into().map_err(|_| FromSqlError::OutOfRange(number))
    }

    pub(super) fn text(&mut self) -> FromSqlResult<&'row str> {
        self.value().as_str()
    }

    pub(super) fn text_if_any(&mut self) -> FromSqlResult<Option<&'row str>> {
        self.value().as_str_or_null()
    }

    /// In microseconds since 1970, of a year from 1 to 9999.
    pub(super) fn time(&mut self) -> FromSqlResult<i64> {
        time(self.integer()?)
    }

    pub(super) fn time_if_any(&mut self) -> FromSqlResult<Option<i64>> {
        self.value().as_i64_or_null()?.map(time).transpose()
    }

    pub(super) fn word<T>(&mut self, known: impl FnOnce(&str) -> Option<T>) -> FromSqlResult<T> {
        known(self.text()?).ok_or(FromSqlError::InvalidType)
    }
}

fn time(micros: i64) -> FromSqlResult<i64> {
    const YEARS: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_207_200_000_000;
    if YEARS.contains(&micros) { Ok(micros) } else { Err(FromSqlError::OutOfRange(micros)) }
}
