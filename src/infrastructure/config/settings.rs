//! The table of settings. A new setting is one row here; nothing else lists them.
//!
//! Least values are low enough for tests to set every deadline short.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use tracing_subscriber::filter::Targets;

use super::{
    base_url::BaseUrl,
    formats::{
        ADDRESS, BASE_URL, Count, Hidden, KIB, LOG_FILTER, List, MIB, Maybe, ORIGIN, OneOf, PATH, Readers, SECRET,
        SENDER, SMTP_URL, Size, Span, Switch,
    },
    given::Given,
    origin::Origin,
    setting::{Group, Setting, settings},
    smtp_url::SmtpUrl,
};
use crate::domain::{secret::Secret, sender::Sender};

/// How mail leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTransport {
    /// It does not: it is kept to be read.
    Capture,
    /// By SMTP, to one relay.
    Smtp,
    /// By an HTTP e-mail API.
    Http,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Pretty,
    /// One JSON object a line.
    Json,
}

const TRANSPORT: OneOf<MailTransport> =
    OneOf(&[("capture", MailTransport::Capture), ("smtp", MailTransport::Smtp), ("http", MailTransport::Http)]);
const LOG_FORMAT: OneOf<LogFormat> = OneOf(&[("pretty", LogFormat::Pretty), ("json", LogFormat::Json)]);

const INSTANT: Duration = Duration::ZERO;
const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const MONTH: Duration = Duration::from_hours(30 * 24);

/// Shorter than this, hyper's own buffer would not start.
const LEAST_HEAD: usize = 8 * KIB;

/// Every setting, in the order of the table.
pub(super) fn all() -> impl Iterator<Item = &'static Setting> {
    TABLE.iter().flat_map(|group| group.settings)
}

/// Every key that a layer may give: the settings' own, and the `…_file` twins of secrets.
pub(super) fn keys() -> Vec<String> {
    all().flat_map(|setting| [Some(setting.key.to_owned()), setting.file_key()]).flatten().collect()
}

