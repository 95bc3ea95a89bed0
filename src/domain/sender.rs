//! Who our mail comes from.

use super::{
    email_address::{EmailAddress, EmailAddressError},
    text,
};

/// The mailbox in `From`, and its address as the envelope's sender (RFC 5322, section 3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    name: Option<String>,
    address: EmailAddress,
}

/// Why a text names no sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SenderError {
    /// A line break would begin a header of its own; what cannot be seen would make it look like another sender.
    #[error("must not have line breaks or characters that cannot be seen")]
    Control,
    /// Neither an address nor a name with an address in angle brackets.
    #[error("must be like hello@acme.example or like Acme <hello@acme.example>")]
    Shape,
    /// Longer than [`Sender::MOST_NAME_CHARACTERS`].
    #[error("must have a name of at most {} characters", Sender::MOST_NAME_CHARACTERS)]
    NameTooLong,
    /// The address breaks a rule of its own.
    #[error("its address {0}")]
    Address(#[from] EmailAddressError),
}

impl Sender {
    /// The longest display name, in characters: with each one encoded it stays far from the 998 octets of a line.
    pub const MOST_NAME_CHARACTERS: usize = 100;

    /// Reads `hello@acme.example`, `Acme <hello@acme.example>` or `"Acme, Inc." <hello@acme.example>`.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, SenderError> {
        if text::forbidden_character(text).is_some() {
            return Err(SenderError::Control);
        }
        let text = text.trim();
        let Some((name, address)) = text.rsplit_once('<') else {
            return Ok(Self { name: None, address: EmailAddress::parse(text)? });
        };
        let address = EmailAddress::parse(address.strip_suffix('>').ok_or(SenderError::Shape)?)?;
        let name = unquoted(name.trim())?;
        if name.chars().count() > Self::MOST_NAME_CHARACTERS {
            return Err(SenderError::NameTooLong);
        }
        Ok(Self { name: Some(name).filter(|name| !name.is_empty()), address })
    }

    /// The display name, without quotes.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> &EmailAddress {
        &self.address
    }
}

/// A name without the quotes that RFC 5322, section 3.2.4, wants around some characters.
fn unquoted(name: &str) -> Result<String, SenderError> {
    let Some(inner) = name.strip_prefix('"') else {
        return if name.contains(['"', '<', '>']) { Err(SenderError::Shape) } else { Ok(name.to_owned()) };
    };
    let mut plain = String::new();
    let mut characters = inner.chars();
    loop {
        match characters.next().ok_or(SenderError::Shape)? {
            '\\' => plain.push(characters.next().ok_or(SenderError::Shape)?),
            '"' if characters.as_str().is_empty() => return Ok(plain.trim().to_owned()),
            '"' => return Err(SenderError::Shape),
            other => plain.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        for (text, name) in [
            ("hello@acme.example", None),
            ("<hello@acme.example>", None),
            ("Acme <hello@acme.example>", Some("Acme")),
            ("  Büro 5  <hello@acme.example> ", Some("Büro 5")),
            (r#""Acme, \"the\" Inc." <hello@acme.example>"#, Some(r#"Acme, "the" Inc."#)),
            (r#""<b@c.example>" <hello@acme.example>"#, Some("<b@c.example>")),
        ] {
            let sender = Sender::parse(text).unwrap();
            assert_eq!(sender.name(), name, "{text}");
            assert_eq!(sender.address().typed(), "hello@acme.example");
        }
    }

    #[test]
    fn what_names_no_sender_is_refused_with_the_rule_it_breaks() {
        for (text, rule) in [
            ("Acme\r\nBcc: eve@evil.example <hello@acme.example>", SenderError::Control),
            ("Acme\0 <hello@acme.example>", SenderError::Control),
            ("Acme <hello@acme.example", SenderError::Shape),
            ("Eve <eve@evil.example> <hello@acme.example>", SenderError::Shape),
            ("\"Acme <hello@acme.example>", SenderError::Shape),
            ("\"Ac\"me\" <hello@acme.example>", SenderError::Shape),
            ("\"Acme\\\" <hello@acme.example>", SenderError::Shape),
            ("", SenderError::Address(EmailAddressError::Empty)),
            ("Acme <root@localhost>", SenderError::Address(EmailAddressError::Domain)),
        ] {
            assert_eq!(Sender::parse(text), Err(rule), "{text:?}");
        }
        let long = "n".repeat(Sender::MOST_NAME_CHARACTERS + 1);
        assert_eq!(Sender::parse(&format!("{long} <hello@acme.example>")), Err(SenderError::NameTooLong));
    }
}
