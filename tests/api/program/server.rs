//! `rollbook serve` as a child of the test, and a client that calls it.

use std::{path::Path, process::Command};

use reqwest::{Client, Method, header};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::running::{Ended, Program, rollbook, run};
use crate::{
    harness::{Answer, contract},
    smtp_peer::SmtpPeer,
};

/// A running server.
pub(crate) struct Server {
    pub(crate) program: Program,
    pub(crate) url: String,
    caller: Caller,
}

/// Who calls a server with a key, or none.
#[derive(Clone)]
pub(crate) struct Caller {
    client: Client,
    url: String,
    key: Option<String>,
}

/// A data folder with a key in it, made before the first start.
pub(crate) struct Home {
    folder: TempDir,
    pub(crate) key: String,
}

impl Home {
    pub(crate) async fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = run(folder.path(), &["key", "create", "--name", "test", "--scope", "admin"]).await;
        assert_eq!(made.code, Some(0), "{made:?}");
        Self { folder, key: made.stdout.trim().to_owned() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Serves from here, with capture.
    pub(crate) async fn serve(&self) -> Server {
        self.serve_with(&[]).await
    }

    /// Serves from here, with some variables of the environment, such as `("ROLLBOOK_LOG", "trace")`.
    pub(crate) async fn serve_with(&self, variables: &[(&str, &str)]) -> Server {
        let mut command = serve(self.path());
        command.envs(variables.iter().copied());
        Server::spawn(&mut command, Some(&self.key)).await
    }

    /// Serves from here, sending to a peer.
    pub(crate) async fn serve_sending_to(&self, peer: &SmtpPeer) -> Server {
        let url = format!("smtp://127.0.0.1:{}", peer.port());
        let from = "Acme <hello@acme.example>";
        self.serve_with(&[
            ("ROLLBOOK_MAIL_TRANSPORT", "smtp"),
            ("ROLLBOOK_SMTP_URL", &url),
            ("ROLLBOOK_MAIL_FROM", from),
        ])
        .await
    }
}

/// `rollbook serve` on a free port.
pub(crate) fn serve(data: &Path) -> Command {
    let mut command = rollbook(data, &["serve"]);
    command.env("ROLLBOOK_LISTEN", "127.0.0.1:0");
    command
}

impl Server {
    /// Starts and waits until it tells where it is.
    pub(crate) async fn spawn(command: &mut Command, key: Option<&str>) -> Self {
        let mut program = Program::spawn(command);
        let url = program.hear("where it is", url_in).await;
        let client = Client::builder().no_proxy().build().unwrap();
        let caller = Caller { client, url: url.clone(), key: key.map(str::to_owned) };
        Self { program, url, caller }
    }

    /// A caller with the server's key; several may call at once.
    pub(crate) fn caller(&self) -> Caller {
        self.caller.clone()
    }

    pub(crate) fn caller_with(&self, key: &str) -> Caller {
        Caller { key: Some(key.to_owned()), ..self.caller() }
    }

    /// Where it listens, as `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// Tells it to stop and waits until it has.
    pub(crate) async fn stop(self) -> Ended {
        self.program.signal(Signal::TERM);
        self.program.end().await
    }

    /// Kills it where it stands.
    pub(crate) async fn kill(self) {
        self.program.signal(Signal::KILL);
        assert_eq!(self.program.end().await.code, None, "it ended before it was killed");
    }
}

impl Caller {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await.unwrap()
    }

    /// Registers a customer and returns it as the answer shows it.
    pub(crate) async fn register(&self, email: &str) -> Value {
        let answer = self.post("/api/customers", &json!({ "name": "Ada Lovelace", "email": email })).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }

    /// The customer as it is shown now.
    pub(crate) async fn customer(&self, id: &Value) -> Value {
        let answer = self.get(&format!("/api/customers/{}", id.as_str().unwrap())).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// The one message of a customer.
    pub(crate) async fn message_to(&self, customer: &Value) -> Value {
        let path = format!("/api/messages?customer_id={}", customer["id"].as_str().unwrap());
        let items = self.get(&path).await.json()["items"].clone();
        assert_eq!(items.as_array().map(Vec::len), Some(1), "{items}");
        items[0].clone()
    }

    /// An answer, held against the document; an error if the server went away.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> reqwest::Result<Answer> {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.url));
        if let Some(key) = &self.key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = Answer::try_of(request.send().await?).await?;
        contract::check(&method, path, &answer);
        Ok(answer)
    }
}

/// The address as the greeting tells it, for people or for machines.
fn url_in(line: &str) -> Option<String> {
    let talk = || line.split_once("browse the API at ")?.1.strip_suffix("/docs").map(str::to_owned);
    let json = || Some(format!("http://{}", serde_json::from_str::<Value>(line).ok()?["address"].as_str()?));
    talk().or_else(json)
}
