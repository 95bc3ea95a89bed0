//! JSON read strictly: one value, no name twice, neither deep nor wide, nothing converted.

use std::fmt;

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};

/// How deep arrays and objects may be nested.
const MOST_DEPTH: u32 = 8;
/// How many members and elements a whole body may have.
const MOST_MEMBERS: u32 = 128;

/// A JSON value as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Json {
    Null,
    Bool,
    Number,
    Text(String),
    List,
    Object(Vec<(String, Json)>),
}

impl Json {
    /// What the value is, for people.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::Text(_) => "a string",
            Self::List => "a list",
            Self::Object(_) => "an object",
        }
    }
}

/// Reads one value and nothing behind it (RFC 8259).
///
/// # Errors
/// What is wrong, where, as a sentence for people.
pub(super) fn read(bytes: &[u8]) -> Result<Json, String> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let mut members = 0;
    let seed = Strict { depth: 0, members: &mut members };
    let value = seed.deserialize(&mut deserializer).map_err(|error| sentence(&error))?;
    deserializer.end().map_err(|error| sentence(&error))?;
    Ok(value)
}

fn sentence(error: &serde_json::Error) -> String {
    format!("The body is no JSON that is taken here: {error}")
}

struct Strict<'count> {
    depth: u32,
    members: &'count mut u32,
}

impl Strict<'_> {
    fn enter<E: de::Error>(&self) -> Result<u32, E> {
        if self.depth == MOST_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {MOST_DEPTH}")));
        }
        Ok(self.depth + 1)
    }

    fn count<E: de::Error>(&mut self) -> Result<(), E> {
        *self.members += 1;
        if *self.members > MOST_MEMBERS {
            return Err(E::custom(format_args!("more than {MOST_MEMBERS} members")));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Bool)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Json, A::Error> {
        let depth = self.enter()?;
        while elements.next_element_seed(Strict { depth, members: self.members })?.is_some() {
            self.count()?;
        }
        Ok(Json::List)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Json, A::Error> {
        let depth = self.enter()?;
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            self.count()?;
            // RFC 8259, section 4 leaves it open which of two would count; a request must not mean two things.
            if members.iter().any(|(seen, _)| *seen == name) {
                return Err(de::Error::custom(format_args!("the name {name:?} stands twice")));
            }
            let value = map.next_value_seed(Strict { depth, members: self.members })?;
            members.push((name, value));
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_json_is_read() {
        let value = read(br#" {"a": "x", "b": null, "c": {"d": [1, true]}} "#).unwrap();
        let Json::Object(members) = value else { panic!("no object") };
        assert_eq!(members[0], ("a".to_owned(), Json::Text("x".to_owned())));
        assert_eq!(members[1].1, Json::Null);
        assert_eq!(members[2].1, Json::Object(vec![("d".to_owned(), Json::List)]));
    }

    #[test]
    fn what_could_be_read_in_two_ways_or_costs_too_much_is_refused() {
        let deep = format!("{}{}", "[".repeat(9), "]".repeat(9));
        let wide = format!("[{}]", vec!["1"; 129].join(","));
        for (body, word) in [
            (r#"{"a":1,"a":2}"#, "twice"),
            (r#"{"a":1,"\u0061":2}"#, "twice"),
            (r#"{"o":{"a":1,"a":2}}"#, "twice"),
            ("{} {}", "trailing"),
            ("", "EOF"),
            ("{", "EOF"),
            ("\u{feff}{}", "expected value"),
            (r#"{"a":"\ud800"}"#, "hex escape"),
            (r#"{"a":"\udc00 "}"#, "lone"),
            ("{\"a\":\"\u{0}\"}", "control character"),
            (&deep, "deeper"),
            (&wide, "128"),
        ] {
            let error = read(body.as_bytes()).unwrap_err();
            assert!(error.contains(word), "{body}: {error}");
        }
        assert!(read(b"{\"a\":\"\xff\"}").is_err(), "not UTF-8");
    }
}
