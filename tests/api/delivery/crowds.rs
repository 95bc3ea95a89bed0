//! A relay that takes only so many connections at once, with the app's own workers: the clock stands still, so what is put
//! off does not leave.

use tokio::time::timeout;

use super::{
    batches::{names_of_mails, register_all},
    *,
};

/// With so many mails due and the app at work on them.
async fn backlog_of(many: usize, peer: &SmtpPeer) -> (Rollbook, Vec<Value>) {
    let rollbook = Rollbook::sending_to(peer, &[]).await;
    let names: Vec<_> = (0..many).map(|n| format!("a{n:02}")).collect();
    let customers = register_all(&rollbook, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    (rollbook.restart_at_work().await, customers)
}

async fn relay_up(rollbook: &Rollbook) -> u64 {
    rollbook.metric("rollbook_smtp_relay_up").await
}

#[tokio::test]
async fn a_relay_that_takes_fewer_connections_at_once_is_sent_a_backlog_over_those_without_a_pause() {
    const MANY: usize = 50;
    for most in [1, 2, 3] {
        let peer = SmtpPeer::start().await;
        peer.take_at_once(most);
        peer.on(At::Dot, Do::Wait);
        let (rollbook, customers) = backlog_of(MANY, &peer).await;
        peer.crowded().await;
        peer.go_on();
        for _ in 0..MANY {
            peer.next_mail().await;
            assert_eq!(relay_up(&rollbook).await, 1, "{most}");
        }
        let rollbook = rollbook.restart_to_be_stepped().await;
        for customer in &customers {
            let message = rollbook.message_to(customer).await;
            assert_eq!((&message["state"], &message["attempts"]), (&"sent".into(), &1.into()), "{most}");
            assert_eq!(rollbook.deeds(customer), ["registered", "mail_sent"], "{most}");
        }
        let mut names = names_of_mails(&peer);
        names.sort();
        names.dedup();
        assert_eq!((names.len(), peer.mails_so_far().len()), (MANY, MANY), "{most}: each leaves once");
        assert!((1..=3).contains(&peer.turned_away()), "{most}: {} were turned away", peer.turned_away());
    }
}

#[tokio::test]
async fn one_more_connection_is_tried_after_each_pause_until_a_relay_takes_all_again() {
    let peer = SmtpPeer::start().await;
    peer.take_at_once(1);
    peer.on(At::Dot, Do::Wait);
    let (rollbook, _) = backlog_of(6, &peer).await;
    peer.crowded().await;
    peer.reached(At::Dot).await;
    peer.take_at_once(10);
    for under_way in [2, 3, 4] {
        // A mail that is queued has the worker look.
        rollbook.pass(Duration::from_secs(30));
        rollbook.register(&format!("b{under_way}@example.org")).await;
        peer.reached_times(At::Dot, under_way).await;
    }
    assert_eq!(relay_up(&rollbook).await, 1);
    peer.go_on();
    for _ in 0..9 {
        peer.next_mail().await;
    }
}

#[tokio::test]
async fn a_relay_that_fails_over_all_that_is_under_way_is_down_after_the_last_and_asked_no_more() {
    let peer = SmtpPeer::start().await;
    peer.on(At::Banner, Do::Wait);
    peer.on(At::Ehlo, Do::Reply("421 4.3.2 out of order"));
    let (rollbook, customers) = backlog_of(6, &peer).await;
    peer.reached_times(At::Banner, 4).await;
    assert_eq!(relay_up(&rollbook).await, 1);
    peer.go_on();
    let is_down = async { while relay_up(&rollbook).await == 1 {} };
    timeout(Duration::from_secs(10), is_down).await.expect("the last of them tells");
    let rollbook = rollbook.restart_to_be_stepped().await;
    assert_eq!((peer.connections(), peer.turned_away()), (4, 0));
    for customer in &customers {
        assert_eq!(rollbook.message_to(customer).await["attempts"], 0);
        assert_eq!(rollbook.deeds(customer), ["registered"]);
    }
    peer.behave();
    rollbook.pass(MINUTE);
    assert_eq!(rollbook.deliver().await, [const { Delivery::Sent }; 6]);
}
