//! How far a connection has come with its requests, and by when it has to come further.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::limits::Limits;

/// Told by the stream, the exchange and the response's body what happens; asked by the connection for its deadline.
///
/// A head whose first bytes come with the request before it counts from the bytes that follow: hyper has them, and does
/// not say so. The idle deadline stands meanwhile.
pub(super) struct Progress {
    limits: Arc<Limits>,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    /// When a write that does not move ends the connection.
    write_by: Option<Instant>,
    /// A request was answered that is not read to its end.
    leaves_unread: bool,
}

enum Phase {
    /// No byte of the next request has come.
    Silent { until: Instant },
    /// Some have.
    Head { until: Instant },
    /// The endpoint has the request. It has no deadline, unless it changes nothing and its client has hung up.
    InFlight { changes_nothing: bool, until: Option<Instant> },
    /// The client is taking the response.
    Answering,
    /// Whatever is left of the response is hyper's to write.
    Answered,
    /// Nothing more will be said; what the client is still sending is thrown away.
    Lingering { until: Instant },
}

impl Progress {
    /// A connection just accepted.
    pub(super) fn new(limits: Arc<Limits>) -> Self {
        let phase = Phase::Silent { until: Instant::now() + limits.head };
        Self { limits, state: Mutex::new(State { phase, write_by: None, leaves_unread: false }) }
    }

    /// Bytes came from the client.
    pub(super) fn bytes_came(&self) {
        let mut state = self.state();
        if let Phase::Silent { .. } = state.phase {
            state.phase = Phase::Head { until: Instant::now() + self.limits.head };
        }
    }

    /// A head is complete.
    pub(super) fn request_came(&self, changes_nothing: bool) {
        self.state().phase = Phase::InFlight { changes_nothing, until: None };
    }

    /// Whether it matters if the client hangs up.
    pub(super) fn minds_a_hang_up(&self) -> bool {
        matches!(self.state().phase, Phase::InFlight { changes_nothing: true, until: None })
    }

    /// The client will say nothing more, and may hear nothing more either.
    pub(super) fn client_hung_up(&self) {
        if let Phase::InFlight { until, .. } = &mut self.state().phase {
            *until = Some(Instant::now() + self.limits.hang_up);
        }
    }

    /// The endpoint has answered.
    pub(super) fn answering(&self) {
        self.state().phase = Phase::Answering;
    }

    /// The request's body is not wanted, and not all here: this connection has had its last request.
    pub(super) fn leave_unread(&self) {
        self.state().leaves_unread = true;
    }

    /// hyper has all of the response.
    pub(super) fn answered(&self) {
        self.state().phase = Phase::Answered;
    }

    /// The system has all that hyper had.
    pub(super) fn flushed(&self) {
        let mut state = self.state();
        if let Phase::Answered = state.phase {
            state.phase = Phase::Silent { until: Instant::now() + self.limits.idle };
        }
    }

    /// A write found no room.
    pub(super) fn write_stalled(&self) {
        self.state().write_by = Some(Instant::now() + self.limits.write_stall);
    }

    /// The write that had stalled found room.
    pub(super) fn write_moved(&self) {
        self.state().write_by = None;
    }

    /// Our side is closed. Gives the bytes worth discarding before the socket is: none, unless the client may still be
    /// sending what was refused, be it by the endpoint or, mid-head, by hyper.
    pub(super) fn closed(&self) -> u64 {
        let mut state = self.state();
        if !state.leaves_unread && !matches!(state.phase, Phase::Head { .. }) {
            return 0;
        }
        state.phase = Phase::Lingering { until: Instant::now() + self.limits.linger };
        self.limits.discard_size
    }

    /// Whether closing now would lose no request that is complete.
    pub(super) fn is_between_requests(&self) -> bool {
        matches!(self.state().phase, Phase::Silent { .. } | Phase::Head { .. })
    }

    /// When the connection has had its time.
    pub(super) fn due(&self) -> Option<Instant> {
        let state = self.state();
        let phase_ends = match state.phase {
            Phase::Silent { until } | Phase::Head { until } | Phase::Lingering { until } => Some(until),
            Phase::InFlight { until, .. } => until,
            Phase::Answering | Phase::Answered => None,
        };
        phase_ends.into_iter().chain(state.write_by).min()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
