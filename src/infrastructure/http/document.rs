//! The OpenAPI document: what poem-openapi writes, completed with what it cannot say.

use std::collections::BTreeMap;

use poem_openapi::{LicenseObject, OpenApiService};
use serde_json::{Map, Value, json};

use super::{
    Apis,
    failure::Code,
    key::SCHEME,
    promises::{PROMISES, Promise, illustration},
};
use crate::domain::{api_key::Scope, metadata::Metadata};

/// The schemas of requests: they refuse what they do not know.
const REQUEST_SCHEMAS: [&str; 2] = ["NewCustomer", "MailedToken"];

/// The API as a service of poem-openapi.
pub(super) fn service() -> OpenApiService<Apis, ()> {
    OpenApiService::new(super::APIS, "Rollbook", env!("CARGO_PKG_VERSION"))
        .description(
            "The customer registry with verified e-mail that a small team runs itself. Every path under `/api` needs \
             `Authorization: Bearer rb_…` unless it is public; `rollbook key create` makes keys. Every failure is the \
             same envelope: `code` for programs, `message` for people, `details` for fields.",
        )
        .license(LicenseObject::new("MIT OR Apache-2.0"))
}

/// The whole document.
#[must_use]
pub(super) fn document() -> Value {
    let raw = service().spec();
    let mut document: Value = serde_json::from_str(&raw).unwrap_or_default();
    // poem-openapi writes 3.0.0 and nothing that a later 3.0 does not know.
    set(&mut document, "openapi", json!("3.0.3"));
    each_operation(&mut document, complete_operation);
    each_schema(&mut document, |name, schema| {
        if REQUEST_SCHEMAS.contains(&name) {
            set(schema, "additionalProperties", json!(false));
            say_null_for_none(schema);
        } else {
            say_null(schema);
        }
    });
    document
}

fn set(value: &mut Value, key: &str, to: Value) {
    if let Some(object) = value.as_object_mut() {
        object.insert(key.to_owned(), to);
    }
}

fn each_operation(document: &mut Value, mut change: impl FnMut(&mut Map<String, Value>)) {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for path in paths.into_iter().flatten() {
        for (_, operation) in path.1.as_object_mut().into_iter().flatten() {
            if let Some(operation) = operation.as_object_mut() {
                change(operation);
            }
        }
    }
}

fn each_schema(document: &mut Value, mut change: impl FnMut(&str, &mut Value)) {
    let schemas = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut);
    for (name, schema) in schemas.into_iter().flatten() {
        change(name, schema);
    }
}

fn complete_operation(operation: &mut Map<String, Value>) {
    let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default();
    let Some(promise) = PROMISES.iter().find(|promise| promise.operation == id) else { return };
    if let Some(parameters) = operation.get_mut("parameters").and_then(Value::as_array_mut) {
        parameters.iter_mut().for_each(without_example);
        if promise.operation == "list_customers" {
            parameters.push(notes());
        }
    }
    let scope = promise.scope.map_or("Public: needs no key.".to_owned(), |scope| format!("Needs the scope `{scope}`."));
    let description = operation.get("description").and_then(Value::as_str).unwrap_or_default();
    let description =
        [description, &scope].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n");
    operation.insert("description".to_owned(), json!(description));
    operation.insert("x-scope".to_owned(), json!(promise.scope.map(Scope::as_str)));
    if promise.scope.is_none() {
        operation.insert("security".to_owned(), json!([]));
    } else {
        operation.insert("security".to_owned(), json!([{ SCHEME: [] }]));
    }
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    if let Some(responses) = responses.as_object_mut() {
        responses.values_mut().for_each(complete_headers);
        responses.extend(failures(promise));
    }
}

/// An example of a parameter would be filled in where the API is tried out, and sent.
fn without_example(parameter: &mut Value) {
    if let Some(schema) = parameter.get_mut("schema").and_then(Value::as_object_mut) {
        schema.remove("example");
    }
}

