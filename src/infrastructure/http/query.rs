//! The parameters of a query string, judged all at once like the fields of a body.

use std::{borrow::Cow, collections::BTreeMap, fmt::Display, marker::PhantomData};

use jiff::{Timestamp, civil::date, fmt::temporal::Pieces};
use poem::{Request, RequestBody};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaParamIn, MetaSchema, MetaSchemaRef, Registry},
    types::Type,
};

use super::failure::{Detail, Failure};
use crate::domain::token::{List, MacKey};

/// What a query string holds, and what was found wrong with it so far.
pub(super) struct Parameters {
    values: BTreeMap<String, String>,
    details: Vec<Detail>,
}

impl Parameters {
    #[expect(clippy::map_entry, reason = "an entry would hold the map while the refusal is written")]
    pub(super) fn of(request: &Request) -> Self {
        let pairs: Vec<(String, String)> = request.params().unwrap_or_default();
        let mut parameters = Self { values: BTreeMap::new(), details: Vec::new() };
        for (name, value) in pairs {
            if parameters.values.contains_key(&name) {
                parameters.refuse(&name, "must not be given twice");
            } else {
                parameters.values.insert(name, value);
            }
        }
        parameters
    }

    /// A parameter that may be left out.
    pub(super) fn parse<T, E: Display>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let value = self.values.remove(name)?;
        match parse(&value) {
            Ok(value) => Some(value),
            Err(error) => {
                self.refuse(name, error.to_string());
                None
            }
        }
    }

    /// A whole number within bounds that may be left out.
    pub(super) fn whole(&mut self, name: &str, least: u32, most: u32) -> Option<u32> {
        self.parse(name, |text| {
            let number = text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
            number
                .filter(|number| (least..=most).contains(number))
                .ok_or_else(|| format!("must be a whole number from {least} to {most}"))
        })
    }

    /// A yes or no that may be left out.
    pub(super) fn yes_or_no(&mut self, name: &str) -> Option<bool> {
        self.parse(name, |text| text.parse().map_err(|_| "must be true or false"))
    }

    /// A moment in RFC 3339 that may be left out.
    pub(super) fn moment(&mut self, name: &str) -> Option<Timestamp> {
        self.parse(name, |text| moment(text).ok_or("must be a moment such as 2026-01-31T12:00:00Z"))
    }

    /// The row to go on behind, in this list.
    pub(super) fn cursor(&mut self, key: &MacKey, list: List) -> Option<u64> {
        self.parse("cursor", |cursor| {
            key.row_of(list, cursor).ok_or("must be the next_cursor of a page of this list, in the same order")
        })
    }

    /// Parameters of the form `name[key]=value`, by their keys, of which there may be so many.
    pub(super) fn bracketed(&mut self, name: &str, most: usize) -> Vec<(String, String)> {
        let key_of = |full: &str| Some(full.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?.to_owned());
        let found: Vec<_> = self.values.keys().filter_map(|full| Some((full.clone(), key_of(full)?))).collect();
        if found.len() > most {
            self.refuse(name, format!("may be given for at most {most} keys"));
        }
        found.into_iter().filter_map(|(full, key)| Some((key, self.values.remove(&full)?))).collect()
    }

    /// Everything found wrong, parameters that nobody asked for included.
    pub(super) fn done(mut self) -> Result<(), Failure> {
        for name in std::mem::take(&mut self.values).into_keys() {
            self.refuse(&name, "is not a known parameter");
        }
        if self.details.is_empty() { Ok(()) } else { Err(Failure::validation(self.details)) }
    }

    /// One detail a field: the first.
    fn refuse(&mut self, field: &str, message: impl Into<String>) {
        if !self.details.iter().any(|detail| detail.field == field) {
            self.details.push(Detail { field: field.to_owned(), message: message.into() });
        }
    }
}

/// A moment in RFC 3339 (section 5.6). The last day of the year 9999, which many give for "ever", ends a little too late
/// for [`Timestamp`]: it stands for the last moment there is.
fn moment(text: &str) -> Option<Timestamp> {
    if !is_rfc3339(text) {
        return None;
    }
    let is_ever = |pieces: &Pieces<'_>| pieces.date() >= date(9999, 12, 30);
    text.parse().ok().or_else(|| Pieces::parse(text).ok().filter(is_ever).map(|_| Timestamp::MAX))
}

