//! The verbs that serve nothing: `migrate`, `openapi`, `config`, `--help`, and where settings may be said.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::Value;

use super::{
    running::{Program, rollbook, run},
    server::Home,
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn migrate_makes_a_new_folder_and_changes_nothing_the_second_time() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("deep/data");
    let first = run(&folder, &["migrate"]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(first.stderr.contains("schema 0 became "), "{first:?}");
    let before = fs::read(folder.join("rollbook.db")).unwrap();
    let again = run(&folder, &["migrate"]).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.stderr.contains("is up to date; nothing was changed"), "{again:?}");
    assert!(fs::read(folder.join("rollbook.db")).unwrap() == before);
}

#[tokio::test]
async fn the_data_folder_is_for_its_owner_alone() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    let made = run(&folder, &["key", "create", "--name", "test", "--scope", "admin"]).await;
    assert_eq!(made.code, Some(0), "{made:?}");
    let server = super::server::Server::spawn(&mut super::server::serve(&folder), Some(made.stdout.trim())).await;
    server.caller().register("ada@example.org").await;
    assert_eq!(mode(&folder), 0o700);
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
    }
    assert!(folder.join("mail.key").exists());
}

#[tokio::test]
async fn a_mail_key_that_others_may_read_is_warned_of() {
    let home = Home::make().await;
    fs::set_permissions(home.path().join("mail.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let said = home.serve().await.stop().await.stderr;
    assert!(said.contains("mail.key may be read by others"), "{said}");
}

#[tokio::test]
async fn openapi_prints_the_document_in_either_form_without_any_setting() {
    let nowhere = Path::new("/no/such/folder");
    let json = run(nowhere, &["openapi"]).await;
    assert_eq!((json.code, json.stderr.as_str()), (Some(0), ""));
    assert_eq!(json.stdout, rollbook::infrastructure::http::document_json());
    let yaml = run(nowhere, &["openapi", "--yaml"]).await;
    assert_eq!(yaml.stdout, rollbook::infrastructure::http::document_yaml());
}

#[tokio::test]
async fn config_tells_every_setting_and_where_it_came_from_but_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("smtp-url");
    fs::write(&secret, "smtps://user:hunter2@relay.example\n").unwrap();
    let file = folder.path().join("rollbook.toml");
    fs::write(&file, "resend_cooldown = '2m'\nmail_api_key = 'hunter3'\n").unwrap();
    for form in [&["config"][..], &["config", "--json"]] {
        let mut command = rollbook(folder.path(), form);
        command.arg("--config").arg(&file).args(["--db-echo"]).env("ROLLBOOK_SMTP_URL_FILE", &secret);
        let told = Program::spawn(&mut command).end().await;
        assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
        assert!(!told.stdout.contains("hunter"), "{told:?}");
        for words in ["environment ROLLBOOK_DATA_DIR", "flag --db-echo", "rollbook.toml", "smtp-url", "(secret)"] {
            assert!(told.stdout.contains(words), "{words}: {}", told.stdout);
        }
        if form.len() > 1 {
            let settings: Value = serde_json::from_str(&told.stdout).unwrap();
            let cooldown = settings.as_array().unwrap().iter().find(|it| it["key"] == "resend_cooldown").unwrap();
            assert_eq!(cooldown["value"], "2m");
        }
    }
}

#[tokio::test]
async fn every_verb_has_help_on_stdout() {
    let nowhere = Path::new("/no/such/folder");
    for verb in [
        &[][..],
        &["serve"],
        &["key"],
        &["key", "create"],
        &["key", "list"],
        &["key", "revoke"],
        &["migrate"],
        &["openapi"],
        &["config"],
    ] {
        for flag in ["-h", "--help"] {
            let told = run(nowhere, &[verb, &[flag]].concat()).await;
            assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""), "{verb:?}");
            assert!(told.stdout.contains(&["Usage: rollbook", &verb.join(" ")].join(" ")), "{verb:?} {}", told.stdout);
        }
    }
    assert!(run(nowhere, &["--version"]).await.stdout.starts_with("rollbook 0."));
}

#[tokio::test]
async fn a_flag_means_the_same_before_and_after_the_verb_and_wins_over_the_environment() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let there = other.path().to_str().unwrap();
    for arguments in [["--data-dir", there, "migrate"], ["migrate", "--data-dir", there]] {
        let ended = run(folder.path(), &arguments).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        fs::remove_file(other.path().join("rollbook.db")).expect("the folder of the flag was used");
    }
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none(), "the folder of the environment was used");
}
