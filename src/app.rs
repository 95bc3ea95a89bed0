//! The composition root: joins the parts, binds, runs the server and the workers, shuts down.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

use crate::{
    application::{
        Memory, Registry,
        ports::{Clock, Entropy, Mailer},
    },
    domain::ids::IdSequence,
    infrastructure::{
        config::{BaseUrl, Config},
        data_folder::{DataFolder, FolderLock},
        http::{
            self, Web,
            server::{self, Limits, descriptors},
        },
        mail::words::VerificationWords,
        sqlite::{Commit, SqliteStore, migrations},
        system::{SystemClock, SystemEntropy},
        telemetry::metrics::Metrics,
        worker,
    },
};

mod adapt;
mod key_desk;
mod mailer;
mod start_error;

pub use key_desk::{key_desk, key_desk_of_any_folder};
pub use start_error::StartError;

/// What a program cannot make itself: in tests the clock is held and the entropy counted.
#[derive(Clone)]
pub struct World {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl World {
    /// The machine's own.
    #[must_use]
    pub fn real() -> Self {
        Self { clock: Arc::new(SystemClock::new()), entropy: Arc::new(SystemEntropy::default()) }
    }
}

/// Connections at the admin address at once.
const MOST_WATCHERS: usize = 64;

/// Rollbook, bound and ready to run.
pub struct App {
    registry: Registry,
    web: Web,
    address: SocketAddr,
    listener: TcpListener,
    admin_listener: Option<TcpListener>,
    bell: Arc<Notify>,
    mail_sessions: usize,
    mailer: Arc<dyn mailer::Closing>,
    lock: Arc<FolderLock>,
}

impl App {
    /// Takes the data folder, binds and brings the schema up to date. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`]; a schema that was brought up to date stays so.
    pub async fn start(config: &Config, world: World) -> Result<Self, StartError> {
        let folder = DataFolder::at(config.store.data_dir.clone());
        folder.make()?;
        let (locking, patience) = (folder.clone(), config.store.busy_timeout);
        let lock = spawn_blocking(move || locking.lock_within(patience)).await.map_err(StartError::threads)??;
        // Nothing is migrated for a server that nobody could reach.
        let listener = listen(config.http.listen)?;
        let admin_listener = match config.http.admin_listen {
            Some(address) => Some(listen(address)?),
            None => None,
        };
        let address =
            listener.local_addr().map_err(|source| StartError::Listen { address: config.http.listen, source })?;
        migrate_folder(&folder, config, world.clock.as_ref())?;
        // A service starts with few descriptors, and may have as many as it needs.
        let wanted = config.limits.max_connections;
        let connections = descriptors::connection_cap(wanted, descriptors::raise_for(wanted));
        let mailer = mailer::of(config)?;
        let parts = Parts::open(config, &folder, address, Arc::clone(&mailer) as _, world).await?;
        parts.store.release_claims().await?;
        if folder.others_may_read_the_key() {
            tracing::warn!("mail.key may be read by others; links can be forged with it: chmod 600 it");
        }
        Ok(Self {
            web: parts.web(config, connections),
            registry: parts.registry,
            address,
            listener,
            admin_listener,
            bell: parts.bell,
            mail_sessions: config.mail.sessions,
            mailer,
            lock: Arc::new(lock),
        })
    }

    /// Where the API listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where health and metrics listen, if elsewhere.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_listener.as_ref()?.local_addr().ok()
    }

    /// The use cases: what a test steps instead of a worker.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What answers requests: for whoever asks without a socket, such as a bench.
    #[must_use]
    pub const fn web(&self) -> &Web {
        &self.web
    }

    /// Serves and delivers until `stop`, then finishes what was taken: requests and mails at once, so that a stuck client
    /// and a stuck relay cannot each hold the stop up in turn.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (running, stopping) = watch::channel(());
        let work = worker::run(self.registry.clone(), self.mail_sessions, Arc::clone(&self.bell), stopping.clone());
        let mails = finish(tokio::spawn(work), stopping, self.web.limits.drain);
        let mailer = Arc::clone(&self.mailer);
        // The folder is ours until the last mail is settled, not only until the last request is answered.
        let _lock = Arc::clone(&self.lock);
        let stop = async {
            stop.await;
            drop(running);
        };
        tokio::join!(self.serve(stop), mails);
        mailer.close().await;
    }

    /// Serves until `stop`, then finishes the requests that were taken. Nobody delivers: a test steps that itself.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let (running, stopping) = watch::channel(());
        let public = Arc::new(self.web.public(self.admin_listener.is_none()));
        let limits = Arc::clone(&self.web.limits);
        let stop = async {
            stop.await;
            drop(running);
        };
        match self.admin_listener {
            Some(listener) => {
                let admin = Arc::new(self.web.admin());
                let (of_api, of_admin) = split(&limits);
                tokio::join!(
                    server::serve(self.listener, public, of_api, stop),
                    server::serve(listener, admin, of_admin, stopped(stopping))
                );
            }
            None => server::serve(self.listener, public, limits, stop).await,
        }
    }
}

/// The limits of the API and of the admin address: there are no more descriptors for being listened for at two.
fn split(limits: &Limits) -> (Arc<Limits>, Arc<Limits>) {
    let watchers = MOST_WATCHERS.min(limits.connections / 2).max(1);
    let with = |connections: usize| Arc::new(Limits { connections: connections.max(1), ..limits.clone() });
    (with(limits.connections.saturating_sub(watchers)), with(watchers))
}

