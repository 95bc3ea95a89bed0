//! The log: one line for each request with its id, and, at its most talkative, nothing that is anybody's secret.

use std::collections::HashMap;

use data_encoding::BASE64;
use reqwest::Method;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{
    running::Ended,
    server::{Caller, Home},
};
use crate::{
    harness::Answer,
    smtp_peer::{At, Do, SmtpPeer},
};

const LOCAL_PART: &str = "zebra.quagga";
const USER: &str = "acme-mailer";
const PASSWORD: &str = "correct-horse-battery";

/// What was done, and what must not be told of it.
struct Day {
    answers: Vec<Answer>,
    secrets: Vec<String>,
    log: Ended,
}

/// The main job and all that goes wrong beside it, with the log as talkative as it gets.
async fn live_through(format: &str) -> Day {
    let peer = SmtpPeer::start().await;
    peer.require_auth(USER, PASSWORD);
    peer.on(At::Rcpt, Do::Reply("451 4.7.1 <zebra.quagga@example.org> is greylisted, come back")).times(1);
    let relay = format!("smtp://{USER}:{PASSWORD}@127.0.0.1:{}", peer.port());
    let home = Home::make().await;
    let server = home
        .serve_with(&[
            ("ROLLBOOK_MAIL_TRANSPORT", "smtp"),
            ("ROLLBOOK_SMTP_URL", &relay),
            ("ROLLBOOK_MAIL_FROM", "Acme <hello@acme.example>"),
            ("ROLLBOOK_MAIL_BACKOFF", "1ms"),
            ("ROLLBOOK_DB_ECHO", "true"),
            ("ROLLBOOK_LOG", "trace"),
            ("ROLLBOOK_LOG_FORMAT", format),
        ])
        .await;
    let caller = server.caller();
    let person = json!({
        "name": "Ottoline Okapi", "email": format!("{LOCAL_PART}@Example.org"), "external_id": "crm-aardvark",
        "metadata": { "plan-gnu": "plan-kudu" },
    });
    let mut answers = vec![caller.post("/api/customers", &person).await];
    let link = peer.next_mail().await.link();
    let (_, token) = link.split_once("token=").unwrap();
    answers.extend(all_that_goes_wrong(&caller, &server.caller_with(&wrong(&home.key)), &person, token).await);
    answers.push(caller.get(&format!("/verify?token={token}")).await);
    answers.push(caller.post("/api/verifications", &json!({ "token": token })).await);
    answers.push(caller.get(answers[0].header("location").unwrap()).await);
    assert_eq!(answers.last().unwrap().json()["verified"], true);
    let db = Connection::open(home.path().join("rollbook.db")).unwrap();
    db.execute_batch("DROP TABLE history").unwrap();
    let another = json!({ "name": "Ottoline Okapi", "email": format!("{LOCAL_PART}.too@example.org") });
    answers.push(caller.post("/api/customers", &another).await);
    assert_eq!(answers.last().unwrap().code(), "INTERNAL");

    let key_secret = home.key.splitn(3, '_').nth(2).unwrap();
    let login = BASE64.encode(format!("\0{USER}\0{PASSWORD}").as_bytes());
    let secrets = [
        LOCAL_PART,
        "Okapi",
        "aardvark",
        "plan-gnu",
        "plan-kudu",
        token,
        key_secret,
        PASSWORD,
        "Bearer ",
        "token=",
        &BASE64.encode(PASSWORD.as_bytes()),
        &login,
    ];
    let secrets = secrets.map(str::to_owned).to_vec();
    Day { answers, secrets, log: server.stop().await }
}

