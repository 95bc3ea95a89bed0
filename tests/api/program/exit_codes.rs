//! Why it does not start: an exit code that a script can tell apart, and one clear line.

use std::{fs, net::TcpListener, path::Path};

use rusqlite::Connection;

use super::{
    running::{Ended, Program, rollbook, run},
    server::{Home, serve},
};

/// Asserts how a start ended: its code, one line that has these words, and nothing on stdout.
pub(super) fn assert_refused(ended: &Ended, code: i32, words: &str) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    assert_eq!(ended.stdout, "", "{ended:?}");
    let refusals: Vec<_> = ended.stderr.lines().filter(|line| line.starts_with("rollbook: ")).collect();
    assert_eq!(refusals.len(), 1, "{ended:?}");
    assert!(refusals[0].contains(words), "{words}: {ended:?}");
}

/// Tries to serve from a folder where it must not.
pub(super) async fn serve_in_vain(data: &Path) -> Ended {
    Program::spawn(&mut serve(data)).end().await
}

#[tokio::test]
async fn a_wrong_use_ends_with_2_and_the_usage() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in
        [&[][..], &["server"], &["serve", "--no-such-flag"], &["serve", "now"], &["key"], &["key", "forget"]]
    {
        let ended = run(folder.path(), arguments).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?} {ended:?}");
        assert!(ended.stderr.contains("Usage: rollbook"), "{arguments:?} {ended:?}");
    }
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none(), "a refused start wrote something");
}

#[tokio::test]
async fn a_wrong_value_ends_with_2_and_one_line_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    for (variable, value, words) in [
        ("ROLLBOOK_LISTEN", "8080", "ROLLBOOK_LISTEN"),
        ("ROLLBOOK_LISTEN", "0.0.0.0:0", "ROLLBOOK_PUBLIC_URL is required"),
        ("ROLLBOOK_LISTNE", "127.0.0.1:0", "did you mean ROLLBOOK_LISTEN?"),
        ("ROLLBOOK_PUBLIC_URL", "roll.example.org", "ROLLBOOK_PUBLIC_URL"),
        ("ROLLBOOK_CORS_ORIGINS", "*", "ROLLBOOK_CORS_ORIGINS"),
        ("ROLLBOOK_DB_POOL_SIZE", "0", "ROLLBOOK_DB_POOL_SIZE"),
        ("ROLLBOOK_MAIL_TRANSPORT", "smtp", "ROLLBOOK_SMTP_URL is required"),
        ("ROLLBOOK_MAIL_TRANSPORT", "pigeon", "ROLLBOOK_MAIL_TRANSPORT"),
        ("ROLLBOOK_MAIL_FROM", "nobody", "ROLLBOOK_MAIL_FROM"),
        ("ROLLBOOK_SMTP_URL", "smtp://relay.example?tls=none", "ROLLBOOK_SMTP_URL"),
        ("ROLLBOOK_VERIFICATION_TTL", "soon", "ROLLBOOK_VERIFICATION_TTL"),
        ("ROLLBOOK_LOG", "=", "ROLLBOOK_LOG"),
        ("ROLLBOOK_CONFIG", "/no/such/file.toml", "/no/such/file.toml"),
    ] {
        let ended = Program::spawn(rollbook(folder.path(), &["serve"]).env(variable, value)).end().await;
        assert_refused(&ended, 2, words);
    }
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none(), "a refused start wrote something");
}

#[tokio::test]
async fn every_wrong_value_is_told_at_once_each_on_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = rollbook(folder.path(), &["serve", "--shutdown-timeout", "never"]);
    let ended = Program::spawn(command.env("ROLLBOOK_LISTEN", "here").env("ROLLBOOK_WRITER_QUEUE", "-1")).end().await;
    assert_eq!((ended.code, ended.stderr.lines().count()), (Some(2), 3), "{ended:?}");
    for name in ["--shutdown-timeout", "ROLLBOOK_LISTEN", "ROLLBOOK_WRITER_QUEUE"] {
        assert_eq!(ended.stderr.lines().filter(|line| line.contains(name)).count(), 1, "{name} {ended:?}");
    }
}

