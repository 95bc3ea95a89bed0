//! The workers: they repeat `deliver_next` until told to stop, and decide nothing.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::timeout,
};

use crate::application::{Registry, deliver_message::Delivery};

/// A worker looks at least this often, whatever the clock was set to meanwhile.
const LONGEST_REST: Duration = Duration::from_secs(15);

/// How long a worker rests when the store broke down.
const REST_AFTER_BREAKDOWN: Duration = Duration::from_secs(1);

/// Delivers with so many workers until `stop` changes; then each finishes the message it has.
pub async fn run(registry: Registry, workers: usize, bell: Arc<Notify>, stop: watch::Receiver<()>) {
    let mut tasks = JoinSet::new();
    for _ in 0..workers {
        tasks.spawn(work(registry.clone(), Arc::clone(&bell), stop.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a mail worker panicked; another takes its place");
            let (registry, bell, mut stop) = (registry.clone(), Arc::clone(&bell), stop.clone());
            tasks.spawn(async move {
                // What panics at once would panic again at once.
                let _ = timeout(REST_AFTER_BREAKDOWN, stop.changed()).await;
                work(registry, bell, stop).await;
            });
        }
    }
}

async fn work(registry: Registry, bell: Arc<Notify>, mut stop: watch::Receiver<()>) {
    // A stop before the first look has changed already, or its sender is gone.
    while matches!(stop.has_changed(), Ok(false)) {
        // Listening before looking: what is queued while a worker looks is heard when it rests.
        let rung = bell.notified();
        let rest = match registry.deliver_next().await {
            Ok(delivery) => rest_after(&registry, delivery),
            Err(error) => {
                tracing::error!(%error, cause = ?std::error::Error::source(&error), "mail waits for the database");
                Some(REST_AFTER_BREAKDOWN)
            }
        };
        let Some(rest) = rest else { continue };
        tokio::select! {
            _ = stop.changed() => {}
            _ = timeout(rest, rung) => {}
        }
    }
}

/// How long to rest after a delivery; none if there may be more to do. Addresses stay out of the log.
fn rest_after(registry: &Registry, delivery: Delivery) -> Option<Duration> {
    match delivery {
        Delivery::Sent => None,
        Delivery::Deferred(fault) => {
            tracing::info!(stage = %fault.stage, code = fault.code, "a mail was put off");
            None
        }
        Delivery::Failed(fault) => {
            tracing::warn!(stage = %fault.stage, code = fault.code, "a mail was refused for good");
            None
        }
        Delivery::RelayFault { fault: Some(fault), until } => {
            tracing::error!(stage = %fault.stage, code = fault.code, %until, "the mail relay is at fault; mail waits");
            Some(until_then(registry, Some(until)))
        }
        Delivery::RelayFault { fault: None, until } => Some(until_then(registry, Some(until))),
        Delivery::Idle(next) => Some(until_then(registry, next)),
    }
}

fn until_then(registry: &Registry, then: Option<Timestamp>) -> Duration {
    let now = registry.clock.now();
    then.map_or(LONGEST_REST, |then| {
        // A moment that has passed is no reason to spin.
        let wait = Duration::try_from(then.duration_since(now)).unwrap_or_default();
        wait.clamp(Duration::from_millis(1), LONGEST_REST)
    })
}
