//! A mail as it leaves, and how an attempt to hand it over may end.

use jiff::Timestamp;

use super::{email_address::EmailAddress, ids::MessageId, secret::Secret};

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

/// How far handing a mail over had come when it failed: the steps of an SMTP session (RFC 5321, section 3), or an API.
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
    /// The request to an HTTP e-mail API, once connected: the whole mail at once.
    Api,
    /// Putting the mail together, before any connection.
    Build,
}

/// What a server said, or what went wrong where it said nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendFault {
    /// How far it had come.
    pub stage: Stage,
    /// The reply code (RFC 5321, section 4.2), or an API's status code (RFC 9110, section 15); none where there was no
    /// reply: refused, cut, timed out.
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

    /// The fault, cut off where a secret of ours begins that the server repeated.
    #[must_use]
    pub fn without(mut self, secret: &Secret) -> Self {
        // The words end somewhere, perhaps within the secret: its beginning must do.
        let beginning = secret.expose().get(..8).unwrap_or(secret.expose());
        if let Some(place) = self.words.find(beginning) {
            self.words.truncate(place);
            self.words.push('…');
        }
        self
    }

    /// Whether the server refused for good what the mail says, whoever it is for.
    ///
    /// Of an API's answers these are 400, 413 and 422 (RFC 9110, section 15.5): what was posted is at fault.
    #[must_use]
    pub fn refuses_content(&self) -> bool {
        match self.stage {
            Stage::Data | Stage::FinalDot => matches!(self.code, Some(500..=599)),
            Stage::Api => matches!(self.code, Some(400 | 413 | 422)),
            _ => false,
        }
    }

    /// Whether an API failed over this message and told nothing of the next one: it gave no answer, or 408, 409, 451 or 500
    /// (RFC 9110, section 15). All others that are no refusal are about the key, the URL or the API's day.
    #[must_use]
    pub fn is_unexplained(&self) -> bool {
        self.stage == Stage::Api && matches!(self.code, None | Some(408 | 409 | 451 | 500))
    }

    /// Whether the fault is the relay's and says nothing about this message: all that comes before RCPT TO, and all
    /// that an API answers unless it [refuses the content](Self::refuses_content) or is [at a loss](Self::is_unexplained).
    #[must_use]
    pub fn is_the_relays(&self) -> bool {
        match self.stage {
            Stage::Connect | Stage::Tls | Stage::Greeting | Stage::StartTls | Stage::Auth | Stage::MailFrom => true,
            Stage::Api => !self.refuses_content() && !self.is_unexplained(),
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
            Self::Api => "e-mail API",
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
    fn an_api_refuses_a_message_by_three_codes_is_at_a_loss_by_four_and_at_fault_itself_by_all_others() {
        for code in 100..600 {
            let fault = SendFault::new(Stage::Api, Some(code), "no");
            assert_eq!(fault.refuses_content(), [400, 413, 422].contains(&code), "{code}");
            assert_eq!(fault.is_unexplained(), [408, 409, 451, 500].contains(&code), "{code}");
            assert_ne!(fault.refuses_content() || fault.is_unexplained(), fault.is_the_relays(), "{code}");
        }
        let silence = SendFault::new(Stage::Api, None, "no answer in time");
        assert!(silence.is_unexplained() && !silence.is_the_relays());
        assert!(!SendFault::new(Stage::Recipient, None, "cut").is_unexplained());
    }

    #[test]
    fn only_a_lasting_refusal_of_the_data_is_one_of_the_content() {
        for stage in [Stage::Data, Stage::FinalDot] {
            assert!(SendFault::new(stage, Some(554), "spam").refuses_content());
            assert!(!SendFault::new(stage, Some(451), "busy").refuses_content());
            assert!(!SendFault::new(stage, None, "cut").refuses_content());
        }
        assert!(!SendFault::new(Stage::Recipient, Some(550), "no such user").refuses_content());
    }

    #[test]
    fn a_secret_that_a_server_repeats_is_cut_off_even_where_the_words_end_within_it() {
        let secret = Secret::new("key-0123456789".to_owned());
        let told = |words: &str| SendFault::new(Stage::Api, Some(401), words).without(&secret).words;
        assert_eq!(told("who is key-0123456789? ask again"), "who is …");
        assert_eq!(told(&format!("{}key-0123456789", "x".repeat(190))), format!("{}…", "x".repeat(190)));
        assert_eq!(told("who is that?"), "who is that?");
    }

    #[test]
    fn a_version_number_is_no_enhanced_code() {
        assert_eq!(EnhancedCode::at_start_of("1.2.3 hello"), None);
        assert_eq!(EnhancedCode::at_start_of("5.1 hello"), None);
        assert_eq!(EnhancedCode::at_start_of(""), None);
    }
}