#[tokio::test]
async fn an_unknown_key_in_the_file_ends_with_2_and_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rollbook.toml");
    fs::write(&file, "# our settings\nlisen = '127.0.0.1:0'\n").unwrap();
    let ended = run(folder.path(), &["serve", "--config", file.to_str().unwrap()]).await;
    assert_refused(&ended, 2, "rollbook.toml, line 2: there is no setting lisen; did you mean listen?");
}

#[tokio::test]
async fn a_taken_port_ends_with_1_and_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = Program::spawn(serve(folder.path()).env("ROLLBOOK_LISTEN", &address)).end().await;
    assert_refused(&ended, 1, &format!("cannot listen at {address}"));
}

#[tokio::test]
async fn a_folder_in_use_ends_with_4_and_is_left_alone() {
    let home = Home::make().await;
    let server = home.serve().await;
    assert_refused(&serve_in_vain(home.path()).await, 4, "is in use by another rollbook");
    assert_refused(&run(home.path(), &["migrate"]).await, 4, "is in use by another rollbook");
    server.caller().register("ada@example.org").await;
    assert_eq!(server.stop().await.code, Some(0));
    assert_eq!(run(home.path(), &["migrate"]).await.code, Some(0), "the folder is free again");
}

#[tokio::test]
async fn a_database_that_is_gone_ends_with_3_and_is_not_replaced_by_an_empty_one() {
    let home = Home::make().await;
    let database = home.path().join("rollbook.db");
    fs::remove_file(&database).unwrap();
    assert_refused(&serve_in_vain(home.path()).await, 3, "rollbook.db is missing, though this folder was in use");
    for arguments in [&["migrate"][..], &["key", "list"]] {
        assert_refused(&run(home.path(), arguments).await, 3, "rollbook.db is missing");
    }
    assert!(!database.exists());
}

#[tokio::test]
async fn a_file_that_is_no_database_ends_with_3_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let letter = "Dear Ada, this is a letter and no database. ".repeat(100);
    fs::write(folder.path().join("rollbook.db"), &letter).unwrap();
    for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["migrate"], &["key", "list"]] {
        assert_refused(&run(folder.path(), arguments).await, 3, "file is not a database");
    }
    assert_eq!(fs::read_to_string(folder.path().join("rollbook.db")).unwrap(), letter);
}

#[tokio::test]
async fn a_damaged_schema_ends_with_3() {
    let home = Home::make().await;
    let database = home.path().join("rollbook.db");
    let mut bytes = fs::read(&database).unwrap();
    bytes[100..2048].fill(0xff);
    fs::write(&database, &bytes).unwrap();
    assert_refused(&serve_in_vain(home.path()).await, 3, "malformed");
    assert_eq!(fs::read(&database).unwrap(), bytes);
}

#[tokio::test]
async fn a_mail_key_that_links_depend_on_ends_with_3_when_it_is_gone_or_damaged() {
    let home = Home::make().await;
    let server = home.serve().await;
    server.caller().register("ada@example.org").await;
    server.stop().await;
    let key = home.path().join("mail.key");
    fs::write(&key, "not a key").unwrap();
    assert_refused(&serve_in_vain(home.path()).await, 3, "mail.key is damaged, and links");
    fs::remove_file(&key).unwrap();
    assert_refused(&serve_in_vain(home.path()).await, 3, "mail.key is missing, and links");
    assert!(!key.exists());
}

#[tokio::test]
async fn a_schema_of_the_future_ends_with_4_and_not_a_byte_is_changed() {
    let home = Home::make().await;
    let database = home.path().join("rollbook.db");
    let db = Connection::open(&database).unwrap();
    let bump = "INSERT INTO refinery_schema_history SELECT 999, 'of_the_future', applied_on, checksum \
                FROM refinery_schema_history ORDER BY version DESC LIMIT 1";
    db.execute(bump, []).unwrap();
    drop(db);
    let before = fs::read(&database).unwrap();
    assert_refused(&serve_in_vain(home.path()).await, 4, "has schema 999, which is newer than this binary");
    for arguments in [&["migrate"][..], &["key", "list"]] {
        assert_refused(&run(home.path(), arguments).await, 4, "has schema 999");
    }
    assert!(fs::read(&database).unwrap() == before, "the file was changed");
}
