//! The diagnosis of an endpoint that cannot be used: what listens there instead. Start with
//! [`Endpoint::diagnose`].
//!
//! A server that is spoken to in the wrong way hangs up, or answers in a way that means nothing to the client. So
//! the diagnosis speaks to the address anew, in the ways of the servers that it may be mistaken for, and looks at
//! the first bytes of their answers.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConfig, ClientConnection, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::tls::{Tls, provider};
use super::{Connection, Endpoint, Protocol, Transport, tcp_stream};
use crate::engine::EngineError;

/// The longest time for one question. A server that does not understand it may wait for more.
const LIMIT: Duration = Duration::from_secs(2);
/// The most bytes of an answer that are looked at.
const ANSWER_LIMIT: u64 = 4096;

/// The question that dockerd answers from memory.
const PING: &[u8] = b"GET /_ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
/// The request for the keys of an ssh agent, and the number of the answer's kind: `SSH_AGENTC_REQUEST_IDENTITIES`
/// and `SSH_AGENT_IDENTITIES_ANSWER` of <https://datatracker.ietf.org/doc/draft-ietf-sshm-ssh-agent/>.
const AGENT_QUESTION: &[u8] = &[0, 0, 0, 1, 11];
const AGENT_ANSWER: u8 = 12;

/// What listens at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listener {
    Docker,
    BuildKit,
    /// A server of HTTP that is neither of them.
    Http,
    /// Something that speaks TLS.
    Tls,
    SshAgent,
}

impl Endpoint {
    /// The error for an endpoint that could not be used, with the reason if something else listens there than its
    /// address says, or if one side does not accept the other's certificate; else `error` itself.
    pub(in crate::engine) async fn diagnose(&self, error: EngineError) -> EngineError {
        if !matches!(error, EngineError::Unreachable { .. } | EngineError::Lost(_)) {
            return error;
        }
        let reason = match &self.transport {
            Transport::Unix(_) | Transport::Tcp(_) => self.mistaken().await,
            Transport::Tls(address, tls) => match refusal(address, tls).await {
                Some(reason) => Some(reason),
                None => self.mistaken_for_tls().await,
            },
            // What `ssh` says is the reason.
            Transport::Ssh(_) => None,
        };
        reason.map_or(error, |reason| EngineError::Address { address: self.to_string(), reason })
    }

    /// The reason for which an address without TLS does not lead to an engine of its protocol.
    async fn mistaken(&self) -> Option<String> {
        let plain = self.written.strip_prefix("buildkit+").unwrap_or(&self.written);
        Some(match (self.listener().await?, self.protocol) {
            (Listener::Docker, Protocol::BuildKit) => {
                format!("dockerd answers there, not a buildkitd; write `{plain}`")
            }
            (Listener::BuildKit, Protocol::Docker) => {
                format!("a buildkitd answers there, not dockerd; write `buildkit+{plain}`")
            }
            (Listener::Http, _) => {
                "a web server answers there, no engine; name the engine's own address".to_owned()
            }
            (Listener::SshAgent, _) => {
                "an ssh agent listens there, no engine; name the engine's own socket".to_owned()
            }
            (Listener::Tls, _) => {
                format!("it speaks TLS, and was spoken to without; {}", self.way_to_tls())
            }
            (Listener::Docker | Listener::BuildKit, _) => return None,
        })
    }

    async fn mistaken_for_tls(&self) -> Option<String> {
        let without = match self.listener().await? {
            Listener::Tls => return None,
            _ if self.protocol == Protocol::BuildKit => "write `buildkit+http://` if it shall stay so",
            _ => "write `http://` if it shall stay so",
        };
        Some(format!(
            "it does not speak TLS, and there are certificates for it; let it speak TLS, or {without}"
        ))
    }

    fn way_to_tls(&self) -> &'static str {
        if self.written.starts_with("buildkit+http://") {
            return "write `buildkit+tcp://`, and name the folder of its certificates";
        }
        if self.written.starts_with("http://") {
            return "write `tcp://`, and name the folder of its certificates";
        }
        "name the folder of its certificates: `certificates` of a builder, `DTBUILD_ENGINE_CERTS` for \
         `DTBUILD_ENGINE`, `DOCKER_CERT_PATH` with `DOCKER_TLS_VERIFY=1` for `DOCKER_HOST`"
    }

    /// What listens at the address, told by its answers; none if nothing can be told.
    async fn listener(&self) -> Option<Listener> {
        if let Some(listener) = self.asked(PING).await.as_deref().and_then(by_answer_to_ping) {
            return Some(listener);
        }
        if let Transport::Unix(_) = &self.transport {
            let answer = self.asked(AGENT_QUESTION).await?;
            return (answer.get(4) == Some(&AGENT_ANSWER)).then_some(Listener::SshAgent);
        }
        let answer = self.asked(&client_hello()?).await?;
        is_tls(&answer).then_some(Listener::Tls)
    }

    /// The first bytes that are answered to `question` on a new connection without TLS; none without an answer.
    async fn asked(&self, question: &[u8]) -> Option<Vec<u8>> {
        let talk = async {
            let mut stream: Box<dyn Connection> = match &self.transport {
                Transport::Unix(path) => Box::new(UnixStream::connect(path).await?),
                Transport::Tcp(address) | Transport::Tls(address, _) => Box::new(tcp_stream(address).await?),
                Transport::Ssh(_) => return Err(io::ErrorKind::Unsupported.into()),
            };
            stream.write_all(question).await?;
            let mut answer = vec![0; 5];
            stream.read_exact(&mut answer).await?;
            // A server that does not hang up is told by what came until then.
            let _ = timeout(LIMIT / 4, stream.take(ANSWER_LIMIT).read_to_end(&mut answer)).await;
            io::Result::Ok(answer)
        };
        timeout(LIMIT, talk).await.ok()?.ok()
    }
}

