//! Nothing is waited for longer than its deadline says, and nobody is listened to without end.

use futures_util::future::join_all;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::*;
use crate::smtp_peer::TlsMode;

/// Every deadline short.
fn impatient(relay: Relay) -> Relay {
    let deadlines = Deadlines {
        connect: SHORT,
        tls: SHORT,
        command: SHORT,
        data: SHORT,
        block: SHORT,
        final_dot: SHORT,
        ..Deadlines::default()
    };
    Relay { deadlines, ..relay }
}

/// What a mail without TLS meets at each stage when a peer does this there; the connection must be gone afterwards.
async fn assert_fault_at_every_stage(act: Do, tune: fn(Relay) -> Relay, words: &str) {
    let attempt = async |(at, stage)| {
        let peer = SmtpPeer::start().await;
        peer.require_auth("acme", PASSWORD);
        peer.on(at, act);
        let fault = fault_of(&mailer(tune(with_login(plain(&peer))))).await;
        assert_eq!(fault, SendFault::new(stage, None, words), "{at:?}");
        peer.all_gone().await;
        assert_eq!(peer.mails_so_far().len(), 0);
    };
    join_all(STAGES.map(attempt)).await;
}

fn no_answer() -> String {
    format!("no answer within {SHORT:?}")
}

#[tokio::test]
async fn a_silent_server_is_left_at_every_stage_within_its_deadline() {
    assert_fault_at_every_stage(Do::Hang, impatient, &no_answer()).await;
}

#[tokio::test]
async fn a_silent_server_is_left_while_tls_begins() {
    let attempt = async |(mode, security, at, stage)| {
        let peer = SmtpPeer::start_tls(mode).await;
        let ca = file_with(peer.ca_pem());
        peer.on(at, Do::Hang);
        let fault = fault_of(&mailer(impatient(secured(&peer, security, ca.path())))).await;
        assert_eq!(fault, SendFault::new(stage, None, &no_answer()), "{mode:?} {at:?}");
        peer.all_gone().await;
    };
    let stages = [
        (TlsMode::StartTls, Security::StartTls, At::StartTls, Stage::StartTls),
        (TlsMode::StartTls, Security::StartTls, At::Tls, Stage::Tls),
        (TlsMode::Implicit, Security::Tls, At::Tls, Stage::Tls),
        (TlsMode::Implicit, Security::Tls, At::Banner, Stage::Greeting),
    ];
    join_all(stages.map(attempt)).await;
}

#[tokio::test]
async fn a_server_that_does_not_take_the_mail_is_left() {
    let peer = SmtpPeer::start().await;
    peer.on(At::Body, Do::Hang);
    let large = Mail { text: "more than any socket buffers ".repeat(400_000), ..mail() };
    let deadlines = Deadlines { block: SHORT, ..Deadlines::default() };
    let fault = mailer(Relay { deadlines, ..plain(&peer) }).send(&large).await.unwrap_err();
    assert_eq!(fault, SendFault::new(Stage::Data, None, &no_answer()));
}

#[tokio::test]
async fn a_host_that_does_not_accept_is_left() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // Nobody accepts here, so that the queue fills up and the next one hears nothing.
    let mut waiting = Vec::new();
    while let Ok(connected) = timeout(SHORT, TcpStream::connect(address)).await {
        waiting.push(connected.unwrap());
    }
    let peer = SmtpPeer::start().await;
    let fault = fault_of(&mailer(impatient(Relay { port: address.port(), ..plain(&peer) }))).await;
    assert_eq!((fault.stage, fault.code), (Stage::Connect, None));
    assert!(fault.words.starts_with("no answer"), "{fault}");
}

#[tokio::test]
async fn an_attempt_is_cut_when_it_takes_too_long_in_all() {
    let tune = |relay| Relay { deadlines: Deadlines { session: SHORT, ..Deadlines::default() }, ..relay };
    assert_fault_at_every_stage(Do::Hang, tune, &format!("not done within {SHORT:?} in all")).await;
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off_at_every_stage() {
    let many_lines: &'static str = Box::leak("450-again\r\n".repeat(200).into_boxed_str());
    for act in [Do::Endless, Do::Reply(many_lines)] {
        assert_fault_at_every_stage(act, |relay| relay, "the answer has no end").await;
    }
}
