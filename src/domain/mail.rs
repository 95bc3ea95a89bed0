//! A mail as it leaves, and how an attempt to hand it over may end.

use jiff::Timestamp;

use super::{email_address::EmailAddress, ids::MessageId};

/// A rendered mail, ready for the wire: plain text and HTML, nothing the registrant typed but the address itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Names the message in the outbox; every attempt carries the `Message-ID` made from it.
    pub id: MessageId,
    /// The one recipient.
    pub to: EmailAddress,
    /// When the message was queued: the `Date` of every attempt.
    pub date: Timestamp,
    /// One line of our own words.
    pub subject: String,
    /// The plain-text alternative.
    pub text: String,
    /// The HTML alternative.
    pub html: String,
}

/// How far an SMTP session had come when it failed (RFC 5321, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Name look-up and TCP connection.
    Connect,
    /// The TLS handshake, from the first byte or after STARTTLS.
    Tls,
    /// The server's first line and the answer to EHLO.
    Greeting,
    /// The STARTTLS command.
    StartTls,
    /// AUTH: user and password.
    Auth,
    /// MAIL FROM: the sender's address.
    MailFrom,
    /// RCPT TO: the recipient's address.
    Recipient,
    /// The DATA command and the mail itself.
    Data,
    /// The final dot: the server takes the mail, or does not.
    FinalDot,
    /// Putting the mail together, before any connection.
    Build,
}

/// What a server said, or what went wrong where it said nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendFault {
    /// How far the session had come.
    pub stage: Stage,
    /// The reply code (RFC 5321, section 4.2); none where there was no reply: refused, cut, timed out.
    pub code: Option<u16>,
    /// The enhanced status code (RFC 3463), where the server gave one.
    pub enhanced: Option<EnhancedCode>,
    /// The server's words or the fault's, at most [`SendFault::MOST_WORDS`] characters, controls escaped.
    pub words: String,
}

/// An enhanced mail system status code such as `5.1.1` (RFC 3463, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnhancedCode {
    /// 2, 4 or 5.
    pub class: u8,
    /// What it is about: 1 address, 2 mailbox, 3 system, 7 security.
    pub subject: u16,
    /// What precisely.
    pub detail: u16,
}

impl SendFault {
    /// How much of a server's reply is kept, in characters.
    pub const MOST_WORDS: usize = 200;

    /// A fault with its words made safe to store and show: controls escaped, cut at [`Self::MOST_WORDS`].
    #[must_use]
    pub fn new(stage: Stage, code: Option<u16>, words: &str) -> Self {
        let safe: String = words
            .trim()
            .chars()
            .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
            .take(Self::MOST_WORDS)
            .collect();
        Self { stage, code, enhanced: EnhancedCode::at_start_of(&safe), words: safe }
    }

    /// Whether the fault is the relay's and says nothing about this message: all that comes before RCPT TO.
    #[must_use]
    pub fn is_the_relays(&self) -> bool {
        match self.stage {
            Stage::Connect | Stage::Tls | Stage::Greeting | Stage::StartTls | Stage::Auth | Stage::MailFrom => true,
            Stage::Recipient | Stage::Data | Stage::FinalDot | Stage::Build => false,
        }
    }
}

impl EnhancedCode {
    /// Reads `5.1.1` from the start of a reply's text.
    #[must_use]
    pub fn at_start_of(text: &str) -> Option<Self> {
        let word = text.split_whitespace().next()?;
        let mut parts = word.split('.').map(str::parse::<u16>);
        let (Some(Ok(class @ (2 | 4 | 5))), Some(Ok(subject)), Some(Ok(detail)), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        Some(Self { class: u8::try_from(class).ok()?, subject, detail })
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::Tls => "TLS",
            Self::Greeting => "greeting",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::MailFrom => "MAIL FROM",
            Self::Recipient => "RCPT TO",
            Self::Data => "DATA",
            Self::FinalDot => "final dot",
            Self::Build => "build",
        })
    }
}

impl std::fmt::Display for SendFault {
    /// `RCPT TO: 550 5.1.1 no such user`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ", self.stage)?;
        if let Some(code) = self.code {
            write!(f, "{code} ")?;
        }
        f.write_str(&self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_keeps_its_words_safe_and_short() {
        let fault = SendFault::new(Stage::Recipient, Some(550), &format!("5.1.1 no\r\nsuch{}", "x".repeat(500)));
        assert!(fault.words.starts_with("5.1.1 no\\r\\nsuch"));
        assert_eq!(fault.words.chars().count(), SendFault::MOST_WORDS);
        assert_eq!(fault.enhanced, Some(EnhancedCode { class: 5, subject: 1, detail: 1 }));
    }

    #[test]
    fn only_what_comes_before_the_recipient_is_the_relays_fault() {
        assert!(SendFault::new(Stage::Auth, Some(535), "no").is_the_relays());
        assert!(SendFault::new(Stage::MailFrom, Some(530), "no").is_the_relays());
        assert!(!SendFault::new(Stage::Recipient, Some(550), "no").is_the_relays());
    }

    #[test]
    fn a_version_number_is_no_enhanced_code() {
        assert_eq!(EnhancedCode::at_start_of("1.2.3 hello"), None);
        assert_eq!(EnhancedCode::at_start_of("5.1 hello"), None);
        assert_eq!(EnhancedCode::at_start_of(""), None);
    }
}
