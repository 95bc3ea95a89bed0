//! How long something takes, by the machine's monotonic clock.

use std::time::Duration;

use rollbook::{application::ports::Clock, infrastructure::system::SystemClock};

use crate::roll::Outcome;

/// No operation is repeated longer, unless it is so slow that there would be no median.
const LONGEST: Duration = Duration::from_secs(1);
const FEWEST: usize = 5;

/// Takes times.
pub struct Stopwatch {
    clock: SystemClock,
}

impl Stopwatch {
    pub fn new() -> Self {
        Self { clock: SystemClock::new() }
    }

    /// What comes of it, and how long it took.
    pub async fn time<T>(&self, operation: impl Future<Output = Outcome<T>>) -> Outcome<(Duration, T)> {
        let begun = self.clock.monotonic();
        let come_of_it = operation.await?;
        Ok((self.clock.monotonic().saturating_sub(begun), come_of_it))
    }

    /// The median of at most so many times.
    pub async fn median(&self, most: usize, mut operation: impl AsyncFnMut() -> Outcome<()>) -> Outcome<Duration> {
        let (mut times, mut total) = (Vec::new(), Duration::ZERO);
        while times.len() < FEWEST || (times.len() < most && total < LONGEST) {
            let (time, ()) = self.time(operation()).await?;
            times.push(time);
            total += time;
        }
        Ok(median(times))
    }
}

/// The one in the middle.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// In microseconds.
pub fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
