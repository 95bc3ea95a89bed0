//! A full disk: what cannot be kept is refused, what was acknowledged is there, and all is well when there is room again.
//!
//! The disk is a small one in memory, in a namespace of the server's own; where the machine allows no such thing to
//! whoever runs the tests, there is nothing to be seen.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    running::{PATIENCE, rollbook},
    server::{Caller, Home, Server},
};

/// Serves from a copy of the data in `$1`, on a disk of its own at `$2`.
const SCRIPT: &str = r#"
    mount -t tmpfs -o size=48m tmpfs "$2" && cp -a "$1/." "$2" || exit 99
    ROLLBOOK_DATA_DIR="$2" exec "$0" serve --listen 127.0.0.1:0
"#;

const NAMESPACE: [&str; 2] = ["--map-root-user", "--mount"];

fn is_possible() -> bool {
    let mut mount = Command::new("unshare");
    mount.args(NAMESPACE).args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]).stderr(Stdio::null());
    mount.status().is_ok_and(|status| status.success())
}

async fn serve_from_a_small_disk(home: &Home, disk: &Path) -> Server {
    let binary = rollbook(home.path(), &[]);
    let mut command = Command::new("unshare");
    command
        .env_clear()
        .args(NAMESPACE)
        .args(["/bin/sh", "-c", SCRIPT])
        .arg(binary.get_program())
        .arg(home.path())
        .arg(disk);
    Server::spawn(&mut command, Some(&home.key)).await
}

/// Takes all that is left of a disk.
fn fill(path: &Path) {
    let mut filler = File::create(path).unwrap();
    for size in [1 << 20, 1 << 12, 1] {
        let piece = vec![0; size];
        loop {
            match filler.write(&piece) {
                Ok(written) => assert!(written > 0),
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

async fn register(caller: &Caller, number: usize) -> Result<Value, String> {
    let body = json!({ "name": "Ada Lovelace", "email": format!("ada{number}@example.org") });
    let answer = caller.post("/api/customers", &body).await;
    if answer.status == 201 { Ok(answer.json()) } else { Err(answer.code()) }
}

#[tokio::test]
async fn a_full_disk_is_told_of_and_refuses_what_it_cannot_keep_until_there_is_room_again() {
    if !is_possible() {
        eprintln!("no disk can be mounted here");
        return;
    }
    let (home, disk) = (Home::make().await, tempfile::tempdir().unwrap());
    let server = serve_from_a_small_disk(&home, disk.path()).await;
    let caller = server.caller();
    assert_eq!(caller.get("/readyz").await.status, 200);
    let mut kept = vec![register(&caller, 0).await.unwrap()];

    let inside = PathBuf::from(format!("/proc/{}/root", server.program.pid().as_raw_nonzero()));
    let filler = inside.join(disk.path().strip_prefix("/").unwrap()).join("filler");
    fill(&filler);
    assert_eq!(caller.get("/readyz").await.status, 503, "before anything was refused");
    let mut number = 1;
    let refusal = loop {
        match register(&caller, number).await {
            Ok(customer) => kept.push(customer),
            Err(code) => break code,
        }
        number += 1;
    };
    assert_eq!(refusal, "STORAGE_UNAVAILABLE", "after {number} that fitted in all the same");
    let many = join_all((number + 1..number + 200).map(|number| register(&caller, number))).await;
    assert!(many.contains(&Err("STORAGE_UNAVAILABLE".to_owned())));
    kept.extend(many.into_iter().filter_map(Result::ok));
    let statuses = [caller.get("/livez").await.status, caller.get("/readyz").await.status];
    assert_eq!(statuses, [200, 503]);
    caller.customer(&kept[0]["id"]).await;

    fs::remove_file(&filler).unwrap();
    let recovered = async { while caller.get("/readyz").await.status != 200 {} };
    timeout(PATIENCE, recovered).await.expect("there is room again");
    kept.push(register(&caller, number).await.unwrap());
    for customer in &kept {
        assert_eq!(caller.customer(&customer["id"]).await["email"], customer["email"]);
    }
    let ended = server.stop().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines = ended.stderr.lines().filter(|line| line.contains("ERROR") && line.contains("cannot be used"));
    assert!((1..=3).contains(&lines.clone().count()), "{:#?}", lines.collect::<Vec<_>>());
}
