//! The fields of a request, judged all at once: each bad one is named, once, with the first rule it breaks.

use std::{collections::BTreeMap, fmt::Display};

use super::{
    failure::{Detail, Failure},
    json::Json,
};

/// The members of a JSON object that have not been taken yet, and what was found wrong so far.
pub(super) struct Fields {
    members: Vec<(String, Json)>,
    details: Vec<Detail>,
}

impl Fields {
    /// The fields of a body that must be an object.
    pub(super) fn of(body: Json) -> Result<Self, Failure> {
        match body {
            Json::Object(members) => Ok(Self { members, details: Vec::new() }),
            other => Err(Failure::validation(vec![Detail {
                field: "body".to_owned(),
                message: format!("must be an object, not {}", other.kind()),
            }])),
        }
    }

    /// A text that must be there.
    pub(super) fn text<T, E: Display>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        match self.take(name) {
            None => self.refuse(name, "is required"),
            Some(Json::Text(text)) => self.judge(name, parse(&text)),
            Some(other) => self.refuse(name, format!("must be a string, not {}", other.kind())),
        }
    }

    /// A text that may be left out, or null. None outside means that it is wrong.
    #[expect(clippy::option_option, reason = "outside whether it is right, inside whether it is there")]
    pub(super) fn text_if_any<T, E: Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Option<T>> {
        match self.take(name) {
            None | Some(Json::Null) => Some(None),
            Some(Json::Text(text)) => self.judge(name, parse(&text)).map(Some),
            Some(other) => self.refuse(name, format!("must be a string or null, not {}", other.kind())),
        }
    }

    /// An object of texts that may be left out.
    #[expect(clippy::option_option, reason = "outside whether it is right, inside whether it is there")]
    pub(super) fn texts_if_any<T, E: Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(BTreeMap<String, String>) -> Result<T, E>,
    ) -> Option<Option<T>> {
        let members = match self.take(name) {
            None => return Some(None),
            Some(Json::Object(members)) => members,
            Some(other) => return self.refuse(name, format!("must be an object, not {}", other.kind())),
        };
        let mut texts = BTreeMap::new();
        for (key, value) in members {
            match value {
                Json::Text(text) => texts.insert(key, text),
                other => return self.refuse(name, format!("must have strings as values; {key:?} is {}", other.kind())),
            };
        }
        self.judge(name, parse(texts)).map(Some)
    }

    /// Everything found wrong, what nobody asked for included. An empty failure means that all is well.
    pub(super) fn done(mut self) -> Result<(), Failure> {
        let unknown =
            self.members.into_iter().map(|(field, _)| Detail { field, message: "is not a known field".to_owned() });
        self.details.extend(unknown);
        if self.details.is_empty() { Ok(()) } else { Err(Failure::validation(self.details)) }
    }

    fn take(&mut self, name: &str) -> Option<Json> {
        let place = self.members.iter().position(|(member, _)| member == name)?;
        Some(self.members.remove(place).1)
    }

    fn judge<T, E: Display>(&mut self, name: &str, judged: Result<T, E>) -> Option<T> {
        judged.map_or_else(|error| self.refuse(name, error.to_string()), Some)
    }

    fn refuse<T>(&mut self, field: &str, message: impl Into<String>) -> Option<T> {
        self.details.push(Detail { field: field.to_owned(), message: message.into() });
        None
    }
}
