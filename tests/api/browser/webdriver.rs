//! A headless Chromium, driven by chromedriver by the W3C's `WebDriver`; only loopback is spoken to.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
    time::Duration,
};

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::program::running::{PATIENCE, Program};

/// The name of an element's id in every answer (`WebDriver`, section 12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window; it ends with the test.
pub(super) struct Browser {
    client: Client,
    port: u16,
    session: String,
    _driver: Program,
    _profile: TempDir,
}

/// Something on the page.
pub(super) struct Element(String);

impl Browser {
    /// Starts with some arguments of Chromium's beside the usual.
    pub(super) async fn start(arguments: &[&str]) -> Self {
        for tool in ["chromium", "chromedriver"] {
            let version = Command::new(tool).arg("--version").output();
            version.unwrap_or_else(|error| panic!("{tool} is needed, and tests/run installs it: {error}"));
        }
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Program::spawn(Command::new("chromedriver").arg("--port=0"));
        let port = driver.hear("its port", |line| line.split_once("on port ")?.1.strip_suffix('.')?.parse().ok()).await;
        let client = Client::builder().no_proxy().timeout(PATIENCE * 3).build().unwrap();
        let session = ask(&client, port, Method::POST, "/session", &capabilities(profile.path(), arguments)).await;
        let session = session["sessionId"].as_str().unwrap().to_owned();
        Self { client, port, session, _driver: driver, _profile: profile }
    }

    pub(super) async fn open(&self, url: &str) {
        self.tell("url", &json!({ "url": url })).await;
    }

    pub(super) async fn title(&self) -> String {
        self.look("title").await.as_str().unwrap().to_owned()
    }

    /// The page as it stands in the window.
    pub(super) async fn source(&self) -> String {
        self.look("source").await.as_str().unwrap().to_owned()
    }

    /// What a CSS selector finds, once it finds something.
    pub(super) async fn find_all(&self, selector: &str) -> Vec<Element> {
        let found = self.tell("elements", &json!({ "using": "css selector", "value": selector })).await;
        found.as_array().unwrap().iter().map(|it| Element(it[ELEMENT].as_str().unwrap().to_owned())).collect()
    }

    async fn find(&self, selector: &str) -> Element {
        let found = self.tell("element", &json!({ "using": "css selector", "value": selector })).await;
        Element(found[ELEMENT].as_str().unwrap().to_owned())
    }

    pub(super) async fn text(&self, element: &Element) -> String {
        self.look(&format!("element/{}/text", element.0)).await.as_str().unwrap().to_owned()
    }

    /// The text of the first thing that the selector finds. What was found on a page that gives way to the next one at
    /// this moment is looked for again.
    pub(super) async fn text_of(&self, selector: &str) -> String {
        loop {
            let path = format!("/session/{}/element/{}/text", self.session, self.find(selector).await.0);
            let text = answer_of(&self.client, self.port, Method::GET, &path, &Value::Null).await;
            if text["error"] != "stale element reference" {
                return good(&path, text).as_str().unwrap().to_owned();
            }
        }
    }

    /// Clicks on what the selector finds.
    pub(super) async fn click(&self, selector: &str) -> Element {
        let element = self.find(selector).await;
        self.tell(&format!("element/{}/click", element.0), &json!({})).await;
        element
    }

    /// Clicks on what leads to another page, and waits until the page that it was on has given way.
    pub(super) async fn leave_by(&self, selector: &str) {
        let path = format!("/session/{}/element/{}/name", self.session, self.click(selector).await.0);
        let look = || answer_of(&self.client, self.port, Method::GET, &path, &Value::Null);
        let gone = async { while look().await["error"] != "stale element reference" {} };
        timeout(PATIENCE, gone).await.expect("the page gives way");
    }

    /// Whether an element has a background, as none has by itself.
    pub(super) async fn is_styled(&self, selector: &str) -> bool {
        let element = self.find(selector).await;
        let colour = self.look(&format!("element/{}/css/background-color", element.0)).await;
        colour.as_str().is_some_and(|colour| !colour.ends_with(", 0)"))
    }

    /// What the console has complained of since it was asked last.
    pub(super) async fn console(&self) -> Vec<String> {
        let lines = self.tell("se/log", &json!({ "type": "browser" })).await;
        lines.as_array().unwrap().iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    }

    async fn look(&self, command: &str) -> Value {
        ask(&self.client, self.port, Method::GET, &format!("/session/{}/{command}", self.session), &Value::Null).await
    }

    async fn tell(&self, command: &str, body: &Value) -> Value {
        ask(&self.client, self.port, Method::POST, &format!("/session/{}/{command}", self.session), body).await
    }
}

impl Drop for Browser {
    /// Ends the session, and Chromium with it: killing chromedriver alone would leave it running.
    fn drop(&mut self) {
        let farewell = || {
            let mut driver = TcpStream::connect(("127.0.0.1", self.port))?;
            driver.set_read_timeout(Some(Duration::from_secs(10)))?;
            write!(driver, "DELETE /session/{} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\n\r\n", self.session, self.port)?;
            driver.read(&mut [0])
        };
        // A driver that is gone already has taken its browser with it.
        let _ = farewell();
    }
}

async fn ask(client: &Client, port: u16, method: Method, path: &str, body: &Value) -> Value {
    good(path, answer_of(client, port, method, path, body).await)
}

fn good(path: &str, value: Value) -> Value {
    assert!(value.get("error").is_none(), "{path}: {value:#}");
    value
}

async fn answer_of(client: &Client, port: u16, method: Method, path: &str, body: &Value) -> Value {
    let mut request = client.request(method, format!("http://127.0.0.1:{port}{path}"));
    if !body.is_null() {
        request = request.json(body);
    }
    let mut answer: Value = request.send().await.unwrap().json().await.unwrap();
    answer["value"].take()
}

fn capabilities(profile: &Path, more: &[&str]) -> Value {
    let profile = format!("--user-data-dir={}", profile.display());
    let usual = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-dev-shm-usage",
        "--disable-sync",
        &profile,
    ];
    let arguments = [&usual, more].concat();
    let wanted = json!({
        "goog:chromeOptions": { "args": arguments },
        "goog:loggingPrefs": { "browser": "ALL" },
        "timeouts": { "implicit": 10_000 },
    });
    json!({ "capabilities": { "alwaysMatch": wanted } })
}
