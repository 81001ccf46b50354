//! TLS with an engine, where both sides have certificates. Start with [`Tls::read`].

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The authorities that we trust, our own certificate, and the server's name.
#[derive(Clone)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    /// The folder of the certificates.
    pub(super) folder: PathBuf,
}

impl Tls {
    /// Reads `ca.pem`, `cert.pem` and `key.pem`, as docker names them, for the server `name`.
    ///
    /// Without `cert.pem` and `key.pem` the client is anonymous to the server, which may accept that.
    pub(super) fn read(folder: &Path, name: &str) -> Result<Self, String> {
        let certificates = |file: &str| -> Result<Vec<CertificateDer<'static>>, String> {
            let path = folder.join(file);
            let unusable = |error| format!("cannot read certificates from `{}`: {error}", path.display());
            CertificateDer::pem_file_iter(&path)
                .map_err(unusable)?
                .collect::<Result<_, _>>()
                .map_err(unusable)
        };
        let mut roots = RootCertStore::empty();
        let (trusted, _) = roots.add_parsable_certificates(certificates("ca.pem")?);
        if trusted == 0 {
            return Err(format!("`{}` holds no certificate", folder.join("ca.pem").display()));
        }
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots);
        let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        let config = match (certificate.exists(), key.exists()) {
            (false, false) => builder.with_no_client_auth(),
            (true, true) => {
                let unusable = |error| format!("cannot read a private key from `{}`: {error}", key.display());
                let private = PrivateKeyDer::from_pem_file(&key).map_err(unusable)?;
                builder.with_client_auth_cert(certificates("cert.pem")?, private).map_err(|error| {
                    format!("`{}` and `{}` cannot be used: {error}", certificate.display(), key.display())
                })?
            }
            (present, _) => {
                let missing = if present { key } else { certificate };
                return Err(format!("`{}` is missing beside its counterpart", missing.display()));
            }
        };
        let name = ServerName::try_from(name.to_owned());
        let name = name.map_err(|_| "its host is not a name that a certificate can have".to_owned())?;
        Ok(Self { config: Arc::new(config), name, folder: folder.to_owned() })
    }

    /// The server's name, which its certificate must have.
    pub(super) fn name(&self) -> String {
        self.name.to_str().into_owned()
    }

    /// True if there is a certificate of the client.
    pub(super) fn has_client(&self) -> bool {
        self.config.client_auth_cert_resolver.has_certs()
    }

    /// Opens TLS on `stream`. The server's certificate must be for its name, and signed by an authority that
    /// we trust.
    pub(super) async fn connect(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsConnector::from(Arc::clone(&self.config)).connect(self.name.clone(), stream).await
    }
}

/// The cryptography of TLS.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Shows nothing, because the configuration holds a private key.
impl std::fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Tls(..)")
    }
}
