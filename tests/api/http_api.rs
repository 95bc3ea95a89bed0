//! Mail by an HTTP e-mail API: what is posted, and what its answers mean.

use std::time::{Duration, Instant};

use rollbook::{
    application::ports::Mailer as _,
    domain::sender::Sender,
    domain::{
        email_address::EmailAddress,
        ids::MessageId,
        mail::{Mail, SendFault, Stage},
        secret::Secret,
    },
    infrastructure::mail::http_api::{HttpApi, HttpApiMailer, HttpApiSetupError},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api_peer::{ApiPeer, Then, header, response};

const KEY: &str = "key-0123456789abcdef";
const LONG: Duration = Duration::from_mins(1);
/// How long the tests wait for a silent server.
const SHORT: Duration = Duration::from_millis(300);

fn api(url: String) -> HttpApi {
    HttpApi {
        url,
        key: Secret::new(KEY.to_owned()),
        from: Sender::parse("Acme <hello@acme.example>").unwrap(),
        deadline: LONG,
    }
}

fn mail() -> Mail {
    Mail {
        id: MessageId::new(Uuid::from_u128(0x0195_5a3c_8b70_7c3e_9f00_0000_0000_0001)),
        to: EmailAddress::parse("Ada@b\u{fc}cher.example").unwrap(),
        date: "2026-03-01T12:00:00Z".parse().unwrap(),
        subject: "Confirm your e-mail address".to_owned(),
        text: "Hello,\n\nhttps://acme.example/verify?token=abc\n\n\"Gr\u{fc}\u{df}e\"\n".to_owned(),
        html: "<p>Hello</p>".to_owned(),
    }
}

async fn send(api: HttpApi) -> Result<(), SendFault> {
    HttpApiMailer::new(api).unwrap().send(&mail()).await
}

async fn fault(api: HttpApi) -> SendFault {
    send(api).await.expect_err("a fault")
}

fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test]
async fn a_mail_is_posted_with_its_four_fields_the_key_and_its_id() {
    let mut peer = ApiPeer::answering(200, "{}").await;
    send(api(format!("{}/v1", peer.url()))).await.unwrap();
    let request = peer.request().await;
    assert!(request.starts_with("POST /v1/send HTTP/1.1\r\n"));
    assert_eq!(header(&request, "host"), Some(peer.authority().as_str()));
    assert_eq!(header(&request, "authorization"), Some("Bearer key-0123456789abcdef"));
    assert_eq!(header(&request, "content-type"), Some("application/json"));
    assert_eq!(header(&request, "idempotency-key"), Some("01955a3c-8b70-7c3e-9f00-000000000001"));
    assert_eq!(
        body(&request),
        json!({
            "from": "Acme <hello@acme.example>",
            "to": "Ada@xn--bcher-kva.example",
            "subject": "Confirm your e-mail address",
            "content": mail().text,
        })
    );
}

#[tokio::test]
async fn a_senders_name_with_a_comma_stays_one_sender() {
    let mut peer = ApiPeer::answering(200, "").await;
    let from = Sender::parse("\"Acme, Inc.\" <hello@b\u{fc}cher.example>").unwrap();
    send(HttpApi { from, ..api(peer.url()) }).await.unwrap();
    assert_eq!(body(&peer.request().await)["from"], "\"Acme, Inc.\" <hello@xn--bcher-kva.example>");
}

#[tokio::test]
async fn every_attempt_is_told_by_the_same_key_and_has_a_connection_of_its_own() {
    let mut peer = ApiPeer::answering(503, "").await;
    let mailer = HttpApiMailer::new(api(peer.url())).unwrap();
    let mut keys = Vec::new();
    for _ in 0..2 {
        mailer.send(&mail()).await.unwrap_err();
        keys.push(header(&peer.request().await, "idempotency-key").unwrap().to_owned());
        peer.end().await;
    }
    assert_eq!(keys[0], keys[1]);
}

#[tokio::test]
async fn any_2xx_takes_the_mail_whatever_else_it_says() {
    for status in [200, 201, 202, 204, 299] {
        let peer = ApiPeer::answering(status, if status == 204 { "" } else { "{\"error\": 500}" }).await;
        assert_eq!(send(api(peer.url())).await, Ok(()), "{status}");
    }
    let cut = ApiPeer::start("HTTP/1.1 202 Accepted\r\ncontent-length: 1000\r\n\r\nhalf", Then::Close).await;
    assert_eq!(send(api(cut.url())).await, Ok(()));
}

#[tokio::test]
async fn what_is_wrong_with_the_mail_is_a_refusal_of_its_content() {
    for status in [400, 413, 422] {
        let peer = ApiPeer::answering(status, "{\"detail\": \"subject too long\"}").await;
        let fault = fault(api(peer.url())).await;
        assert!(fault.refuses_content() && !fault.is_the_relays(), "{status}");
        assert_eq!(fault.to_string(), format!("e-mail API: {status} {{\"detail\": \"subject too long\"}}"));
    }
}

#[tokio::test]
async fn an_answer_about_the_key_the_url_or_the_day_is_the_relays_fault() {
    let statuses = [301, 302, 304, 401, 402, 403, 404, 405, 407, 410, 415, 425, 429, 502, 503, 504, 599];
    for status in statuses {
        let peer = ApiPeer::answering(status, if status == 304 { "" } else { "not now" }).await;
        let fault = fault(api(peer.url())).await;
        assert!(fault.is_the_relays() && !fault.refuses_content(), "{status}");
        assert_eq!((fault.stage, fault.code), (Stage::Api, Some(status)));
    }
}

