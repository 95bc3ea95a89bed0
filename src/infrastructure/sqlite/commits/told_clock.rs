//! A clock that goes on when it is told to.

use std::{sync::Mutex, time::Duration};

use jiff::Timestamp;

use crate::application::ports::Clock;

#[derive(Default)]
pub(in crate::infrastructure::sqlite) struct ToldClock(Mutex<Duration>);

impl ToldClock {
    pub(in crate::infrastructure::sqlite) fn pass(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}

impl Clock for ToldClock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}
