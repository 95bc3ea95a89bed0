//! What the command line asks for.

use std::{ops::RangeInclusive, path::PathBuf};

/// Which sizes, and where.
pub struct Asked {
    /// How many customers, smallest first.
    pub sizes: Vec<u64>,
    /// The folder for the database, which stays; none for one that is thrown away.
    pub folder: Option<PathBuf>,
}

const SIZES: RangeInclusive<u64> = 1_000..=10_000_000;
const APART: u64 = 1_000;
const USUAL: [u64; 3] = [1_000, 10_000, 100_000];

impl Asked {
    pub const USAGE: &str = "usage: cargo bench --bench growth -- [--folder FOLDER] [SIZE]...";

    /// Reads the arguments.
    pub fn of(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut sizes, mut folder) = (Vec::new(), None);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                // Cargo says so to every bench.
                "--bench" => {}
                "--folder" => folder = Some(arguments.next().ok_or("--folder names no folder")?.into()),
                size => sizes.push(read_size(size)?),
            }
        }
        if sizes.is_empty() {
            sizes.extend(USUAL);
        }
        // A roll only grows.
        sizes.sort_unstable();
        sizes.dedup();
        if sizes.is_sorted_by(|smaller, larger| smaller + APART <= *larger) {
            Ok(Self { sizes, folder })
        } else {
            Err(format!("sizes must be {APART} apart or more: measuring registers some, too"))
        }
    }
}

fn read_size(text: &str) -> Result<u64, String> {
    let size = text.parse().ok().filter(|size| SIZES.contains(size));
    size.ok_or_else(|| format!("{text} is no size: a whole number from {} to {}", SIZES.start(), SIZES.end()))
}
