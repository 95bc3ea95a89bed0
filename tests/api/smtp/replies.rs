//! A reply counts by its code (RFC 5321, section 4.2), however a server words it and wherever it says it.

use data_encoding::BASE64;

use super::*;

/// Where a server consents, and by which code.
const CONSENTS: [(At, &str); 7] = [
    (At::Banner, "220"),
    (At::Ehlo, "250"),
    (At::Auth, "235"),
    (At::MailFrom, "250"),
    (At::Rcpt, "250"),
    (At::Data, "354"),
    (At::Dot, "250"),
];

/// A reply with this code in every form that is a reply, be it an odd one, and the text it brings.
fn forms(code: &str) -> Vec<(String, String)> {
    let reply = |octets: String, text: &str| (octets, text.to_owned());
    vec![
        reply(code.to_owned(), "(no text)"),
        reply(format!("{code} "), "(no text)"),
        reply(format!("{code}-\r\n{code} last"), "(no text) last"),
        reply(format!("{code}-first\r\n{code}"), "first"),
        reply(format!("{code}-first\n{code} last"), "first last"),
        reply(format!("{code}\tas you like"), "as you like"),
        reply(format!("{code}as you like"), "as you like"),
        reply(format!("{code} {}", "a".repeat(1400)), &"a".repeat(SendFault::MOST_WORDS)),
        reply(format!("{code} {}", "a".repeat(9000)), &"a".repeat(SendFault::MOST_WORDS)),
        reply(format!("{code}-{}\r\n{code} b", "a".repeat(1400)), &"a".repeat(SendFault::MOST_WORDS)),
    ]
}

/// What a peer is ordered to say lives as long as the test.
fn say(octets: impl Into<Vec<u8>>) -> Do {
    Do::Octets(octets.into().leak())
}

/// A mail that the peer consents to in these words is sent once, and so is the next one on the same connection.
async fn assert_consent(at: At, octets: &str) {
    let peer = SmtpPeer::start().await;
    let mut relay = plain(&peer);
    // Odd words in answer to EHLO offer no AUTH.
    if at == At::Auth {
        peer.require_auth("acme", PASSWORD);
        relay = with_login(relay);
    }
    peer.on(at, say(octets)).times(1);
    let mailer = mailer(relay);
    for _ in 0..2 {
        assert_eq!(mailer.send(&mail()).await, Ok(()), "{at:?} {octets:?}");
    }
    assert_eq!((peer.mails_so_far().len(), peer.connections()), (2, 1), "{at:?} {octets:?}");
}

#[tokio::test]
async fn a_consent_counts_at_every_stage_in_every_form() {
    for (at, code) in CONSENTS {
        for (octets, _) in forms(code) {
            assert_consent(at, &octets).await;
        }
    }
}

#[tokio::test]
async fn a_code_that_no_rfc_knows_counts_by_its_first_digit() {
    for (at, code) in CONSENTS {
        assert_consent(at, &format!("{}69 as you like", &code[..1])).await;
    }
    for (at, stage) in STAGES {
        for (octets, code) in [("571 5.7.1 not you", 500), ("499 5.7.1 not you", 400)] {
            assert_eq!(fault_when(at, say(octets)).await, SendFault::new(stage, Some(code), "5.7.1 not you"));
        }
    }
}

#[tokio::test]
async fn a_refusal_counts_at_every_stage_in_every_form() {
    for (at, stage) in STAGES {
        for code in [554, 451] {
            for (octets, text) in forms(&code.to_string()) {
                let fault = fault_when(at, say(octets.as_str())).await;
                assert_eq!(fault, SendFault::new(stage, Some(code), &text), "{at:?} {octets:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_long_refusal_of_the_content_is_one_for_good() {
    let fault = fault_when(At::Dot, say(format!("554 5.7.1 {}", "x".repeat(1400)))).await;
    assert!(fault.refuses_content(), "{fault}");
}

#[tokio::test]
async fn a_number_of_another_length_is_no_code() {
    for octets in ["25", "2500 octets taken", "2026-03-01 good morning", "150 wait", "650 what"] {
        let fault = fault_when(At::MailFrom, say(octets)).await;
        assert_eq!(fault, SendFault::new(Stage::MailFrom, None, "the answer is no SMTP reply"), "{octets}");
    }
}

#[tokio::test]
async fn a_login_that_the_server_repeats_is_told_to_nobody() {
    let said_to_log_in = [
        PASSWORD.to_owned(),
        BASE64.encode(PASSWORD.as_bytes()),
        BASE64.encode(b"acme"),
        BASE64.encode(format!("\0acme\0{PASSWORD}").as_bytes()),
    ];
    for (at, stage) in STAGES {
        for said in &said_to_log_in {
            let fault = fault_when(at, say(format!("535 5.7.8 you said {said}, which is wrong"))).await;
            assert_eq!((fault.stage, fault.code), (stage, Some(535)));
            assert_eq!(fault.words, "5.7.8 you said \u{2026}");
        }
    }
}

#[tokio::test]
async fn a_password_in_another_charset_is_told_to_nobody_either() {
    let peer = SmtpPeer::start().await;
    let password = "h\u{fc}hner b\u{fc}ro";
    peer.require_auth("acme", "another");
    peer.on(At::Auth, say(format!("535 5.7.8 not {password}")));
    let credentials = Some(("acme".to_owned(), Secret::new(password.to_owned())));
    let fault = fault_of(&mailer(Relay { credentials, ..plain(&peer) })).await;
    assert_eq!(fault.words, "5.7.8 not \u{2026}");
}

#[tokio::test]
async fn an_empty_password_hides_nothing() {
    let peer = SmtpPeer::start().await;
    peer.require_auth("acme", PASSWORD);
    let credentials = Some(("acme".to_owned(), Secret::new(String::new())));
    let fault = fault_of(&mailer(Relay { credentials, ..plain(&peer) })).await;
    assert_eq!(fault.words, "5.7.8 wrong user or password");
}
