//! Mail by SMTP: what arrives, on which connection, and which fault is reported when it does not.

mod connections;
mod deadlines;
mod delivery;
mod faults;
mod replies;
mod tls;

use std::{path::Path, time::Duration};

use rollbook::{
    application::ports::Mailer as _,
    domain::sender::Sender,
    domain::{
        email_address::EmailAddress,
        ids::MessageId,
        mail::{Mail, SendFault, Stage},
        secret::Secret,
    },
    infrastructure::mail::smtp::{Deadlines, Relay, Security, SmtpMailer},
};
use tempfile::NamedTempFile;
use uuid::Uuid;

use crate::smtp_peer::{At, Do, SmtpPeer};

const PASSWORD: &str = "correct horse";

/// How long the tests wait for a silent server: far more than any step of a busy machine takes.
const SHORT: Duration = Duration::from_millis(500);

/// Where a server without TLS may go wrong, and the stage it is told by.
const STAGES: [(At, Stage); 8] = [
    (At::Connect, Stage::Greeting),
    (At::Banner, Stage::Greeting),
    (At::Ehlo, Stage::Greeting),
    (At::Auth, Stage::Auth),
    (At::MailFrom, Stage::MailFrom),
    (At::Rcpt, Stage::Recipient),
    (At::Data, Stage::Data),
    (At::Dot, Stage::FinalDot),
];

/// Where the peer is, without TLS and without AUTH.
fn plain(peer: &SmtpPeer) -> Relay {
    Relay {
        host: "127.0.0.1".to_owned(),
        port: peer.port(),
        security: Security::Plain,
        credentials: None,
        ca_file: None,
        from: Sender::parse("Acme <hello@acme.example>").unwrap(),
        hello_name: "roll.acme.example".to_owned(),
        deadlines: Deadlines::default(),
        sessions: 4,
    }
}

/// Where the peer is by the name in its certificate, trusting the CA in a file.
fn secured(peer: &SmtpPeer, security: Security, ca_file: &Path) -> Relay {
    Relay { host: "localhost".to_owned(), security, ca_file: Some(ca_file.to_owned()), ..plain(peer) }
}

fn with_login(relay: Relay) -> Relay {
    Relay { credentials: Some(("acme".to_owned(), Secret::new(PASSWORD.to_owned()))), ..relay }
}

fn file_with(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn mailer(relay: Relay) -> SmtpMailer {
    SmtpMailer::new(relay).unwrap()
}

fn mail() -> Mail {
    Mail {
        id: MessageId::new(Uuid::from_u128(0x0195_5a3c_8b70_7c3e_9f00_0000_0000_0001)),
        to: EmailAddress::parse("Ada@b\u{fc}cher.example").unwrap(),
        date: "2026-03-01T12:00:00Z".parse().unwrap(),
        subject: "Please confirm your address".to_owned(),
        text: "Hello,\n\nhttps://acme.example/verify?token=abc_DEF-123\n\nGr\u{fc}\u{df}e\n".to_owned(),
        html: "<p>Hello,</p>\n<p><a href=\"https://acme.example/verify?token=abc_DEF-123\">Confirm</a></p>\n"
            .to_owned(),
    }
}

async fn fault_of(mailer: &SmtpMailer) -> SendFault {
    mailer.send(&mail()).await.expect_err("a fault")
}

/// What a mail meets when the peer does this there.
async fn fault_when(at: At, act: Do) -> SendFault {
    let peer = SmtpPeer::start().await;
    peer.require_auth("acme", PASSWORD);
    peer.on(at, act);
    let fault = fault_of(&mailer(with_login(plain(&peer)))).await;
    assert_eq!(peer.mails_so_far().len(), 0);
    fault
}
