//! What people see: a real Chromium opens the mailed link, presses the button, and reads the API's documentation.

mod webdriver;

use std::time::Duration;

use self::webdriver::Browser;
use crate::{harness::Rollbook, smtp_peer::SmtpPeer};

/// A registered customer's link, as it stands in the mail.
async fn mailed_link(rollbook: &Rollbook, peer: &SmtpPeer) -> String {
    rollbook.register("ada@example.org").await;
    rollbook.deliver().await;
    peer.next_mail().await.link()
}

async fn assert_one_press_confirms(browser: &Browser) {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    let link = mailed_link(&rollbook, &peer).await;
    browser.open(&link).await;
    assert_eq!(browser.title().await, "Confirm your e-mail address");
    let buttons = browser.find_all("button, input:not([type=hidden]), a").await;
    assert_eq!(buttons.len(), 1, "there is one thing to press");
    assert_eq!(browser.text(&buttons[0]).await, "Confirm\nada@example.org");
    assert!(browser.is_styled("main").await, "the stylesheet was not loaded");

    browser.leave_by("button").await;
    assert_eq!(browser.text_of("h1").await, "Thank you, that is confirmed");
    assert_eq!(browser.text_of("strong").await, "ada@example.org");
    browser.open(&link).await;
    assert_eq!(browser.text_of("h1").await, "This address is already confirmed");
    assert!(!browser.source().await.contains("<form"), "there is nothing left to press");
    assert_eq!(browser.console().await, Vec::<String>::new());
}

#[tokio::test]
async fn the_mailed_link_is_confirmed_by_one_press() {
    let browser = Browser::start(&[]).await;
    assert_one_press_confirms(&browser).await;
}

#[tokio::test]
async fn it_needs_no_javascript() {
    let browser = Browser::start(&["--blink-settings=scriptEnabled=false"]).await;
    assert_one_press_confirms(&browser).await;
}

#[tokio::test]
async fn a_link_that_has_expired_or_was_cut_off_says_so_in_words() {
    let peer = SmtpPeer::start().await;
    let rollbook = Rollbook::sending_to(&peer, &[]).await;
    let link = mailed_link(&rollbook, &peer).await;
    let browser = Browser::start(&[]).await;
    browser.open(&link[..link.len() - 1]).await;
    assert_eq!(browser.text_of("h1").await, "This link is not valid");
    rollbook.pass(Duration::from_hours(25));
    browser.open(&link).await;
    assert_eq!(browser.text_of("h1").await, "This link has expired");
}

#[tokio::test]
async fn the_documentation_shows_every_operation_and_tries_one_out() {
    let rollbook = Rollbook::start().await;
    let browser = Browser::start(&[]).await;
    browser.open(&format!("{}/docs", rollbook.url)).await;
    assert_eq!(browser.title().await, "Rollbook API");
    browser.click("#operations-Verifications-verify_email .opblock-summary-control").await;
    let document: serde_json::Value = serde_json::from_str(&rollbook::infrastructure::http::document_json()).unwrap();
    let operations: usize =
        document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum();
    assert_eq!(browser.find_all(".opblock").await.len(), operations);

    browser.click(".try-out__btn").await;
    browser.click(".execute").await;
    let status = browser.text_of(".live-responses-table .response .response-col_status").await;
    assert_eq!(status.lines().next(), Some("422"), "the example's token was mailed to nobody");
    // The refusal itself is what the console tells of, and nothing about a policy that was broken.
    let console = browser.console().await;
    assert!(console.iter().all(|line| line.contains("422")), "{console:#?}");
}
