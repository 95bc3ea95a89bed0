//! The whole world of a test: the production app on a free port, a real SQLite file, a held clock, counted entropy.

mod answer;
pub mod contract;
mod held;

use std::time::Duration;

use jiff::SignedDuration;
use reqwest::{Client, Method, header};
use rollbook::{
    app::{App, World},
    application::{Registry, deliver_message::Delivery},
    domain::api_key::{KeyId, KeyName, Scope},
    infrastructure::config::{Config, Environment, Layers},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};

pub use self::{answer::Answer, held::HeldClock};
use crate::smtp_peer::SmtpPeer;

/// A running Rollbook. Nobody delivers its mail until the test says so.
pub struct Rollbook {
    pub clock: HeldClock,
    pub registry: Registry,
    /// An admin's key.
    pub key: String,
    pub url: String,
    /// Where health and metrics are, if elsewhere.
    pub admin_url: Option<String>,
    folder: Option<TempDir>,
    settings: Vec<(String, String)>,
    world: World,
    client: Client,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

impl Rollbook {
    /// With default settings: mail is captured.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With some settings, by their keys, such as `("resend_cooldown", "0s")`.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let settings = settings.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        let (world, clock) = held::world();
        Self::run_in(tempfile::tempdir().unwrap(), settings, world, clock).await
    }

    /// Sending by SMTP to a peer, in clear text over loopback.
    pub async fn sending_to(peer: &SmtpPeer, settings: &[(&str, &str)]) -> Self {
        let url = format!("smtp://127.0.0.1:{}", peer.port());
        let smtp = [("mail_transport", "smtp"), ("smtp_url", url.as_str()), ("mail_from", "Acme <hello@acme.example>")];
        Self::with(&[&smtp[..], settings].concat()).await
    }

    async fn run_in(folder: TempDir, settings: Vec<(String, String)>, world: World, clock: HeldClock) -> Self {
        let app = App::start(&config(&folder, &settings), world.clone()).await.unwrap();
        let url = format!("http://{}", app.address().unwrap());
        let admin_url = app.admin_address().map(|address| format!("http://{address}"));
        let registry = app.registry().clone();
        let key = key_of(&registry, &[Scope::Admin]).await;
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(app.serve(async { stopped.await.unwrap_or(()) }));
        let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self {
            clock,
            registry,
            key,
            url,
            admin_url,
            folder: Some(folder),
            settings,
            world,
            client,
            stop: Some(stop),
            running,
        }
    }

    /// Stops and starts again in the same folder, at the same held time.
    pub async fn restart(mut self) -> Self {
        let folder = self.stop().await;
        let (settings, world, clock) = (self.settings.clone(), self.world.clone(), self.clock.clone());
        // Its database is only free once nobody holds the store any more.
        drop(self);
        Self::run_in(folder, settings, world, clock).await
    }

    async fn stop(&mut self) -> TempDir {
        self.stop.take().unwrap().send(()).unwrap();
        (&mut self.running).await.unwrap();
        self.folder.take().unwrap()
    }

    /// The folder with the database.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.as_ref().unwrap().path()
    }

    /// A further key with some scopes.
    pub async fn key_with(&self, scopes: &[Scope]) -> String {
        key_of(&self.registry, scopes).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Some(&self.key), &[], None).await
    }

    pub async fn without_key(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, &[], None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(&self.key), &[("content-type", "application/json")], Some(body.to_string()))
            .await
    }

    /// A request with everything said; every answer is held against the document.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Answer {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.url));
        if let Some(key) = key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let answer = Answer::of(request.send().await.unwrap()).await;
        contract::check(&method, path, &answer);
        answer
    }

    /// Registers a customer with this address and returns it as the answer shows it.
    pub async fn register(&self, email: &str) -> Value {
        let answer = self.post("/api/customers", &serde_json::json!({ "name": "Ada Lovelace", "email": email })).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }

    /// The customer as it is shown now.
    pub async fn customer(&self, id: &Value) -> Value {
        let answer = self.get(&format!("/api/customers/{}", id.as_str().unwrap())).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Does a worker's work until nothing is due, and returns what became of each message.
    pub async fn deliver(&self) -> Vec<Delivery> {
        let mut done = Vec::new();
        loop {
            match self.registry.deliver_next().await.unwrap() {
                Delivery::Idle(_) => return done,
                fault @ Delivery::RelayFault { .. } => {
                    done.push(fault);
                    return done;
                }
                other => done.push(other),
            }
        }
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.clock.pass(SignedDuration::try_from(time).unwrap());
    }

    /// The token of the captured mail that was sent to a customer last.
    pub async fn captured_token(&self, customer: &Value) -> String {
        let path = format!("/api/messages?limit=1&customer_id={}", customer["id"].as_str().unwrap());
        let page = self.get(&path).await.json();
        let message = self.get(&format!("/api/messages/{}", page["items"][0]["id"].as_str().unwrap())).await.json();
        let text = message["text"].as_str().unwrap();
        let link = text.lines().find(|line| line.contains("/verify?token=")).unwrap();
        link.split_once("token=").unwrap().1.to_owned()
    }

    /// Presses the button of the page behind a link.
    pub async fn press(&self, token: &str) -> Answer {
        let form = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
        self.send(Method::POST, "/verify", None, &form, Some(format!("token={token}"))).await
    }
}

/// A configuration for a folder of a test, on a free port.
pub fn config(folder: &TempDir, settings: &[(String, String)]) -> Config {
    let data_dir = folder.path().join("data").to_str().unwrap().to_owned();
    let own = [("LISTEN".to_owned(), "127.0.0.1:0".to_owned()), ("DATA_DIR".to_owned(), data_dir)];
    let said = settings.iter().map(|(key, value)| (key.to_uppercase(), value.clone()));
    let variables = own.into_iter().chain(said).map(|(key, value)| (format!("ROLLBOOK_{key}"), value));
    let environment: Environment = variables.collect();
    Config::load(&Layers { environment, ..Layers::default() }).unwrap().config
}

async fn key_of(registry: &Registry, scopes: &[Scope]) -> String {
    let name = KeyName::parse("test").unwrap();
    registry.create_key(name, scopes.to_vec()).await.unwrap().1.expose().to_owned()
}

/// The id in the middle of what a key's owner presents.
pub fn id_of(key: &str) -> KeyId {
    KeyId::parse(key.split('_').nth(1).unwrap()).unwrap()
}
