//! What a server says, bounded, and put into the one form that lettre reads.
//!
//! A client judges a reply by its code, whatever the text (RFC 5321, section 4.2), and must: a consent to the final dot
//! that is not understood sends the mail again. lettre wants a separator, ASCII, short lines and the codes it knows.

use std::io;

use bytes::BytesMut;
use tokio::io::ReadBuf;

/// The longest reply, in octets, so that memory stays bounded whatever a server sends.
const MOST_OCTETS: usize = 64 * 1024;

/// The longest reply, in lines.
const MOST_LINES: usize = 100;

/// The longest line, in octets without its end (RFC 5321, section 4.5.3.1.5). What comes after is left out.
const LONGEST_LINE: usize = 512 - "\r\n".len();

/// Stands where a reply begins without words, since lettre looks for one in the answer to EHLO.
const NO_TEXT: &[u8] = b"(no text)";

/// What a server has said since we last wrote.
#[derive(Debug, Default)]
pub(super) struct Replies {
    octets: usize,
    lines: usize,
    /// The beginning of a line that has not ended yet.
    line: Vec<u8>,
    /// Whole lines that wait to be read.
    ready: BytesMut,
    /// How many octets were made ready.
    told: usize,
}

impl Replies {
    /// Takes what came over the wire.
    ///
    /// # Errors
    /// It is too long for a reply.
    pub(super) fn hear(&mut self, octets: &[u8]) -> io::Result<()> {
        self.octets += octets.len();
        for octet in octets {
            match octet {
                // Some servers end a line without the carriage return; they have said all the same.
                b'\n' => self.end_line(),
                _ if self.line.len() < LONGEST_LINE => self.line.push(ascii(*octet)),
                _ => {}
            }
        }
        if self.octets > MOST_OCTETS || self.lines > MOST_LINES {
            return Err(io::Error::other("the answer has no end"));
        }
        Ok(())
    }

    fn end_line(&mut self) {
        let begins = self.told == 0;
        let line = normal_form(self.line.strip_suffix(b"\r").unwrap_or(&self.line), begins);
        self.ready.extend_from_slice(&line);
        self.told += line.len();
        self.lines += 1;
        self.line.clear();
    }

    /// Hands out as much as there is room for; whether there was anything.
    pub(super) fn read(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let part = self.ready.split_to(self.ready.len().min(buf.remaining()));
        buf.put_slice(&part);
        !part.is_empty()
    }

    /// How many octets the server has said, as lettre reads them, an unfinished line included.
    pub(super) fn len(&self) -> usize {
        self.told + self.line.len()
    }

    /// We have written: what comes now is a new reply.
    pub(super) fn begin(&mut self) {
        (self.octets, self.lines, self.told) = (0, 0, 0);
    }
}

/// Replies are ASCII (RFC 5321, section 4.2); lettre would take one in another charset for a broken connection.
pub(super) fn ascii(octet: u8) -> u8 {
    if octet.is_ascii() { octet } else { b'?' }
}

/// A line as lettre reads it; what is no line of a reply stays as it is, to be refused.
fn normal_form(line: &[u8], begins: bool) -> Vec<u8> {
    let Some((code, rest)) = code_of(line) else { return [line, b"\r\n"].concat() };
    let (separator, text) = match rest {
        [b'-', text @ ..] => (b"-", text),
        [b' ' | b'\t', text @ ..] | text => (b" ", text),
    };
    let text = if begins && text.trim_ascii().is_empty() { NO_TEXT } else { text };
    [&code[..], separator, text, b"\r\n"].concat()
}

/// The code that a line begins with, and what comes after it. A longer number is no code.
fn code_of(line: &[u8]) -> Option<([u8; 3], &[u8])> {
    match line {
        [_, _, _, b'0'..=b'9', ..] => None,
        [a @ b'2'..=b'5', b @ b'0'..=b'5', c @ b'0'..=b'9', rest @ ..] => Some(([*a, *b, *c], rest)),
        // lettre knows no such code. Only its first digit means something, which is what x00 says.
        [a @ b'2'..=b'5', b'6'..=b'9', b'0'..=b'9', rest @ ..] => Some(([*a, b'0', b'0'], rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(octets: &[u8], at_once: usize) -> (String, usize) {
        let mut replies = Replies::default();
        for part in octets.chunks(at_once) {
            replies.hear(part).unwrap();
        }
        let (mut read, mut room) = (Vec::new(), [0; 7]);
        let mut buf = ReadBuf::new(&mut room);
        while replies.read(&mut buf) {
            read.extend_from_slice(buf.filled());
            buf.clear();
        }
        (String::from_utf8(read).unwrap(), replies.len())
    }

    #[test]
    fn a_reply_is_read_in_one_form_however_it_is_cut_into_parts() {
        let octets = b"250-a\r\n250-\r\n250\tb\xff\n271\r\n25";
        let expected = "250-a\r\n250-\r\n250 b?\r\n200 \r\n";
        for at_once in 1..=octets.len() {
            assert_eq!(heard(octets, at_once), (expected.to_owned(), expected.len() + 2));
        }
    }

    #[test]
    fn what_is_right_stays_as_it_is() {
        let octets = "250-peer.example\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n";
        assert_eq!(heard(octets.as_bytes(), 5), (octets.to_owned(), octets.len()));
    }

    #[test]
    fn a_line_is_cut_where_the_rfc_lets_it_end() {
        let (read, octets) = heard(format!("554 {}\r\n", "x".repeat(1400)).as_bytes(), 1000);
        assert_eq!(read, format!("554 {}\r\n", "x".repeat(506)));
        assert_eq!(octets, 512);
    }

    #[test]
    fn a_reply_may_be_so_long_and_no_longer() {
        let lines = |count| Replies::default().hear("250-a\r\n".repeat(count).as_bytes()).is_ok();
        assert!(lines(MOST_LINES) && !lines(MOST_LINES + 1));
        let octets = |count| Replies::default().hear(&vec![b'2'; count]).is_ok();
        assert!(octets(MOST_OCTETS) && !octets(MOST_OCTETS + 1));
    }

    #[test]
    fn what_comes_after_we_wrote_is_counted_anew() {
        let mut replies = Replies::default();
        for _ in 0..3 {
            replies.begin();
            replies.hear("250-a\r\n".repeat(MOST_LINES).as_bytes()).unwrap();
            assert_eq!(replies.len(), 7 * MOST_LINES);
        }
    }
}