/// Completes once there is no sender any more.
async fn stopped(mut stopping: watch::Receiver<()>) {
    while stopping.changed().await.is_ok() {}
}

/// Waits for the stop and then, so long, for the mails under way.
async fn finish(mut workers: JoinHandle<()>, stopping: watch::Receiver<()>, drain: Duration) {
    stopped(stopping).await;
    // A mail whose session outlasts this is cut off; its claim is released by the next start.
    if timeout(drain, &mut workers).await.is_err() {
        tracing::warn!("a mail was still under way; it is tried again after the next start");
        workers.abort();
        // It ends by being aborted, and before the folder is given free.
        let _ = workers.await;
    }
}

/// Brings the schema of a folder up to date, for the holder of its lock.
///
/// # Errors
/// [`StartError`].
pub fn migrate(config: &Config) -> Result<migrations::Migrated, StartError> {
    let folder = DataFolder::at(config.store.data_dir.clone());
    folder.make()?;
    let _lock = folder.lock_within(config.store.busy_timeout)?;
    migrate_folder(&folder, config, &SystemClock::new())
}

fn migrate_folder(folder: &DataFolder, config: &Config, clock: &dyn Clock) -> Result<migrations::Migrated, StartError> {
    folder.expect_database()?;
    let stamp = clock.now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let settings = adapt::store_settings(config);
    let migrated = migrations::migrate(&folder.database(), &settings, &folder.backups(), &stamp)?;
    if migrated.from == migrated.to {
        tracing::debug!(schema = migrated.to, "there is nothing to migrate");
    } else {
        let snapshot = migrated.snapshot.as_deref().map(|path| tracing::field::display(path.display()));
        tracing::info!(from = migrated.from, to = migrated.to, snapshot, "the schema is up to date");
    }
    Ok(migrated)
}

fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    server::listen(address).map_err(|source| StartError::Listen { address, source })
}

/// What both the server and the verbs of the staff are made of.
struct Parts {
    registry: Registry,
    store: Arc<SqliteStore>,
    metrics: Arc<Metrics>,
    bell: Arc<Notify>,
}

impl Parts {
    async fn open(
        config: &Config,
        folder: &DataFolder,
        address: SocketAddr,
        mailer: Arc<dyn Mailer>,
        world: World,
    ) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::default());
        let bell = Arc::new(Notify::new());
        let on_commit = on_commit(Arc::clone(&metrics), Arc::clone(&bell));
        let settings = adapt::store_settings(config);
        let store = SqliteStore::open(&folder.database(), &settings, Arc::clone(&world.clock), on_commit)?;
        let store = Arc::new(store);
        let links_depend_on_it = store.has_proofs().await?;
        let public_url = config.http.public_url.clone().unwrap_or_else(|| BaseUrl::at(address));
        let composer = VerificationWords::new(public_url.as_str().to_owned())?;
        let registry = Registry {
            customers: Arc::clone(&store) as _,
            verifications: Arc::clone(&store) as _,
            outbox: Arc::clone(&store) as _,
            keys: Arc::clone(&store) as _,
            composer: Arc::new(composer),
            mailer,
            ids: Arc::new(IdSequence::after(store.highest_id().await?)),
            mac_key: folder.mail_key(links_depend_on_it, world.entropy.as_ref())?,
            policy: Arc::new(adapt::policy(config)),
            memory: Arc::new(Memory::new(adapt::signed(config.mail.probe))),
            clock: world.clock,
            entropy: world.entropy,
        };
        Ok(Self { registry, store, metrics, bell })
    }

    fn web(&self, config: &Config, connections: usize) -> Web {
        let observed = Arc::clone(&self.metrics);
        Web {
            registry: Arc::new(self.registry.clone()),
            store: Arc::clone(&self.store) as _,
            metrics: metrics_text(Arc::clone(&self.metrics), self.registry.clone()),
            on_answer: Arc::new(move |answer| {
                observed.answered(answer.route, answer.method, answer.status, answer.duration.as_secs_f64());
            }),
            limits: Arc::new(adapt::limits(config, connections)),
            largest_body: config.limits.max_body_bytes,
            cors_origins: config.http.cors_origins.iter().map(|origin| origin.as_str().to_owned()).collect(),
        }
    }
}

/// Every commit is counted; one that queued mail wakes the workers.
fn on_commit(metrics: Arc<Metrics>, bell: Arc<Notify>) -> Arc<dyn Fn(Commit) + Send + Sync> {
    Arc::new(move |commit| {
        metrics.committed(u64::try_from(commit.commands).unwrap_or(u64::MAX));
        if commit.queued_mail {
            bell.notify_waiters();
        }
    })
}

fn metrics_text(metrics: Arc<Metrics>, registry: Registry) -> http::MetricsText {
    Arc::new(move || {
        let (metrics, registry) = (Arc::clone(&metrics), registry.clone());
        Box::pin(async move {
            // Where the database fails, whoever watches needs all other numbers.
            let outbox = registry.outbox.counts().await;
            let outbox = outbox.inspect_err(|error| tracing::warn!(%error, "the outbox cannot be counted")).ok();
            Ok(metrics.text(outbox, registry.relay_is_up())?)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{Limits, split};

    #[test]
    fn two_addresses_have_no_more_connections_than_one() {
        for (all, of_api, of_admin) in [(10_000, 9_936, 64), (100, 50, 50), (3, 2, 1), (2, 1, 1)] {
            let (api, admin) = split(&Limits { connections: all, ..Limits::default() });
            assert_eq!((api.connections, admin.connections), (of_api, of_admin), "{all}");
        }
    }
}
