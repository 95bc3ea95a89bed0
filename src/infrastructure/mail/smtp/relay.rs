//! The relay as it is configured: where it is, how to trust it, how long to wait for it.

use std::{path::PathBuf, time::Duration};

use crate::domain::{secret::Secret, sender::Sender};

/// A server that takes our mail and carries it on.
#[derive(Debug, Clone)]
pub struct Relay {
    /// A name or an IP address without brackets; with TLS, the certificate must be for it.
    pub host: String,
    /// The TCP port: 587 for STARTTLS, 465 for TLS from the first byte, by custom.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// User and password for AUTH; none where the relay knows us by our address.
    pub credentials: Option<(String, Secret)>,
    /// PEM certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Who the mail comes from.
    pub from: Sender,
    /// The name given in EHLO: a host name or an address literal (RFC 5321, section 4.1.4).
    pub hello_name: String,
    /// How long each step may take.
    pub deadlines: Deadlines,
    /// How many connections are kept for the next mail, at most.
    pub sessions: usize,
}

/// How a connection is protected. There is no "TLS if offered": who sits in between would take the offer away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// No protection: for a relay on this very machine only.
    Plain,
    /// TLS by STARTTLS (RFC 3207), required before anything else is said.
    StartTls,
    /// TLS from the first byte (RFC 8314, section 3.3).
    Tls,
}

/// How long each step of an attempt may take. From DATA on these are the times of RFC 5321, section 4.5.3.2, since
/// giving up on the final dot too early makes duplicates; before DATA they are shorter, since trying again is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Name look-up and TCP connection, all the name's addresses together.
    pub connect: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// The answer to each of: connecting, EHLO, STARTTLS, AUTH, MAIL FROM, RCPT TO, RSET.
    pub command: Duration,
    /// The answer to DATA.
    pub data: Duration,
    /// Until the server has taken the mail's octets off our hands.
    pub block: Duration,
    /// The answer to the final dot.
    pub final_dot: Duration,
    /// One attempt in all, from look-up to the answer to the final dot.
    pub session: Duration,
    /// How long a connection may go unused before it is no longer trusted with a mail.
    pub idle: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            tls: Duration::from_secs(30),
            command: Duration::from_mins(1),
            data: Duration::from_mins(2),
            block: Duration::from_mins(3),
            final_dot: Duration::from_mins(10),
            session: Duration::from_mins(15),
            idle: Duration::from_secs(30),
        }
    }
}
