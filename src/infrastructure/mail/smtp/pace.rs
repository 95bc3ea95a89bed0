//! The clock of one attempt: each step within its own limit, all of them within the session's.

use std::{future::Future, pin::pin, time::Duration};

use tokio::time::{Instant, sleep, timeout};

use super::{relay::Deadlines, wire::Wire};
use crate::domain::mail::{SendFault, Stage};

pub(super) struct Pace<'a> {
    deadlines: &'a Deadlines,
    ends: Instant,
}

impl<'a> Pace<'a> {
    /// Starts the clock.
    pub(super) fn start(deadlines: &'a Deadlines) -> Self {
        Self { deadlines, ends: Instant::now() + deadlines.session }
    }

    /// Waits for a step of one exchange.
    pub(super) async fn step<T>(&self, stage: Stage, work: impl Future<Output = T>) -> Result<T, SendFault> {
        self.within(stage, self.limit(stage), work).await
    }

    /// Waits until the server has taken the mail's octets.
    pub(super) async fn block<T>(&self, work: impl Future<Output = T>) -> Result<T, SendFault> {
        self.within(Stage::Data, self.deadlines.block, work).await
    }

    /// Waits for a step of several exchanges, each with the whole limit: what we write begins the next one.
    pub(super) async fn exchanges<T>(
        &self,
        stage: Stage,
        wire: &Wire,
        work: impl Future<Output = T>,
    ) -> Result<T, SendFault> {
        let mut work = pin!(work);
        loop {
            let limit = self.limit(stage);
            tokio::select! {
                outcome = &mut work => return Ok(outcome),
                () = wire.written() => {}
                () = sleep(limit.min(self.left())) => return Err(self.late(stage, limit)),
            }
        }
    }

    async fn within<T>(&self, stage: Stage, limit: Duration, work: impl Future<Output = T>) -> Result<T, SendFault> {
        timeout(limit.min(self.left()), work).await.map_err(|_| self.late(stage, limit))
    }

    fn limit(&self, stage: Stage) -> Duration {
        match stage {
            Stage::Connect => self.deadlines.connect,
            Stage::Tls => self.deadlines.tls,
            Stage::Greeting
            | Stage::StartTls
            | Stage::Auth
            | Stage::MailFrom
            | Stage::Recipient
            // Nothing is waited for while a mail is put together, and no session knows of an API.
            | Stage::Build
            | Stage::Api => self.deadlines.command,
            Stage::Data => self.deadlines.data,
            Stage::FinalDot => self.deadlines.final_dot,
        }
    }

    fn left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    fn late(&self, stage: Stage, limit: Duration) -> SendFault {
        let words = if self.left().is_zero() {
            format!("not done within {:?} in all", self.deadlines.session)
        } else {
            format!("no answer within {limit:?}")
        };
        SendFault::new(stage, None, &words)
    }
}