/// Whether a text has the form of `date-time`. Of ISO 8601 jiff takes more: no seconds, a comma before a fraction, a zone.
fn is_rfc3339(text: &str) -> bool {
    const LOCAL: &str = "0000-00-00T00:00:00";
    let is_digit = |c: char| c.is_ascii_digit();
    let Some((local, rest)) = text.split_at_checked(LOCAL.len()) else { return false };
    let offset = match rest.strip_prefix('.') {
        Some(fraction) if fraction.starts_with(is_digit) => fraction.trim_start_matches(is_digit),
        _ => rest,
    };
    fits(local, LOCAL) && ["Z", "+00:00", "-00:00"].iter().any(|form| fits(offset, form))
}

/// Whether a text has a digit for each zero of a form, and else what the form has, in either case.
fn fits(text: &str, form: &str) -> bool {
    let one =
        |(byte, form): (u8, u8)| if form == b'0' { byte.is_ascii_digit() } else { byte.eq_ignore_ascii_case(&form) };
    text.len() == form.len() && text.bytes().zip(form.bytes()).all(one)
}

/// A parameter that the document names and [`Parameters`] judges: nothing is read here.
pub(super) struct Documented<T>(PhantomData<T>);

impl<'a, T: Type> ApiExtractor<'a> for Documented<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    const PARAM_IS_REQUIRED: bool = T::IS_REQUIRED;

    type ParamType = T;
    type ParamRawType = T::RawValueType;

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Query)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(T::schema_ref())
    }

    async fn from_request(_: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<T>) -> poem::Result<Self> {
        Ok(Self(PhantomData))
    }
}

/// An operation that takes no parameters in its query says so: what was sent in the belief that it does something is
/// refused, not ignored.
pub(super) struct NoParameters;

impl<'a> ApiExtractor<'a> for NoParameters {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::PoemExtractor];

    type ParamType = ();
    type ParamRawType = ();

    async fn from_request(request: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        if request.uri().query().is_some() {
            Parameters::of(request).done()?;
        }
        Ok(Self)
    }
}

/// A type of the document for values that are [`Documented`] only.
macro_rules! documented {
    ($(#[$doc:meta])* $name:ident, $type:literal) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(super) struct $name;

        impl Type for $name {
            const IS_REQUIRED: bool = true;
            type RawValueType = i64;
            type RawElementValueType = i64;

            fn name() -> Cow<'static, str> {
                $type.into()
            }

            fn schema_ref() -> MetaSchemaRef {
                MetaSchemaRef::Inline(Box::new(MetaSchema::new($type)))
            }

            fn as_raw_value(&self) -> Option<&i64> {
                None
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a i64> + 'a> {
                Box::new(std::iter::empty())
            }
        }
    };
}

documented!(
    /// A whole number.
    Whole,
    "integer"
);
documented!(
    /// A yes or no.
    YesNo,
    "boolean"
);

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn a_moment_is_what_rfc_3339_says_and_no_more_of_iso_8601() {
        for good in [
            "2026-01-31T12:00:00Z",
            "2026-01-31t12:00:00.5z",
            "2026-01-31T12:00:00.123456789Z",
            "2026-01-31T12:00:00-08:00",
            "1969-12-31T23:59:60+01:00",
        ] {
            assert!(moment(good).is_some(), "{good}");
        }
        for bad in [
            "today",
            "",
            "2026-01-31",
            "2026-01-31T12:00:00",
            "2026-01-31T12:00Z",
            "20260131T120000Z",
            "2026-01-31T12:00:00,5Z",
            "2026-01-31T12:00:00.Z",
            "2026-01-31T12:00:00+1:00",
            "2026-01-31T12:00:00+0100",
            "2026-01-31T12:00:00Z[Europe/Paris]",
            "+002026-01-31T12:00:00Z",
            "2026-01-31 12:00:00Z",
            "2026-02-30T12:00:00Z",
            "2026-01-31T12:00:0\u{e9}Z",
        ] {
            assert_eq!(moment(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_day_at_the_end_of_time_is_a_moment_only_as_a_whole() {
        for whole in ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999999-12:00", "9999-12-30T23:00:00-02:00"] {
            assert_eq!(moment(whole), Some(jiff::Timestamp::MAX), "{whole}");
        }
        for part in ["9999-12-31", "9999-12-31T23:59:59", "9999-12-31Z", "9999-12-32T00:00:00Z", "9999-13-01T00:00:00Z"]
        {
            assert_eq!(moment(part), None, "{part}");
        }
    }
}
