//! How connections are protected, with all that takes: none can be opened with less than was asked for.

use super::relay::{Relay, Security};
use crate::infrastructure::mail::tls::{Tls, TlsSetupError};

/// [`Security`], ready to be used.
pub(super) enum Guard {
    Plain,
    StartTls(Tls),
    Tls(Tls),
}

impl Guard {
    /// Reads what TLS needs, where it is asked for.
    pub(super) fn of(relay: &Relay) -> Result<Self, TlsSetupError> {
        let tls = || Tls::new(&relay.host, relay.ca_file.as_deref());
        Ok(match relay.security {
            Security::Plain => Self::Plain,
            Security::StartTls => Self::StartTls(tls()?),
            Security::Tls => Self::Tls(tls()?),
        })
    }
}
