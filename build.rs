//! Writes down what refinery notes of each migration that it has applied: a start that finds just that in the database
//! has nothing to ask refinery for. Runs again when a migration is added or changed, and so does the macro that embeds
//! them, which by itself notices only changed ones.

use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=migrations");
    let migrations = refinery_core::load_sql_migrations("migrations")?;
    let noted = migrations.iter().map(|it| format!("({}, {:?}, \"{}\")", it.version(), it.name(), it.checksum()));
    let noted = noted.collect::<Vec<_>>().join(", ");
    #[expect(clippy::disallowed_methods, reason = "the environment of the build, not of the program")]
    let folder = env::var("OUT_DIR")?;
    fs::write(Path::new(&folder).join("embedded.rs"), format!("[{noted}]"))?;
    Ok(())
}
