//! TLS towards a mail server: 1.2 or newer, its name verified, by the system's roots or by one's own.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        self, ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

/// Why no TLS can be spoken with a server.
#[derive(Debug, thiserror::Error)]
pub enum TlsSetupError {
    /// The private CA's file is absent or may not be read.
    #[error("cannot read the CA file {}: {source}", path.display())]
    CaUnreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The private CA's file holds no certificate, or a broken one.
    #[error("the CA file {} must hold certificates in PEM", path.display())]
    CaInvalid {
        /// The file.
        path: PathBuf,
    },
    /// No certificate could be for this host.
    #[error("the host {0:?} must be a name or an IP address")]
    Host(String),
    /// The system has no roots, for one.
    #[error("TLS cannot be set up: {0}")]
    Unavailable(#[from] rustls::Error),
}

pub(super) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// Reads the roots once, so that a broken file stops the start and not the first mail.
    pub(super) fn new(host: &str, ca_file: Option<&Path>) -> Result<Self, TlsSetupError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsSetupError::Host(host.to_owned()))?;
        // The provider is named, since a process-wide default may be absent or another one's.
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?;
        let builder = match ca_file {
            Some(path) => builder.with_root_certificates(roots(path)?),
            None => builder.with_platform_verifier()?,
        };
        Ok(Self { connector: TlsConnector::from(Arc::new(builder.with_no_client_auth())), name })
    }

    pub(super) async fn handshake(&self, tcp: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.name.clone(), tcp).await
    }
}

fn roots(path: &Path) -> Result<RootCertStore, TlsSetupError> {
    let pem = std::fs::read(path).map_err(|source| TlsSetupError::CaUnreadable { path: path.to_owned(), source })?;
    let invalid = || TlsSetupError::CaInvalid { path: path.to_owned() };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.map_err(|_| invalid())?).map_err(|_| invalid())?;
    }
    if roots.is_empty() { Err(invalid()) } else { Ok(roots) }
}

/// What went wrong in a handshake, in words.
pub(super) fn words(error: &io::Error) -> Option<String> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(cause) => Some(format!("the certificate is not trusted: {cause}")),
        other => Some(format!("TLS failed: {other}")),
    }
}
