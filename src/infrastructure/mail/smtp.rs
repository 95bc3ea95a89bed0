//! Mail by SMTP. lettre speaks the protocol, but neither waits within bounds, nor says at which stage it failed, nor
//! bounds what a server sends; so its commands are given one by one here, each under a deadline, over a stream of our
//! own. Its connection pool and its log stay off: the one reuses half-used connections, the other writes passwords.

mod fault;
mod guard;
mod kept;
mod login;
mod pace;
mod relay;
mod replies;
mod session;
mod wire;

use async_trait::async_trait;

pub use self::relay::{Deadlines, Relay, Security};
use self::{guard::Guard, kept::Kept, login::SaidToLogIn, pace::Pace, session::Session};
use super::{
    mime::{self, Letter},
    tls::TlsSetupError,
};
use crate::{
    application::ports::Mailer,
    domain::mail::{Mail, SendFault, Stage},
};

/// Hands mails to a relay, over connections that it keeps for the next mail.
pub struct SmtpMailer {
    relay: Relay,
    guard: Guard,
    login: SaidToLogIn,
    kept: Kept,
}

/// Why a relay's configuration cannot work.
#[derive(Debug, thiserror::Error)]
pub enum SmtpSetupError {
    /// A name that would break out of the EHLO line.
    #[error("the EHLO name {0:?} must be one word")]
    HelloName(String),
    /// TLS is asked for and cannot be spoken.
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
}

impl SmtpMailer {
    /// Reads what TLS needs; connects to nobody yet.
    ///
    /// # Errors
    /// What the relay's configuration lacks.
    pub fn new(relay: Relay) -> Result<Self, SmtpSetupError> {
        let hello = &relay.hello_name;
        if hello.is_empty() || hello.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(SmtpSetupError::HelloName(hello.clone()));
        }
        let guard = Guard::of(&relay)?;
        let login = SaidToLogIn::of(relay.credentials.as_ref());
        let kept = Kept::new(relay.sessions, relay.deadlines.idle);
        Ok(Self { relay, guard, login, kept })
    }

    /// Takes leave of the relay on all kept connections, within 5 seconds.
    pub async fn close(&self) {
        self.kept.close().await;
    }

    async fn attempt(&self, letter: &Letter) -> Result<(), SendFault> {
        let pace = Pace::start(&self.relay.deadlines);
        if let Some(kept) = self.kept.take() {
            match self.deliver(kept, letter, &pace).await {
                Err(fault) if has_idled_out(&fault) => {}
                outcome => return outcome,
            }
        }
        let fresh = Session::open(&self.relay, &self.guard, &pace).await?;
        self.deliver(fresh, letter, &pace).await
    }

    async fn deliver(&self, mut session: Session, letter: &Letter, pace: &Pace<'_>) -> Result<(), SendFault> {
        let outcome = session.deliver(letter, pace).await;
        let can_go_on = match &outcome {
            Ok(()) => session.is_in_step(),
            Err(fault) => refuses_this_mail_alone(fault) && session.reset(pace).await.is_ok(),
        };
        if can_go_on {
            self.kept.put(session);
        }
        outcome
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<(), SendFault> {
        let letter = mime::compose(mail, &self.relay.from)
            .map_err(|cause| SendFault::new(Stage::Build, None, &cause.to_string()))?;
        self.attempt(&letter).await.map_err(|fault| self.login.hide_in(fault))
    }
}

/// A reply about the mail, from a server that stays (RFC 5321, section 3.8: 421 announces that it does not).
fn refuses_this_mail_alone(fault: &SendFault) -> bool {
    !fault.is_the_relays() && fault.code.is_some_and(|code| code != 421)
}

/// Servers close connections that bring no mail, some with a 421, and the first command afterwards tells.
fn has_idled_out(fault: &SendFault) -> bool {
    fault.stage == Stage::MailFrom && matches!(fault.code, None | Some(421))
}