/// `metadata[key]=value`, a parameter of many names, which poem-openapi has no words for.
fn notes() -> Value {
    json!({
        "name": "metadata",
        "in": "query",
        "style": "deepObject",
        "explode": true,
        "description": "Those with all of these notes, each as `metadata[key]=value`.",
        "schema": {
            "type": "object",
            "maxProperties": Metadata::MOST_KEYS,
            "additionalProperties": { "type": "string" },
        },
        // Else something is made up, filled in and sent, see above.
        "example": {},
        "required": false,
        "deprecated": false,
    })
}

/// Header names as they are written, and the one that every answer has.
fn complete_headers(response: &mut Value) {
    let headers = response.get("headers").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut named: Map<String, Value> = headers.into_iter().map(|(name, header)| (written(&name), header)).collect();
    named.insert("X-Request-Id".to_owned(), header("Names this request in the log."));
    set(response, "headers", Value::Object(named));
}

fn written(name: &str) -> String {
    match name {
        "ETAG" => "ETag".to_owned(),
        "LOCATION" => "Location".to_owned(),
        other => other.to_owned(),
    }
}

fn header(description: &str) -> Value {
    json!({ "description": description, "schema": { "type": "string" } })
}

/// The failures of an operation by status, each with an example for each code.
fn failures(promise: &Promise) -> Map<String, Value> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for &code in promise.failures.iter().copied().flatten() {
        by_status.entry(code.word_and_status().1.as_u16()).or_default().push(code);
    }
    by_status.into_iter().map(|(status, codes)| (status.to_string(), failure(status, &codes))).collect()
}

fn failure(status: u16, codes: &[Code]) -> Value {
    let lines: Vec<String> =
        codes.iter().map(|code| format!("`{}`: {}", code.word_and_status().0, illustration(*code).when)).collect();
    let examples: Map<String, Value> =
        codes.iter().map(|&code| (code.word_and_status().0.to_owned(), json!({ "value": example(code) }))).collect();
    let mut headers = json!({ "X-Request-Id": header("Names this request in the log.") });
    match status {
        401 => set(&mut headers, "WWW-Authenticate", header("The scheme that is asked for.")),
        409 if codes.contains(&Code::EmailTaken) => {
            set(&mut headers, "Location", header("Where the customer is that has it, if the key may read."));
        }
        429 | 503 => set(&mut headers, "Retry-After", header("Seconds to wait before the next try.")),
        _ => {}
    }
    json!({
        "description": lines.join("\n\n"),
        "headers": headers,
        "content": {
            "application/json": { "schema": { "$ref": "#/components/schemas/Error" }, "examples": examples }
        }
    })
}

fn example(code: Code) -> Value {
    let illustration = illustration(code);
    let mut example = json!({ "code": code.word_and_status().0, "message": illustration.message });
    if let Some((field, message)) = illustration.detail {
        set(&mut example, "details", json!([{ "field": field, "message": message }]));
    }
    example
}

/// In requests a text that may be left out may be null as well: an answer, sent back, shows it so.
fn say_null_for_none(schema: &mut Value) {
    let required = required(schema);
    for (name, property) in properties(schema) {
        if !required.contains(name) && property.get("type") == Some(&json!("string")) {
            set(property, "nullable", json!(true));
        }
    }
}

/// In answers every field is there; what poem-openapi leaves out of `required` may be null. Only the envelope's details
/// are truly left out.
fn say_null(schema: &mut Value) {
    let required = required(schema);
    let mut all = Vec::new();
    for (name, property) in properties(schema) {
        if name == "details" {
            continue;
        }
        if !required.contains(name) {
            set(property, "nullable", json!(true));
        }
        all.push(name.clone());
    }
    if !all.is_empty() {
        set(schema, "required", json!(all));
    }
}

fn required(schema: &Value) -> Vec<String> {
    let names = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

fn properties(schema: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    properties.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_makes_a_promise_and_every_promise_is_an_operations() {
        let mut operations = Vec::new();
        each_operation(&mut document(), |operation| operations.push(operation["operationId"].clone()));
        let mut promises: Vec<Value> = PROMISES.iter().map(|promise| json!(promise.operation)).collect();
        operations.sort_by_key(Value::to_string);
        promises.sort_by_key(Value::to_string);
        assert_eq!(operations, promises);
    }
}
