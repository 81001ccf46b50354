//! Other ways to the engine of the tests: over TCP with TLS on both sides, and as if it were a buildkitd.
//!
//! dockerd's BuildKit serves the whole of BuildKit's `Control` behind the HTTP upgrade of `/grpc`. What accepts
//! connections, asks for that upgrade and then passes the bytes is to its clients a buildkitd.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Passes connections on; dropped, it ends.
pub(crate) struct Bridge {
    /// Host and port.
    pub(crate) address: String,
    frozen: watch::Sender<bool>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

/// What is on the other side of a [`Bridge`].
#[derive(Clone, Copy)]
pub(crate) enum Side {
    Docker,
    BuildKit,
}

/// An authority, a server known by it, and a client known by it, as docker names the files of each.
pub(crate) struct Certificates {
    folder: TempDir,
}

impl Bridge {
    /// To the dockerd at `socket`; with TLS where there are certificates.
    pub(crate) async fn to(socket: &str, side: Side, certificates: Option<&Certificates>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let acceptor = certificates.map(|certificates| TlsAcceptor::from(certificates.server()));
        let socket = PathBuf::from(socket.strip_prefix("unix://").expect("a socket"));
        let (frozen, watched) = watch::channel(false);
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let (socket, acceptor, frozen) = (socket.clone(), acceptor.clone(), watched.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => pass(stream, &socket, side, frozen).await,
                        // Who is not known is sent away.
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                pass(stream, &socket, side, frozen).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, frozen, connections, task }
    }

    /// Lets nothing through any more, and keeps all connections open, as an engine that hangs does.
    pub(crate) fn freeze(&self) {
        self.frozen.send_replace(true);
    }

    /// The number of connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    socket: &Path,
    side: Side,
    frozen: watch::Receiver<bool>,
) {
    let mut engine = UnixStream::connect(socket).await.unwrap();
    if matches!(side, Side::BuildKit) {
        let request = b"POST /grpc HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
        engine.write_all(request).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(engine.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    }
    let ((from_client, to_client), (from_engine, to_engine)) = (split(stream), split(engine));
    let (there, back) =
        (carry(from_client, to_engine, frozen.clone()), carry(from_engine, to_client, frozen));
    let _ = tokio::join!(there, back);
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut frozen: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let mut bytes = vec![0; 64 << 10];
    loop {
        let count = from.read(&mut bytes).await?;
        // Without its bridge nothing is frozen.
        let _ = frozen.wait_for(|frozen| !frozen).await;
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(&bytes[..count]).await?;
    }
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        for side in ["server", "client", "stranger"] {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
            let own = params.signed_by(&key, &issuer).unwrap().pem();
            let path = folder.path().join(side);
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join("ca.pem"), &authority).unwrap();
            if side != "stranger" {
                std::fs::write(path.join("cert.pem"), own).unwrap();
                std::fs::write(path.join("key.pem"), key.serialize_pem()).unwrap();
            }
        }
        Self { folder }
    }

    /// Of one whom the server knows.
    pub(crate) fn client(&self) -> PathBuf {
        self.folder.path().join("client")
    }

    /// Of one who knows the server, and is nobody to it.
    pub(crate) fn stranger(&self) -> PathBuf {
        self.folder.path().join("stranger")
    }

    /// Of one who knows the server, and whom another authority knows.
    pub(crate) fn of_another(&self, other: &Self) -> PathBuf {
        let folder = self.folder.path().join("another");
        std::fs::create_dir(&folder).unwrap();
        std::fs::copy(self.client().join("ca.pem"), folder.join("ca.pem")).unwrap();
        for file in ["cert.pem", "key.pem"] {
            std::fs::copy(other.client().join(file), folder.join(file)).unwrap();
        }
        folder
    }

    fn server(&self) -> Arc<ServerConfig> {
        let folder = self.folder.path().join("server");
        let read = |file: &str| -> Vec<CertificateDer<'static>> {
            CertificateDer::pem_file_iter(folder.join(file)).unwrap().map(Result::unwrap).collect()
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(read("ca.pem"));
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(read("cert.pem"), key)
            .unwrap();
        Arc::new(config)
    }
}
