//! What single steps cost: `cargo bench --bench micro`, with part of a name behind `--` to run only some.
#![expect(clippy::expect_used, reason = "what cannot be measured ends the run")]

use std::{fmt::Debug, path::Path, sync::Arc, time::Duration};

use divan::Divan;
use rollbook::{
    app::App,
    application::Registry,
    domain::api_key::{KeyName, Scope},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

mod roll;

mod micro {
    mod readers;
    mod requests;
    mod writer;
}

use roll::{Outcome, People};

/// Each is repeated so long: what takes microseconds would otherwise be judged by its first hundred calls.
const LEAST_TIME: Duration = Duration::from_millis(500);

fn main() {
    Divan::default().min_time(LEAST_TIME).skip_ext_time(true).config_with_args().main();
}

/// The app on a folder of its own, for one bench. Dropped in the order that it is written in.
struct Stage {
    app: App,
    people: Arc<People>,
    runtime: Runtime,
    _folder: TempDir,
}

impl Stage {
    /// With nobody on the roll.
    fn empty() -> Self {
        Self::with(0)
    }

    /// With ten thousand customers, all in the search index.
    fn of_ten_thousand() -> Self {
        Self::with(10_000)
    }

    fn with(customers: u64) -> Self {
        let runtime = Runtime::new().expect("threads");
        let folder = tempfile::tempdir().expect("a folder");
        let people = Arc::new(People::default());
        let app = runtime.block_on(set(folder.path(), &people, customers)).expect("a roll");
        Self { app, people, runtime, _folder: folder }
    }

    fn registry(&self) -> &Registry {
        self.app.registry()
    }

    /// What a program of the team presents.
    fn key(&self) -> String {
        let name = KeyName::parse("bench").expect("a name");
        let (_, presented) = self.wait_for(self.registry().key_desk().create(name, vec![Scope::Admin]));
        presented.expose().to_owned()
    }

    fn wait_for<T, E: Debug>(&self, answer: impl Future<Output = Result<T, E>>) -> T {
        self.runtime.block_on(answer).expect("an answer")
    }
}

async fn set(folder: &Path, people: &Arc<People>, customers: u64) -> Outcome<App> {
    let app = roll::start(folder).await?;
    people.register_up_to(customers, app.registry()).await?;
    roll::until_searchable(folder).await?;
    Ok(app)
}
