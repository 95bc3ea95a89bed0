//! One client's session, from the server's side.

use std::io;

use data_encoding::BASE64;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::{At, Do, Login, Orders, ReceivedMail, Said, TlsMode};

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(super) struct Dialogue<'a> {
    stream: BufReader<Box<dyn Stream>>,
    orders: &'a Orders,
    session: usize,
    encrypted: bool,
    authenticated: bool,
    /// The sender of the mail at hand.
    from: Option<String>,
    to: Vec<String>,
}

impl<'a> Dialogue<'a> {
    pub(super) fn new(stream: TcpStream, session: usize, orders: &'a Orders) -> Self {
        Self {
            stream: BufReader::new(Box::new(stream)),
            orders,
            session,
            encrypted: false,
            authenticated: false,
            from: None,
            to: Vec::new(),
        }
    }

    /// Serves until either side leaves, which is an error like any other.
    pub(super) async fn run(mut self) -> io::Result<()> {
        self.obey(At::Connect).await?;
        if self.offers(TlsMode::Implicit) {
            self = self.encrypt().await?;
        }
        self.answer(At::Banner, "220 peer.example ESMTP").await?;
        loop {
            let line = self.command().await?;
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => {
                    let offers = self.greeting();
                    self.answer(At::Ehlo, &offers).await?;
                }
                "STARTTLS" if self.offers(TlsMode::StartTls) && !self.encrypted => {
                    if self.answer(At::StartTls, "220 go ahead").await? {
                        self = self.encrypt().await?;
                    }
                }
                "AUTH" => self.auth(&line).await?,
                "MAIL" => self.mail(&line).await?,
                "RCPT" => {
                    if self.answer(At::Rcpt, "250 2.1.5 fine").await? {
                        self.to.push(path(&line));
                    }
                }
                "DATA" => self.data().await?,
                "RSET" => {
                    self.forget();
                    self.answer(At::Rset, "250 2.0.0 forgotten").await?;
                }
                "QUIT" => {
                    self.answer(At::Quit, "221 2.0.0 bye").await?;
                    return Ok(());
                }
                _ => self.say(b"502 5.5.1 never heard of it").await?,
            }
        }
    }

    /// Says that there are too many connections already.
    pub(super) async fn turn_away(&mut self) -> io::Result<()> {
        self.say(b"421 4.7.0 too many connections").await
    }

    fn offers(&self, mode: TlsMode) -> bool {
        self.orders.tls.as_ref().is_some_and(|(offered, _)| *offered == mode)
    }

    fn greeting(&self) -> String {
        let mut lines = vec!["peer.example".to_owned(), "8BITMIME".to_owned()];
        let wants_tls = self.offers(TlsMode::StartTls) && !self.encrypted;
        if wants_tls {
            lines.push("STARTTLS".to_owned());
        }
        if let Some(login) = self.orders.login().filter(|_| !wants_tls) {
            lines.push(format!("AUTH {}", login.mechanisms));
        }
        let last = lines.len() - 1;
        let line = |(index, text): (usize, String)| format!("250{}{text}", if index == last { ' ' } else { '-' });
        lines.into_iter().enumerate().map(line).collect::<Vec<_>>().join("\r\n")
    }

    async fn encrypt(mut self) -> io::Result<Self> {
        self.obey(At::Tls).await?;
        let (_, certificate) = self.orders.tls.as_ref().expect("a peer with TLS");
        let stream = certificate.acceptor().accept(self.stream.into_inner()).await?;
        Ok(Self { stream: BufReader::new(Box::new(stream)), encrypted: true, ..self })
    }

    async fn auth(&mut self, line: &str) -> io::Result<()> {
        let Some(login) = self.orders.login() else {
            return self.say(b"503 5.5.1 nobody asked").await;
        };
        let given = match line.split(' ').collect::<Vec<_>>()[1..] {
            ["PLAIN", response] => decoded(response),
            ["LOGIN"] => {
                self.answer(At::Auth, &format!("334 {}", BASE64.encode(b"Username:"))).await?;
                let user = decoded(&self.command().await?);
                self.answer(At::Auth, &format!("334 {}", BASE64.encode(b"Password:"))).await?;
                let password = decoded(&self.command().await?);
                format!("\0{user}\0{password}")
            }
            _ => return self.say(b"504 5.5.4 no such mechanism").await,
        };
        let Login { user, password, .. } = login;
        if given == format!("\0{user}\0{password}") {
            self.authenticated = self.answer(At::Auth, "235 2.7.0 welcome").await?;
        } else {
            self.answer(At::Auth, "535 5.7.8 wrong user or password").await?;
        }
        Ok(())
    }

    async fn mail(&mut self, line: &str) -> io::Result<()> {
        if self.offers(TlsMode::StartTls) && !self.encrypted {
            return self.say(b"530 5.7.0 STARTTLS first").await;
        }
        if self.orders.login().is_some() && !self.authenticated {
            return self.say(b"530 5.7.0 AUTH first").await;
        }
        if self.from.is_some() {
            return self.say(b"503 5.5.1 one mail at a time").await;
        }
        if self.answer(At::MailFrom, "250 2.1.0 fine").await? {
            self.from = Some(path(line));
        }
        Ok(())
    }

    async fn data(&mut self) -> io::Result<()> {
        if !self.answer(At::Data, "354 end with a dot").await? {
            return Ok(());
        }
        match self.orders.at(At::Body) {
            // To be slow is not to read; to read on and be silent would be the same as at the dot.
            Some(Do::Hang) => std::future::pending().await,
            Some(act) => self.follow(act).await.map(drop)?,
            None => {}
        }
        let mut raw = Vec::new();
        loop {
            let line = self.line().await?;
            match line.strip_prefix(b".") {
                Some(b"\r\n") => break,
                Some(stuffed) => raw.extend_from_slice(stuffed),
                None => raw.extend_from_slice(&line),
            }
        }
        let (from, to) = self.forget();
        let mail = ReceivedMail { from, to, raw, session: self.session };
        self.orders.seen.send_modify(|seen| seen.read.push(mail.clone()));
        if self.answer(At::Dot, "250 2.0.0 taken").await? {
            self.orders.seen.send_modify(|seen| seen.mails.push(mail));
        }
        Ok(())
    }

    /// Ends the mail at hand; its sender and its recipients.
    fn forget(&mut self) -> (String, Vec<String>) {
        (self.from.take().unwrap_or_default(), std::mem::take(&mut self.to))
    }

    /// Does what is ordered, or says the usual; whether that was a consent.
    async fn answer(&mut self, at: At, usual: &str) -> io::Result<bool> {
        match self.orders.at(at) {
            None => {}
            Some(Do::Wait) => self.orders.wait().await,
            Some(act) => return self.follow(act).await,
        }
        self.say(usual.as_bytes()).await?;
        Ok(consents(usual.as_bytes()))
    }

    /// Does what is ordered, where the usual is to say nothing.
    async fn obey(&mut self, at: At) -> io::Result<()> {
        match self.orders.at(at) {
            Some(act) => self.follow(act).await.map(drop),
            None => Ok(()),
        }
    }

    async fn follow(&mut self, act: Do) -> io::Result<bool> {
        match act {
            Do::Reply(text) => {
                self.say(text.as_bytes()).await?;
                Ok(consents(text.as_bytes()))
            }
            Do::Octets(octets) => {
                self.say(octets).await?;
                Ok(consents(octets))
            }
            Do::ReplyAndDrop(text) => {
                self.say(text.as_bytes()).await?;
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            Do::Hang => {
                let mut ignored = [0; 1024];
                while self.stream.read(&mut ignored).await? > 0 {}
                Err(io::ErrorKind::UnexpectedEof.into())
            }
            Do::Wait => {
                self.orders.wait().await;
                Ok(true)
            }
            Do::Drop => Err(io::ErrorKind::ConnectionAborted.into()),
            Do::Endless => {
                self.stream.write_all(b"250-").await?;
                loop {
                    self.stream.write_all(&[b'x'; 1024]).await?;
                    self.stream.flush().await?;
                }
            }
        }
    }

    async fn say(&mut self, line: &[u8]) -> io::Result<()> {
        // One write, so that what is meant to come at once does.
        self.stream.write_all(&[line, b"\r\n"].concat()).await?;
        self.stream.flush().await
    }

    async fn command(&mut self) -> io::Result<String> {
        let line = self.line().await?;
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let said = Said { encrypted: self.encrypted, line: line.clone() };
        self.orders.seen.send_modify(|seen| seen.said.push(said));
        Ok(line)
    }

    async fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).await?;
        if line.ends_with(b"\n") { Ok(line) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

fn consents(reply: &[u8]) -> bool {
    matches!(reply.first(), Some(b'2' | b'3'))
}

/// The address between the angle brackets of MAIL or RCPT.
fn path(line: &str) -> String {
    let (_, rest) = line.split_once('<').unwrap_or_default();
    rest.split('>').next().unwrap_or_default().to_owned()
}

fn decoded(base64: &str) -> String {
    String::from_utf8(BASE64.decode(base64.as_bytes()).unwrap()).unwrap()
}
