//! An e-mail address: kept as typed, unique by its canonical form.

use std::fmt;

use super::text;

/// An address that mail can be sent to: a dot-atom ASCII local part (RFC 5322, section 3.2.3) at a domain name of
/// two labels or more (RFC 5321, section 2.3.5), internationalised domains included (UTS 46).
///
/// Left out on purpose: quoted local parts, address literals, display names, non-ASCII local parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailAddress {
    typed: String,
    canonical: String,
}

/// Which rule of an address is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailAddressError {
    /// Nothing, or only blanks.
    #[error("must not be empty")]
    Empty,
    /// RFC 5321, section 4.5.3.1.3: a path of 256 octets less its brackets.
    #[error("must have at most {} octets", EmailAddress::MOST_OCTETS)]
    TooLong,
    /// Not one `@` between two parts.
    #[error("must be one address like name@example.org")]
    Shape,
    /// RFC 5321, section 4.5.3.1.1.
    #[error("must have at most {} octets before the @", EmailAddress::MOST_LOCAL_OCTETS)]
    LocalTooLong,
    /// A local part that is no dot-atom of ASCII.
    #[error("may have only ASCII letters, digits, single dots and !#$%&'*+-/=?^_`{{|}}~ before the @")]
    Local,
    /// An address literal or a number at the end.
    #[error("must name a domain after the @, not a number or an address of a machine")]
    Literal,
    /// Not a domain name of two labels or more.
    #[error("must have a valid domain name like example.org after the @")]
    Domain,
}

impl EmailAddress {
    /// The longest address, in octets, as typed and in its canonical form.
    pub const MOST_OCTETS: usize = 254;
    /// The longest local part, in octets.
    pub const MOST_LOCAL_OCTETS: usize = 64;

    /// Trims, brings to NFC and judges an address.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, EmailAddressError> {
        use EmailAddressError as E;
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(E::Empty);
        }
        // Normalising can at most triple a text; this bound keeps a hostile one from being worked on at all.
        if trimmed.len() > 3 * Self::MOST_OCTETS {
            return Err(E::TooLong);
        }
        let typed = text::composed(trimmed);
        let (local, domain) = typed.rsplit_once('@').ok_or(E::Shape)?;
        if local.is_empty() || domain.is_empty() {
            return Err(E::Shape);
        }
        judge_local(local)?;
        let domain = canonical_domain(domain)?;
        let canonical = [&local.to_ascii_lowercase(), "@", &domain].concat();
        if typed.len() > Self::MOST_OCTETS || canonical.len() > Self::MOST_OCTETS {
            return Err(E::TooLong);
        }
        Ok(Self { typed, canonical })
    }

    /// An address that was judged before it was stored.
    #[must_use]
    pub const fn stored(typed: String, canonical: String) -> Self {
        Self { typed, canonical }
    }

    /// The address as its owner typed it: to show.
    #[must_use]
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// Local part in lower case, domain as lower-case IDNA ASCII: to compare. No dot or plus folding.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The address for the wire: local part as typed, since its case is the receiving host's business (RFC 5321,
    /// section 2.4), domain as ASCII, so that no server needs SMTPUTF8.
    #[must_use]
    pub fn mailable(&self) -> String {
        let local = self.typed.rsplit_once('@').map_or("", |(local, _)| local);
        let domain = self.canonical.rsplit_once('@').map_or("", |(_, domain)| domain);
        format!("{local}@{domain}")
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

/// RFC 5322, section 3.2.3: atoms of `atext`, joined by single dots.
fn judge_local(local: &str) -> Result<(), EmailAddressError> {
    let is_atext = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b);
    if local.contains('@') {
        return Err(EmailAddressError::Shape);
    }
    if !local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext)) {
        return Err(EmailAddressError::Local);
    }
    if local.len() > EmailAddress::MOST_LOCAL_OCTETS {
        return Err(EmailAddressError::LocalTooLong);
    }
    Ok(())
}