async fn all_that_goes_wrong(caller: &Caller, stranger: &Caller, person: &Value, token: &str) -> Vec<Answer> {
    let mut flipped = token.to_owned();
    flipped.replace_range(63.., if token.ends_with('A') { "E" } else { "A" });
    let strange_field = json!({ "name": "", "email": format!("{LOCAL_PART}@@"), LOCAL_PART: LOCAL_PART });
    vec![
        caller.post("/api/customers", person).await,
        caller.post("/api/customers", &strange_field).await,
        caller.post("/api/customers", &json!(LOCAL_PART)).await,
        caller.get(&format!("/api/customers/{LOCAL_PART}")).await,
        caller.get(&format!("/{LOCAL_PART}?email={LOCAL_PART}@example.org")).await,
        caller.get(&format!("/api/messages?cursor={LOCAL_PART}")).await,
        caller.send(Method::DELETE, &format!("/verify?token={token}"), None).await.unwrap(),
        caller.post("/api/verifications", &json!({ "token": flipped })).await,
        caller.get(&format!("/verify?token={flipped}")).await,
        stranger.get("/api/messages").await,
    ]
}

/// A key of the same id with another secret.
fn wrong(key: &str) -> String {
    key.chars()
        .rev()
        .take(1)
        .fold(key[..key.len() - 1].to_owned(), |key, last| key + if last == 'A' { "B" } else { "A" })
}

#[tokio::test]
async fn the_most_talkative_log_tells_nothing_of_people_and_no_secret_in_either_form() {
    for format in ["pretty", "json"] {
        let day = live_through(format).await;
        assert_eq!(day.log.code, Some(0), "{:?}", day.log);
        assert!(day.log.stderr.contains("INSERT INTO customers"), "the statements are missing");
        assert!(day.log.stderr.contains("DEBUG"), "the log could tell more");
        for secret in &day.secrets {
            let told = day.log.stderr.lines().find(|line| line.contains(secret));
            assert_eq!(told, None, "{format}: {secret}");
        }
        assert_eq!(day.log.stdout, "");
    }
}

#[tokio::test]
async fn every_request_has_one_line_with_its_id_route_status_and_time() {
    let day = live_through("json").await;
    let lines = day.log.stderr.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    let access = lines.filter(|line| line["target"] == "rollbook::access");
    let mut by_id: HashMap<String, Value> =
        access.map(|line| (line["id"].as_str().unwrap().to_owned(), line)).collect();
    for answer in &day.answers {
        let id = answer.header("x-request-id").unwrap();
        let line = by_id.remove(id).unwrap_or_else(|| panic!("one line for {answer:?}"));
        assert_eq!(line["status"], answer.status);
        assert!(line["ms"].as_str().unwrap().parse::<f64>().unwrap() > 0.0, "{line}");
        let route = line["route"].as_str().unwrap();
        let routes =
            ["/api/customers", "/api/customers/{id}", "/api/messages", "/api/verifications", "/verify", "unknown"];
        assert!(routes.contains(&route), "{line}");
    }
    assert!(by_id.is_empty(), "nobody asked for {by_id:?}");
}

#[tokio::test]
async fn what_went_wrong_inside_is_told_under_the_id_of_its_request() {
    let day = live_through("json").await;
    let id = day.answers.last().unwrap().header("x-request-id").unwrap();
    let lines = day.log.stderr.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let told: Vec<Value> = lines.filter(|line| line["level"] == "ERROR" && line["span"]["id"] == id).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0]["cause"].as_str().unwrap().contains("no such table"), "{told:?}");
}

#[tokio::test]
async fn what_all_requests_meet_with_is_told_once_under_the_id_of_the_first() {
    let home = Home::make().await;
    let server = home.serve_with(&[("ROLLBOOK_DB_BUSY_TIMEOUT", "10ms"), ("ROLLBOOK_LOG_FORMAT", "json")]).await;
    let other = Connection::open(home.path().join("rollbook.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (caller, body) = (server.caller(), json!({ "name": "Ada", "email": "ada@example.org" }));
    let refused = caller.post("/api/customers", &body).await;
    for _ in 0..5 {
        assert_eq!(caller.post("/api/customers", &body).await.code(), "STORAGE_UNAVAILABLE");
    }
    let log = server.stop().await.stderr;
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let told: Vec<Value> = lines.filter(|line| line["level"] == "ERROR").collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["id"], *refused.header("x-request-id").unwrap());
    assert!(told[0]["cause"].as_str().unwrap().contains("locked"), "{told:?}");
}
