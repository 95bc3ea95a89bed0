//! Room in memory for what clients are slow to send, or to take: together they get so much, and no more.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;

use super::failure::{Code, Failure};

/// Bytes of bodies that are on their way at once: a thousand of the largest there are unless told otherwise.
const OF_BODIES: usize = 64 << 20;

/// Bytes of long answers that are kept until they are taken.
const OF_ANSWERS: usize = 64 << 20;

/// A body up to so many bytes takes none of it: whoever registers is not to be kept from it by those who send slowly.
const SHORT_BODY: usize = 4 << 10;

/// An answer up to so many bytes takes none of it: what the kernel has not taken of it yet waits in a buffer of its own.
const SHORT_ANSWER: usize = 256 << 10;

/// What all requests share.
pub(super) struct Rooms {
    /// How large a body may be, in bytes.
    pub(super) largest_body: usize,
    bodies: Arc<Room>,
    answers: Arc<Room>,
}

/// So many bytes that nobody has.
struct Room(AtomicUsize);

/// Bytes of a room, given back when this is dropped.
pub(super) struct Share {
    room: Arc<Room>,
    bytes: usize,
}

/// An answer and the share of the room that it takes.
struct Kept {
    answer: Vec<u8>,
    _share: Share,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.answer
    }
}

impl Rooms {
    pub(super) fn new(largest_body: usize) -> Self {
        let room = |bytes| Arc::new(Room(AtomicUsize::new(bytes)));
        Self { largest_body, bodies: room(OF_BODIES), answers: room(OF_ANSWERS) }
    }

    /// A share for a body, of nothing yet.
    pub(super) fn of_a_body(&self) -> Share {
        Share { room: Arc::clone(&self.bodies), bytes: 0 }
    }

    /// An answer as it is kept until it is taken.
    ///
    /// # Errors
    /// `OVERLOADED` where clients are slow to take too many long ones.
    pub(super) fn keep(&self, answer: Vec<u8>) -> Result<Bytes, Failure> {
        if answer.len() <= SHORT_ANSWER {
            return Ok(answer.into());
        }
        let mut share = Share { room: Arc::clone(&self.answers), bytes: 0 };
        share.grow_to(answer.len(), "Too many long answers wait to be taken; ask for fewer at once")?;
        Ok(Bytes::from_owner(Kept { answer, _share: share }))
    }
}

impl Share {
    /// Takes as much as a body of so many bytes needs.
    ///
    /// # Errors
    /// `OVERLOADED`, where there is not so much.
    pub(super) fn fit_body(&mut self, bytes: usize) -> Result<(), Failure> {
        self.grow_to(bytes.saturating_sub(SHORT_BODY), "Too much is being sent at once; try again in a moment")
    }

    fn grow_to(&mut self, bytes: usize, refusal: &'static str) -> Result<(), Failure> {
        let by = bytes.saturating_sub(self.bytes);
        let taken = self.room.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(by));
        if taken.is_err() {
            return Err(Failure::new(Code::Overloaded, refusal));
        }
        self.bytes += by;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.0.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_answers_are_kept_as_long_as_there_is_room_and_short_ones_always() {
        let rooms = Rooms::new(0);
        let half = || vec![b'x'; OF_ANSWERS / 2];
        let kept = [rooms.keep(half()).unwrap(), rooms.keep(half()).unwrap()];
        assert_eq!(rooms.keep(half()).unwrap_err().code, Code::Overloaded);
        assert!(rooms.keep(vec![b'x'; SHORT_ANSWER]).is_ok());
        drop(kept);
        assert!(rooms.keep(half()).is_ok());
    }

    #[test]
    fn bodies_grow_as_long_as_there_is_room() {
        let rooms = Rooms::new(0);
        let (mut one, mut other) = (rooms.of_a_body(), rooms.of_a_body());
        one.fit_body(OF_BODIES + SHORT_BODY - 1).unwrap();
        assert_eq!(other.fit_body(SHORT_BODY + 2).unwrap_err().code, Code::Overloaded);
        other.fit_body(SHORT_BODY + 1).unwrap();
        assert!(rooms.of_a_body().fit_body(SHORT_BODY).is_ok(), "a short one needs none");
        drop(one);
        other.fit_body(SHORT_BODY + 2).unwrap();
    }
}
