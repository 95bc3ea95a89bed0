//! Which connection a mail travels on.

use tokio::net::TcpListener;

use super::*;

#[tokio::test]
async fn two_mails_share_one_connection() {
    let peer = SmtpPeer::start().await;
    let mailer = mailer(plain(&peer));
    mailer.send(&mail()).await.unwrap();
    mailer.send(&mail()).await.unwrap();
    assert_eq!((peer.next_mail().await.session, peer.next_mail().await.session), (1, 1));
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn mails_at_the_same_time_have_a_connection_each_and_the_surplus_is_closed() {
    let peer = SmtpPeer::start().await;
    let mailer = mailer(Relay { sessions: 1, ..plain(&peer) });
    let (first, second) = (mail(), mail());
    let both = tokio::join!(mailer.send(&first), mailer.send(&second));
    assert_eq!(both, (Ok(()), Ok(())));
    peer.reached(At::Quit).await;
    mailer.send(&mail()).await.unwrap();
    assert_eq!(peer.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_idled_out_is_replaced_without_a_fault() {
    for act in [Do::Drop, Do::ReplyAndDrop("421 4.4.2 idle for too long"), Do::Hang] {
        let peer = SmtpPeer::start().await;
        let deadlines = Deadlines { command: SHORT, ..Deadlines::default() };
        let mailer = mailer(Relay { deadlines, ..plain(&peer) });
        mailer.send(&mail()).await.unwrap();
        peer.on(At::MailFrom, act).times(1);
        mailer.send(&mail()).await.unwrap();
        assert_eq!((peer.next_mail().await.session, peer.next_mail().await.session), (1, 2), "{act:?}");
    }
}

#[tokio::test]
async fn a_fresh_connection_gets_no_second_chance() {
    let peer = SmtpPeer::start().await;
    let mailer = mailer(plain(&peer));
    peer.on(At::MailFrom, Do::ReplyAndDrop("421 4.3.2 going down"));
    let fault = fault_of(&mailer).await;
    assert_eq!((fault.stage, fault.code), (Stage::MailFrom, Some(421)));
    assert_eq!(peer.connections(), 1);

    peer.behave();
    mailer.send(&mail()).await.unwrap();
    peer.on(At::MailFrom, Do::Drop);
    let fault = fault_of(&mailer).await;
    assert_eq!((fault.stage, fault.code), (Stage::MailFrom, None));
    assert_eq!(peer.connections(), 3);
}

#[tokio::test]
async fn a_connection_unused_for_too_long_is_left_politely() {
    let peer = SmtpPeer::start().await;
    let deadlines = Deadlines { idle: Duration::ZERO, ..Deadlines::default() };
    let mailer = mailer(Relay { deadlines, ..plain(&peer) });
    mailer.send(&mail()).await.unwrap();
    mailer.send(&mail()).await.unwrap();
    assert_eq!(peer.connections(), 2);
    peer.reached(At::Quit).await;
}

#[tokio::test]
async fn a_refused_mail_leaves_the_connection_to_the_next_one() {
    let refusals = [
        (At::Rcpt, Do::Reply("550 5.1.1 no such user")),
        (At::Rcpt, Do::Reply("450 4.2.1 not now")),
        (At::Data, Do::Reply("554 5.5.1 no valid recipients")),
        (At::Dot, Do::Reply("554 5.6.0 not like this")),
    ];
    for (at, act) in refusals {
        let peer = SmtpPeer::start().await;
        let mailer = mailer(plain(&peer));
        peer.on(at, act).times(1);
        fault_of(&mailer).await;
        mailer.send(&mail()).await.unwrap();
        assert_eq!(peer.next_mail().await.session, 1, "{act:?}");
    }
}

#[tokio::test]
async fn a_server_that_goes_down_or_cannot_reset_is_not_asked_again() {
    for (at, act) in [(At::Rcpt, Do::Reply("421 4.3.2 going down")), (At::Rset, Do::Reply("500 5.5.1 what"))] {
        let peer = SmtpPeer::start().await;
        let mailer = mailer(plain(&peer));
        peer.on(At::Rcpt, Do::Reply("550 5.1.1 no such user")).times(usize::from(at == At::Rset));
        peer.on(at, act).times(1);
        fault_of(&mailer).await;
        peer.all_gone().await;
        mailer.send(&mail()).await.unwrap();
        assert_eq!(peer.next_mail().await.session, 2, "{act:?}");
    }
}

#[tokio::test]
async fn a_send_that_is_given_up_closes_its_connection() {
    let peer = SmtpPeer::start().await;
    let mailer = std::sync::Arc::new(mailer(plain(&peer)));
    peer.on(At::Dot, Do::Hang).times(1);
    let sender = std::sync::Arc::clone(&mailer);
    let sending = tokio::spawn(async move { sender.send(&mail()).await });
    peer.reached(At::Dot).await;
    sending.abort();
    peer.all_gone().await;
    mailer.send(&mail()).await.unwrap();
    assert_eq!(peer.next_mail().await.session, 2);
}

#[tokio::test]
async fn closing_takes_leave_on_every_kept_connection() {
    let peer = SmtpPeer::start().await;
    let mailer = mailer(plain(&peer));
    let (first, second) = (mail(), mail());
    let both = tokio::join!(mailer.send(&first), mailer.send(&second));
    assert_eq!(both, (Ok(()), Ok(())));
    mailer.close().await;
    peer.all_gone().await;
    assert_eq!(peer.said().iter().filter(|said| said.line == "QUIT").count(), 2);
}

#[tokio::test]
async fn a_closed_port_is_a_fault_of_connecting() {
    let peer = SmtpPeer::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let fault = fault_of(&mailer(Relay { port, ..plain(&peer) })).await;
    assert_eq!((fault.stage, fault.code, fault.words.as_str()), (Stage::Connect, None, "connection refused"));
}
