//! A mail as the peer accepted it.

use mailparse::{MailHeaderMap, ParsedMail, parse_mail};

#[derive(Debug, Clone)]
pub(crate) struct ReceivedMail {
    /// The address in MAIL FROM.
    pub(crate) from: String,
    /// The addresses in RCPT TO.
    pub(crate) to: Vec<String>,
    /// Headers and body, the stuffed dots taken out.
    pub(crate) raw: Vec<u8>,
    /// The connection that brought it, counted from 1.
    pub(crate) session: usize,
}

impl ReceivedMail {
    /// A header's decoded value.
    pub(crate) fn header(&self, name: &str) -> String {
        let parsed = self.parsed();
        parsed.headers.get_first_value(name).unwrap_or_else(|| panic!("a mail with {name}: {self:?}"))
    }

    /// The plain-text part, decoded.
    pub(crate) fn text(&self) -> String {
        self.part("text/plain")
    }

    /// The HTML part, decoded.
    pub(crate) fn html(&self) -> String {
        self.part("text/html")
    }

    /// The link that stands alone on its line.
    pub(crate) fn link(&self) -> String {
        let text = self.text();
        let is_link = |line: &&str| line.starts_with("http") && !line.contains(char::is_whitespace);
        text.lines().find(is_link).unwrap_or_else(|| panic!("a link alone on its line: {text}")).to_owned()
    }

    /// The token of the link.
    pub(crate) fn token(&self) -> String {
        self.link().split_once("token=").expect("a token in the link").1.to_owned()
    }

    fn part(&self, kind: &str) -> String {
        let parsed = self.parsed();
        let part = parsed.parts().find(|part| part.ctype.mimetype == kind);
        part.unwrap_or_else(|| panic!("a part of {kind}: {self:?}")).get_body().unwrap()
    }

    fn parsed(&self) -> ParsedMail<'_> {
        parse_mail(&self.raw).unwrap()
    }
}