/// UTS 46 with the strict rules of host names (STD 3), at least two labels, the last one no number.
fn canonical_domain(domain: &str) -> Result<String, EmailAddressError> {
    use EmailAddressError as E;
    if domain.starts_with('[') {
        return Err(E::Literal);
    }
    // UTS 46 drops what cannot be seen; an address is shown as typed, and must not look like another.
    let has_hidden =
        text::forbidden_character(domain).is_some() || domain.chars().any(|c| matches!(c, '\u{fe00}'..='\u{fe0f}'));
    if domain.ends_with('.') || has_hidden {
        return Err(E::Domain);
    }
    let ascii = idna::domain_to_ascii_strict(domain).map_err(|_| E::Domain)?;
    let labels: Vec<&str> = ascii.split('.').collect();
    let last = labels.last().copied().unwrap_or_default();
    if !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()) {
        return Err(E::Literal);
    }
    let is_label = |label: &&str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if labels.len() < 2 || !labels.iter().all(is_label) || ascii.len() > 253 {
        return Err(E::Domain);
    }
    Ok(ascii)
}

#[cfg(test)]
mod tests {
    use super::{EmailAddressError as E, *};

    #[test]
    fn an_address_is_kept_as_typed_and_compared_by_its_canonical_form() {
        let address = EmailAddress::parse("  Ada.Lovelace+Sums@EXÄMPLE.org ").unwrap();
        assert_eq!(address.typed(), "Ada.Lovelace+Sums@EXÄMPLE.org");
        assert_eq!(address.canonical(), "ada.lovelace+sums@xn--exmple-cua.org");
        assert_eq!(address.mailable(), "Ada.Lovelace+Sums@xn--exmple-cua.org");
    }

    #[test]
    fn the_two_unicode_forms_of_a_domain_are_one_address() {
        let composed = EmailAddress::parse("a@b\u{fc}cher.example").unwrap();
        let decomposed = EmailAddress::parse("a@bu\u{308}cher.example").unwrap();
        assert_eq!(composed, decomposed);
        assert_eq!(composed.canonical(), "a@xn--bcher-kva.example");
    }

    #[test]
    fn what_is_no_plain_address_is_refused_with_the_rule_it_breaks() {
        for (text, rule) in [
            ("", E::Empty),
            ("   ", E::Empty),
            ("ada", E::Shape),
            ("@example.org", E::Shape),
            ("ada@", E::Shape),
            ("a@b@example.org", E::Shape),
            ("Bob <a@b.co>", E::Local),
            ("\"a b\"@b.co", E::Local),
            ("a..b@example.org", E::Local),
            (".a@example.org", E::Local),
            ("a.@example.org", E::Local),
            ("\u{e4}@example.org", E::Local),
            ("a\u{0}b@example.org", E::Local),
            ("a b@example.org", E::Local),
            ("eve\r\nBcc: x@example.org", E::Local),
            ("a@[127.0.0.1]", E::Literal),
            ("a@127.0.0.1", E::Literal),
            ("root@localhost", E::Domain),
            ("a@b_c.org", E::Domain),
            ("a@-b.org", E::Domain),
            ("a@b-.org", E::Domain),
            ("a@b..org", E::Domain),
            ("a@example.org.", E::Domain),
            ("a@exam ple.org", E::Domain),
            ("a@example.org>", E::Domain),
            ("a@exam\u{200b}ple.org", E::Domain),
            ("a@exam\u{ad}ple.org", E::Domain),
            ("a@example\u{fe0f}.org", E::Domain),
        ] {
            assert_eq!(EmailAddress::parse(text), Err(rule), "{text:?}");
        }
    }

    #[test]
    fn lengths_are_judged_to_the_octet() {
        let local = "l".repeat(64);
        assert!(EmailAddress::parse(&format!("{local}@example.org")).is_ok());
        assert_eq!(EmailAddress::parse(&format!("{local}l@example.org")), Err(E::LocalTooLong));
        let domain_of = |octets: usize| {
            let labels = format!("{0}.{0}.{0}", "d".repeat(60));
            format!("{labels}.{}", "d".repeat(octets - labels.len() - 1))
        };
        assert!(EmailAddress::parse(&format!("{}@{}", "l".repeat(20), domain_of(233))).is_ok());
        assert_eq!(EmailAddress::parse(&format!("{}@{}", "l".repeat(21), domain_of(233))), Err(E::TooLong));
        assert_eq!(EmailAddress::parse(&"a".repeat(1_000_000)), Err(E::TooLong));
    }

    #[test]
    fn a_canonical_address_parses_to_itself() {
        for text in ["a@b.co", "UPPER@Example.ORG", "a@b\u{fc}cher.example", "o'neil@\u{3b2}.example"] {
            let canonical = EmailAddress::parse(text).unwrap().canonical().to_owned();
            assert_eq!(EmailAddress::parse(&canonical).unwrap().canonical(), canonical);
        }
    }
}
