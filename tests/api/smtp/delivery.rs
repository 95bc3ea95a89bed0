//! What arrives.

use super::*;

#[tokio::test]
async fn a_mail_arrives_whole_with_its_headers() {
    let peer = SmtpPeer::start().await;
    mailer(plain(&peer)).send(&mail()).await.unwrap();

    let received = peer.next_mail().await;
    assert_eq!(received.from, "hello@acme.example");
    assert_eq!(received.to, ["Ada@xn--bcher-kva.example"]);
    assert_eq!(received.header("From"), "Acme <hello@acme.example>");
    assert_eq!(received.text().replace("\r\n", "\n"), mail().text);
    assert_eq!(received.html().replace("\r\n", "\n"), mail().html);
    assert_eq!(received.link(), "https://acme.example/verify?token=abc_DEF-123");
    insta::assert_snapshot!(String::from_utf8(received.raw).unwrap().replace("\r\n", "\n"), @r#"
    Date: Sun, 01 Mar 2026 12:00:00 +0000
    From: Acme <hello@acme.example>
    To: Ada@xn--bcher-kva.example
    Subject: Please confirm your address
    Message-ID: <01955a3c-8b70-7c3e-9f00-000000000001@acme.example>
    Auto-Submitted: auto-generated
    MIME-Version: 1.0
    Content-Type: multipart/alternative;
     boundary="=_01955a3c-8b70-7c3e-9f00-000000000001"

    --=_01955a3c-8b70-7c3e-9f00-000000000001
    Content-Type: text/plain; charset=utf-8
    Content-Transfer-Encoding: quoted-printable

    Hello,

    https://acme.example/verify?token=3Dabc_DEF-123

    Gr=C3=BC=C3=9Fe

    --=_01955a3c-8b70-7c3e-9f00-000000000001
    Content-Type: text/html; charset=utf-8
    Content-Transfer-Encoding: 7bit

    <p>Hello,</p>
    <p><a href="https://acme.example/verify?token=abc_DEF-123">Confirm</a></p>

    --=_01955a3c-8b70-7c3e-9f00-000000000001--
    "#);
}

#[tokio::test]
async fn the_relay_is_greeted_by_name_and_told_nothing_but_the_two_addresses() {
    let peer = SmtpPeer::start().await;
    mailer(plain(&peer)).send(&mail()).await.unwrap();
    let said: Vec<String> = peer.said().into_iter().map(|said| said.line).collect();
    let expected =
        ["EHLO roll.acme.example", "MAIL FROM:<hello@acme.example>", "RCPT TO:<Ada@xn--bcher-kva.example>", "DATA"];
    assert_eq!(said, expected);
}

#[tokio::test]
async fn leading_dots_and_long_and_foreign_lines_arrive_intact() {
    let peer = SmtpPeer::start().await;
    let text =
        format!(".\n..\n.leading\n{}\n{}\nFrom here\n=3D \t\n.\n", "x".repeat(5000), "\u{4f60}\u{597d} ".repeat(700));
    mailer(plain(&peer)).send(&Mail { text: text.clone(), html: text.clone(), ..mail() }).await.unwrap();

    let received = peer.next_mail().await;
    assert_eq!(received.text().replace("\r\n", "\n"), text);
    assert_eq!(received.html().replace("\r\n", "\n"), text);
    assert!(received.raw.is_ascii());
    assert!(received.raw.ends_with(b"--\r\n"), "the mail ends where it ended");
    for line in received.raw.split_inclusive(|octet| *octet == b'\n') {
        assert!(line.ends_with(b"\r\n") && line.len() <= 1000, "{}", String::from_utf8_lossy(line));
    }
}

#[tokio::test]
async fn a_senders_name_cannot_add_a_header() {
    let peer = SmtpPeer::start().await;
    let from = Sender::parse(r#""Acme\", Bcc: <eve@evil.example>" <hello@acme.example>"#).unwrap();
    mailer(Relay { from, ..plain(&peer) }).send(&mail()).await.unwrap();

    let received = peer.next_mail().await;
    assert_eq!(received.from, "hello@acme.example");
    assert_eq!(received.to.len(), 1);
    let head = String::from_utf8(received.raw.clone()).unwrap();
    let names: Vec<&str> = head.split("\r\n\r\n").next().unwrap().lines().filter_map(header_name).collect();
    let expected = ["Date", "From", "To", "Subject", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"];
    assert_eq!(names, expected);
}

/// The name at the start of a line, unless the line continues the one before.
fn header_name(line: &str) -> Option<&str> {
    line.split_once(':').map(|(name, _)| name).filter(|name| !name.starts_with([' ', '\t']))
}

#[tokio::test]
async fn every_attempt_of_a_mail_brings_the_same_octets() {
    let peer = SmtpPeer::start().await;
    let mailer = mailer(plain(&peer));
    peer.on(At::Dot, Do::Drop).times(1);
    fault_of(&mailer).await;
    mailer.send(&mail()).await.unwrap();
    mailer.send(&mail()).await.unwrap();
    assert_eq!(peer.next_mail().await.raw, peer.next_mail().await.raw);
    assert_eq!(peer.mails_so_far().len(), 2);
}
