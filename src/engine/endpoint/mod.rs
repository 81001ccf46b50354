//! The endpoint of an engine: its address, and the protocol there. Start with [`Endpoint`].
//!
//! | address | what is reached |
//! | --- | --- |
//! | `unix:///var/run/docker.sock` | dockerd on this machine |
//! | `tcp://host:2375`, `http://host:2375` | dockerd, without TLS |
//! | `tcp://host:2376` with a folder of certificates, `https://host:2376` | dockerd, TLS on both sides |
//! | `ssh://user@host:22`, `ssh://user@host/run/docker.sock` | dockerd, through `docker system dial-stdio` there |
//! | `buildkit+unix://`, `buildkit+tcp://`, `buildkit+ssh://` | a buildkitd in the same ways |
//!
//! [`locate`] finds the endpoint that a machine is set up for; [`exchange`] and [`client`] speak HTTP to one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;

use self::ssh::Ssh;
use self::tls::Tls;
use super::EngineError;
use super::patience::{Patience, SILENCE_LIMIT};
use crate::loopback::is_loopback;

mod client;
mod diagnosis;
mod exchange;
mod locate;
mod ssh;
mod tls;

pub(super) use self::client::Api;
pub(super) use self::exchange::Answer;
pub use self::locate::Environment;

/// The longest time that connecting may take. A local socket answers at once or never; a remote one within a
/// few round trips.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The longest time that an engine may take for the first question, which it answers from memory.
const GREETING_LIMIT: Duration = Duration::from_secs(30);

/// The address of an engine, with its protocol and its silence limit.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The address as its user wrote it.
    written: String,
    protocol: Protocol,
    transport: Transport,
    patience: Patience,
}

/// The protocol of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Docker's API, in which BuildKit's API is a path.
    Docker,
    /// BuildKit's own API, which is gRPC.
    BuildKit,
}

#[derive(Clone, Debug)]
enum Transport {
    Unix(PathBuf),
    /// The host and port.
    Tcp(String),
    /// The host and port, and the certificates of both sides.
    Tls(String, Box<Tls>),
    Ssh(Ssh),
}

/// A task that lives no longer than its owner: dropping it ends the task.
#[derive(Debug)]
pub(super) struct Task(JoinHandle<()>);

/// A stream of bytes to and from an engine.
pub(super) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

impl Endpoint {
    /// Reads an address; `certificates` is a folder with `ca.pem` and, for a client certificate, `cert.pem`
    /// and `key.pem`.
    ///
    /// # Errors
    /// Fails if the text is not an address, or the certificates cannot be used.
    pub fn parse(address: &str, certificates: Option<&Path>) -> Result<Self, EngineError> {
        let wrong = |reason: String| EngineError::Address { address: address.to_owned(), reason };
        let (protocol, plain) = match address.strip_prefix("buildkit+") {
            Some(plain) => (Protocol::BuildKit, plain),
            None => (Protocol::Docker, address),
        };
        let transport = match plain.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Transport::Unix(path.into()),
            Some((scheme @ ("tcp" | "http" | "https"), host)) => {
                tcp(protocol, scheme, host, certificates).map_err(wrong)?
            }
            Some(("ssh", target)) => Transport::Ssh(Ssh::parse(target, protocol).map_err(wrong)?),
            _ => {
                let expected = "expected `unix:///path`, `tcp://host:port` or `ssh://user@host`, \
                                with `buildkit+` before it for a buildkitd";
                return Err(wrong(expected.to_owned()));
            }
        };
        let (written, patience) = (address.to_owned(), Patience::new(SILENCE_LIMIT));
        Ok(Self { written, protocol, transport, patience })
    }

    /// This endpoint, with the engine given up when nothing is heard of it for `limit`.
    #[must_use]
    pub fn with_silence_limit(self, limit: Duration) -> Self {
        Self { patience: Patience::new(limit), ..self }
    }

    /// The protocol of the engine.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The limit on the engine's silence.
    pub(super) fn patience(&self) -> &Patience {
        &self.patience
    }

    /// A new connection to the engine.
    pub(super) async fn connect(&self) -> Result<Box<dyn Connection>, EngineError> {
        let opened = self.patience.at_most(CONNECT_LIMIT).wait(self.open()).await;
        opened
            .map_err(|silence| self.unreachable(format!("it did not answer within {silence}")))?
            .map_err(|error| self.unreachable(error))
    }

    /// The answer to the first question that an engine is asked.
    pub(super) async fn greeted<T>(&self, answer: impl Future<Output = T>) -> Result<T, EngineError> {
        let answer = self.patience.at_most(GREETING_LIMIT).wait(answer).await;
        answer.map_err(|silence| self.silent(silence))
    }

    async fn open(&self) -> std::io::Result<Box<dyn Connection>> {
        Ok(match &self.transport {
            Transport::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Transport::Tcp(address) => Box::new(tcp_stream(address).await?),
            Transport::Tls(address, tls) => Box::new(tls.connect(tcp_stream(address).await?).await?),
            Transport::Ssh(ssh) => Box::new(ssh.connect()?),
        })
    }

    /// The error for an engine that does not answer.
    pub(super) fn unreachable(&self, reason: impl std::fmt::Display) -> EngineError {
        EngineError::Unreachable { endpoint: self.to_string(), reason: reason.to_string() }
    }
}

/// The transport to a host and port, with TLS if there are certificates or the scheme asks for TLS.
fn tcp(
    protocol: Protocol,
    scheme: &str,
    host: &str,
    certificates: Option<&Path>,
) -> Result<Transport, String> {
    let host = host.trim_end_matches('/');
    if host.is_empty() || host.contains(['/', '@', '?', '#', ' ']) {
        return Err("expected a host and a port after `://`".to_owned());
    }
    let certificates = match (scheme, certificates) {
        ("http", _) => None,
        ("https", None) => {
            return Err("TLS needs a folder with `ca.pem`, `cert.pem` and `key.pem`".to_owned());
        }
        (_, certificates) => certificates,
    };
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let port = match (protocol, certificates) {
        (Protocol::BuildKit, _) => 1234,
        (Protocol::Docker, Some(_)) => 2376,
        (Protocol::Docker, None) => 2375,
    };
    let address = if has_port { host.to_owned() } else { format!("{host}:{port}") };
    let Some(folder) = certificates else {
        // Docker's `tcp://` has always meant "without TLS"; for BuildKit the user is asked to say so.
        if protocol == Protocol::BuildKit && scheme != "http" && !is_loopback(&address) {
            let hint = "name the folder of the certificates, or write `buildkit+http://` to go without TLS: \
                        logins and secrets then travel in the clear";
            return Err(format!("it is on another machine; {hint}"));
        }
        return Ok(Transport::Tcp(address));
    };
    let name = address.rsplit_once(':').map_or(&*address, |(name, _)| name);
    let tls = Tls::read(folder, name.trim_matches(['[', ']']))?;
    Ok(Transport::Tls(address, Box::new(tls)))
}

async fn tcp_stream(address: &str) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The address as its user wrote it.
impl std::fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.written)
    }
}

impl Task {
    /// Runs `future` until it ends or the task is dropped.
    pub(super) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(future))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests;
