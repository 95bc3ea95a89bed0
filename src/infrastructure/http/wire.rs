//! Small types of the wire: ids, times and validators as they are written.

use std::borrow::Cow;

use jiff::Timestamp;
use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type},
};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::json_writer::Calendar;

/// A text with a format of its own in the schema. Values are made by the server or judged by the domain, so parsing
/// keeps whatever text came.
macro_rules! formatted_text {
    ($(#[$doc:meta])* $name:ident, $format:literal, $example:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        pub(super) struct $name(pub(super) String);

        impl Type for $name {
            const IS_REQUIRED: bool = true;
            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> Cow<'static, str> {
                concat!("string_", $format).into()
            }

            fn schema_ref() -> MetaSchemaRef {
                let mut schema = MetaSchema::new_with_format("string", $format);
                schema.example = Some(Value::String($example.to_owned()));
                MetaSchemaRef::Inline(Box::new(schema))
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
                Box::new(std::iter::once(self))
            }
        }

        impl ParseFromJSON for $name {
            fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
                match value {
                    Some(Value::String(text)) => Ok(Self(text)),
                    other => Err(ParseError::expected_type(other.unwrap_or_default())),
                }
            }
        }

        impl ParseFromParameter for $name {
            fn parse_from_parameter(text: &str) -> ParseResult<Self> {
                Ok(Self(text.to_owned()))
            }
        }

        impl ToJSON for $name {
            fn to_json(&self) -> Option<Value> {
                Some(Value::String(self.0.clone()))
            }
        }
    };
}

formatted_text!(
    /// A UUID, hyphenated and in lower case.
    Id,
    "uuid",
    "019ab697-e800-7000-8a5c-3d1f9b20c7e4"
);
formatted_text!(
    /// An e-mail address as its owner typed it.
    Email,
    "email",
    "ada@example.org"
);

formatted_text!(
    /// A moment as a parameter, judged where it is used.
    Moment,
    "date-time",
    "2026-01-31T12:00:00Z"
);

/// A moment in RFC 3339, in UTC, to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time(pub(super) Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer
            .serialize_str(str::from_utf8(&Calendar::default().rfc3339(self.0.as_microsecond())).unwrap_or_default())
    }
}

impl Type for Time {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "string_date-time".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        let mut schema = MetaSchema::new_with_format("string", "date-time");
        schema.example = Some(Value::String("2026-01-31T12:00:00.000000Z".to_owned()));
        MetaSchemaRef::Inline(Box::new(schema))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ParseFromJSON for Time {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        let text = value.unwrap_or_default();
        text.as_str().and_then(|text| text.parse().ok()).map(Self).ok_or_else(|| ParseError::expected_type(text))
    }
}

impl ToJSON for Time {
    fn to_json(&self) -> Option<Value> {
        serde_json::to_value(self).ok()
    }
}
