//! The worker: it looks for mail that is due and has it sent in as many sessions at once as it may. It decides nothing.
//!
//! One looks for all sessions, so that a claim of many messages feeds every one of them, and a commit that queued mail
//! costs one look. It looks again when mail is queued, when a session has come free, and when something will be due.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::{
    sync::{Notify, watch},
    task::{JoinError, JoinSet},
    time::{sleep, timeout},
};

use crate::{
    application::{Registry, claim_messages::Due, deliver_message::Delivery, ports::StoreError},
    domain::message::Message,
};

/// The worker looks at least this often, whatever the clock was set to meanwhile.
const LONGEST_REST: Duration = Duration::from_secs(15);

/// How long it rests when something broke down: what fails or panics at once would do so again at once.
const REST_AFTER_BREAKDOWN: Duration = Duration::from_secs(1);

/// How long it rests at a stop between two tries to write down what became of mails.
const REST_BETWEEN_PAYMENTS: Duration = Duration::from_millis(50);

/// Delivers in so many sessions at the most until `stop` changes. Then what waits for a session is given back, and the
/// mails under way are finished.
pub async fn run(registry: Registry, sessions: usize, bell: Arc<Notify>, mut stop: watch::Receiver<()>) {
    let mut sending = JoinSet::new();
    // A stop before the first look has changed already, or its sender is gone.
    while matches!(stop.has_changed(), Ok(false)) {
        // Listening before looking: what is queued during the look is heard when the worker rests.
        let rung = bell.notified();
        let next = match registry.room_beside(sending.len(), sessions) {
            Ok(()) => look(&registry).await,
            Err(until) => Err(until_then(&registry, until)),
        };
        let rest = match next {
            Ok(message) => {
                let registry = registry.clone();
                sending.spawn(async move { registry.deliver(&message).await });
                continue;
            }
            Err(rest) => rest,
        };
        tokio::select! {
            _ = stop.changed() => break,
            _ = timeout(rest, rung) => {}
            Some(ended) = sending.join_next() => {
                if broke_down(ended) && timeout(REST_AFTER_BREAKDOWN, stop.changed()).await.is_ok() {
                    break;
                }
            }
        }
    }
    if let Err(error) = registry.give_back_claimed().await {
        tracing::warn!(%error, "mail that was to be sent next is due again after the next start");
    }
    while let Some(ended) = sending.join_next().await {
        broke_down(ended);
    }
    // What was sent and is not written down would be sent again.
    while let Err(error) = registry.pay_owed().await {
        // One that will never be written is owed no longer; those behind it are.
        if error.may_pass() {
            sleep(REST_BETWEEN_PAYMENTS).await;
        }
    }
}

/// The next message to be sent.
///
/// # Errors
/// How long to rest, where there is none.
async fn look(registry: &Registry) -> Result<Box<Message>, Duration> {
    match AssertUnwindSafe(registry.next_due()).catch_unwind().await {
        Ok(Ok(Due::Now(message))) => Ok(message),
        Ok(Ok(Due::WithRelay(until))) => Err(until_then(registry, Some(until))),
        Ok(Ok(Due::Later(next))) => Err(until_then(registry, next)),
        Ok(Err(error)) => {
            waits_for_the_database(&error);
            Err(REST_AFTER_BREAKDOWN)
        }
        Err(_) => {
            tracing::error!("looking for mail panicked; it is tried again");
            Err(REST_AFTER_BREAKDOWN)
        }
    }
}

/// Tells what became of a mail, and whether something of ours broke down over it. Addresses stay out of the log.
fn broke_down(ended: Result<Result<Delivery, StoreError>, JoinError>) -> bool {
    match ended {
        Ok(Ok(delivery)) => {
            tell(&delivery);
            false
        }
        Ok(Err(error)) if error.may_pass() => {
            waits_for_the_database(&error);
            true
        }
        Ok(Err(error)) => {
            let cause = std::error::Error::source(&error);
            tracing::error!(%error, ?cause, "what became of a mail cannot be written down; it waits for the next start");
            true
        }
        Err(error) => {
            tracing::error!(%error, "sending a mail panicked; it is tried again when its claim lapses");
            true
        }
    }
}

fn tell(delivery: &Delivery) {
    match delivery {
        Delivery::Sent | Delivery::Crowded(_, None) => {}
        Delivery::Deferred(fault) => {
            tracing::info!(stage = %fault.stage, code = fault.code, "a mail was put off");
        }
        Delivery::Failed(fault) => {
            tracing::warn!(stage = %fault.stage, code = fault.code, "a mail was refused for good");
        }
        Delivery::Crowded(fault, Some(sessions)) => {
            tracing::warn!(
                stage = %fault.stage, code = fault.code, sessions,
                "the relay takes no more sessions at once; fewer are used for a while"
            );
        }
        Delivery::RelayFault(fault, until) => {
            tracing::error!(stage = %fault.stage, code = fault.code, %until, "the mail relay is at fault; mail waits");
        }
    }
}

fn waits_for_the_database(error: &StoreError) {
    tracing::error!(%error, cause = ?std::error::Error::source(error), "mail waits for the database");
}

fn until_then(registry: &Registry, then: Option<Timestamp>) -> Duration {
    let now = registry.clock.now();
    then.map_or(LONGEST_REST, |then| {
        // A moment that has passed is no reason to spin.
        let wait = Duration::try_from(then.duration_since(now)).unwrap_or_default();
        wait.clamp(Duration::from_millis(1), LONGEST_REST)
    })
}
