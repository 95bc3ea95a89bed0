//! Mails that are claimed together, and what becomes of those that wait while others are being sent.

use jiff::SignedDuration;
use rollbook::application::ports::StoreError;

use super::*;

/// Messages that are claimed at this moment.
pub fn claimed(rollbook: &Rollbook) -> usize {
    let count = "SELECT count(*) FROM outbox WHERE claimed";
    rollbook.database().query_row(count, [], |row| row.get::<_, u32>(0)).unwrap().try_into().unwrap()
}

/// Customers whose mails are due, the first one's the longest.
pub async fn register_all(rollbook: &Rollbook, names: &[&str]) -> Vec<Value> {
    let mut customers = Vec::new();
    for name in names {
        customers.push(rollbook.register(&format!("{name}@example.org")).await);
        rollbook.pass(Duration::from_secs(1));
    }
    customers
}

/// Whose mails were taken, in the order of their arrival.
pub fn names_of_mails(peer: &SmtpPeer) -> Vec<String> {
    let to = peer.mails_so_far().into_iter().flat_map(|mail| mail.to);
    to.map(|address| address.strip_suffix("@example.org").unwrap().to_owned()).collect()
}

async fn deliver_next(rollbook: &Rollbook) -> Result<Delivery, Due> {
    rollbook.deliver_next().await.unwrap()
}

#[tokio::test]
async fn mails_that_are_due_together_are_claimed_together_and_leave_in_their_order() {
    const MANY: usize = 100;
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    let names: Vec<_> = (0..MANY).map(|n| format!("a{n}")).collect();
    register_all(&rollbook, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let before = rollbook.metric("rollbook_commits_total").await;
    assert_eq!(rollbook.deliver().await.len(), MANY);
    let commits = rollbook.metric("rollbook_commits_total").await - before;
    let claims = usize::try_from(commits).unwrap() - MANY;
    assert!((1..=MANY / 16).contains(&claims), "a commit for each outcome and {claims} for the claims");
    assert_eq!(names_of_mails(&peer), names);
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn a_relay_fault_amid_a_batch_leaves_the_rest_as_it_was() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    let customers = register_all(&rollbook, &["ada", "bob", "cyd", "dot", "eve"]).await;
    let before = [rollbook.message_to(&customers[3]).await, rollbook.message_to(&customers[4]).await];
    assert_eq!(
        [deliver_next(&rollbook).await, deliver_next(&rollbook).await],
        [Ok(Delivery::Sent), Ok(Delivery::Sent)]
    );
    assert_eq!(claimed(&rollbook), 3);

    peer.on(At::MailFrom, Do::ReplyAndDrop("421 4.3.2 going down"));
    peer.on(At::Banner, Do::Reply("421 4.3.2 going down"));
    assert!(matches!(deliver_next(&rollbook).await, Ok(Delivery::RelayFault(..))));
    let said = peer.said().len();
    assert!(matches!(deliver_next(&rollbook).await, Err(Due::WithRelay(_))));
    nothing_new_was_said(&peer, said);
    assert_eq!(claimed(&rollbook), 0);
    assert_eq!([rollbook.message_to(&customers[3]).await, rollbook.message_to(&customers[4]).await], before);

    peer.behave();
    rollbook.pass(MINUTE);
    assert_eq!(rollbook.deliver().await, [Delivery::Sent, Delivery::Sent, Delivery::Sent]);
    assert_eq!(names_of_mails(&peer), ["ada", "bob", "dot", "eve", "cyd"], "cyd's was put off");
    for customer in &customers {
        assert_eq!(rollbook.message_to(customer).await["attempts"], 1);
    }
}

#[tokio::test]
async fn what_cannot_be_given_back_yet_is_given_back_later() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[("db_busy_timeout", "10ms")]).await;
    register_all(&rollbook, &["ada", "bob", "cyd"]).await;
    peer.on(At::Banner, Do::Reply("421 4.3.2 out of order")).times(1);
    assert!(matches!(deliver_next(&rollbook).await, Ok(Delivery::RelayFault(..))));
    let other = rollbook.lock();
    let refused = rollbook.deliver_next().await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert_eq!(claimed(&rollbook), 2);
    drop(other);
    assert!(matches!(deliver_next(&rollbook).await, Err(Due::WithRelay(_))));
    assert_eq!(claimed(&rollbook), 0);
}

#[tokio::test]
async fn a_relay_at_fault_is_probed_by_one_message_while_the_others_stay_unclaimed() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    register_all(&rollbook, &["ada", "bob", "cyd"]).await;
    peer.on(At::Banner, Do::Reply("421 4.3.2 out of order")).times(1);
    rollbook.deliver().await;
    rollbook.pass(MINUTE);
    peer.on(At::Dot, Do::Wait).times(1);
    let (probe, ()) = tokio::join!(deliver_next(&rollbook), async {
        peer.reached(At::Dot).await;
        assert_eq!(claimed(&rollbook), 1);
        assert!(matches!(deliver_next(&rollbook).await, Err(Due::WithRelay(_))));
        peer.go_on();
    });
    assert_eq!(probe, Ok(Delivery::Sent));
    assert_eq!(rollbook.deliver().await, [Delivery::Sent, Delivery::Sent]);
}

