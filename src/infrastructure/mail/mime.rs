//! The mail as octets (RFC 5322, RFC 2045): 7 bit, CRLF, short lines, the same octets for every attempt.

use std::{
    panic::{self, AssertUnwindSafe},
    time::SystemTime,
};

use lettre::{
    Address, Message,
    address::{AddressError, Envelope},
    message::{
        Body, Mailbox, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};

use crate::domain::sender::Sender;
use crate::domain::{email_address::EmailAddress, mail::Mail};

/// A mail with what the SMTP dialogue says of it.
#[derive(Debug)]
pub(super) struct Letter {
    /// The sender and the one recipient.
    pub(super) envelope: Envelope,
    /// Headers and body, in CRLF lines of at most 998 octets (RFC 5321, section 4.5.3.1.6).
    pub(super) octets: Vec<u8>,
}

/// Why a mail cannot be put together.
#[derive(Debug, thiserror::Error)]
pub(super) enum ComposeError {
    #[error("an address cannot be mailed to: {0}")]
    Address(#[from] AddressError),
    #[error("the message cannot be built: {0}")]
    Message(#[from] lettre::error::Error),
    #[error("the message cannot be built: its builder panicked")]
    Panicked,
}

/// Octets of a line without its end (RFC 5322, section 2.1.1).
const LONGEST_LINE: usize = 998;

/// Puts a mail together.
///
/// # Errors
/// What lettre cannot make a message of. It panics over some inputs; such a mail must not take the worker with it,
/// start after start, so a panic is an error here.
pub(super) fn compose(mail: &Mail, from: &Sender) -> Result<Letter, ComposeError> {
    caught(|| build(mail, from))
}

fn caught<T>(work: impl FnOnce() -> Result<T, ComposeError>) -> Result<T, ComposeError> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(ComposeError::Panicked))
}

fn build(mail: &Mail, from: &Sender) -> Result<Letter, ComposeError> {
    let sender = mailbox(from)?;
    let message_id = format!("<{}@{}>", mail.id, sender.email.domain());
    let message = Message::builder()
        .date(SystemTime::from(mail.date))
        .from(sender)
        .to(Mailbox::new(None, address(&mail.to)?))
        .subject(mail.subject.clone())
        .message_id(Some(message_id))
        .raw_header(HeaderValue::new(
            // RFC 3834, section 5: keeps holiday notices and other robots from answering.
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ))
        .multipart(
            // "=_" cannot occur in quoted-printable (RFC 2045, section 6.7) nor the id in our words, and it keeps
            // retries identical.
            MultiPart::alternative()
                .boundary(format!("=_{}", mail.id))
                .singlepart(part(ContentType::TEXT_PLAIN, &mail.text))
                .singlepart(part(ContentType::TEXT_HTML, &mail.html)),
        )?;
    Ok(Letter { envelope: message.envelope().clone(), octets: message.formatted() })
}

/// The sender, quoted where its name needs it (RFC 5322, section 3.2.4), its domain in ASCII.
pub(super) fn mailbox(sender: &Sender) -> Result<Mailbox, AddressError> {
    Ok(Mailbox::new(sender.name().map(str::to_owned), address(sender.address())?))
}

fn address(email: &EmailAddress) -> Result<Address, AddressError> {
    email.mailable().parse()
}

/// As it is where it is plain ASCII in short lines, so that the link stands whole on its line even to whoever reads the
/// mail undecoded; else quoted-printable: no relay has to be asked for 8BITMIME, and none may break a long line.
fn part(kind: ContentType, text: &str) -> SinglePart {
    let body = if is_plain(text) {
        // lettre itself would leave only lines of 76 characters as they are.
        Body::dangerous_pre_encoded(text.replace('\n', "\r\n").into_bytes(), ContentTransferEncoding::SevenBit)
    } else {
        Body::new_with_encoding(text.to_owned(), ContentTransferEncoding::QuotedPrintable).unwrap_or_else(Body::new)
    };
    SinglePart::builder().header(kind).body(body)
}

/// Whether a text may travel as it is (RFC 2045, section 2.7).
fn is_plain(text: &str) -> bool {
    text.bytes().all(|octet| matches!(octet, b'\n' | b'\t' | b' '..=b'~'))
        && text.lines().all(|line| line.len() <= LONGEST_LINE)
}

#[cfg(test)]
mod tests {
    use mailparse::{MailHeaderMap, ParsedMail, parse_mail};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::domain::ids::MessageId;

    fn mail(subject: &str, text: &str, html: &str) -> Mail {
        Mail {
            id: MessageId::new(Uuid::from_u128(7)),
            to: EmailAddress::parse("Ada@b\u{fc}cher.example").unwrap(),
            date: "2026-03-01T12:00:00Z".parse().unwrap(),
            subject: subject.to_owned(),
            text: text.to_owned(),
            html: html.to_owned(),
        }
    }

    fn octets(mail: &Mail, from: &str) -> Vec<u8> {
        compose(mail, &Sender::parse(from).unwrap()).unwrap().octets
    }

    fn names(parsed: &ParsedMail<'_>) -> Vec<String> {
        parsed.headers.iter().map(mailparse::MailHeader::get_key).collect()
    }

    /// What each line of a text says, however its lines end and whether or not the last one does.
    fn lines(text: &str) -> Vec<String> {
        text.replace("\r\n", "\n").trim_end_matches('\n').split('\n').map(str::to_owned).collect()
    }

    #[test]
    fn the_envelope_is_the_senders_address_and_the_one_recipient() {
        let letter = compose(&mail("s", "t", "h"), &Sender::parse("Acme <hello@acme.example>").unwrap()).unwrap();
        assert_eq!(letter.envelope.from().unwrap().to_string(), "hello@acme.example");
        let to: Vec<String> = letter.envelope.to().iter().map(ToString::to_string).collect();
        assert_eq!(to, ["Ada@xn--bcher-kva.example"]);
    }

    #[test]
    fn every_attempt_has_the_same_octets() {
        let mail = mail("Confirm", "text", "<p>html</p>");
        assert_eq!(octets(&mail, "hello@acme.example"), octets(&mail, "hello@acme.example"));
    }

    #[test]
    fn a_display_name_cannot_add_a_header_or_an_address() {
        let hostile = ["\"<eve@evil.example>, Eve\" <a@acme.example>", "Acme, Bcc: eve@evil.example <a@acme.example>"];
        for from in hostile {
            let raw = octets(&mail("s", "t", "h"), from);
            let parsed = parse_mail(&raw).unwrap();
            assert_eq!(parsed.headers.get_all_values("Bcc").len(), 0);
            let from_header = parsed.headers.get_first_header("From").unwrap();
            let senders = mailparse::addrparse_header(from_header).unwrap();
            assert_eq!(senders.extract_single_info().unwrap().addr, "a@acme.example");
        }
    }

    #[test]
    fn a_subject_with_line_breaks_cannot_add_a_header() {
        let raw = octets(&mail("Hi\r\nBcc: eve@evil.example\r\n\r\nbody", "t", "h"), "a@acme.example");
        let plain = octets(&mail("Hi", "t", "h"), "a@acme.example");
        assert_eq!(names(&parse_mail(&raw).unwrap()), names(&parse_mail(&plain).unwrap()));
    }

    #[test]
    fn a_panic_while_building_is_an_error() {
        let outcome: Result<(), _> = caught(|| panic!("lettre met what it cannot write"));
        assert!(matches!(outcome, Err(ComposeError::Panicked)));
    }

    fn any_sender() -> impl Strategy<Value = String> {
        let sender = "[^\\p{C}<>\"]{0,100}".prop_map(|name| format!("{name} <a@acme.example>"));
        sender.prop_filter("one that is taken", |from| Sender::parse(from).is_ok())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_survives_in_short_seven_bit_lines(text in "(\\PC|\n|\r\n|\\.|=|é){0,3000}", from in any_sender()) {
            let raw = octets(&mail(&from, &text, &text), &from);
            prop_assert!(raw.is_ascii());
            prop_assert!(raw.ends_with(b"\r\n"));
            for line in raw.split_inclusive(|byte| *byte == b'\n') {
                prop_assert!(line.ends_with(b"\r\n"));
                prop_assert!(line.len() <= 1000);
                prop_assert!(!line.get(..line.len() - 2).unwrap().contains(&b'\r'));
            }
            let parsed = parse_mail(&raw).unwrap();
            for part in &parsed.subparts {
                prop_assert_eq!(lines(&part.get_body().unwrap()), lines(&text));
            }
        }
    }
}
