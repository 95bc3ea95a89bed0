//! The app's own workers, in real time.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::join_all;
use rollbook::{
    app::StartError,
    application::{Registry, ports::Composer},
    domain::{
        mail::{Mail, SendFault},
        message::Message,
        secret::Secret,
    },
    infrastructure::worker,
};
use serde_json::json;
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

use super::{
    batches::{claimed, register_all},
    *,
};

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
async fn a_backlog_leaves_over_as_many_connections_as_there_are_sessions_and_each_is_kept() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[("mail_sessions", "3")]).await;
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    register_all(&rollbook, &names).await;
    peer.on(At::Dot, Do::Wait);
    let rollbook = rollbook.restart_at_work().await;
    peer.reached_times(At::Dot, 3).await;
    assert_eq!(claimed(&rollbook), names.len(), "one claim feeds all sessions");
    peer.go_on();
    let mut sessions = BTreeMap::<usize, usize>::new();
    for _ in names {
        *sessions.entry(peer.next_mail().await.session).or_default() += 1;
    }
    assert_eq!(sessions.keys().collect::<Vec<_>>(), [&1, &2, &3], "{sessions:?}");
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
async fn a_stop_gives_back_at_once_what_was_not_begun() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[("mail_sessions", "1")]).await;
    let customers = register_all(&rollbook, &["ada", "bob", "cyd"]).await;
    let before = [rollbook.message_to(&customers[1]).await, rollbook.message_to(&customers[2]).await];
    peer.on(At::Dot, Do::Wait);
    let mut rollbook = rollbook.restart_at_work().await;
    peer.reached(At::Dot).await;
    assert_eq!(claimed(&rollbook), 3);
    rollbook.ask_to_stop();
    let given_back = async {
        while claimed(&rollbook) > 1 {
            tokio::task::yield_now().await;
        }
    };
    timeout(10 * SECOND, given_back).await.expect("while ada's mail is still under way");
    peer.go_on();
    let rollbook = rollbook.restart_to_be_stepped().await;
    assert_eq!(rollbook.message_to(&customers[0]).await["state"], "sent");
    assert_eq!([rollbook.message_to(&customers[1]).await, rollbook.message_to(&customers[2]).await], before);
    assert_eq!(rollbook.deliver().await, [Delivery::Sent, Delivery::Sent]);
    assert_eq!(peer.mails_so_far().len(), 3);
}

/// Panics over the first mail.
struct Panicking {
    inner: Arc<dyn Composer>,
    has_panicked: AtomicBool,
}

impl Composer for Panicking {
    fn compose(&self, message: &Message, token: &Secret) -> Result<Mail, SendFault> {
        assert!(self.has_panicked.swap(true, Ordering::SeqCst), "a bug of ours");
        self.inner.compose(message, token)
    }
}

fn panicking(rollbook: &Rollbook) -> Registry {
    let inner = Arc::clone(&rollbook.registry.composer);
    let composer = Arc::new(Panicking { inner, has_panicked: AtomicBool::new(false) });
    Registry { composer, ..rollbook.registry.clone() }
}

#[tokio::test]
async fn a_panic_over_one_mail_loses_neither_it_nor_those_claimed_along_with_it() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    register_all(&rollbook, &["ada", "bob", "cyd"]).await;
    let registry = panicking(&rollbook);
    let bell = Arc::new(Notify::new());
    let (running, stopping) = watch::channel(());
    let at_work = tokio::spawn(worker::run(registry, 1, Arc::clone(&bell), stopping));
    let others = [peer.next_mail().await.to, peer.next_mail().await.to];
    assert_eq!(others, [["bob@example.org"], ["cyd@example.org"]]);
    rollbook.pass(20 * MINUTE);
    bell.notify_waiters();
    assert_eq!(peer.next_mail().await.to, ["ada@example.org"], "its claim has lapsed");
    drop(running);
    at_work.await.unwrap();
    assert_eq!(claimed(&rollbook), 0);
}

#[tokio::test]
async fn a_mail_that_panicked_is_under_way_no_longer() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    register_all(&rollbook, &["ada", "bob"]).await;
    let registry = panicking(&rollbook);
    let Due::Now(ada) = registry.next_due().await.unwrap() else { panic!("a mail is due") };
    tokio::spawn(async move { registry.deliver(&ada).await }).await.unwrap_err();
    peer.on(At::Banner, Do::Reply("421 4.3.2 out of order"));
    let bob = rollbook.deliver_next().await;
    assert!(matches!(bob, Ok(Ok(Delivery::RelayFault(..)))), "nothing else is under way: {bob:?}");
}

#[tokio::test]
async fn reads_are_answered_while_registrations_and_mails_wait_for_the_disk() {
    const MANY: usize = 32;
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[("db_busy_timeout", "1m")]).await;
    let customers = register_all(&rollbook, &["a", "b", "c", "d", "e", "f", "g", "h"]).await;
    peer.on(At::Dot, Do::Wait);
    let rollbook = rollbook.restart_at_work().await;
    peer.reached_times(At::Dot, 4).await;
    let bodies: Vec<_> = (0..MANY).map(|n| json!({ "name": "Ada", "email": format!("n{n}@example.org") })).collect();
    let commits = rollbook.metric("rollbook_commits_total").await;
    let other = rollbook.lock();
    // The outcomes of four mails, the claim of more and the registrations: all that is written waits.
    peer.go_on();
    let posts = join_all(bodies.iter().map(|body| rollbook.post("/api/customers", body)));
    let reads = async {
        for _ in 0..MANY {
            for customer in &customers {
                rollbook.customer(&customer["id"]).await;
            }
            assert_eq!(rollbook.get("/api/customers?q=ada").await.status, 200);
            assert_eq!(rollbook.metric("rollbook_commits_total").await, commits, "nothing was written meanwhile");
        }
        drop(other);
    };
    let (answers, ()) = tokio::join!(posts, async { timeout(10 * SECOND, reads).await.expect("no read waits") });
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    for _ in 0..customers.len() + MANY {
        peer.next_mail().await;
    }
}

#[tokio::test]
async fn nobody_else_can_take_the_folder_while_a_mail_is_under_way() {
    let peer = SmtpPeer::start().await;
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
