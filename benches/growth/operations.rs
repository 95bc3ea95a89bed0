//! What is measured at each size: first what leaves the roll as it is, then what makes it longer.

use std::{fs, path::Path};

use rollbook::{
    app::App,
    application::{Registry, ports::CustomerQuery},
    infrastructure::data_folder::DataFolder,
};

use super::{
    stopwatch::{Stopwatch, median, micros},
    table::Figure,
};
use crate::roll::{self, Outcome, People, first_page, names, page_behind, search, words_of_one};

const STARTS: usize = 5;
const MOST_READS: usize = 2_000;
/// Few, so that the roll keeps about its size.
const MOST_WRITES: usize = 50;
const MOST_GROUPS: usize = 10;
const GROUP: u8 = 64;

/// What a page of customers is asked for.
type Question = fn(&People) -> Outcome<CustomerQuery>;

const QUESTIONS: [(&str, Question); 6] = [
    ("first page of 50, µs", |_| Ok(first_page())),
    ("page of 50 at a random depth, µs", |people| Ok(page_behind(people.somebody()?))),
    ("search: first name and 4 letters of a surname, µs", |people| search(&words_of_one(people))),
    ("search: a first name that many have, µs", |people| search(people.somebodys_name().0)),
    ("search: a word that nobody has, µs", |_| search("qqxzy")),
    ("search: two common words that nobody has both, µs", |_| search("felix walter")),
];

/// Measures everything at the size that the roll in a folder has. The app must not be running there.
pub async fn measure(folder: &Path, people: &People) -> Outcome<Vec<Figure>> {
    let watch = Stopwatch::new();
    let mut figures = sizes(folder, people)?;
    figures.push(starts(&watch, folder).await?);
    let app = roll::start(folder).await?;
    figures.extend(reads(&watch, app.registry(), people).await?);
    figures.push(Figure::if_any("memory after that (RSS), MB", resident_megabytes()));
    figures.extend(writes(&watch, &app, people).await?);
    Ok(figures)
}

fn sizes(folder: &Path, people: &People) -> Outcome<Vec<Figure>> {
    // Nobody has it open, so all of it is in this one file.
    let bytes = fs::metadata(DataFolder::at(folder.to_owned()).database())?.len();
    let megabytes = f64::from(u32::try_from(bytes / 1_000)?) / 1e3;
    let bytes_each = f64::from(u32::try_from(bytes / people.count().max(1))?);
    Ok(vec![Figure::of("database, MB", megabytes), Figure::of("database, bytes a customer", bytes_each)])
}

async fn starts(watch: &Stopwatch, folder: &Path) -> Outcome<Figure> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let (time, app) = watch.time(roll::start(folder)).await?;
        times.push(time);
        // The next one needs the folder.
        drop(app);
    }
    Ok(Figure::of("start of the app, µs", micros(median(times))))
}

async fn reads(watch: &Stopwatch, registry: &Registry, people: &People) -> Outcome<Vec<Figure>> {
    let find = async || registry.find_customer(people.somebody()?).await.map(drop).map_err(Into::into);
    let mut figures = vec![Figure::of("find by id, µs", micros(watch.median(MOST_READS, find).await?))];
    for (what, question) in QUESTIONS {
        let list = async || registry.list_customers(question(people)?, names()).await.map(drop).map_err(Into::into);
        figures.push(Figure::of(what, micros(watch.median(MOST_READS, list).await?)));
    }
    Ok(figures)
}

async fn writes(watch: &Stopwatch, app: &App, people: &People) -> Outcome<Vec<Figure>> {
    let registry = app.registry();
    let one = async || registry.register_customer(people.newcomer()?).await.map(drop).map_err(Into::into);
    let alone = micros(watch.median(MOST_WRITES, one).await?);
    let group = async || {
        let newcomers: Outcome<Vec<_>> = (0..GROUP).map(|_| people.newcomer()).collect();
        roll::together(newcomers?.into_iter().map(|newcomer| {
            let registry = registry.clone();
            async move { registry.register_customer(newcomer).await }
        }))
        .await
    };
    let together = micros(watch.median(MOST_GROUPS, group).await?);
    Ok(vec![
        Figure::of("register one alone, µs", alone),
        Figure::of("register 64 at once, µs each", together / f64::from(GROUP)),
    ])
}

/// How much memory this program holds, where the system tells.
fn resident_megabytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u32 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(f64::from(kilobytes) * 1.024 / 1e3)
}
