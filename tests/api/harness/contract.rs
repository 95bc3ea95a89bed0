//! Every answer of every test is held against the document: its status is declared for its operation, and its body has
//! just the properties of its schema.

use std::sync::LazyLock;

use reqwest::Method;
use serde_json::{Map, Value};

use super::Answer;

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&rollbook::infrastructure::http::document_json()).unwrap());

/// The document as it is served.
pub fn document() -> &'static Value {
    &DOCUMENT
}

/// One operation of the document.
#[derive(Debug)]
pub struct Operation {
    pub method: Method,
    /// Such as `/api/customers/{id}`.
    pub template: &'static str,
    /// What the document says of it.
    pub said: &'static Value,
}

impl Operation {
    /// The path with an id that nobody has, if it takes one.
    pub fn path(&self) -> String {
        self.template.replace("{id}", "019ab697-e800-7000-8a5c-3d1f9b20c7e4")
    }

    pub fn id(&self) -> &'static str {
        self.said["operationId"].as_str().unwrap_or_default()
    }
}

/// Every operation of the document.
pub fn operations() -> impl Iterator<Item = Operation> {
    document()["paths"].as_object().unwrap().iter().flat_map(|(template, operations)| {
        operations.as_object().unwrap().iter().map(move |(method, said)| Operation {
            method: method.to_uppercase().parse().unwrap(),
            template,
            said,
        })
    })
}

/// Fails the test if the document does not tell of such an answer. What is no operation of the document passes.
pub fn check(method: &Method, path: &str, answer: &Answer) {
    let Some(operation) = operation(method, path) else { return };
    let responses = &operation["responses"];
    let said = &responses[answer.status.to_string()];
    assert!(
        !said.is_null(),
        "{method} {path} answered {}, which the document does not declare: {answer:?}",
        answer.status
    );
    if let Some(schema) = said.pointer("/content/application~1json/schema") {
        matches(schema, &answer.json(), &format!("{method} {path} {}", answer.status));
    } else {
        assert_eq!(answer.text, "", "{method} {path} {} has no body in the document", answer.status);
    }
}

fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let path = path.split('?').next().unwrap();
    let paths = document()["paths"].as_object().unwrap();
    let (_, operations) = paths.iter().find(|(template, _)| fits(template, path))?;
    operations.get(method.as_str().to_lowercase())
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len() && template.iter().zip(path).all(|(t, p)| t.starts_with('{') || *t == p)
}

/// A small part of JSON Schema: as much as our document uses.
fn matches(schema: &Value, value: &Value, place: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        return matches(document().pointer(&reference[1..]).unwrap(), value, place);
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for part in parts {
            let part = part["$ref"].as_str().map_or(part, |reference| document().pointer(&reference[1..]).unwrap());
            properties.extend(part["properties"].as_object().cloned().unwrap_or_default());
            required.extend(part["required"].as_array().cloned().unwrap_or_default());
        }
        let whole = serde_json::json!({ "type": "object", "properties": properties, "required": required });
        return matches(&whole, value, place);
    }
    if value.is_null() {
        assert_eq!(schema["nullable"], true, "{place} is null");
        return;
    }
    match schema["type"].as_str().unwrap() {
        "object" => matches_object(schema, value, place),
        "array" => value.as_array().unwrap().iter().for_each(|item| matches(&schema["items"], item, place)),
        "string" => assert!(value.is_string(), "{place} is no string: {value}"),
        "integer" => assert!(value.is_u64(), "{place} is no integer: {value}"),
        "boolean" => assert!(value.is_boolean(), "{place} is no boolean: {value}"),
        other => panic!("{place} has the type {other}, which this test does not know"),
    }
    if let Some(values) = schema["enum"].as_array() {
        assert!(values.contains(value), "{place} is {value}");
    }
}

fn matches_object(schema: &Value, value: &Value, place: &str) {
    let object = value.as_object().unwrap_or_else(|| panic!("{place} is no object: {value}"));
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(object.contains_key(name.as_str().unwrap()), "{place} lacks {name}");
    }
    for (name, value) in object {
        let property = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
        let property = property.unwrap_or_else(|| panic!("{place} has {name}, which the document does not know"));
        matches(property, value, &format!("{place} {name}"));
    }
}
