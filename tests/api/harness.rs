//! The whole world of a test: the production app on a free port, a real SQLite file, a held clock, counted entropy.

mod answer;
pub mod contract;
mod database;
mod held;

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, Method, header};
use rollbook::{
    app::{App, StartError, World},
    application::{
        Registry,
        claim_messages::Due,
        deliver_message::Delivery,
        ports::{Clock as _, StoreError},
    },
    domain::{
        api_key::{KeyId, KeyName, Scope},
        ids::CustomerId,
    },
    infrastructure::config::{Config, Environment, Layers},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{net::TcpStream, sync::oneshot, task::JoinHandle, time::timeout};

pub use self::{
    answer::Answer,
    contract::{Operation, document, operations},
    held::HeldClock,
};
use crate::{connections::client::Client as RawClient, smtp_peer::SmtpPeer};

/// A running Rollbook. Nobody delivers its mail until the test says so, unless it was started [`at_work`](Self::at_work).
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
    delivers: Delivers,
}

/// Who delivers the mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delivers {
    /// The test, step by step.
    Test,
    /// The app's own workers.
    Workers,
}

impl Rollbook {
    /// With default settings: mail is captured.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With some settings, by their keys, such as `("resend_cooldown", "0s")`.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        Self::begin(owned(settings), Delivers::Test).await
    }

    /// Sending by SMTP to a peer, in clear text over loopback.
    pub async fn sending_to(peer: &SmtpPeer, settings: &[(&str, &str)]) -> Self {
        Self::begin(smtp_settings(peer, settings), Delivers::Test).await
    }

    /// Sending by SMTP to a peer with the app's own workers, as in production.
    pub async fn at_work(peer: &SmtpPeer, settings: &[(&str, &str)]) -> Self {
        Self::begin(smtp_settings(peer, settings), Delivers::Workers).await
    }

    async fn begin(settings: Vec<(String, String)>, delivers: Delivers) -> Self {
        let (world, clock) = held::world();
        Self::run_in(tempfile::tempdir().unwrap(), settings, world, clock, delivers).await
    }

    async fn run_in(
        folder: TempDir,
        settings: Vec<(String, String)>,
        world: World,
        clock: HeldClock,
        delivers: Delivers,
    ) -> Self {
        let app = App::start(&config(&folder, &settings), world.clone()).await.unwrap();
        let url = format!("http://{}", app.address());
        let admin_url = app.admin_address().map(|address| format!("http://{address}"));
        let registry = app.registry().clone();
        let key = key_of(&registry, &[Scope::Admin]).await;
        use_once(&registry, &key).await;
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { stopped.await.unwrap_or(()) };
        let running = match delivers {
            Delivers::Test => tokio::spawn(app.serve(stopped)),
            Delivers::Workers => tokio::spawn(app.run(stopped)),
        };
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
            delivers,
        }
    }

    /// Stops and starts again in the same folder, at the same held time.
    pub async fn restart(self) -> Self {
        self.restart_with(&[]).await
    }

    /// Stops and starts again in the same folder, with other values for some settings.
    pub async fn restart_with(mut self, settings: &[(&str, &str)]) -> Self {
        let folder = self.stop().await;
        let settings = [self.settings.clone(), owned(settings)].concat();
        let (world, clock, delivers) = (self.world.clone(), self.clock.clone(), self.delivers);
        // Its database is only free once nobody holds the store any more.
        drop(self);
        Self::run_in(folder, settings, world, clock, delivers).await
    }

    /// Stops and starts again in the same folder, with the app's own workers from now on.
    pub async fn restart_at_work(mut self) -> Self {
        self.delivers = Delivers::Workers;
        self.restart().await
    }

    /// Stops and starts again in the same folder; from now on nobody delivers until the test says so.
    pub async fn restart_to_be_stepped(mut self) -> Self {
        self.delivers = Delivers::Test;
        self.restart().await
    }

    async fn stop(&mut self) -> TempDir {
        self.ask_to_stop();
        (&mut self.running).await.unwrap();
        self.folder.take().unwrap()
    }

    /// Asks the app to stop, and does not wait for it.
    pub fn ask_to_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).unwrap();
        }
    }

    /// Waits until nobody listens at the app's address any more.
    pub async fn until_it_serves_no_more(&self) {
        let address = self.url.strip_prefix("http://").unwrap();
        let refused = async { while TcpStream::connect(address).await.is_ok() {} };
        timeout(Duration::from_secs(10), refused).await.expect("the app stops listening");
    }

    /// Tries to start a second app in the same folder.
    pub async fn start_another(&self) -> Result<App, StartError> {
        App::start(&config(self.folder.as_ref().unwrap(), &self.settings), self.world.clone()).await
    }

    /// The folder with the database.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.as_ref().unwrap().path()
    }

    /// What was done to a customer, oldest first.
    pub fn deeds(&self, customer: &Value) -> Vec<String> {
        let id = CustomerId::parse(customer["id"].as_str().unwrap()).unwrap().uuid();
        let db = rusqlite::Connection::open(self.folder().join("data/rollbook.db")).unwrap();
        let mut deeds = db.prepare("SELECT deed FROM history WHERE customer_id = ?1 ORDER BY number").unwrap();
        deeds.query_map([id.as_u64_pair().0.cast_signed()], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
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

    /// The same world, asked at another address.
    pub fn at(mut self, url: String) -> Self {
        self.url = url;
        self
    }

    /// A connection of its own, over which a test says exactly what it wants to.
    pub async fn visit(&self) -> RawClient {
        let address = self.url.strip_prefix("http://").unwrap();
        RawClient::over(tokio::net::TcpStream::connect(address).await.unwrap())
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

    /// Does a worker's work for one message, and returns what became of it, or what there is to wait for.
    pub async fn deliver_next(&self) -> Result<Result<Delivery, Due>, StoreError> {
        match self.registry.next_due().await? {
            Due::Now(message) => Ok(Ok(self.registry.deliver(&message).await?)),
            nothing => Ok(Err(nothing)),
        }
    }

    /// Does a worker's work until nothing is due, and returns what became of each message.
    pub async fn deliver(&self) -> Vec<Delivery> {
        let mut done = Vec::new();
        while let Ok(delivery) = self.deliver_next().await.unwrap() {
            done.push(delivery);
        }
        done
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.clock.pass(SignedDuration::try_from(time).unwrap());
    }

    /// Lets time pass until a moment that an answer named.
    pub fn pass_until(&self, moment: &Value) {
        self.clock.pass(self.time_until(moment));
    }

    /// How long it is until a moment that an answer named.
    pub fn time_until(&self, moment: &Value) -> SignedDuration {
        moment.as_str().unwrap().parse::<Timestamp>().unwrap().duration_since(self.clock.now())
    }

    /// The newest message to a customer.
    pub async fn message_to(&self, customer: &Value) -> Value {
        let path = format!("/api/messages?limit=1&customer_id={}", customer["id"].as_str().unwrap());
        let page = self.get(&path).await.json();
        self.message(&page["items"][0]["id"]).await
    }

    /// The message as it is shown now.
    pub async fn message(&self, id: &Value) -> Value {
        let answer = self.get(&format!("/api/messages/{}", id.as_str().unwrap())).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Asks for a customer's verification mail again.
    pub async fn resend(&self, customer: &Value) -> Answer {
        let path = format!("/api/customers/{}/verification", customer["id"].as_str().unwrap());
        self.send(Method::POST, &path, Some(&self.key), &[], None).await
    }

    /// The whole number in a line of `/metrics`, such as `rollbook_outbox_messages{state="sent"}`.
    pub async fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").await.text;
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name} in {text}"));
        line.trim().parse().unwrap()
    }

    /// The token of the captured mail that was sent to a customer last.
    pub async fn captured_token(&self, customer: &Value) -> String {
        let message = self.message_to(customer).await;
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

fn owned(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    settings.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn smtp_settings(peer: &SmtpPeer, settings: &[(&str, &str)]) -> Vec<(String, String)> {
    let url = format!("smtp://127.0.0.1:{}", peer.port());
    let smtp = [("mail_transport", "smtp"), ("smtp_url", url.as_str()), ("mail_from", "Acme <hello@acme.example>")];
    owned(&[&smtp[..], settings].concat())
}

/// A configuration for a folder of a test, on a free port.
pub fn config(folder: &TempDir, settings: &[(String, String)]) -> Config {
    let data_dir = folder.path().join("data").to_str().unwrap().to_owned();
    let own = [("LISTEN".to_owned(), "127.0.0.1:0".to_owned()), ("DATA_DIR".to_owned(), data_dir)];
    let said = settings.iter().map(|(key, value)| (key.to_uppercase(), value.clone()));
    // A setting that is said twice is what was said last.
    let last: BTreeMap<String, String> = own.into_iter().chain(said).collect();
    let environment: Environment = last.into_iter().map(|(key, value)| (format!("ROLLBOOK_{key}"), value)).collect();
    Config::load(&Layers { environment, ..Layers::default() }).unwrap().config
}

async fn key_of(registry: &Registry, scopes: &[Scope]) -> String {
    let name = KeyName::parse("test").unwrap();
    registry.key_desk().create(name, scopes.to_vec()).await.unwrap().1.expose().to_owned()
}

/// Uses a key, so that its first use is noted before a test looks at what is written.
async fn use_once(registry: &Registry, key: &str) {
    registry.authenticate(key).await.unwrap().expect("a key that counts");
    // A write that is asked for later is done later. A queue of one has room for it once the note is being written.
    while registry.key_desk().revoke(KeyId::new(0)).await.is_err() {}
}

/// The id in the middle of what a key's owner presents.
pub fn id_of(key: &str) -> KeyId {
    KeyId::parse(key.split('_').nth(1).unwrap()).unwrap()
}
