//! The words of our mail. Nothing the registrant typed stands in them, or a sign-up form would send anybody's words to
//! anybody's address in our name.

use minijinja::{Environment, UndefinedBehavior, context};

use crate::{
    application::ports::Composer,
    domain::{
        mail::{Mail, SendFault, Stage},
        message::Message,
        secret::Secret,
    },
};

const SUBJECT: &str = "Confirm your e-mail address";
const TEXT: &str = "verification.txt";
const HTML: &str = "verification.html";

/// Asks the owner of an address to confirm it, in English.
#[derive(Debug)]
pub struct VerificationWords {
    public_url: String,
    templates: Environment<'static>,
}

/// Why the words cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("a template of our mail is broken: {0}")]
pub struct WordsSetupError(#[from] minijinja::Error);

impl VerificationWords {
    /// Reads the templates once. Links begin with `public_url`, a URL without a slash at its end.
    ///
    /// # Errors
    /// A template that does not compile.
    pub fn new(public_url: String) -> Result<Self, WordsSetupError> {
        let mut templates = Environment::new();
        // A missing link must be a fault; by default it would be an empty line.
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.add_template(TEXT, include_str!("words/verification.txt"))?;
        templates.add_template(HTML, include_str!("words/verification.html"))?;
        Ok(Self { public_url, templates })
    }

    fn render(&self, template: &str, link: &str) -> Result<String, minijinja::Error> {
        self.templates.get_template(template)?.render(context! { subject => SUBJECT, link })
    }
}

impl Composer for VerificationWords {
    fn compose(&self, message: &Message, token: &Secret) -> Result<Mail, SendFault> {
        let link = format!("{}/verify?token={}", self.public_url, token.expose());
        let render = |template| {
            self.render(template, &link).map_err(|cause| SendFault::new(Stage::Build, None, &cause.to_string()))
        };
        Ok(Mail {
            id: message.id,
            to: message.verification.email.clone(),
            date: message.created_at,
            subject: SUBJECT.to_owned(),
            text: render(TEXT)?,
            html: render(HTML)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        email_address::EmailAddress,
        ids::{CustomerId, MessageId},
        message::{Departure, Request},
        verification::{Verification, VerificationId},
    };

    const LINK: &str = "https://acme.example/roll/verify?token=abc_DEF-123";

    fn message_to(address: &str) -> Message {
        let id = VerificationId { customer_key: 1, number: 1, salt: 1 };
        let customer = CustomerId::new(Uuid::from_u128(1));
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let verification = Verification::issue(id, customer, EmailAddress::parse(address).unwrap(), now);
        Request::issue(MessageId::new(Uuid::from_u128(7)), verification, Departure::Queue, now).message
    }

    fn mail_from(public_url: &str, address: &str) -> Mail {
        let words = VerificationWords::new(public_url.to_owned()).unwrap();
        words.compose(&message_to(address), &Secret::new("abc_DEF-123".to_owned())).unwrap()
    }

    fn mail_to(address: &str) -> Mail {
        mail_from("https://acme.example/roll", address)
    }

    /// HTML as its reader sees it: minijinja writes a slash as a character reference.
    fn with_slashes(html: &str) -> String {
        html.replace("&#x2f;", "/")
    }

    #[test]
    fn a_mail_says_in_plain_words_what_to_do() {
        insta::assert_snapshot!(mail_to("ada@example.org").text, @"
        Hello,

        thank you for signing up. One small step is left: please confirm that this
        e-mail address is yours. Open this link and press the button you find there:

        https://acme.example/roll/verify?token=abc_DEF-123

        The link works for a limited time, and using it once is enough.

        If it was not you who signed up, simply ignore this mail. Unless the button is
        pressed, nothing happens.
        ");
    }

    #[test]
    fn a_mail_carries_the_id_the_recipient_and_the_date_of_its_message() {
        let message = message_to("Ada@b\u{fc}cher.example");
        let mail = mail_to("Ada@b\u{fc}cher.example");
        assert_eq!((mail.id, mail.date), (message.id, message.created_at));
        assert_eq!(mail.to, message.verification.email);
        assert_eq!(mail.subject, SUBJECT);
    }

    #[test]
    fn the_link_stands_alone_on_its_line_between_blank_lines() {
        let mail = mail_to("ada@example.org");
        let lines: Vec<&str> = mail.text.lines().collect();
        let place = lines.iter().position(|line| *line == LINK).expect("the link");
        assert_eq!((lines[place - 1], lines[place + 1]), ("", ""));
    }

    #[test]
    fn the_html_links_to_the_same_place_and_shows_it() {
        let html = with_slashes(&mail_to("ada@example.org").html);
        assert_eq!(html.matches("href=").count(), html.matches(&format!("href=\"{LINK}\"")).count());
        assert!(html.contains(&format!(">{LINK}</a>")));
    }

    #[test]
    fn nothing_but_the_link_leads_anywhere() {
        let mail = mail_to("ada@example.org");
        for part in [mail.text, with_slashes(&mail.html)] {
            let rest = part.replace(LINK, "").to_lowercase();
            for outside in ["http", "www.", "//", "src=", "url(", "<img", "<link", "<style", "<script", "<form"] {
                assert!(!rest.contains(outside), "{outside} in {rest}");
            }
        }
    }

    #[test]
    fn whatever_address_was_typed_the_words_are_the_same() {
        let (ada, eve) = (mail_to("ada@example.org"), mail_to("{{link}}&Buy-now=free!'{%raw%}@evil.example"));
        assert_eq!((ada.subject, ada.text, ada.html), (eve.subject, eve.text, eve.html));
    }

    #[test]
    fn a_link_with_characters_of_html_stays_a_link() {
        let mail = mail_from("https://acme.example/a&b'c", "ada@example.org");
        assert!(mail.text.contains("\n\nhttps://acme.example/a&b'c/verify?token=abc_DEF-123\n\n"));
        let written = "https://acme.example/a&amp;b&#x27;c/verify?token=abc_DEF-123";
        assert!(with_slashes(&mail.html).contains(&format!("href=\"{written}\"")));
    }
}
