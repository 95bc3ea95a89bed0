//! One SMTP session (RFC 5321), command by command, so that a fault names its stage. The commands and replies are
//! lettre's; the stream and its TLS are ours.

use std::{fmt::Display, iter, pin::pin};

use lettre::transport::smtp::{
    authentication::{Credentials, Mechanism},
    client::AsyncSmtpConnection,
    commands::{Auth, Data, Ehlo, Mail, Rcpt, Rset, Starttls},
    extension::{ClientId, Extension, ServerInfo},
    response::{Response, Severity},
};
use tokio::sync::watch;

use super::{
    fault,
    guard::Guard,
    pace::Pace,
    relay::Relay,
    wire::{Channel, Wire},
};
use crate::{
    domain::{
        mail::{SendFault, Stage},
        secret::Secret,
    },
    infrastructure::mail::{mime::Letter, network, tls::Tls},
};

pub(super) struct Session {
    smtp: AsyncSmtpConnection,
    wire: Wire,
    offers: ServerInfo,
    in_step: bool,
}

impl Session {
    /// Connects and does all that comes before the first mail.
    pub(super) async fn open(relay: &Relay, guard: &Guard, pace: &Pace<'_>) -> Result<Self, SendFault> {
        let connect = network::dial(&relay.host, relay.port, relay.deadlines.connect);
        let tcp = pace.step(Stage::Connect, connect).await?.map_err(|e| network::fault_of(Stage::Connect, &e))?;
        let (channel, start_tls) = match guard {
            Guard::Plain => (Channel::Plain(tcp), None),
            Guard::StartTls(tls) => (Channel::Plain(tcp), Some(tls)),
            Guard::Tls(tls) => {
                let stream = pace.step(Stage::Tls, tls.handshake(tcp)).await?;
                (Channel::Tls(Box::new(stream.map_err(|e| network::fault_of(Stage::Tls, &e))?)), None)
            }
        };
        let hello = ClientId::Domain(relay.hello_name.clone());
        let mut session = Self::greet(Wire::new(channel), &hello, pace).await?;
        if let Some(tls) = start_tls {
            session.start_tls(tls, hello, pace).await?;
        }
        if let Some((user, password)) = &relay.credentials {
            session.authenticate(user, password, pace).await?;
        }
        Ok(session)
    }

    async fn greet(wire: Wire, hello: &ClientId, pace: &Pace<'_>) -> Result<Self, SendFault> {
        let greeting = AsyncSmtpConnection::connect_with_transport(Box::new(wire.clone()), hello);
        let smtp =
            pace.exchanges(Stage::Greeting, &wire, greeting).await?.map_err(|e| fault::of_smtp(Stage::Greeting, &e))?;
        let offers = smtp.server_info().clone();
        Ok(Self { smtp, wire, offers, in_step: true })
    }

    /// RFC 3207. What the server said before TLS counts for nothing after it: it is asked again.
    async fn start_tls(&mut self, tls: &Tls, hello: ClientId, pace: &Pace<'_>) -> Result<(), SendFault> {
        if !self.offers.supports_feature(Extension::StartTls) {
            return Err(SendFault::new(Stage::StartTls, None, "the server offers no STARTTLS"));
        }
        self.complete(Stage::StartTls, Starttls, pace).await?;
        let plain = self.wire.take_plain().ok_or_else(|| out_of_step(Stage::StartTls))?;
        let stream = pace.step(Stage::Tls, tls.handshake(plain)).await?;
        self.wire.put_tls(stream.map_err(|e| network::fault_of(Stage::Tls, &e))?);
        let reply = self.complete(Stage::Greeting, Ehlo::new(hello), pace).await?;
        self.offers = ServerInfo::from_response(&reply).map_err(|e| fault::of_smtp(Stage::Greeting, &e))?;
        Ok(())
    }

    async fn authenticate(&mut self, user: &str, password: &Secret, pace: &Pace<'_>) -> Result<(), SendFault> {
        let mechanism = self
            .offers
            .get_auth_mechanism(&[Mechanism::Plain, Mechanism::Login])
            .ok_or_else(|| SendFault::new(Stage::Auth, None, "the server offers neither AUTH PLAIN nor AUTH LOGIN"))?;
        let credentials = Credentials::new(user.to_owned(), password.expose().to_owned());
        let mut step = Auth::new(mechanism, credentials.clone(), None);
        // LOGIN asks twice, for the user and for the password; who asks more often wants something else.
        for _ in 0..3 {
            let answer = step.map_err(|e| fault::of_smtp(Stage::Auth, &e))?;
            let reply = self.exchange(Stage::Auth, answer, pace).await?;
            if reply.code().severity == Severity::PositiveCompletion {
                return Ok(());
            }
            step = Auth::new_from_response(mechanism, credentials.clone(), &reply);
        }
        Err(SendFault::new(Stage::Auth, None, "the server does not stop asking"))
    }

