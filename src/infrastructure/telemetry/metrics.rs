//! The numbers of `/metrics`, in the text format of OpenMetrics.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64},
    },
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use crate::application::ports::OutboxCounts;

/// Upper bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    route: Arc<str>,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

/// The numbers, counted since the start.
pub struct Metrics {
    registry: Registry,
    /// The label of paths that lead nowhere.
    unknown: Arc<str>,
    requests: Family<Request, Counter>,
    durations: Histogram,
    commits: Counter<u64, AtomicU64>,
    committed: Counter<u64, AtomicU64>,
    outbox: Family<State, Gauge>,
    relay_up: Gauge<i64, AtomicI64>,
    /// Held while the text is written.
    writing: Mutex<()>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("rollbook");
        let requests = Family::default();
        let durations = Histogram::new(BUCKETS);
        let commits = Counter::default();
        let committed = Counter::default();
        let outbox = Family::default();
        let relay_up = Gauge::default();
        registry.register(
            "http_requests",
            "Requests answered, or given up (499), by route template, method and status",
            requests.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "From the end of a head to the answer, or to the giving up",
            durations.clone(),
        );
        registry.register("commits", "Transactions of the writer", commits.clone());
        registry.register("committed_commands", "Writes that those transactions served", committed.clone());
        registry.register("outbox_messages", "Messages by state", outbox.clone());
        registry.register("smtp_relay_up", "1 if the last that was heard of the mail relay is good", relay_up.clone());
        Self {
            registry,
            unknown: "unknown".into(),
            requests,
            durations,
            commits,
            committed,
            outbox,
            relay_up,
            writing: Mutex::default(),
        }
    }
}

impl Metrics {
    /// An answer was given.
    pub fn answered(&self, route: Option<&Arc<str>>, method: &'static str, status: u16, seconds: f64) {
        let route = Arc::clone(route.unwrap_or(&self.unknown));
        let request = Request { route, method, status };
        self.requests.get_or_create(&request).inc();
        self.durations.observe(seconds);
    }

    /// A transaction was committed that served so many commands.
    pub fn committed(&self, commands: u64) {
        self.commits.inc();
        self.committed.inc_by(commands);
    }

    /// The whole text, with what stands in the outbox, as far as that is known, and how the relay is at this moment.
    ///
    /// # Errors
    /// None that can happen when writing to memory.
    pub fn text(&self, outbox: Option<OutboxCounts>, relay_is_up: bool) -> Result<String, fmt::Error> {
        // Two who look at once must not each see the other's half; a panic in between leaves what is set anew.
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        // What was known before is no longer true.
        self.outbox.clear();
        if let Some(OutboxCounts { queued, sent, deferred, failed, cancelled }) = outbox {
            let counts = [
                ("queued", queued),
                ("sent", sent),
                ("deferred", deferred),
                ("failed", failed),
                ("cancelled", cancelled),
            ];
            for (state, messages) in counts {
                self.outbox.get_or_create(&State { state }).set(i64::try_from(messages).unwrap_or(i64::MAX));
            }
        }
        self.relay_up.set(i64::from(relay_is_up));
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_have_the_names_that_dashboards_know() {
        let metrics = Metrics::default();
        metrics.answered(Some(&"/api/customers/{id}".into()), "GET", 200, 0.002);
        metrics.committed(7);
        let text = metrics.text(Some(OutboxCounts { queued: 3, ..OutboxCounts::default() }), true).unwrap();
        for line in [
            r#"rollbook_http_requests_total{route="/api/customers/{id}",method="GET",status="200"} 1"#,
            "rollbook_commits_total 1",
            "rollbook_committed_commands_total 7",
            r#"rollbook_outbox_messages{state="queued"} 3"#,
            r#"rollbook_outbox_messages{state="failed"} 0"#,
            "rollbook_smtp_relay_up 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }
}