/// The reason for which one side of TLS does not accept the other; none if both do, or if that is not the fault.
async fn refusal(address: &str, tls: &Tls) -> Option<String> {
    let talk = async {
        let mut stream = tls.connect(tcp_stream(address).await?).await?;
        // A server refuses a client's certificate after the client's side of the handshake.
        stream.read_u8().await
    };
    let error = timeout(LIMIT, talk).await.ok()?.err()?;
    let folder = tls.folder.display();
    Some(match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(fault) => match fault {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
                "the authority in `{folder}/ca.pem` did not sign its certificate; put the authority's there that did"
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                let name = tls.name();
                format!(
                    "its certificate is not for `{name}`; use a name or address that is in it, or add this one"
                )
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired; give it a new one".to_owned()
            }
            other => format!("its certificate cannot be used: {other}; give it another one"),
        },
        rustls::Error::AlertReceived(alert) if !tls.has_client() && wants_certificate(*alert) => {
            format!("it wants to know who asks; put the client's `cert.pem` and `key.pem` into `{folder}`")
        }
        rustls::Error::AlertReceived(alert) if refuses_certificate(*alert) => {
            format!(
                "it does not accept `{folder}/cert.pem`; have it signed by the authority that the engine trusts"
            )
        }
        _ => return None,
    })
}

fn wants_certificate(alert: AlertDescription) -> bool {
    // Before TLS 1.3 there was no alert of its own for it.
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::HandshakeFailure
    )
}

fn refuses_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError
    )
}

/// The listener that answers to [`PING`] in this way; none if another question has to tell.
fn by_answer_to_ping(answer: &[u8]) -> Option<Listener> {
    if let [0, _, _, 4, 0, 0, 0, 0, 0, ..] = answer {
        // Servers of gRPC begin with the frame SETTINGS of HTTP/2, whatever they are asked: RFC 9113, section 3.4.
        return Some(Listener::BuildKit);
    }
    if is_tls(answer) {
        return Some(Listener::Tls);
    }
    let answer = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let head = answer.split("\r\n\r\n").next().filter(|_| answer.starts_with("http/1."))?;
    // A proxy answers with a failure while the engine behind it is away.
    let is_failure = head.split(' ').nth(1).is_some_and(|status| status.starts_with('5'));
    if is_failure {
        return None;
    }
    Some(if head.contains("\r\napi-version:") {
        Listener::Docker
    } else if answer.contains("http request to an https server") {
        Listener::Tls
    } else {
        Listener::Http
    })
}

/// True if the bytes begin a record of TLS, an alert or a handshake: RFC 8446, section 5.1.
fn is_tls(answer: &[u8]) -> bool {
    matches!(answer, [0x15 | 0x16, 3, ..])
}

/// The first message of a client of TLS.
fn client_hello() -> Option<Vec<u8>> {
    let config =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().ok()?;
    let config = config.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let name = ServerName::try_from("localhost").ok()?;
    let mut hello = Vec::new();
    ClientConnection::new(Arc::new(config), name).ok()?.write_tls(&mut hello).ok()?;
    Some(hello)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_told_by_their_first_bytes() {
        for (answer, listener) in [
            (&b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\n\r\nOK"[..], Some(Listener::Docker)),
            (b"HTTP/1.1 404 Not Found\r\n\r\nApi-Version: none", Some(Listener::Http)),
            (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", None),
            (
                b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
                Some(Listener::Tls),
            ),
            (b"\0\0\x06\x04\0\0\0\0\0\0\x05\0\0\x40\0", Some(Listener::BuildKit)),
            (b"\x15\x03\x01\0\x02\x02\x46", Some(Listener::Tls)),
            (b"SSH-2.0-OpenSSH_9.2\r\n", None),
            (b"\0\0\0\x05\x0c\0\0\0\0", None),
        ] {
            assert_eq!(by_answer_to_ping(answer), listener, "{}", String::from_utf8_lossy(answer));
        }
    }

    #[test]
    fn a_client_hello_is_a_record_of_tls() {
        assert!(is_tls(&client_hello().unwrap()));
    }
}