#[tokio::test]
async fn a_mail_is_not_begun_on_a_claim_that_may_lapse_before_it_ends() {
    let wait_long = |rollbook: &Rollbook| rollbook.pass(19 * MINUTE);
    let set_the_clock = |rollbook: &Rollbook| rollbook.clock.set_by(SignedDuration::from_hours(1));
    for ages in [wait_long as fn(&Rollbook), set_the_clock] {
        let peer = SmtpPeer::start().await;
        let rollbook = Rollbook::sending_to(&peer, &[]).await;
        register_all(&rollbook, &["ada", "bob"]).await;
        assert_eq!(deliver_next(&rollbook).await, Ok(Delivery::Sent));
        ages(&rollbook);
        peer.on(At::Dot, Do::Wait).times(1);
        let (second, ()) = tokio::join!(deliver_next(&rollbook), async {
            peer.reached_times(At::Dot, 2).await;
            rollbook.pass(15 * MINUTE);
            assert!(matches!(deliver_next(&rollbook).await, Err(Due::Later(_))), "the claim is a new one");
            peer.go_on();
        });
        assert_eq!(second, Ok(Delivery::Sent));
        assert_eq!(rollbook.deliver().await, []);
        assert_eq!(names_of_mails(&peer), ["ada", "bob"]);
    }
}

#[tokio::test]
async fn a_claim_that_took_longer_than_a_mail_may_wait_brings_one_mail_all_the_same() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[("db_busy_timeout", "1m")]).await;
    register_all(&rollbook, &["ada", "bob"]).await;
    let other = rollbook.lock();
    let (first, ()) = tokio::join!(deliver_next(&rollbook), async {
        rollbook.get("/livez").await;
        rollbook.pass(10 * MINUTE);
        drop(other);
    });
    assert_eq!(first, Ok(Delivery::Sent));
    assert_eq!(claimed(&rollbook), 1, "bob's waits, and has waited too long");
    assert_eq!(rollbook.deliver().await, [Delivery::Sent]);
}

#[tokio::test]
async fn a_mail_that_becomes_needless_while_it_waits_is_not_sent() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[("resend_cooldown", "0s")]).await;
    let ada = rollbook.register("ada@example.org").await;
    rollbook.deliver().await;
    let token = peer.next_mail().await.token();
    rollbook.register("bob@example.org").await;
    assert_eq!(rollbook.resend(&ada).await.status, 202);
    assert_eq!(deliver_next(&rollbook).await, Ok(Delivery::Sent));
    assert_eq!(claimed(&rollbook), 1);
    assert_eq!(rollbook.press(&token).await.status, 200);
    assert_eq!(rollbook.deliver().await, []);
    assert_eq!(names_of_mails(&peer), ["ada", "bob"]);
    assert_eq!(rollbook.message_to(&ada).await["state"], "cancelled");
}

#[tokio::test]
async fn a_mail_that_is_asked_for_again_while_it_waits_leaves_once() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[("resend_cooldown", "0s")]).await;
    let customers = register_all(&rollbook, &["ada", "bob"]).await;
    assert_eq!(deliver_next(&rollbook).await, Ok(Delivery::Sent));
    assert_eq!(rollbook.resend(&customers[1]).await.status, 202);
    assert_eq!(rollbook.deliver().await, [Delivery::Sent]);
    assert_eq!(names_of_mails(&peer), ["ada", "bob"]);
    assert_eq!(rollbook.deeds(&customers[1]), ["registered", "verification_requested", "mail_sent"]);
}

#[tokio::test]
async fn a_message_that_cannot_be_read_or_whose_customer_is_gone_holds_up_no_other() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    register_all(&rollbook, &["ada", "eve", "kim"]).await;
    let by_hand = "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; \
        DELETE FROM customers WHERE email = 'ada@example.org'; \
        UPDATE outbox SET kind = 'pigeon' WHERE customer_id = (SELECT id FROM customers WHERE email = 'eve@example.org')";
    rollbook.database().execute_batch(by_hand).unwrap();
    assert_eq!(rollbook.deliver().await, [Delivery::Sent]);
    assert_eq!(peer.next_mail().await.to, ["kim@example.org"]);
    let nothing_is_due = rollbook.deliver_next().await.unwrap().unwrap_err();
    assert!(
        matches!(nothing_is_due, Due::Later(Some(next)) if next > rollbook.registry.clock.now()),
        "{nothing_is_due:?}"
    );

    let mend = "PRAGMA ignore_check_constraints = ON; UPDATE outbox SET kind = 'verification'";
    rollbook.database().execute_batch(mend).unwrap();
    rollbook.pass(HOUR);
    assert_eq!(rollbook.deliver().await, [Delivery::Sent], "once it can be read");
    assert_eq!(peer.next_mail().await.to, ["eve@example.org"]);
}
