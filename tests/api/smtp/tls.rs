//! TLS: verified, never given up for plain text.

use rollbook::infrastructure::mail::{smtp::SmtpSetupError, tls::TlsSetupError};

use super::*;
use crate::smtp_peer::TlsMode;

const BOTH: [(TlsMode, Security); 2] = [(TlsMode::StartTls, Security::StartTls), (TlsMode::Implicit, Security::Tls)];

#[tokio::test]
async fn a_mail_and_its_password_travel_encrypted() {
    for (mode, security) in BOTH {
        let peer = SmtpPeer::start_tls(mode).await;
        peer.require_auth("acme", PASSWORD);
        let ca = file_with(peer.ca_pem());
        let mailer = mailer(with_login(secured(&peer, security, ca.path())));
        mailer.send(&mail()).await.unwrap();
        mailer.send(&mail()).await.unwrap();
        assert_eq!((peer.next_mail().await.session, peer.next_mail().await.session), (1, 1));
        let clear: Vec<String> = lines_in_clear(&peer);
        match mode {
            TlsMode::StartTls => assert_eq!(clear, ["EHLO roll.acme.example", "STARTTLS"]),
            TlsMode::Implicit => assert!(clear.is_empty()),
        }
        assert!(peer.said().iter().any(|said| said.encrypted && said.line.starts_with("AUTH PLAIN ")));
    }
}

#[tokio::test]
async fn a_certificate_by_an_unknown_ca_is_not_trusted() {
    for (mode, security) in BOTH {
        let peer = SmtpPeer::start_tls(mode).await;
        let stranger = SmtpPeer::start_tls(mode).await;
        let ca = file_with(stranger.ca_pem());
        let fault = fault_of(&mailer(with_login(secured(&peer, security, ca.path())))).await;
        assert_eq!((fault.stage, fault.code), (Stage::Tls, None));
        assert!(fault.words.starts_with("the certificate is not trusted: "), "{fault}");
        peer.all_gone().await;
        assert!(peer.said().iter().all(|said| !said.encrypted && !said.line.starts_with("AUTH")));
    }
}

