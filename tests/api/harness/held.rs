//! Time that stands still until told, and entropy that counts: ids and times come out the same in every run.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use rollbook::{
    app::World,
    application::ports::{Clock, Entropy},
};

/// When every test begins: 2026-01-31T12:00:00Z, in microseconds.
const BEGINNING: i64 = 1_769_860_800_000_000;

/// A clock that a test moves.
#[derive(Clone)]
pub struct HeldClock {
    now: Arc<AtomicI64>,
    monotonic: Arc<AtomicI64>,
}

impl HeldClock {
    /// Lets time pass.
    pub fn pass(&self, time: SignedDuration) {
        let micros = i64::try_from(time.as_micros()).unwrap();
        self.now.fetch_add(micros, Ordering::SeqCst);
        self.monotonic.fetch_add(micros, Ordering::SeqCst);
    }

    /// Somebody sets the time of day; no time passes.
    pub fn set_by(&self, jump: SignedDuration) {
        self.now.fetch_add(i64::try_from(jump.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for HeldClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.now.load(Ordering::SeqCst)).unwrap()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.monotonic.load(Ordering::SeqCst).try_into().unwrap())
    }
}

struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let count = self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes();
            chunk.copy_from_slice(&count[8 - chunk.len()..]);
        }
    }
}

pub fn world() -> (World, HeldClock) {
    let clock = HeldClock { now: Arc::new(AtomicI64::new(BEGINNING)), monotonic: Arc::default() };
    let world = World { clock: Arc::new(clock.clone()), entropy: Arc::new(Counting(AtomicU64::new(1))) };
    (world, clock)
}
