//! A relay at fault: mail waits for it, and none of it is failed or charged for that.

use tempfile::NamedTempFile;

use super::*;
use crate::smtp_peer::TlsMode;

/// A relay that can be broken and mended, with three messages for it.
struct Broken {
    peer: SmtpPeer,
    rollbook: Rollbook,
    customers: Vec<Value>,
    _ca_file: Option<NamedTempFile>,
}

impl Broken {
    async fn by(at: At, act: Do) -> Self {
        let peer = SmtpPeer::start().await;
        peer.require_auth("acme", "secret");
        let url = format!("smtp://acme:secret@127.0.0.1:{}", peer.port());
        let rollbook = Rollbook::sending_to(&peer, &[("smtp_url", &url)]).await;
        peer.on(at, act);
        Self::of(peer, rollbook, None).await
    }

    /// A relay with STARTTLS, which is required of it.
    async fn secured_by(at: At, act: Do) -> Self {
        let peer = SmtpPeer::start_tls(TlsMode::StartTls).await;
        let ca_file = NamedTempFile::new().unwrap();
        std::fs::write(ca_file.path(), peer.ca_pem()).unwrap();
        let url = format!("smtp://localhost:{}?tls=required", peer.port());
        let ca_path = ca_file.path().to_str().unwrap();
        let rollbook = Rollbook::sending_to(&peer, &[("smtp_url", &url), ("smtp_ca_file", ca_path)]).await;
        peer.on(at, act);
        Self::of(peer, rollbook, Some(ca_file)).await
    }

    async fn of(peer: SmtpPeer, rollbook: Rollbook, ca_file: Option<NamedTempFile>) -> Self {
        let mut customers = Vec::new();
        for name in ["ada", "eve", "kim"] {
            customers.push(rollbook.register(&format!("{name}@example.org")).await);
        }
        Self { peer, rollbook, customers, _ca_file: ca_file }
    }

    async fn messages(&self) -> Vec<Value> {
        let mut messages = Vec::new();
        for customer in &self.customers {
            messages.push(self.rollbook.message_to(customer).await);
        }
        messages
    }

    /// The promise, from the first fault to the last mail.
    async fn costs_nobody_a_mail(&self, words: &str) {
        self.stops_at_one_probe(words).await;
        self.is_probed_for_days().await;
        self.peer.behave();
        self.rollbook.pass(10 * MINUTE);
        assert_eq!(self.rollbook.deliver().await, [Delivery::Sent, Delivery::Sent, Delivery::Sent]);
        assert_eq!(self.rollbook.metric("rollbook_smtp_relay_up").await, 1);
        for message in self.messages().await {
            assert_eq!((&message["state"], &message["attempts"]), (&"sent".into(), &1.into()), "{words}");
        }
        for customer in &self.customers {
            assert_eq!(self.rollbook.deeds(customer), ["registered", "mail_sent"], "{words}");
        }
    }

    async fn stops_at_one_probe(&self, words: &str) {
        let delivered = self.rollbook.deliver().await;
        assert!(matches!(delivered[..], [Delivery::RelayFault(..)]), "{delivered:?}");
        let messages = self.messages().await;
        assert_eq!((&messages[0]["state"], &messages[0]["last_error"]), (&"deferred".into(), &words.into()));
        assert_eq!(messages[0]["attempts"], 0, "{words}");
        for message in &messages[1..] {
            assert_eq!((&message["state"], &message["attempts"]), (&"queued".into(), &0.into()), "{words}");
            assert_eq!(message["last_error"], Value::Null);
        }
        let connections = self.peer.connections();
        self.rollbook.pass(Duration::from_secs(29));
        assert!(matches!(self.rollbook.deliver_next().await, Ok(Err(Due::WithRelay(_)))));
        assert_eq!(self.peer.connections(), connections, "nobody asks before the pause is over");
        assert_eq!(self.rollbook.metric("rollbook_smtp_relay_up").await, 0);
        assert_eq!(self.rollbook.get("/readyz").await.status, 200, "mail that waits is no reason to be down");
    }

    /// Longer than any message would be tried.
    async fn is_probed_for_days(&self) {
        let before = self.peer.connections();
        for _ in 0..7 {
            self.rollbook.pass(DAY);
            self.rollbook.deliver().await;
        }
        assert_eq!(self.peer.connections() - before, 7, "one probe for each pause");
        for message in self.messages().await {
            assert_eq!(message["attempts"], 0);
            assert!(message["state"] == "deferred" || message["state"] == "queued", "{message}");
        }
    }
}

#[tokio::test]
async fn a_relay_that_cannot_be_reached_costs_nobody_a_mail() {
    let closed = "the server closed the connection without an answer";
    Broken::by(At::Connect, Do::Drop).await.costs_nobody_a_mail(&format!("greeting: {closed}")).await;
}

