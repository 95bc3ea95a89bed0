//! Failures: whoever finds one, it leaves as the envelope, with the status and the headers that go with it.

mod bodies;
mod fields;
mod ours;
mod queries;
mod routes;
mod store;

use crate::harness::Answer;

/// Holds a failure against its envelope: just `code` and `message`, and `details` only where fields are at fault.
#[track_caller]
pub fn assert_failure(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"), "{answer:?}");
    let envelope = answer.json();
    assert!(envelope["message"].as_str().is_some_and(|message| !message.is_empty()), "{answer:?}");
    let names: Vec<_> = envelope.as_object().unwrap().keys().map(String::as_str).collect();
    let expected: &[&str] =
        if answer.fields().is_empty() { &["code", "message"] } else { &["code", "message", "details"] };
    assert_eq!(names, expected, "{answer:?}");
}
