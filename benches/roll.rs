//! A roll to be measured: the production app over a database of its own, with as many customers on it as are wanted.
//!
//! Clock, entropy and disk are the real ones, and every commit is synced. Mail is captured, so that no relay is needed.

use std::{error::Error, path::Path, time::Duration};

use rollbook::{
    app::{App, World},
    infrastructure::{
        config::{Config, Environment, Layers},
        data_folder::DataFolder,
    },
};
use rusqlite::{Connection, OpenFlags};
use tokio::{
    task::JoinSet,
    time::{interval, timeout},
};

mod names;
mod people;
mod questions;

pub use self::{
    people::People,
    questions::{first_page, names, page_behind, search, words_of_one},
};

/// What was measured, or why it could not be.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// More than are registered at once here, so that none is refused.
const WRITER_QUEUE: &str = "1024";

/// How long the search index may take to be filled to its end.
const LONGEST_FILL: Duration = Duration::from_mins(10);

/// Starts the app on a folder.
pub async fn start(folder: &Path) -> Outcome<App> {
    let folder = folder.to_str().ok_or("the folder's name is not UTF-8")?;
    let settings = [("LISTEN", "127.0.0.1:0"), ("DATA_DIR", folder), ("WRITER_QUEUE", WRITER_QUEUE)];
    let environment: Environment =
        settings.into_iter().map(|(key, value)| (format!("ROLLBOOK_{key}"), value.to_owned())).collect();
    let config = Config::load(&Layers { environment, ..Layers::default() })?.config;
    Ok(App::start(&config, World::real()).await?)
}

/// Waits until every customer in a folder is in the search index, which is filled behind the answers.
pub async fn until_searchable(folder: &Path) -> Outcome<()> {
    const IS_FILLED: &str =
        "SELECT indexed_to >= coalesce((SELECT max(id) FROM customers), 0) FROM customers_search_mark";
    let database = DataFolder::at(folder.to_owned()).database();
    let db = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let mut look = interval(Duration::from_millis(20));
    let filled = async {
        while !db.query_row(IS_FILLED, [], |row| row.get(0))? {
            look.tick().await;
        }
        Ok(())
    };
    timeout(LONGEST_FILL, filled).await.map_err(|_| "the search index is not filled")?
}

/// Does all of them at once, each in a task of its own as requests are, until the last one is done.
pub async fn together<F, T, E>(tasks: impl IntoIterator<Item = F>) -> Outcome<()>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Error + Send + Sync + 'static,
{
    let mut running: JoinSet<_> = tasks.into_iter().collect();
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(())
}
