//! An SMTP server that a test commands: it behaves until told not to, and remembers what it saw.

mod certificate;
mod dialogue;
mod received_mail;

use std::{
    collections::HashMap,
    future::Future,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::timeout,
};

pub(crate) use self::received_mail::ReceivedMail;
use self::{certificate::Certificate, dialogue::Dialogue};

/// How long a test waits for what should have happened long ago.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where in a session an order applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum At {
    /// Accepted, nothing said.
    Connect,
    /// Before the TLS handshake, of either kind.
    Tls,
    Banner,
    Ehlo,
    StartTls,
    /// AUTH, or an answer to its challenge.
    Auth,
    MailFrom,
    Rcpt,
    Data,
    /// After the answer to DATA, before the mail is read.
    Body,
    /// The mail is read to its final dot.
    Dot,
    Rset,
    Quit,
}

/// What to do instead of the usual.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Do {
    /// Say this, several lines if need be; a refusal refuses, any other words agree.
    Reply(&'static str),
    /// Say these octets and a line end.
    Octets(&'static [u8]),
    /// Say this and close.
    ReplyAndDrop(&'static str),
    /// Say nothing until the client leaves.
    Hang,
    /// Close without a word.
    Drop,
    /// Begin a line that never ends.
    Endless,
    /// Say nothing until [`SmtpPeer::go_on`], then the usual.
    Wait,
}

/// How TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsMode {
    /// By command; AUTH and mail are refused before it.
    StartTls,
    /// With the first byte.
    Implicit,
}

/// A line that a client said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) encrypted: bool,
    pub(crate) line: String,
}

/// A server on a port of its own; dropping it cuts every connection.
pub(crate) struct SmtpPeer {
    port: u16,
    orders: Arc<Orders>,
    taken: AtomicUsize,
    accepting: JoinHandle<()>,
}

/// What the sessions share: what they are told, and what they saw.
struct Orders {
    tls: Option<(TlsMode, Certificate)>,
    rules: Mutex<Vec<Rule>>,
    login: Mutex<Option<Login>>,
    /// How many connections are taken at once.
    most: AtomicUsize,
    waits: watch::Sender<bool>,
    seen: watch::Sender<Seen>,
}

struct Rule {
    at: At,
    act: Do,
    left: Option<usize>,
}

#[derive(Clone)]
struct Login {
    mechanisms: &'static str,
    user: &'static str,
    password: &'static str,
}

#[derive(Default)]
struct Seen {
    connections: usize,
    open: usize,
    turned_away: usize,
    reached: HashMap<At, usize>,
    said: Vec<Said>,
    read: Vec<ReceivedMail>,
    mails: Vec<ReceivedMail>,
}

/// An order just given, to be limited.
pub(crate) struct Order<'a> {
    orders: &'a Orders,
    index: usize,
}

impl Order<'_> {
    /// Applies the order to the next occurrences only.
    pub(crate) fn times(self, count: usize) {
        self.orders.rules.lock().unwrap()[self.index].left = Some(count);
    }
}

impl SmtpPeer {
    /// A server without TLS.
    pub(crate) async fn start() -> Self {
        Self::begin(None).await
    }

    /// A server with TLS and a fresh certificate for `localhost`, by a fresh CA.
    pub(crate) async fn start_tls(mode: TlsMode) -> Self {
        Self::begin(Some((mode, Certificate::for_localhost()))).await
    }

    async fn begin(tls: Option<(TlsMode, Certificate)>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let orders = Arc::new(Orders {
            tls,
            rules: Mutex::default(),
            login: Mutex::default(),
            most: AtomicUsize::new(usize::MAX),
            waits: watch::Sender::new(true),
            seen: watch::Sender::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&orders)));
        Self { port, orders, taken: AtomicUsize::new(0), accepting }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The CA's certificate, to be trusted by a client.
    pub(crate) fn ca_pem(&self) -> &str {
        self.orders.tls.as_ref().expect("a peer with TLS").1.ca_pem()
    }

    /// Demands AUTH before MAIL, by PLAIN or LOGIN.
    pub(crate) fn require_auth(&self, user: &'static str, password: &'static str) {
        self.require_auth_by("PLAIN LOGIN", user, password);
    }

    /// Demands AUTH before MAIL, offering only these mechanisms.
    pub(crate) fn require_auth_by(&self, mechanisms: &'static str, user: &'static str, password: &'static str) {
        *self.orders.login.lock().unwrap() = Some(Login { mechanisms, user, password });
    }

    /// Takes only so many connections at once from now on, and turns others away.
    pub(crate) fn take_at_once(&self, most: usize) {
        self.orders.most.store(most, Ordering::SeqCst);
    }