#[tokio::test]
async fn an_api_that_failed_over_a_mail_says_nothing_about_the_next_one() {
    for status in [408, 409, 451, 500] {
        let peer = ApiPeer::answering(status, "oops").await;
        let fault = fault(api(peer.url())).await;
        assert!(fault.is_unexplained() && !fault.is_the_relays() && !fault.refuses_content(), "{status}");
    }
}

#[tokio::test]
async fn an_answer_without_words_is_told_by_its_reason() {
    let peer = ApiPeer::answering(429, " \n ").await;
    assert_eq!(fault(api(peer.url())).await.to_string(), "e-mail API: 429 Too Many Requests");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let mut elsewhere = ApiPeer::answering(200, "").await;
        let redirect = format!("HTTP/1.1 {status} Moved\r\nlocation: {}/send\r\n\r\n", elsewhere.url());
        let mut peer = ApiPeer::start(redirect, Then::Close).await;
        assert_eq!(fault(api(peer.url())).await.code, Some(status));
        peer.request().await;
        assert!(peer.is_unasked() && elsewhere.is_unasked());
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_waited_for_until_the_deadline() {
    let mut peer = ApiPeer::start("", Then::Silence).await;
    let begun = Instant::now();
    let fault = fault(HttpApi { deadline: SHORT, ..api(peer.url()) }).await;
    assert!((SHORT..LONG / 2).contains(&begun.elapsed()));
    assert_eq!(fault, SendFault::new(Stage::Api, None, "no answer in time"));
    assert!(fault.is_unexplained());
    peer.end().await;
}

#[tokio::test]
async fn a_status_counts_even_if_its_body_never_ends_or_comes() {
    let head = "HTTP/1.1 422 No\r\ncontent-length: 1000\r\n\r\nsubject";
    for then in [Then::Silence, Then::Close] {
        let peer = ApiPeer::start(head, then).await;
        let fault = fault(HttpApi { deadline: SHORT, ..api(peer.url()) }).await;
        assert_eq!(fault, SendFault::new(Stage::Api, Some(422), "subject"), "{then:?}");
    }
}

#[tokio::test]
async fn an_endless_body_is_left_and_its_first_words_are_kept() {
    let mut peer = ApiPeer::start("HTTP/1.1 500 No\r\n\r\nfirst", Then::Flood(" and more")).await;
    let begun = Instant::now();
    let fault = fault(api(peer.url())).await;
    assert!(begun.elapsed() < LONG / 2, "the deadline is not what ends it");
    assert!(fault.words.starts_with("first and more"));
    assert_eq!(fault.words.chars().count(), SendFault::MOST_WORDS);
    peer.end().await;
}

#[tokio::test]
async fn an_endless_head_is_left() {
    let mut peer = ApiPeer::start("HTTP/1.1 200 OK\r\nx: ", Then::Flood("more and ")).await;
    let fault = fault(api(peer.url())).await;
    assert_eq!((fault.stage, fault.code), (Stage::Api, None));
    peer.end().await;
}

#[tokio::test]
async fn what_is_no_answer_is_a_failure_without_a_reason() {
    for (said, words) in [
        ("", "the server closed the connection without an answer"),
        ("HTTP/1.1 20", "the server closed the connection without an answer"),
        ("220 mail.acme.example ESMTP\r\n\r\n", "invalid HTTP version parsed"),
    ] {
        let peer = ApiPeer::start(said, Then::Close).await;
        assert_eq!(fault(api(peer.url())).await, SendFault::new(Stage::Api, None, words), "{said:?}");
    }
}

#[tokio::test]
async fn words_of_a_server_are_made_safe() {
    let peer = ApiPeer::answering(400, "<b>\u{1b}[31mno\r\n\0").await;
    assert_eq!(fault(api(peer.url())).await.words, "<b>\\u{1b}[31mno\\r\\n\\u{0}");
}

#[tokio::test]
async fn where_nobody_listens_connecting_fails() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let fault = fault(api(format!("http://{free}"))).await;
    assert_eq!(fault, SendFault::new(Stage::Connect, None, "connection refused"));
}

#[tokio::test]
async fn a_server_without_tls_never_sees_the_key_where_tls_was_asked_for() {
    let mut peer = ApiPeer::start(response(200, ""), Then::Close).await;
    match HttpApiMailer::new(api(peer.url().replace("http:", "https:"))) {
        Ok(mailer) => assert_eq!(mailer.send(&mail()).await.unwrap_err().stage, Stage::Tls),
        // A system without any roots trusts nobody either.
        Err(error) => assert!(matches!(error, HttpApiSetupError::Tls(_)), "{error}"),
    }
    assert!(peer.is_unasked());
}

#[tokio::test]
async fn the_key_is_never_shown() {
    let peer = ApiPeer::answering(401, &format!("who is Bearer {KEY}?")).await;
    let api = api(peer.url());
    assert!(!format!("{api:?}").contains(KEY));
    assert_eq!(fault(api).await.words, "who is Bearer …");
}

#[test]
fn a_key_that_would_break_its_header_is_refused_and_not_shown() {
    for key in ["", "two words", "key\r\nX-Evil: 1", "\u{fc}ber"] {
        let url = "http://127.0.0.1:1".to_owned();
        let error = HttpApiMailer::new(HttpApi { key: Secret::new(key.to_owned()), ..api(url) }).err().unwrap();
        assert!(matches!(error, HttpApiSetupError::Key));
        assert!(key.is_empty() || !format!("{error} {error:?}").contains(key));
    }
}

#[test]
fn an_api_that_cannot_be_posted_to_is_refused_before_the_first_mail() {
    for url in ["acme.example", "ftp://acme.example", "http://"] {
        let error = HttpApiMailer::new(api(url.to_owned())).err().unwrap();
        assert!(error.to_string().starts_with(&format!("the e-mail API's URL {url:?} must")), "{error}");
    }
}
