//! `rollbook key`: made before the first start or beside a server, shown once, revoked within a second.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    running::{PATIENCE, Program, rollbook, run},
    server::{Home, Server, serve},
};

const ADVICE: &str = "    rollbook key create ";

#[tokio::test]
async fn the_first_start_tells_a_command_that_works_from_anywhere_as_it_is_printed() {
    let parent = tempfile::tempdir().unwrap();
    let mut command = serve(Path::new("our customers' roll"));
    let mut server = Server::spawn(command.current_dir(parent.path()), None).await;
    let advice = server.program.hear("advice", |line| line.starts_with(ADVICE).then(|| line.trim().to_owned())).await;

    let binary = Path::new(env!("CARGO_BIN_EXE_rollbook"));
    let mut another_terminal = Command::new("/bin/sh");
    another_terminal.current_dir("/").env_clear().env("PATH", binary.parent().unwrap()).args(["-c", &advice]);
    let made = Program::spawn(&mut another_terminal).end().await;
    assert_eq!(made.code, Some(0), "{made:?}");
    assert_eq!(server.caller_with(made.stdout.trim()).get("/api/messages").await.status, 200);

    server.stop().await;
    let told_again = Server::spawn(&mut command, None).await.stop().await.stderr;
    assert!(!told_again.contains("key create"), "{told_again}");
}

#[tokio::test]
async fn a_key_that_is_the_only_one_and_revoked_is_none() {
    let home = Home::make().await;
    assert_eq!(run(home.path(), &["key", "revoke", id(&home.key)]).await.code, Some(0));
    home.serve().await.program.hear("advice", |line| line.starts_with(ADVICE).then_some(())).await;
}

#[tokio::test]
async fn the_secret_is_alone_on_stdout_and_shown_nowhere_again() {
    let folder = tempfile::tempdir().unwrap();
    let create =
        ["key", "create", "--name", "shop front", "--scope", "customers:read,mail:read", "--scope", "mail:read"];
    let made = run(folder.path(), &create).await;
    let key = made.stdout.strip_suffix('\n').unwrap();
    assert!(key.starts_with("rb_") && !key.contains(char::is_whitespace), "{made:?}");
    let secret = key.splitn(3, '_').nth(2).unwrap();
    assert!(!made.stderr.contains(secret), "{made:?}");
    assert!(made.stderr.contains("this is the only time it is shown"), "{made:?}");

    let text = run(folder.path(), &["key", "list"]).await;
    assert_eq!((text.code, text.stdout.lines().count()), (Some(0), 1), "{text:?}");
    for word in [id(key), "counts", "shop front", "customers:read,mail:read"] {
        assert!(text.stdout.contains(word), "{word}: {text:?}");
    }
    let json = run(folder.path(), &["key", "list", "--json"]).await;
    let keys: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(keys[0]["id"], id(key));
    assert_eq!(keys[0]["scopes"], serde_json::json!(["customers:read", "mail:read"]));
    assert_eq!(keys[0]["revoked_at"], Value::Null);
    for said in [text.stdout, text.stderr, json.stdout, json.stderr] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[tokio::test]
async fn a_key_made_beside_a_server_counts_at_once_and_stops_within_a_second_of_its_revocation() {
    let home = Home::make().await;
    let server = home.serve().await;
    let made = run(home.path(), &["key", "create", "--name", "second", "--scope", "mail:read"]).await;
    let key = made.stdout.trim();
    let caller = server.caller_with(key);
    assert_eq!(caller.get("/api/messages").await.status, 200);

    assert_eq!(run(home.path(), &["key", "revoke", id(key)]).await.code, Some(0));
    let revoked = Instant::now();
    while caller.get("/api/messages").await.status == 200 {
        assert!(revoked.elapsed() < PATIENCE, "a revoked key still counts");
    }
    assert!(revoked.elapsed() < Duration::from_secs(1), "it counted for {:?}", revoked.elapsed());
    assert_eq!(caller.get("/api/messages").await.code(), "UNAUTHENTICATED");
    let list = run(home.path(), &["key", "list"]).await.stdout;
    let states: Vec<bool> = list.lines().map(|line| line.contains("  revoked  ")).collect();
    assert_eq!(states.iter().filter(|is_revoked| **is_revoked).count(), 1, "{list}");
    assert_eq!(states.len(), 2, "{list}");
}

#[test]
fn a_verb_whose_talk_nobody_hears_does_its_work() {
    let folder = tempfile::tempdir().unwrap();
    let mut create = rollbook(folder.path(), &["key", "create", "--name", "test", "--scope", "admin"]);
    let mut child = create.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    let made = child.wait_with_output().unwrap();
    assert!(made.status.success(), "{made:?}");
    assert!(made.stdout.starts_with(b"rb_"), "{made:?}");
}

#[tokio::test]
async fn a_key_that_could_not_be_shown_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let mut create = rollbook(folder.path(), &["key", "create", "--name", "test", "--scope", "admin"]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let made = create.stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(made.status.code(), Some(1), "{made:?}");
    let list = run(folder.path(), &["key", "list"]).await.stdout;
    assert!(list.lines().count() == 1 && list.contains("  revoked  "), "{list}");
}

#[tokio::test]
async fn what_cannot_be_a_key_is_refused_with_the_rule() {
    let home = Home::make().await;
    for (arguments, code, words) in [
        (&["key", "create", "--name", "x"][..], 2, "--scope"),
        (&["key", "create", "--name", "x", "--scope", "everything"], 2, "must be one of customers:read,"),
        (&["key", "create", "--name", "", "--scope", "admin"], 2, "--name"),
        (&["key", "revoke", "first"], 2, "must be 16 hexadecimal digits"),
        (&["key", "revoke", "0123456789abcdef"], 1, "there is no key 0123456789abcdef"),
    ] {
        let ended = Program::spawn(&mut rollbook(home.path(), arguments)).end().await;
        assert_eq!(ended.code, Some(code), "{arguments:?} {ended:?}");
        assert!(ended.stderr.contains(words), "{arguments:?} {ended:?}");
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
}

fn id(key: &str) -> &str {
    key.split('_').nth(1).unwrap()
}
