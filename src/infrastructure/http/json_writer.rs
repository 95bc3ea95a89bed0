//! JSON written piece by piece into one buffer: no tree, no text of its own for each field.

/// A string with what JSON wants escaped (RFC 8259, section 7).
pub(super) fn text(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    if is_plain(text.as_bytes()) {
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

/// Whether nothing wants escaping: eight bytes at a time, the last eight as well where they are no eight of their own.
fn is_plain(text: &[u8]) -> bool {
    match text.last_chunk() {
        Some(&last) => text.as_chunks().0.iter().all(|&eight| are_plain(eight)) && are_plain(last),
        None => !text.iter().any(|byte| matches!(byte, 0..b' ' | b'"' | b'\\')),
    }
}

/// The same of eight bytes. A byte below another is found by the borrow into its highest bit, and an equal one as one
/// below 1 after XOR; what has its highest bit set already is neither (Bit Twiddling Hacks, "Determine if a word has a byte
/// less than n").
const fn are_plain(eight: [u8; 8]) -> bool {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHEST: u64 = EACH << 7;
    const fn below(word: u64, least: u8) -> u64 {
        word.wrapping_sub(EACH * least as u64) & !word
    }
    let word = u64::from_ne_bytes(eight);
    let quote = below(word ^ (EACH * b'"' as u64), 1);
    let backslash = below(word ^ (EACH * b'\\' as u64), 1);
    (below(word, b' ') | quote | backslash) & HIGHEST == 0
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

/// Writes times as RFC 3339 in UTC, to the microsecond, of a year from 1 to 9999. The calendar is reckoned by hand, in a
/// tenth of the time that a library takes, and a day only once while it comes up again: most customers show four times,
/// made on one day and over on another.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    even: Day,
    odd: Day,
}

/// A day counted from 1970-01-01, and its date in digits.
#[derive(Debug, Default)]
struct Day {
    number: Option<i64>,
    date: [u8; 8],
}

impl Calendar {
    /// The time at so many microseconds since 1970.
    #[rustfmt::skip]
    pub(super) fn rfc3339(&mut self, micros: i64) -> [u8; 27] {
        const MICROS_OF_A_DAY: i64 = 86_400_000_000;
        let of_day = micros.rem_euclid(MICROS_OF_A_DAY).cast_unsigned();
        let (seconds, micros_left) = (small(of_day / 1_000_000), small(of_day % 1_000_000));
        let clock = seconds / 3600 * 10_000 + seconds / 60 % 60 * 100 + seconds % 60;
        let [y1, y2, y3, y4, m1, m2, d1, d2] = self.date(micros.div_euclid(MICROS_OF_A_DAY));
        let [h1, h2, n1, n2, s1, s2, f1, f2] = eight_digits(clock * 100 + micros_left / 10_000);
        let [.., f3, f4, f5, f6] = eight_digits(micros_left % 10_000);
        [
            y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2, b'.', //
            f1, f2, f3, f4, f5, f6, b'Z',
        ]
    }

    fn date(&mut self, number: i64) -> [u8; 8] {
        let day = if number % 2 == 0 { &mut self.even } else { &mut self.odd };
        if day.number != Some(number) {
            let (year, month, of_month) = civil(number);
            *day = Day { number: Some(number), date: eight_digits(year * 10_000 + month * 100 + of_month) };
        }
        day.date
    }
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A number below 100,000,000 in eight digits, reckoned side by side in one word: halves of four digits, then of two, then
/// single ones. The divisions by 100 and 10 are multiplications, exact for what they are given.
const fn eight_digits(number: u32) -> [u8; 8] {
    let number = number as u64;
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 5243) >> 19) & 0x0000_007f_0000_007f;
    let twos = hundreds | ((fours - 100 * hundreds) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    let digits = tens | ((twos - 10 * tens) << 8);
    (digits | 0x3030_3030_3030_3030).to_le_bytes()
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
    use jiff::Timestamp;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        let mut calendar = Calendar::default();
        let written = |micros| String::from_utf8(calendar.rfc3339(micros).to_vec()).unwrap();
        let ends = [-62_135_596_800_000_000, 253_402_207_200_000_000];
        let moments =
            [0, 1, 951_782_399_999_999, 951_782_400_000_000, 1_769_860_800_123_456, 4_102_444_800_000_000, -1];
        let days = (-100_000..200_000).step_by(13).map(|day: i64| day * 86_400_000_000);
        // Some days come up again, after others.
        let micros: Vec<i64> =
            moments.into_iter().chain(days).flat_map(|micros| [micros, 0, micros + 1]).chain(ends).collect();
        let expected = micros.iter().map(|&micros| format!("{:.6}", Timestamp::from_microsecond(micros).unwrap()));
        assert!(micros.iter().copied().map(written).eq(expected));
    }

    #[test]
    fn texts_are_read_back_as_they_were() {
        for value in ["", "Ada", "a\"b\\c", "\u{1}\n\u{1f}", "\u{e9}\u{1f600}\u{2028}"] {
            let json = written(|out| text(out, value));
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), value, "{json}");
        }
    }

    #[test]
    fn what_wants_escaping_is_seen_wherever_it_stands() {
        for character in (0..=0xff).map(char::from) {
            for (before, after) in (0..20).flat_map(|length| (0..=length).map(move |before| (before, length - before)))
            {
                let value = format!("{}{character}{}", "x".repeat(before), "\u{7f}".repeat(after));
                let json = written(|out| text(out, &value));
                assert_eq!(serde_json::from_str::<String>(&json).unwrap(), value, "{json}");
            }
        }
    }

    #[test]
    fn numbers_are_written_to_the_last_digit() {
        for value in [0, 7, 10, 1_234_567_890, u64::MAX] {
            assert_eq!(written(|out| number(out, value)), value.to_string());
        }
    }
}
