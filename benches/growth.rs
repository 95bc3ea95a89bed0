//! How the cost of each operation grows with the roll: `cargo bench --bench growth -- 1000 10000 100000`.
//!
//! One database grows from size to size; at each of them every operation is measured, and in the end all of it is one
//! table.

use std::{env, path::Path, process::ExitCode, sync::Arc};

use rollbook::infrastructure::data_folder::DataFolder;

mod roll;

mod growth {
    pub mod asked;
    pub mod operations;
    pub mod stopwatch;
    pub mod table;
}

use growth::{
    asked::Asked,
    operations,
    stopwatch::{Stopwatch, micros},
    table::{Figure, Table, grouped},
};
use roll::{Outcome, People};

#[tokio::main]
async fn main() -> ExitCode {
    let asked = match Asked::of(env::args().skip(1)) {
        Ok(asked) => asked,
        Err(mistake) => {
            eprintln!("growth: {mistake}\n{}", Asked::USAGE);
            return ExitCode::from(2);
        }
    };
    let mut table = Table::default();
    let grown = grow(&asked, &mut table).await;
    // What was measured before it went wrong may have taken hours.
    println!("\n{table}");
    match grown {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("growth: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Grows a roll from size to size, in the folder asked for or in one that is thrown away.
async fn grow(asked: &Asked, table: &mut Table) -> Outcome<()> {
    let temporary;
    let folder = if let Some(folder) = &asked.folder {
        folder.as_path()
    } else {
        temporary = tempfile::tempdir()?;
        temporary.path()
    };
    if DataFolder::at(folder.to_owned()).database().exists() {
        return Err(format!("{} has a database already", folder.display()).into());
    }
    let people = Arc::new(People::default());
    for &size in &asked.sizes {
        let loading = load(folder, &people, size).await?;
        let mut figures = operations::measure(folder, &people).await?;
        figures.insert(0, loading);
        table.add(size, figures);
    }
    Ok(())
}

/// Registers customers as requests do, until there are so many and all are in the search index.
async fn load(folder: &Path, people: &Arc<People>, size: u64) -> Outcome<Figure> {
    let watch = Stopwatch::new();
    let app = roll::start(folder).await?;
    let newcomers = f64::from(u32::try_from(size.saturating_sub(people.count()))?);
    let (loading, ()) = watch.time(people.register_up_to(size, app.registry())).await?;
    let (indexing, ()) = watch.time(roll::until_searchable(folder)).await?;
    println!(
        "{} customers: {newcomers} registered in {:.1} s, {:.0} a second; all searchable {:.1} s later",
        grouped(size),
        loading.as_secs_f64(),
        newcomers / loading.as_secs_f64(),
        indexing.as_secs_f64(),
    );
    Ok(Figure::of("register 256 at once, on and on, µs each", micros(loading) / newcomers))
}
