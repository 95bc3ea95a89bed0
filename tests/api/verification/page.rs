//! The page behind a mailed link.

use super::*;

#[tokio::test]
async fn looking_is_not_confirming_however_often() {
    let rollbook = Rollbook::start().await;
    let ada = rollbook.register("ada@example.org").await;
    let link = format!("/verify?token={}", rollbook.captured_token(&ada).await);
    for _ in 0..20 {
        let page = rollbook.send(Method::GET, &link, None, &[], None).await;
        let head = rollbook.send(Method::HEAD, &link, None, &[], None).await;
        assert_eq!((page.status, head.status, head.text.as_str()), (200, 200, ""));
        assert_eq!(head.header("content-type"), page.header("content-type"));
    }
    assert_eq!(rollbook.customer(&ada["id"]).await, ada);
    assert_eq!(rollbook.deeds(&ada), ["registered"]);
}

#[tokio::test]
async fn the_page_names_the_address_and_has_one_button_and_nothing_else_to_follow() {
    let rollbook = Rollbook::start().await;
    let ada = rollbook.register("ada@example.org").await;
    let token = rollbook.captured_token(&ada).await;
    let page = rollbook.get(&format!("/verify?token={token}")).await;
    let times = |part: &str| page.text.matches(part).count();
    assert!(page.text.contains("Confirm <span>ada@example.org</span></button>"), "{page:?}");
    assert_eq!((times("<button"), times("<form"), times("<input"), times("<a ")), (1, 1, 1, 0));
    assert!(page.text.contains(r#"<form method="post" action="verify">"#));
    assert!(page.text.contains(&format!(r#"<input type="hidden" name="token" value="{token}">"#)));
    for never in ["<script", "<img", "<iframe", "onload", "onclick", "javascript:", "http:", "https:", "=\"/"] {
        assert!(!page.text.contains(never), "{never}");
    }
    assert!(page.text.contains(r#"<meta name="robots" content="noindex, nofollow">"#));
}

#[tokio::test]
async fn pages_are_kept_by_nobody_and_tell_nobody_where_one_came_from() {
    let rollbook = Rollbook::start().await;
    let ada = rollbook.register("ada@example.org").await;
    let token = rollbook.captured_token(&ada).await;
    let good = format!("/verify?token={token}");
    for page in [rollbook.get(&good).await, rollbook.get("/verify").await, rollbook.press(&token).await] {
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        let policy = page.header("content-security-policy").unwrap();
        for rule in ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(rule), "{policy}");
        }
        assert!(!policy.contains("script"), "{policy}");
        assert!(page.text.contains("noindex"));
    }
}

#[tokio::test]
async fn the_pages_stylesheet_is_where_the_page_says() {
    let rollbook = Rollbook::start().await;
    let page = rollbook.get("/verify").await;
    assert!(page.text.contains(r#"<link rel="stylesheet" href="assets/page.css">"#), "{page:?}");
    let style = rollbook.send(Method::GET, "/assets/page.css", None, &[], None).await;
    assert_eq!((style.status, style.header("content-type")), (200, Some("text/css; charset=utf-8")));
}

#[tokio::test]
async fn an_address_is_shown_as_text_whatever_is_in_it() {
    let rollbook = Rollbook::start().await;
    let odd = rollbook.register("o'neill&amp{{7*7}}@example.org").await;
    let token = rollbook.captured_token(&odd).await;
    let shown = "o&#x27;neill&amp;amp{{7*7}}@example.org";
    for page in [rollbook.get(&format!("/verify?token={token}")).await, rollbook.press(&token).await] {
        assert_eq!(page.status, 200);
        assert!(page.text.contains(shown), "{page:?}");
        assert!(!page.text.contains("o'neill"), "{page:?}");
    }
}

#[tokio::test]
async fn a_method_the_page_does_not_know_is_refused_with_a_page() {
    let rollbook = Rollbook::start().await;
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        let refused = rollbook.send(method, "/verify", None, &[], None).await;
        assert_eq!(refused.status, 405);
        assert_eq!(refused.header("allow"), Some("GET, HEAD, OPTIONS, POST"));
        assert!(refused.text.starts_with("<!doctype html>"), "{refused:?}");
    }
}

#[tokio::test]
async fn a_second_link_says_at_once_that_the_first_was_enough() {
    let rollbook = Rollbook::with(&[("resend_cooldown", "0s")]).await;
    let ada = rollbook.register("ada@example.org").await;
    let first = rollbook.captured_token(&ada).await;
    rollbook.resend(&ada).await;
    let second = rollbook.captured_token(&ada).await;
    rollbook.press(&first).await;
    let page = rollbook.get(&format!("/verify?token={second}")).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("This address is already confirmed"), "{page:?}");
}