    /// Orders something out of the usual, until [`Self::behave`]; the first order that fits is followed.
    pub(crate) fn on(&self, at: At, act: Do) -> Order<'_> {
        let mut rules = self.orders.rules.lock().unwrap();
        rules.push(Rule { at, act, left: None });
        Order { orders: &self.orders, index: rules.len() - 1 }
    }

    /// Takes all orders back.
    pub(crate) fn behave(&self) {
        self.orders.rules.lock().unwrap().clear();
    }

    /// Lets every session go on that waits by [`Do::Wait`], now or later.
    pub(crate) fn go_on(&self) {
        self.orders.waits.send_replace(false);
    }

    /// The next mail that was accepted, in order of arrival; waits for it.
    pub(crate) async fn next_mail(&self) -> ReceivedMail {
        let index = self.taken.fetch_add(1, Ordering::Relaxed);
        self.until("a mail", |seen| seen.mails.len() > index).await;
        self.orders.seen.borrow().mails[index].clone()
    }

    /// Every mail accepted so far.
    pub(crate) fn mails_so_far(&self) -> Vec<ReceivedMail> {
        self.orders.seen.borrow().mails.clone()
    }

    /// Every mail read to its final dot so far, whatever was answered.
    pub(crate) fn mails_read(&self) -> Vec<ReceivedMail> {
        self.orders.seen.borrow().read.clone()
    }

    /// How many connections were turned away because of too many others.
    pub(crate) fn turned_away(&self) -> usize {
        self.orders.seen.borrow().turned_away
    }

    /// How many connections were accepted.
    pub(crate) fn connections(&self) -> usize {
        self.orders.seen.borrow().connections
    }

    /// Every line said so far, the mails left out.
    pub(crate) fn said(&self) -> Vec<Said> {
        self.orders.seen.borrow().said.clone()
    }

    /// Waits until a client has come this far, on any connection so far.
    pub(crate) async fn reached(&self, at: At) {
        self.reached_times(at, 1).await;
    }

    /// Waits until clients have come this far so many times.
    pub(crate) async fn reached_times(&self, at: At, times: usize) {
        let has_come = |seen: &Seen| seen.reached.get(&at).is_some_and(|count| *count >= times);
        self.until(&format!("a client at {at:?}, time {times}"), has_come).await;
    }

    /// Waits until a connection was turned away because of too many others.
    pub(crate) async fn crowded(&self) {
        self.until("a connection too many", |seen| seen.turned_away > 0).await;
    }

    /// Waits until no connection is open.
    pub(crate) async fn all_gone(&self) {
        self.until("every client to leave", |seen| seen.open == 0).await;
    }

    async fn until(&self, what: &str, holds: impl Fn(&Seen) -> bool) {
        let mut seen = self.orders.seen.subscribe();
        patiently(what, seen.wait_for(|seen| holds(seen))).await.unwrap();
    }
}

impl Drop for SmtpPeer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Waits for what should have happened long ago, and says what did not.
async fn patiently<T>(what: &str, wait: impl Future<Output = T>) -> T {
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}

/// The sessions live in this task, and end with it.
async fn accept(listener: TcpListener, orders: Arc<Orders>) {
    let mut sessions = JoinSet::new();
    for number in 1.. {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let is_crowded = orders.seen.borrow().open >= orders.most.load(Ordering::SeqCst);
        orders.seen.send_modify(|seen| {
            seen.connections = number;
            *(if is_crowded { &mut seen.turned_away } else { &mut seen.open }) += 1;
        });
        let orders = Arc::clone(&orders);
        sessions.spawn(async move {
            let mut dialogue = Dialogue::new(stream, number, &orders);
            if is_crowded {
                let _ = dialogue.turn_away().await;
                return;
            }
            // How a session ends is the client's affair, or an order's.
            let _ = dialogue.run().await;
            orders.seen.send_modify(|seen| seen.open -= 1);
        });
    }
}

impl Orders {
    /// The order for this moment, if any, counted off.
    fn at(&self, at: At) -> Option<Do> {
        self.seen.send_modify(|seen| *seen.reached.entry(at).or_default() += 1);
        let mut rules = self.rules.lock().unwrap();
        let rule = rules.iter_mut().find(|rule| rule.at == at && rule.left != Some(0))?;
        rule.left = rule.left.map(|left| left - 1);
        Some(rule.act)
    }

    async fn wait(&self) {
        let mut waits = self.waits.subscribe();
        // The sender is ours.
        let _ = waits.wait_for(|waits| !waits).await;
    }

    fn login(&self) -> Option<Login> {
        self.login.lock().unwrap().clone()
    }
}
