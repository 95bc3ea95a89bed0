//! What a fault says: the stage, the code, the server's own words.

use rollbook::domain::mail::EnhancedCode;

use super::*;

#[tokio::test]
async fn a_refusal_is_told_with_its_stage_its_codes_and_the_servers_words() {
    for (at, stage) in STAGES {
        for (reply, code, class) in [
            ("554 5.7.1 you are not welcome", 554, 5),
            ("550 5.7.1 you are not welcome", 550, 5),
            ("451 4.7.1 you are not welcome", 451, 4),
        ] {
            let fault = fault_when(at, Do::Reply(reply)).await;
            assert_eq!((fault.stage, fault.code), (stage, Some(code)), "{at:?}");
            assert_eq!(fault.enhanced, Some(EnhancedCode { class, subject: 7, detail: 1 }));
            assert_eq!(fault.words, &reply["554 ".len()..]);
        }
    }
}

#[tokio::test]
async fn the_usual_refusals_are_told_as_they_are() {
    for (at, reply, shown) in [
        (At::Auth, "535 5.7.8 bad credentials", "AUTH: 535 5.7.8 bad credentials"),
        (At::MailFrom, "530 5.7.0 authenticate first", "MAIL FROM: 530 5.7.0 authenticate first"),
        (At::Rcpt, "550 no such user", "RCPT TO: 550 no such user"),
        (At::Rcpt, "550-5.1.1 no such user,\r\n550 5.1.1 see below", "RCPT TO: 550 5.1.1 no such user, see below"),
        (At::Dot, "552 5.2.2 over quota", "final dot: 552 5.2.2 over quota"),
    ] {
        assert_eq!(fault_when(at, Do::Reply(reply)).await.to_string(), shown);
    }
}

#[tokio::test]
async fn a_refusal_in_another_charset_is_still_a_refusal() {
    let fault = fault_when(At::Rcpt, Do::Octets(b"550 5.1.1 Empf\xe4nger \xff unbekannt")).await;
    assert_eq!(fault, SendFault::new(Stage::Recipient, Some(550), "5.1.1 Empf?nger ? unbekannt"));
}

#[tokio::test]
async fn a_closed_connection_is_told_with_its_stage() {
    for (at, stage) in STAGES {
        let fault = fault_when(at, Do::Drop).await;
        let expected = SendFault::new(stage, None, "the server closed the connection without an answer");
        assert_eq!(fault, expected, "{at:?}");
    }
}

#[tokio::test]
async fn what_is_no_reply_is_told_with_its_stage() {
    for (at, stage) in STAGES {
        let fault = fault_when(at, Do::ReplyAndDrop("HTTP/1.1 400 Bad Request")).await;
        let expected = SendFault::new(stage, None, "the answer is no SMTP reply");
        assert_eq!(fault, expected, "{at:?}");
    }
}

#[tokio::test]
async fn consent_of_the_wrong_kind_is_a_fault() {
    for (at, stage, reply, words) in [
        (At::MailFrom, Stage::MailFrom, "354 go on", "unexpected answer 354 go on"),
        (At::Data, Stage::Data, "250 done already", "unexpected answer 250 done already"),
    ] {
        assert_eq!(fault_when(at, Do::Reply(reply)).await, SendFault::new(stage, None, words));
    }
}

#[tokio::test]
async fn an_answer_too_many_cannot_pass_for_the_answer_to_a_later_command() {
    let fault = fault_when(At::MailFrom, Do::Reply("250 fine\r\n250 fine")).await;
    assert_eq!(fault, SendFault::new(Stage::MailFrom, None, "the server sent more than the answer"));
}

#[tokio::test]
async fn a_mail_taken_is_sent_whatever_the_server_says_along_with_it() {
    let peer = SmtpPeer::start().await;
    let mailer = mailer(plain(&peer));
    peer.on(At::Dot, Do::Reply("250 2.0.0 taken\r\n421 4.3.2 going down")).times(1);
    mailer.send(&mail()).await.unwrap();
    peer.all_gone().await;
    mailer.send(&mail()).await.unwrap();
    assert_eq!((peer.next_mail().await.session, peer.next_mail().await.session), (1, 2));
}

#[tokio::test]
async fn a_connection_cut_while_the_mail_is_on_its_way_is_a_fault_of_data_or_of_the_dot() {
    let fault = fault_when(At::Body, Do::Drop).await;
    assert!(matches!(fault.stage, Stage::Data | Stage::FinalDot), "{fault}");
    assert_eq!(fault.code, None);
}

#[tokio::test]
async fn a_login_is_given_by_either_mechanism() {
    for mechanisms in ["PLAIN LOGIN", "LOGIN", "CRAM-MD5 LOGIN"] {
        let peer = SmtpPeer::start().await;
        peer.require_auth_by(mechanisms, "acme", PASSWORD);
        mailer(with_login(plain(&peer))).send(&mail()).await.unwrap();
        assert_eq!(peer.next_mail().await.session, 1);
    }
}

#[tokio::test]
async fn a_wrong_password_and_a_mechanism_unknown_are_faults_of_auth() {
    let peer = SmtpPeer::start().await;
    peer.require_auth("acme", "another");
    let fault = fault_of(&mailer(with_login(plain(&peer)))).await;
    assert_eq!(fault, SendFault::new(Stage::Auth, Some(535), "5.7.8 wrong user or password"));

    let peer = SmtpPeer::start().await;
    peer.require_auth_by("CRAM-MD5", "acme", PASSWORD);
    let fault = fault_of(&mailer(with_login(plain(&peer)))).await;
    assert_eq!(fault, SendFault::new(Stage::Auth, None, "the server offers neither AUTH PLAIN nor AUTH LOGIN"));
}

#[tokio::test]
async fn a_server_that_never_stops_asking_is_no_server_to_log_in_to() {
    let peer = SmtpPeer::start().await;
    peer.require_auth_by("LOGIN", "acme", PASSWORD);
    peer.on(At::Auth, Do::Reply("334 VXNlcm5hbWU6"));
    let fault = fault_of(&mailer(with_login(plain(&peer)))).await;
    assert_eq!(fault, SendFault::new(Stage::Auth, None, "the server does not stop asking"));
}
