//! The ids of customers and messages: UUIDv7, and the sequence that makes them.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use jiff::Timestamp;
use uuid::Uuid;

macro_rules! uuid_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes a UUID for this kind of id.
            #[must_use]
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The id's UUID.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// The first 64 bits, which no other id of its kind shares.
            #[must_use]
            pub const fn key(self) -> u64 {
                self.0.as_u64_pair().0
            }

            /// Reads an id in its one shape: hyphenated and in lower case, as it is written.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let uuid = (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten()?;
                text.bytes().all(|b| !b.is_ascii_uppercase()).then_some(Self(uuid))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }
    };
}

uuid_newtype!(
    /// A customer on the roll.
    CustomerId
);
uuid_newtype!(
    /// A message in the outbox; the local part of its `Message-ID`.
    MessageId
);

/// Makes UUIDs of version 7 (RFC 9562, section 5.7) whose first 64 bits never repeat and never go back, so that they
/// alone can be the key of a table. The 12 bits after the version are a counter (section 6.2, method 1) that borrows
/// from the next millisecond when it runs over; the last 62 bits are random.
#[derive(Debug)]
pub struct IdSequence {
    /// Milliseconds and counter of the last id, as one number of 48 + 12 bits.
    last: AtomicU64,
}

const COUNTER_BITS: u32 = 12;
const COUNTER_MASK: u64 = (1 << COUNTER_BITS) - 1;
const VERSION_7: u64 = 7 << COUNTER_BITS;
const VARIANT: u64 = 0b10 << 62;

impl IdSequence {
    /// A sequence that goes on behind the highest id already given, so that a clock set back does not repeat one.
    #[must_use]
    pub fn after(highest: Option<Uuid>) -> Self {
        let last = highest.map_or(0, |uuid| {
            let head = uuid.as_u64_pair().0;
            (head >> 16) << COUNTER_BITS | (head & COUNTER_MASK)
        });
        Self { last: AtomicU64::new(last) }
    }

    /// The next id at a moment, with 62 of the given bits as its tail.
    pub fn next(&self, now: Timestamp, random: u64) -> Uuid {
        let millisecond = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let floor = millisecond << COUNTER_BITS;
        let step = |last: u64| floor.max(last + 1);
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(step(last)));
        let number = step(last.unwrap_or_else(|last| last));
        let head = (number >> COUNTER_BITS) << 16 | VERSION_7 | (number & COUNTER_MASK);
        Uuid::from_u64_pair(head, VARIANT | (random >> 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(millisecond).unwrap()
    }

    #[test]
    fn ids_rise_within_a_millisecond_beyond_it_and_when_the_clock_goes_back() {
        let sequence = IdSequence::after(None);
        let now = at(1_764_000_000_000);
        let mut heads: Vec<u64> = (0..10_000).map(|_| sequence.next(now, u64::MAX).as_u64_pair().0).collect();
        heads.push(sequence.next(at(1_000_000_000_000), 0).as_u64_pair().0);
        assert!(heads.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn an_id_is_a_uuid_of_version_7_with_its_time() {
        let id = IdSequence::after(None).next(at(1_764_000_000_000), u64::MAX);
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(id.to_string(), "019ab697-e800-7000-bfff-ffffffffffff");
    }

    #[test]
    fn a_sequence_goes_on_behind_the_highest_id_given() {
        let highest = IdSequence::after(None).next(at(1_764_000_000_000), 0);
        let next = IdSequence::after(Some(highest)).next(at(0), 0);
        assert!(next.as_u64_pair().0 > highest.as_u64_pair().0);
    }

    #[test]
    fn an_id_is_read_in_its_one_shape_only() {
        let text = "019ab697-e800-7000-bfff-ffffffffffff";
        assert_eq!(CustomerId::parse(text).unwrap().to_string(), text);
        for other in
            ["", "x", &text.to_uppercase(), &text.replace('-', ""), &format!("{{{text}}}"), &format!("{text} ")]
        {
            assert_eq!(CustomerId::parse(other), None, "{other}");
        }
    }
}
