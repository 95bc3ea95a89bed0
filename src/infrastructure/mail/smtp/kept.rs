//! Connections kept for the next mail.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::time::{Instant, timeout};

use super::session::Session;

/// How long a server is given to answer QUIT, all of them together.
const FAREWELL: Duration = Duration::from_secs(5);

pub(super) struct Kept {
    sessions: Mutex<Vec<Unused>>,
    most: usize,
    idle: Duration,
}

struct Unused {
    session: Session,
    since: Instant,
}

impl Kept {
    pub(super) fn new(most: usize, idle: Duration) -> Self {
        Self { sessions: Mutex::new(Vec::new()), most, idle }
    }

    /// The connection used last, since it is the likeliest to be alive; those unused for too long are given up.
    pub(super) fn take(&self) -> Option<Session> {
        let mut sessions = self.lock();
        let is_stale = |unused: &mut Unused| unused.since.elapsed() >= self.idle;
        let stale: Vec<Unused> = sessions.extract_if(.., is_stale).collect();
        let newest = sessions.pop();
        drop(sessions);
        if !stale.is_empty() {
            // Beside the mail, which is not to wait for it.
            tokio::spawn(part_from(stale));
        }
        newest.map(|unused| unused.session)
    }

    /// Keeps a connection, where there is room.
    pub(super) fn put(&self, session: Session) {
        let unused = Unused { session, since: Instant::now() };
        let mut sessions = self.lock();
        if sessions.len() < self.most {
            sessions.push(unused);
        } else {
            drop(sessions);
            tokio::spawn(part_from(vec![unused]));
        }
    }

    /// Leaves all of them, within a few seconds.
    pub(super) async fn close(&self) {
        let all = std::mem::take(&mut *self.lock());
        part_from(all).await;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Unused>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// RFC 5321, section 4.1.1.10: QUIT before closing, the answer awaited.
async fn part_from(sessions: Vec<Unused>) {
    let farewells = join_all(sessions.into_iter().map(|unused| unused.session.quit()));
    let _ = timeout(FAREWELL, farewells).await;
}
