//! Writes down what refinery notes of each migration that it has applied: a start that finds just that in the database
//! has nothing to ask refinery for. Runs again when a migration is added or changed, and so does the macro that embeds
//! them, which by itself notices only changed ones.

use std::{env, error::Error, ffi::OsStr, fs, path::Path};

use refinery_core::{Migration, MigrationType, find_migration_files};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=migrations");
    let mut migrations = Vec::new();
    for path in find_migration_files("migrations", MigrationType::Sql)? {
        let stem = path.file_stem().and_then(OsStr::to_str).ok_or("a migration's name is not UTF-8")?;
        migrations.push(Migration::unapplied(stem, &fs::read_to_string(&path)?)?);
    }
    migrations.sort();
    let noted = migrations.iter().map(|it| format!("({}, {:?}, \"{}\")", it.version(), it.name(), it.checksum()));
    let noted = noted.collect::<Vec<_>>().join(", ");
    #[expect(clippy::disallowed_methods, reason = "the environment of the build, not of the program")]
    let folder = env::var("OUT_DIR")?;
    fs::write(Path::new(&folder).join("embedded.rs"), format!("[{noted}]"))?;
    Ok(())
}
