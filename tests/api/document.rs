//! The OpenAPI document: checked in, complete, and served with a page that needs nothing from elsewhere.

use std::collections::HashSet;

use rollbook::{
    domain::api_key::Scope,
    infrastructure::http::{document_json, document_yaml},
};
use serde_json::{Value, json};

use crate::harness::{Operation, Rollbook, document, operations};

/// The failures that any operation may give, by their statuses.
const ANYWHERE: [&str; 2] = ["500", "503"];

fn responses(operation: &Operation) -> impl Iterator<Item = (&'static str, &'static Value)> {
    operation.said["responses"].as_object().unwrap().iter().map(|(status, said)| (status.as_str(), said))
}

fn schema_at(reference: &Value) -> &'static Value {
    let path = reference["$ref"].as_str().unwrap().strip_prefix('#').unwrap();
    document().pointer(path).unwrap_or_else(|| panic!("{path} leads nowhere"))
}

#[test]
fn the_files_checked_in_are_what_the_program_says() {
    for (file, checked_in, said) in [
        ("openapi.json", include_str!("../../openapi/openapi.json"), document_json()),
        ("openapi.yaml --yaml", include_str!("../../openapi/openapi.yaml"), document_yaml()),
    ] {
        let (file, flag) = file.split_once(' ').unwrap_or((file, ""));
        assert!(
            checked_in == said,
            "openapi/{file} is out of date; run: cargo run --quiet -- openapi {flag} > openapi/{file}"
        );
    }
}

#[test]
fn both_forms_say_the_same() {
    let yaml: Value = serde_yaml::from_str(&document_yaml()).unwrap();
    assert_eq!(yaml, *document());
    assert_eq!(document()["openapi"], "3.0.3");
    assert_eq!(document()["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn every_operation_says_what_it_is_and_whom_it_needs() {
    let mut ids = HashSet::new();
    for operation in operations() {
        let said = operation.said;
        assert!(ids.insert(operation.id()) && !operation.id().is_empty(), "{operation:?}");
        assert_eq!(said["tags"].as_array().map(Vec::len), Some(1), "{}", operation.id());
        let summary = said["summary"].as_str().unwrap_or_default();
        assert!(!summary.is_empty() && !summary.ends_with('.'), "{}: {summary}", operation.id());
        let description = said["description"].as_str().unwrap();
        if let Some(scope) = said["x-scope"].as_str() {
            assert!(Scope::parse(scope).is_some(), "{scope}");
            assert!(description.contains(&format!("Needs the scope `{scope}`.")), "{description}");
            assert_eq!(said["security"], json!([{ "apiKey": [] }]), "{}", operation.id());
        } else {
            assert!(said.as_object().unwrap().contains_key("x-scope"), "{} makes no promise", operation.id());
            assert!(description.contains("Public: needs no key."), "{description}");
            assert_eq!(said["security"], json!([]), "{}", operation.id());
        }
        assert!(operation.template.starts_with("/api/"), "paths are whole: {}", operation.template);
    }
    assert_eq!(document().pointer("/components/securitySchemes/apiKey/scheme"), Some(&json!("bearer")));
}

#[test]
fn every_failure_is_declared_as_the_envelope_with_an_example_for_each_code() {
    for operation in operations() {
        let declared: Vec<_> = responses(&operation).map(|(status, _)| status).collect();
        for status in ANYWHERE {
            assert!(declared.contains(&status), "{} lacks {status}", operation.id());
        }
        let is_keyed = operation.said["x-scope"].is_string();
        for status in ["401", "403"] {
            assert_eq!(declared.contains(&status), is_keyed, "{} {status}", operation.id());
        }
        for (status, said) in responses(&operation).filter(|(status, _)| status.starts_with(['4', '5'])) {
            let place = format!("{} {status}", operation.id());
            let content = &said["content"]["application/json"];
            assert_eq!(content["schema"]["$ref"], "#/components/schemas/Error", "{place}");
            let examples = content["examples"].as_object().unwrap_or_else(|| panic!("{place} has no examples"));
            assert!(!examples.is_empty(), "{place}");
            for (code, example) in examples {
                assert_eq!(example["value"]["code"], *code, "{place}");
                assert!(said["description"].as_str().unwrap().contains(code), "{place} does not say when {code}");
            }
        }
    }
}

#[test]
fn every_reference_leads_to_a_schema() {
    fn follow(value: &Value, found: &mut usize) {
        match value {
            Value::Object(members) => {
                if members.get("$ref").is_some_and(Value::is_string) {
                    schema_at(value);
                    *found += 1;
                }
                members.values().for_each(|member| follow(member, found));
            }
            Value::Array(elements) => elements.iter().for_each(|element| follow(element, found)),
            _ => {}
        }
    }
    let mut found = 0;
    follow(document(), &mut found);
    assert!(found > operations().count());
}

#[test]
fn what_is_sent_in_may_have_no_further_fields_and_what_is_sent_out_has_all() {
    for operation in operations() {
        if let Some(schema) = operation.said.pointer("/requestBody/content/application~1json/schema") {
            assert_eq!(schema_at(schema)["additionalProperties"], false, "{}", operation.id());
            assert_eq!(operation.said["requestBody"]["required"], true, "{}", operation.id());
            assert!(schema_at(schema)["example"].is_object(), "{} has no example", operation.id());
        }
    }
    let wanted = &document().pointer("/components/schemas/NewCustomer").unwrap()["properties"];
    for (field, nullable) in [("external_id", json!(true)), ("locale", json!(true)), ("metadata", Value::Null)] {
        assert_eq!(wanted[field]["nullable"], nullable, "{field}");
    }
    let customer = document().pointer("/components/schemas/Customer").unwrap();
    let fields: Vec<_> = customer["properties"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(customer["required"], json!(fields));
    for (field, nullable) in [("verified_at", json!(true)), ("locale", json!(true)), ("email", Value::Null)] {
        assert_eq!(customer["properties"][field]["nullable"], nullable, "{field}");
    }
}

#[tokio::test]
async fn the_document_is_served_to_anybody() {
    let rollbook = Rollbook::start().await;
    for (path, media_type, text) in [
        ("/openapi.json", "application/json; charset=utf-8", document_json()),
        ("/openapi.yaml", "application/yaml; charset=utf-8", document_yaml()),
    ] {
        let answer = rollbook.without_key(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(media_type)));
        assert!(answer.text == text, "{path} serves something else");
    }
}

#[tokio::test]
async fn the_page_of_the_document_works_offline() {
    let rollbook = Rollbook::start().await;
    let page = rollbook.without_key("/docs").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    for operation in operations() {
        assert!(page.text.contains(&format!("\"operationId\":\"{}\"", operation.id())), "{}", operation.id());
    }
    let tags: Vec<_> =
        page.text.split('<').filter(|tag| is_loader(tag)).map(|tag| tag.split('>').next().unwrap()).collect();
    assert!(!tags.is_empty());
    for tag in tags {
        let elsewhere = ["src=\"http", "href=\"http", "src=\"//", "href=\"//", "src='", "href='"];
        assert!(!elsewhere.iter().any(|start| tag.contains(start)), "<{tag}>");
    }
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("connect-src 'self'"), "{policy}");
    assert!(!policy.contains("http") && !policy.contains('*') && !policy.contains("unsafe-eval"), "{policy}");
}

/// Elements that make a browser load something.
fn is_loader(tag: &str) -> bool {
    ["script", "link", "img", "iframe", "object", "embed", "source"]
        .iter()
        .any(|name| tag.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '>'])))
}