#[tokio::test]
async fn without_a_ca_file_the_system_is_asked_and_knows_no_private_ca() {
    let peer = SmtpPeer::start_tls(TlsMode::Implicit).await;
    let nowhere = Path::new("");
    let relay = Relay { ca_file: None, ..secured(&peer, Security::Tls, nowhere) };
    match SmtpMailer::new(relay) {
        Ok(mailer) => assert_eq!(fault_of(&mailer).await.stage, Stage::Tls),
        // A system without any roots trusts nobody either.
        Err(error) => assert!(matches!(error, SmtpSetupError::Tls(_)), "{error}"),
    }
    assert_eq!(peer.said(), []);
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off_under_tls_too() {
    for (mode, security) in BOTH {
        let peer = SmtpPeer::start_tls(mode).await;
        let ca = file_with(peer.ca_pem());
        peer.on(At::MailFrom, Do::Endless);
        let fault = fault_of(&mailer(secured(&peer, security, ca.path()))).await;
        assert_eq!(fault, SendFault::new(Stage::MailFrom, None, "the answer has no end"));
        peer.all_gone().await;
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_trusted() {
    for (mode, security) in BOTH {
        let peer = SmtpPeer::start_tls(mode).await;
        let ca = file_with(peer.ca_pem());
        let relay = Relay { host: "127.0.0.1".to_owned(), ..secured(&peer, security, ca.path()) };
        let fault = fault_of(&mailer(with_login(relay))).await;
        assert_eq!((fault.stage, fault.code), (Stage::Tls, None));
        assert!(fault.words.starts_with("the certificate is not trusted: "), "{fault}");
        assert!(fault.words.contains("127.0.0.1"), "{fault}");
    }
}

#[tokio::test]
async fn a_server_without_starttls_hears_neither_password_nor_mail() {
    let peer = SmtpPeer::start().await;
    peer.require_auth("acme", PASSWORD);
    let ca = SmtpPeer::start_tls(TlsMode::StartTls).await;
    let ca = file_with(ca.ca_pem());
    let fault = fault_of(&mailer(with_login(secured(&peer, Security::StartTls, ca.path())))).await;
    assert_eq!(fault, SendFault::new(Stage::StartTls, None, "the server offers no STARTTLS"));
    peer.all_gone().await;
    assert_eq!(lines_in_clear(&peer), ["EHLO roll.acme.example"]);
}

#[tokio::test]
async fn a_refused_starttls_is_a_fault_of_its_own() {
    let peer = SmtpPeer::start_tls(TlsMode::StartTls).await;
    let ca = file_with(peer.ca_pem());
    peer.on(At::StartTls, Do::Reply("454 4.7.0 TLS not available"));
    let fault = fault_of(&mailer(with_login(secured(&peer, Security::StartTls, ca.path())))).await;
    assert_eq!(fault, SendFault::new(Stage::StartTls, Some(454), "4.7.0 TLS not available"));
    peer.all_gone().await;
    assert_eq!(lines_in_clear(&peer), ["EHLO roll.acme.example", "STARTTLS"]);
}

#[tokio::test]
async fn words_slipped_in_behind_the_answer_to_starttls_are_refused() {
    let injected = [
        "220 go ahead\r\n250-peer.example\r\n250 AUTH PLAIN",
        "220 go ahead\r\n250 peer.example\r\n235 welcome\r\n250 fine\r\n250 fine\r\n354 go on\r\n250 taken",
    ];
    for reply in injected {
        let peer = SmtpPeer::start_tls(TlsMode::StartTls).await;
        let ca = file_with(peer.ca_pem());
        peer.on(At::StartTls, Do::Reply(reply));
        let fault = fault_of(&mailer(with_login(secured(&peer, Security::StartTls, ca.path())))).await;
        assert_eq!(fault, SendFault::new(Stage::StartTls, None, "the server sent more than the answer"));
        peer.all_gone().await;
        assert_eq!(lines_in_clear(&peer), ["EHLO roll.acme.example", "STARTTLS"]);
    }
}

#[tokio::test]
async fn plain_text_where_tls_should_begin_is_a_fault_of_tls() {
    let peer = SmtpPeer::start().await;
    let ca = SmtpPeer::start_tls(TlsMode::Implicit).await;
    let ca = file_with(ca.ca_pem());
    let fault = fault_of(&mailer(with_login(secured(&peer, Security::Tls, ca.path())))).await;
    assert_eq!((fault.stage, fault.code), (Stage::Tls, None));
    assert!(fault.words.starts_with("TLS failed: "), "{fault}");
}

#[tokio::test]
async fn a_connection_cut_during_the_handshake_is_a_fault_of_tls() {
    for (mode, security) in BOTH {
        let peer = SmtpPeer::start_tls(mode).await;
        let ca = file_with(peer.ca_pem());
        peer.on(At::Tls, Do::Drop);
        let fault = fault_of(&mailer(secured(&peer, security, ca.path()))).await;
        let expected = SendFault::new(Stage::Tls, None, "the server closed the connection without an answer");
        assert_eq!(fault, expected);
    }
}

#[tokio::test]
async fn what_cannot_work_is_refused_before_the_first_mail() {
    let peer = SmtpPeer::start_tls(TlsMode::Implicit).await;
    let good = file_with(peer.ca_pem());
    let relay = |ca: &Path| secured(&peer, Security::Tls, ca);
    let error = |relay| SmtpMailer::new(relay).err().expect("an error");

    let absent = good.path().with_extension("absent");
    assert!(
        matches!(error(relay(&absent)), SmtpSetupError::Tls(TlsSetupError::CaUnreadable { path, .. }) if path == absent)
    );
    for text in ["", "no PEM at all", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let bad = file_with(text);
        let error = error(relay(bad.path()));
        assert!(matches!(error, SmtpSetupError::Tls(TlsSetupError::CaInvalid { .. })), "{error}");
        assert!(!error.to_string().contains('\n'));
    }
    let nameless = Relay { host: "not a name".to_owned(), ..relay(good.path()) };
    assert!(matches!(error(nameless), SmtpSetupError::Tls(TlsSetupError::Host(_))));
    let injecting = Relay { hello_name: "me\r\nMAIL FROM:<a@b.example>".to_owned(), ..relay(good.path()) };
    assert!(matches!(error(injecting), SmtpSetupError::HelloName(_)));
}

fn lines_in_clear(peer: &SmtpPeer) -> Vec<String> {
    peer.said().into_iter().filter(|said| !said.encrypted).map(|said| said.line).collect()
}
