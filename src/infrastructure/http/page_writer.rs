//! Pages of customers as JSON, written straight from the page: no tree, no text of its own for each field.
//!
//! A list of fifty is most of what its request costs, so it does not go the way of the other answers; a test holds the
//! two to the same words.

use jiff::Timestamp;

use crate::domain::{
    customer_page::{CustomerPage, Listed},
    verification::ProofState,
};

/// Bytes of JSON that a customer usually takes.
const USUAL_CUSTOMER: usize = 512;

/// `{"items": […], "next_cursor": …}` as it is at a moment.
pub(super) fn page(page: &CustomerPage, next_cursor: Option<&str>, now: Timestamp) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + USUAL_CUSTOMER * page.len());
    out.extend_from_slice(b"{\"items\":[");
    for (place, listed) in page.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        customer(&mut out, &listed, now);
    }
    out.extend_from_slice(b"],\"next_cursor\":");
    text_or_null(&mut out, next_cursor);
    out.push(b'}');
    out
}

fn customer(out: &mut Vec<u8>, listed: &Listed<&str>, now: Timestamp) {
    out.extend_from_slice(b"{\"id\":\"");
    out.extend_from_slice(listed.id.uuid().hyphenated().encode_lower(&mut [0; 36]).as_bytes());
    out.extend_from_slice(b"\",\"name\":");
    text(out, listed.name);
    out.extend_from_slice(b",\"email\":");
    text(out, listed.email);
    out.extend_from_slice(if listed.verified_at.is_some() { b",\"verified\":true" } else { b",\"verified\":false" });
    out.extend_from_slice(b",\"verified_at\":");
    time_or_null(out, listed.verified_at);
    out.extend_from_slice(b",\"pending_email\":");
    text_or_null(out, listed.pending_email);
    out.extend_from_slice(b",\"external_id\":");
    text_or_null(out, listed.external_id);
    out.extend_from_slice(b",\"locale\":");
    text_or_null(out, listed.locale);
    out.extend_from_slice(b",\"metadata\":");
    out.extend_from_slice(listed.metadata.as_bytes());
    out.extend_from_slice(b",\"created_at\":");
    time(out, listed.created_at);
    out.extend_from_slice(b",\"updated_at\":");
    time(out, listed.updated_at);
    proof(out, listed, now);
    out.extend_from_slice(b",\"version\":");
    number(out, listed.version);
    out.push(b'}');
}

fn proof(out: &mut Vec<u8>, listed: &Listed<&str>, now: Timestamp) {
    out.extend_from_slice(b",\"verification\":{\"state\":\"");
    out.extend_from_slice(word(listed.proof_state_at(now)).as_bytes());
    out.extend_from_slice(b"\",\"attempts\":");
    number(out, u64::from(listed.proof_attempts));
    out.extend_from_slice(b",\"last_error\":");
    text_or_null(out, listed.proof_last_error);
    out.extend_from_slice(b",\"next_attempt_at\":");
    time_or_null(out, listed.proof_next_attempt_at);
    out.extend_from_slice(b",\"sent_at\":");
    time_or_null(out, listed.proof_sent_at);
    out.extend_from_slice(b",\"expires_at\":");
    time_or_null(out, listed.proof_expires_at);
    out.push(b'}');
}

const fn word(state: ProofState) -> &'static str {
    match state {
        ProofState::None => "none",
        ProofState::Queued => "queued",
        ProofState::Sent => "sent",
        ProofState::Deferred => "deferred",
        ProofState::Failed => "failed",
        ProofState::Confirmed => "confirmed",
        ProofState::Expired => "expired",
    }
}

/// A string with what JSON wants escaped (RFC 8259, section 7).
fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.extend_from_slice(text.as_bytes());
    } else {
        for byte in text.bytes() {
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
                0..b' ' => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                _ => out.push(byte),
            }
        }
    }
    out.push(b'"');
}

fn text_or_null(out: &mut Vec<u8>, value: Option<&str>) {
    match value {
        Some(value) => text(out, value),
        None => null(out),
    }
}

fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

fn number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        start -= 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
}

fn time_or_null(out: &mut Vec<u8>, value: Option<Timestamp>) {
    match value {
        Some(value) => time(out, value),
        None => null(out),
    }
}

/// RFC 3339 in UTC, to the microsecond. The calendar is reckoned by hand, in a tenth of the time: five of these stand
/// in every customer.
fn time(out: &mut Vec<u8>, time: Timestamp) {
    let micros = time.as_microsecond();
    let (days, of_day) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
    let (year, month, day) = civil(days);
    let seconds = of_day / 1_000_000;
    out.push(b'"');
    padded(out, year, 4);
    out.push(b'-');
    padded(out, month, 2);
    out.push(b'-');
    padded(out, day, 2);
    out.push(b'T');
    padded(out, seconds / 3600, 2);
    out.push(b':');
    padded(out, seconds / 60 % 60, 2);
    out.push(b':');
    padded(out, seconds % 60, 2);
    out.push(b'.');
    padded(out, of_day % 1_000_000, 6);
    out.extend_from_slice(b"Z\"");
}

/// Year, month and day of a day counted from 1970-01-01, by the eras of 400 years that the Gregorian calendar repeats
/// itself in; years begin in March, so that a leap day is the last of its year.
const fn civil(days: i64) -> (i64, i64, i64) {
    let from_era = days + 719_468;
    let era = from_era.div_euclid(146_097);
    let day_of_era = from_era.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_based = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_based + 2) / 5 + 1;
    let month = if march_based < 10 { march_based + 3 } else { march_based - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

fn padded(out: &mut Vec<u8>, number: i64, width: usize) {
    let mut digits = [b'0'; 6];
    let mut rest = number;
    for digit in digits.iter_mut().take(width).rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    out.extend_from_slice(digits.get(..width).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for micros in [0, 1, 951_782_399_999_999, 951_782_400_000_000, 1_769_860_800_123_456, 4_102_444_800_000_000, -1]
        {
            let at = Timestamp::from_microsecond(micros).unwrap();
            assert_eq!(written(|out| time(out, at)), format!("\"{at:.6}\""));
        }
        for day in (-100_000..200_000).step_by(13) {
            let at = Timestamp::from_second(day * 86_400).unwrap();
            assert_eq!(written(|out| time(out, at)), format!("\"{at:.6}\""));
        }
    }

    #[test]
    fn texts_are_read_back_as_they_were() {
        for value in ["", "Ada", "a\"b\\c", "\u{1}\n\u{1f}", "\u{e9}\u{1f600}\u{2028}"] {
            let json = written(|out| text(out, value));
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), value, "{json}");
        }
    }

    #[test]
    fn numbers_are_written_to_the_last_digit() {
        for value in [0, 7, 10, 1_234_567_890, u64::MAX] {
            assert_eq!(written(|out| number(out, value)), value.to_string());
        }
    }
}