#[tokio::test]
async fn a_relay_that_turns_us_away_costs_nobody_a_mail() {
    for (at, reply, words) in [
        (At::Banner, "554 5.7.1 go away", "greeting: 554 5.7.1 go away"),
        (At::Banner, "421 4.3.2 closing", "greeting: 421 4.3.2 closing"),
        (At::Ehlo, "550 5.7.1 bad name", "greeting: 550 5.7.1 bad name"),
    ] {
        Broken::by(at, Do::Reply(reply)).await.costs_nobody_a_mail(words).await;
    }
}

#[tokio::test]
async fn a_relay_without_starttls_costs_nobody_a_mail() {
    let broken = Broken::secured_by(At::Ehlo, Do::Reply("250 peer.example")).await;
    broken.costs_nobody_a_mail("STARTTLS: the server offers no STARTTLS").await;
    let broken = Broken::secured_by(At::StartTls, Do::Reply("454 4.7.0 no TLS today")).await;
    broken.costs_nobody_a_mail("STARTTLS: 454 4.7.0 no TLS today").await;
}

#[tokio::test]
async fn a_wrong_password_costs_nobody_a_mail() {
    let broken = Broken::by(At::Auth, Do::Reply("535 5.7.8 wrong password")).await;
    broken.costs_nobody_a_mail("AUTH: 535 5.7.8 wrong password").await;
}

#[tokio::test]
async fn a_refused_sender_costs_nobody_a_mail() {
    for (reply, words) in [
        ("530 5.7.0 log in first", "MAIL FROM: 530 5.7.0 log in first"),
        ("451 4.3.0 disk full", "MAIL FROM: 451 4.3.0 disk full"),
    ] {
        Broken::by(At::MailFrom, Do::Reply(reply)).await.costs_nobody_a_mail(words).await;
    }
}

#[tokio::test]
async fn a_port_where_nobody_listens_costs_nobody_a_mail() {
    let gone = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&gone, &[]).await;
    drop(gone);
    let ada = rollbook.register("ada@example.org").await;
    let peer = SmtpPeer::start().await;
    let delivered = rollbook.deliver().await;
    assert!(matches!(delivered[..], [Delivery::RelayFault(..)]), "{delivered:?}");
    assert_eq!(shown(&rollbook, &ada).await, ("deferred".into(), "connect: connection refused".into()));
    let elsewhere = format!("smtp://127.0.0.1:{}", peer.port());
    let rollbook = rollbook.restart_with(&[("smtp_url", &elsewhere)]).await;
    rollbook.pass(MINUTE);
    assert_eq!(rollbook.deliver().await, [Delivery::Sent]);
}

#[tokio::test]
async fn a_relay_that_hangs_longer_than_the_pause_is_probed_after_ever_longer_ones() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    rollbook.register("ada@example.org").await;
    peer.on(At::Banner, Do::Wait);
    peer.on(At::Ehlo, Do::Reply("421 4.3.2 out of order"));
    peer.on(At::Connect, Do::Drop).times(1);
    rollbook.deliver().await;
    rollbook.pass(MINUTE);
    let (probe, ()) = tokio::join!(rollbook.deliver_next(), async {
        peer.reached(At::Banner).await;
        rollbook.pass(Duration::from_secs(30));
        assert!(matches!(rollbook.deliver_next().await, Ok(Err(Due::Later(_)))), "nothing else is there to be tried");
        assert!(matches!(rollbook.deliver_next().await, Ok(Err(Due::WithRelay(_)))), "the probe is still out");
        peer.go_on();
    });
    let Ok(Ok(Delivery::RelayFault(_, until))) = probe else { panic!("{probe:?}") };
    assert_eq!(until.duration_since(rollbook.clock.now()).as_secs(), 60);
    rollbook.pass(Duration::from_secs(59));
    assert_eq!(rollbook.deliver().await, []);
    assert_eq!(peer.connections(), 2);
}

#[tokio::test]
async fn after_three_refusals_of_content_in_a_row_no_further_one_ends_a_message_and_none_holds_up_others() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    for name in ["a", "b", "c", "d", "e"] {
        rollbook.register(&format!("{name}@example.org")).await;
    }
    peer.on(At::Dot, Do::Reply("554 5.7.1 spam"));
    let delivered = rollbook.deliver().await;
    let [Delivery::Failed(_), Delivery::Failed(_), Delivery::Failed(_), Delivery::Deferred(_), Delivery::Deferred(_)] =
        delivered[..]
    else {
        panic!("{delivered:?}")
    };
    assert_eq!(rollbook.metric("rollbook_outbox_messages{state=\"deferred\"}").await, 2);
    assert_eq!(rollbook.metric("rollbook_smtp_relay_up").await, 0);
    peer.behave();
    rollbook.register("f@example.org").await;
    assert_eq!(rollbook.deliver().await, [Delivery::Sent], "a new one goes at once");
    assert_eq!(rollbook.metric("rollbook_smtp_relay_up").await, 1);
    rollbook.pass(MINUTE);
    assert_eq!(rollbook.deliver().await, [Delivery::Sent, Delivery::Sent]);
}
