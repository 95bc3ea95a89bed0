//! The app's own workers, in real time.

use tokio::time::timeout;

use super::*;
use rollbook::app::StartError;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_mail_leaves_within_a_second_of_its_registration() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::at_work(&peer, &[]).await;
    for name in ["ada", "eve", "kim"] {
        rollbook.register(&format!("{name}@example.org")).await;
        let mail = timeout(SECOND, peer.next_mail()).await.expect("the commit wakes a worker");
        assert_eq!(mail.to, [format!("{name}@example.org")]);
    }
}

#[tokio::test]
async fn four_mails_are_under_way_at_once() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::at_work(&peer, &[]).await;
    peer.on(At::Dot, Do::Wait);
    for name in ["a", "b", "c", "d", "e"] {
        rollbook.register(&format!("{name}@example.org")).await;
    }
    peer.reached_times(At::Dot, 4).await;
    assert_eq!(peer.connections(), 4, "and not the fifth");
    peer.go_on();
    for _ in 0..5 {
        peer.next_mail().await;
    }
}

#[tokio::test]
async fn a_stop_waits_for_the_mail_under_way() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::at_work(&peer, &[]).await;
    peer.on(At::Dot, Do::Wait);
    let ada = rollbook.register("ada@example.org").await;
    peer.reached(At::Dot).await;
    let (rollbook, ()) = tokio::join!(rollbook.restart(), async { peer.go_on() });
    assert_eq!(rollbook.message_to(&ada).await["state"], "sent");
    assert_eq!(peer.mails_so_far().len(), 1);
}

#[tokio::test]
async fn a_stop_does_not_wait_longer_than_it_may_and_the_mail_leaves_after_the_next_start() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::at_work(&peer, &[("shutdown_timeout", "50ms")]).await;
    peer.on(At::Dot, Do::Hang).times(1);
    let ada = rollbook.register("ada@example.org").await;
    peer.reached(At::Dot).await;
    let rollbook = timeout(10 * SECOND, rollbook.restart()).await.expect("the stop gives up on the mail");
    peer.next_mail().await;
    let rollbook = rollbook.restart().await;
    peer.all_gone().await;
    assert_eq!(rollbook.message_to(&ada).await["state"], "sent");
    assert_eq!(peer.mails_so_far().len(), 1);
}

#[tokio::test]
async fn nobody_else_can_take_the_folder_while_a_mail_is_under_way() {
    let peer = SmtpPeer::start().await;
    // Who tries does not wait for the folder: the app could not go on meanwhile.
    let mut rollbook = Rollbook::at_work(&peer, &[("db_busy_timeout", "0s")]).await;
    peer.on(At::Dot, Do::Wait);
    rollbook.register("ada@example.org").await;
    peer.reached(At::Dot).await;
    rollbook.ask_to_stop();
    rollbook.until_it_serves_no_more().await;
    for _ in 0..100 {
        let second = rollbook.start_another().await;
        assert!(matches!(second, Err(StartError::Folder(_))), "{:?}", second.err());
        tokio::task::yield_now().await;
    }
    peer.go_on();
    let rollbook = rollbook.restart().await;
    assert_eq!(rollbook.deliver().await, []);
    assert_eq!(peer.mails_so_far().len(), 1);
}
