//! Out of file descriptors, or near it: who is served stays served, who waits gets the next slot, and nothing spins.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tokio::{net::TcpStream, time::timeout};

use super::{
    running::rollbook,
    server::{Home, Server},
};
use crate::connections::client::Client;

const REQUEST: &str = "GET /livez HTTP/1.1\r\nhost: roll.example.org\r\n\r\n";

/// How long the tests watch what must not happen.
const WHILE: Duration = Duration::from_millis(500);

/// Connects and asks, whether or not anybody listens.
async fn clients(server: &Server, count: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = Client::over(TcpStream::connect(server.address()).await.unwrap());
        client.send(REQUEST).await;
        clients.push(client);
    }
    clients
}

/// Divides clients into those that are answered and those that are kept waiting.
async fn served_and_waiting(clients: Vec<Client>) -> (Vec<Client>, Vec<Client>) {
    let (mut served, mut waiting) = (Vec::new(), Vec::new());
    for mut client in clients {
        // They are accepted in order: after the first that waits all do.
        let answered = waiting.is_empty() && timeout(WHILE, client.response()).await.is_ok();
        if answered { served.push(client) } else { waiting.push(client) }
    }
    (served, waiting)
}

/// The CPU time a process has used, user and system.
fn cpu_time(pid: Pid) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    // utime and stime are the fields 14 and 15 (proc(5)), the name is the second; a tick is 10 ms on Linux.
    let ticks = after_name.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

async fn assert_crowded_but_well(server: Server, all: Vec<Client>) {
    let (mut lucky, mut waiting) = served_and_waiting(all).await;
    assert!(!lucky.is_empty(), "nobody is served");
    assert!(!waiting.is_empty(), "there is no crowd");

    let before = cpu_time(server.program.pid());
    let watched = Instant::now();
    timeout(WHILE, waiting[0].response()).await.expect_err("served beyond the limit");
    let used = cpu_time(server.program.pid()).saturating_sub(before);
    assert!(used * 5 < watched.elapsed(), "{used:?} of CPU in {:?}", watched.elapsed());

    for client in &mut lucky {
        client.send(REQUEST).await;
        assert_eq!(client.response().await.status, 200);
    }
    drop(lucky.pop());
    let freed = Instant::now();
    assert_eq!(waiting[0].response().await.status, 200);
    assert!(freed.elapsed() < Duration::from_secs(1), "the free slot was used after {:?}", freed.elapsed());

    let ended = server.stop().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn with_few_descriptors_a_crowd_of_clients_waits_its_turn() {
    let home = Home::make().await;
    let binary = rollbook(home.path(), &[]);
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", r#"ulimit -n 64; exec "$0" serve --listen 127.0.0.1:0"#]).arg(binary.get_program());
    shell.env_clear().env("ROLLBOOK_DATA_DIR", home.path());
    let server = Server::spawn(&mut shell, None).await;
    let crowd = clients(&server, 100).await;
    assert_crowded_but_well(server, crowd).await;
}

#[tokio::test]
async fn with_no_descriptor_left_the_server_neither_spins_nor_forgets_anybody() {
    let home = Home::make().await;
    let server = home.serve().await;
    // Everything is open that it opens by itself.
    server.caller().register("ada@example.org").await;
    let pid = server.program.pid();
    let open = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).unwrap().count();
    let few_more = Some(u64::try_from(open).unwrap() + 5);
    prlimit(Some(pid), Resource::Nofile, Rlimit { current: few_more, maximum: few_more }).unwrap();
    let crowd = clients(&server, 100).await;
    assert_crowded_but_well(server, crowd).await;
}
