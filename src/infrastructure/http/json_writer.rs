//! JSON written piece by piece into one buffer: no tree, no text of its own for each field.

use jiff::Timestamp;

/// A string with what JSON wants escaped (RFC 8259, section 7).
pub(super) fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    // Counted, since a search that stops at the first would go byte by byte.
    if text.bytes().filter(|byte| needs_escape(*byte)).count() == 0 {
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

const fn needs_escape(byte: u8) -> bool {
    matches!(byte, 0..b' ' | b'"' | b'\\')
}

pub(super) fn text_or_null(out: &mut Vec<u8>, value: Option<&str>) {
    match value {
        Some(value) => text(out, value),
        None => null(out),
    }
}

pub(super) fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

pub(super) fn number(out: &mut Vec<u8>, number: u64) {
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

pub(super) fn time_or_null(out: &mut Vec<u8>, value: Option<Timestamp>) {
    match value {
        Some(value) => time(out, value),
        None => null(out),
    }
}

pub(super) fn time(out: &mut Vec<u8>, time: Timestamp) {
    out.push(b'"');
    out.extend_from_slice(&rfc3339(time));
    out.push(b'"');
}

/// RFC 3339 in UTC, to the microsecond, of a year from 0 to 9999. The calendar is reckoned by hand, in a tenth of the
/// time: five of these stand in every customer.
#[rustfmt::skip]
pub(super) fn rfc3339(time: Timestamp) -> [u8; 27] {
    const MICROS_OF_A_DAY: i64 = 86_400_000_000;
    let micros = time.as_microsecond();
    let (year, month, day) = civil(micros.div_euclid(MICROS_OF_A_DAY));
    let of_day = micros.rem_euclid(MICROS_OF_A_DAY).cast_unsigned();
    let (seconds, micros) = (small(of_day / 1_000_000), small(of_day % 1_000_000));
    let (century, year, month, day) = (pair(year / 100), pair(year % 100), pair(month), pair(day));
    let (hour, minute, second) = (pair(seconds / 3600), pair(seconds / 60 % 60), pair(seconds % 60));
    let (above, between, below) = (pair(micros / 10_000), pair(micros / 100 % 100), pair(micros % 100));
    [
        century[0], century[1], year[0], year[1], b'-', month[0], month[1], b'-', day[0], day[1], b'T', //
        hour[0], hour[1], b':', minute[0], minute[1], b':', second[0], second[1], b'.', //
        above[0], above[1], between[0], between[1], below[0], below[1], b'Z',
    ]
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A number below 100 in two digits.
const fn pair(number: u32) -> [u8; 2] {
    let [number, ..] = number.to_le_bytes();
    [b'0' + number / 10 % 10, b'0' + number % 10]
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar. Years are reckoned from March, so that
/// a leap day is the last of its year; the divisions by the length of a year and of a month are multiplications (Neri
/// and Schneider, Euclidean affine functions and their application to calendar algorithms, 2023).
fn civil(days: i64) -> (u32, u32, u32) {
    const DAYS_TO_1970: i64 = 719_468;
    const QUARTERS_OF_A_CENTURY: u32 = 146_097;
    const YEARS: u64 = 2_939_745;
    const MONTHS: u32 = 2141;
    const TO_JANUARY: u32 = 306;
    let quarters = 4 * u32::try_from(days + DAYS_TO_1970).unwrap_or(0) + 3;
    let century = quarters / QUARTERS_OF_A_CENTURY;
    let of_century = (quarters % QUARTERS_OF_A_CENTURY) | 3;
    let years = YEARS * u64::from(of_century);
    let year = 100 * century + small(years >> 32);
    let of_year = small(years % (1 << 32) / YEARS / 4);
    let months = MONTHS * of_year + 197_913;
    let (month, day) = (months >> 16, months % (1 << 16) / MONTHS + 1);
    if of_year < TO_JANUARY { (year, month, day) } else { (year + 1, month - 12, day) }
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
