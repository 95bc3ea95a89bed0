//! How mail leaves, by the operator's settings.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::StartError;
use crate::{
    application::ports::Mailer,
    domain::sender::Sender,
    infrastructure::{
        config::{Config, Delivery, SmtpSecurity, SmtpUrl},
        mail::{
            capture::CaptureMailer,
            http_api::{HttpApi, HttpApiMailer},
            smtp::{Deadlines, Relay, Security, SmtpMailer},
        },
    },
};

/// A mailer that says goodbye to whom it keeps connections with.
#[async_trait]
pub(super) trait Closing: Mailer {
    /// Ends kept connections in order.
    async fn close(&self);
}

#[async_trait]
impl Closing for SmtpMailer {
    async fn close(&self) {
        Self::close(self).await;
    }
}

#[async_trait]
impl Closing for CaptureMailer {
    async fn close(&self) {}
}

#[async_trait]
impl Closing for HttpApiMailer {
    async fn close(&self) {}
}

pub(super) fn of(config: &Config) -> Result<Arc<dyn Closing>, StartError> {
    match config.delivery().map_err(StartError::Settings)? {
        Delivery::Capture => Ok(Arc::new(CaptureMailer)),
        Delivery::Smtp { relay, from } => Ok(Arc::new(SmtpMailer::new(smtp_relay(config, relay, from.clone()))?)),
        Delivery::Http { api, key, from } => {
            let (url, key, from) = (api.as_str().to_owned(), key.clone(), from.clone());
            let deadline = config.mail.api_timeout.min(longest_sending(config));
            Ok(Arc::new(HttpApiMailer::new(HttpApi { url, key, from, deadline })?))
        }
    }
}

/// A claim must outlast the sending, or another worker would send the same mail meanwhile.
fn longest_sending(config: &Config) -> Duration {
    config.mail.lease.mul_f64(0.75)
}

fn smtp_relay(config: &Config, url: &SmtpUrl, from: Sender) -> Relay {
    let smtp = &config.smtp;
    let hello_name = from.address().canonical().rsplit_once('@').map_or("localhost", |(_, domain)| domain).to_owned();
    Relay {
        host: url.host.clone(),
        port: url.port,
        security: match url.security {
            SmtpSecurity::Plain => Security::Plain,
            SmtpSecurity::StartTls => Security::StartTls,
            SmtpSecurity::Tls => Security::Tls,
        },
        credentials: url.credentials.clone(),
        ca_file: smtp.ca_file.clone(),
        from,
        hello_name,
        deadlines: Deadlines {
            connect: smtp.connect_timeout,
            tls: smtp.tls_timeout,
            command: smtp.command_timeout,
            data: smtp.data_timeout,
            block: smtp.block_timeout,
            final_dot: smtp.final_dot_timeout,
            session: smtp.session_timeout.min(longest_sending(config)),
            idle: smtp.idle_timeout,
        },
        sessions: config.mail.sessions,
    }
}