settings! {
    /// Where the web is served, and to whom.
    http: Http, "Web" {
        /// Where the API listens.
        listen => listen: SocketAddr = "127.0.0.1:8080" as ADDRESS;
        /// Where health and metrics listen instead of at the API's address.
        admin_listen => admin_listen: Option<SocketAddr> = "" as Maybe(ADDRESS);
        /// The URL that customers reach, the only source of links in mail; on loopback it may be left out and is then
        /// `http://` and the address listened at.
        public_url => public_url: Option<BaseUrl> = "" as Maybe(BASE_URL);
        /// Web origins whose pages may call the public routes, exactly as browsers send them, commas between.
        cors_origins => cors_origins: Vec<Origin> = "" as List(ORIGIN, 0..=100);
        /// How long a stop waits for requests that are being answered and for mails under way.
        shutdown_timeout => shutdown_timeout: Duration = "20s" as Span(INSTANT..=HOUR);
        /// How long an API key that was looked up is trusted without another look; a revoked one may work as long.
        key_refresh => key_refresh: Duration = "500ms" as Span(INSTANT..=SECOND);
    }

    /// What one connection or one request may cost.
    limits: Limits, "Limits of the web" {
        /// From a request's first byte to the end of its head.
        http_head_timeout => head_timeout: Duration = "10s" as Span(MILLISECOND..=HOUR);
        /// How long a connection may be kept alive between requests.
        http_idle_timeout => idle_timeout: Duration = "60s" as Span(MILLISECOND..=HOUR);
        /// From the end of a head to the end of its body.
        http_body_timeout => body_timeout: Duration = "20s" as Span(MILLISECOND..=HOUR);
        /// How long a body may be slower than `http_body_min_rate`.
        http_body_grace => body_grace: Duration = "5s" as Span(INSTANT..=HOUR);
        /// How much of a body must arrive a second, once its grace is over.
        http_body_min_rate => body_min_rate: usize = "1KiB" as Size(1..=MIB);
        /// How long a peer may take nothing of an answer.
        http_write_timeout => write_timeout: Duration = "30s" as Span(MILLISECOND..=HOUR);
        /// Connections open at once.
        http_max_connections => max_connections: usize = "10000" as Count(1..=1_000_000);
        /// A request's whole head.
        http_max_head_bytes => max_head_bytes: usize = "16KiB" as Size(LEAST_HEAD..=MIB);
        /// Fields in a request's head.
        http_max_head_fields => max_head_fields: usize = "64" as Count(1..=1000);
        /// A request's path and query.
        http_max_target_bytes => max_target_bytes: usize = "2KiB" as Size(64..=64 * KIB);
        /// A request's body.
        http_max_body_bytes => max_body_bytes: usize = "64KiB" as Size(KIB..=16 * MIB);
        /// How much of a refused body is read and thrown away so that the refusal arrives.
        http_discard_bytes => discard_bytes: usize = "32MiB" as Size(0..=1024 * MIB);
        /// How long a refused body is read and thrown away.
        http_discard_timeout => discard_timeout: Duration = "5s" as Span(INSTANT..=HOUR);
    }

    /// The data folder and the database in it.
    store: Store, "Storage" {
        /// The folder of the database, the mail key and the backups.
        data_dir => data_dir: PathBuf = "./rollbook-data" as PATH;
        /// Connections that read at once; auto is two for each core.
        db_pool_size => pool_size: u32 = "auto" as Readers(1..=1024);
        /// Whether statements are logged, without their values.
        db_echo => echo: bool = "false" as Switch;
        /// How long a statement waits for a lock that another program holds.
        db_busy_timeout => busy_timeout: Duration = "2s" as Span(INSTANT..=MINUTE);
        /// How long a list may look for those it is asked for; one that takes longer is refused with 503.
        db_list_timeout => list_timeout: Duration = "2s" as Span(INSTANT..=MINUTE);
        /// Writes that may wait for their turn; one more is refused with 503.
        writer_queue => writer_queue: usize = "128" as Count(1..=65_536);
    }

    /// How mail leaves, and how often it is tried.
    mail: Mail, "Mail" {
        /// Whether mail is kept to be read at `/api/messages`, leaves by SMTP, or by an HTTP e-mail API.
        mail_transport => transport: MailTransport = "capture" as TRANSPORT;
        /// The sender of every mail, an address with or without a name; needed unless mail is captured.
        mail_from => from: Option<Sender> = "" as Maybe(SENDER);
        /// The HTTP e-mail API: mail is posted to its `/send`.
        mail_api_url => api_url: Option<BaseUrl> = "" as Maybe(BASE_URL);
        /// How long the HTTP e-mail API may take for one mail; cut at three quarters of `mail_lease`.
        mail_api_timeout => api_timeout: Duration = "10s" as Span(MILLISECOND..=HOUR);
        /// The bearer key of the HTTP e-mail API.
        mail_api_key => api_key: Option<Secret> = "" as Maybe(Hidden(SECRET));
        /// Pauses between attempts, ±20 %, commas between; the last one is repeated.
        mail_backoff => backoff: Vec<Duration> = "30s,2m,5m,15m,30m,1h,2h,4h" as List(Span(MILLISECOND..=DAY), 1..=32);
        /// How long a mail is tried before it counts as failed.
        mail_give_up => give_up: Duration = "5d" as Span(MILLISECOND..=MONTH);
        /// How long a claim on a mail holds; a session with the relay is cut at three quarters of it.
        mail_lease => lease: Duration = "20m" as Span(MILLISECOND..=DAY);
        /// How often a faulty relay is probed.
        mail_probe => probe: Duration = "30s" as Span(MILLISECOND..=HOUR);
        /// Mails that may be on their way at once.
        mail_sessions => sessions: usize = "4" as Count(1..=256);
    }

    /// The relay, and how long each step with it may take (RFC 5321, section 4.5.3.2).
    smtp: Smtp, "SMTP" {
        /// The relay: `smtp://user:password@host:587` with `?tls=required` (STARTTLS; the default unless the host is
        /// loopback) or `?tls=none` (loopback only), or `smtps://…` for TLS from the first byte.
        smtp_url => url: Option<SmtpUrl> = "" as Maybe(Hidden(SMTP_URL));
        /// A PEM file with the certificate authority of the relay, instead of the system's.
        smtp_ca_file => ca_file: Option<PathBuf> = "" as Maybe(PATH);
        /// Name look-up and TCP connection.
        smtp_connect_timeout => connect_timeout: Duration = "30s" as Span(MILLISECOND..=HOUR);
        /// The TLS handshake.
        smtp_tls_timeout => tls_timeout: Duration = "30s" as Span(MILLISECOND..=HOUR);
        /// The greeting, and each command but DATA.
        smtp_command_timeout => command_timeout: Duration = "60s" as Span(MILLISECOND..=HOUR);
        /// The answer to DATA.
        smtp_data_timeout => data_timeout: Duration = "120s" as Span(MILLISECOND..=HOUR);
        /// Each block of the mail.
        smtp_block_timeout => block_timeout: Duration = "180s" as Span(MILLISECOND..=HOUR);
        /// The answer to the final dot; a short one sends mails twice.
        smtp_final_dot_timeout => final_dot_timeout: Duration = "600s" as Span(MILLISECOND..=HOUR);
        /// One mail from connecting to the last answer.
        smtp_session_timeout => session_timeout: Duration = "15m" as Span(MILLISECOND..=DAY);
        /// How long a connection is kept for the next mail.
        smtp_idle_timeout => idle_timeout: Duration = "30s" as Span(INSTANT..=HOUR);
    }

    /// The proof of an address.
    verification: Verification, "Verification" {
        /// How long a link is good, counted from the first accepted delivery.
        verification_ttl => ttl: Duration = "24h" as Span(MILLISECOND..=MONTH);
        /// The pause between two verification mails of one customer.
        resend_cooldown => resend_cooldown: Duration = "1m" as Span(INSTANT..=DAY);
    }

    /// What the log says, and how.
    log: Log, "Log" {
        /// What is logged: a level, or levels by module, commas between.
        log => filter: Targets = "info" as LOG_FILTER;
        /// Lines for people, or JSON for machines.
        log_format => format: LogFormat = "pretty" as LOG_FORMAT;
    }
}