    /// Hands one mail over.
    pub(super) async fn deliver(&mut self, letter: &Letter, pace: &Pace<'_>) -> Result<(), SendFault> {
        self.complete(Stage::MailFrom, Mail::new(letter.envelope.from().cloned(), vec![]), pace).await?;
        for recipient in letter.envelope.to() {
            self.complete(Stage::Recipient, Rcpt::new(recipient.clone(), vec![]), pace).await?;
        }
        let reply = self.exchange(Stage::Data, Data, pace).await?;
        wanted(Stage::Data, Severity::PositiveIntermediate, reply)?;
        self.hand_over(&letter.octets, pace).await
    }

    /// The mail's octets and the final dot: one call in lettre, two stages for us.
    async fn hand_over(&mut self, octets: &[u8], pace: &Pace<'_>) -> Result<(), SendFault> {
        // lettre sets the dot on a line of its own, whether or not the last one has ended.
        let octets = octets.strip_suffix(b"\r\n").unwrap_or(octets);
        let (reached, mut stage) = watch::channel(Stage::Data);
        // lettre asks for more as soon as all is written, right before the dot.
        let parts = iter::once(octets).chain(iter::from_fn(|| {
            reached.send_replace(Stage::FinalDot);
            None
        }));
        let mut hand_over = pin!(self.smtp.message_iter(parts));
        let block = async {
            tokio::select! {
                biased;
                early = &mut hand_over => Some(early),
                _ = stage.changed() => None,
            }
        };
        let reply = match pace.block(block).await? {
            Some(early) => early,
            None => pace.step(Stage::FinalDot, hand_over).await?,
        };
        let reply = reply.map_err(|e| fault::of_smtp(*reached.borrow(), &e))?;
        // Whatever else the server said along with it, the mail is taken; it only cannot be trusted with another.
        self.in_step = self.wire.heard() == octets_of(&reply);
        wanted(Stage::FinalDot, Severity::PositiveCompletion, reply).map(drop)
    }

    /// Forgets the mail at hand, so that the session can take another.
    pub(super) async fn reset(&mut self, pace: &Pace<'_>) -> Result<(), SendFault> {
        self.complete(Stage::MailFrom, Rset, pace).await.map(drop)
    }

    /// Whether the server said just what it was asked for, so that the next reply will be to the next command.
    pub(super) fn is_in_step(&self) -> bool {
        self.in_step
    }

    /// Leaves politely. Nothing depends on the answer.
    pub(super) async fn quit(mut self) {
        let _ = self.smtp.quit().await;
    }

    async fn complete(&mut self, stage: Stage, command: impl Display, pace: &Pace<'_>) -> Result<Response, SendFault> {
        let reply = self.exchange(stage, command, pace).await?;
        wanted(stage, Severity::PositiveCompletion, reply)
    }

    /// Gives a command and takes its one reply. More than that, come in the clear along with the answer to STARTTLS,
    /// would pass for the server's words under TLS; anywhere else it would pass for the reply to a later command.
    async fn exchange(&mut self, stage: Stage, command: impl Display, pace: &Pace<'_>) -> Result<Response, SendFault> {
        let reply = pace.step(stage, self.smtp.command(command)).await?;
        let reply = reply.map_err(|e| fault::of_smtp(stage, &e))?;
        if self.wire.heard() == octets_of(&reply) { Ok(reply) } else { Err(out_of_step(stage)) }
    }
}

/// How long a reply is: code, separator, text and line end, line by line (RFC 5321, section 4.2).
fn octets_of(reply: &Response) -> usize {
    reply.message().map(|text| "250 ".len() + text.len() + "\r\n".len()).sum()
}

fn out_of_step(stage: Stage) -> SendFault {
    SendFault::new(stage, None, "the server sent more than the answer")
}

/// lettre is content with any 2xx or 3xx, but only one of them makes sense here.
fn wanted(stage: Stage, severity: Severity, reply: Response) -> Result<Response, SendFault> {
    if reply.code().severity == severity {
        return Ok(reply);
    }
    let text = reply.first_line().unwrap_or_default();
    Err(SendFault::new(stage, None, &format!("unexpected answer {} {text}", reply.code())))
}
