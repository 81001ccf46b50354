//! Where an engine listens, and HTTP to it. Start with [`Endpoint`].
//!
//! Builds need what HTTP clients hide: a connection that stops being HTTP/1.1 after its first answer
//! ([`Endpoint::upgrade`]). So each exchange here has a connection of its own, which ends with it.

use std::path::PathBuf;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;

use super::EngineError;

/// Docker's own default.
const DEFAULT: &str = "unix:///var/run/docker.sock";
/// A local socket answers at once or never; a remote one within a few round trips.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// What is kept of an answer that is not the expected one.
const ERROR_BODY_LIMIT: usize = 64 * 1024;

/// The address of an engine, as `DOCKER_HOST` gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// A socket's path.
    Unix(PathBuf),
    /// Host and port, without TLS.
    Tcp(String),
}

/// A task that lives no longer than its owner.
#[derive(Debug)]
pub(super) struct Task(JoinHandle<()>);

/// The answer to an HTTP request, and the connection that it comes over.
pub(super) struct Answer {
    /// Status, headers and body.
    pub(super) response: Response<Incoming>,
    connection: Task,
}

trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

impl Endpoint {
    /// Reads an address such as `unix:///var/run/docker.sock` or `tcp://127.0.0.1:2375`; none for the default.
    pub(super) fn parse(host: Option<&str>) -> Result<Self, EngineError> {
        let host = host.filter(|host| !host.is_empty()).unwrap_or(DEFAULT);
        match host.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(("tcp" | "http", address)) if !address.is_empty() => {
                let address = address.trim_end_matches('/');
                let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
                Ok(Self::Tcp(if has_port { address.to_owned() } else { format!("{address}:2375") }))
            }
            _ => Err(EngineError::Unreachable {
                endpoint: host.to_owned(),
                reason: "expected `unix:///path` or `tcp://host:port` in `DOCKER_HOST`".to_owned(),
            }),
        }
    }

    /// Sends `request` over a connection of its own.
    pub(super) async fn send(&self, mut request: Request<Full<Bytes>>) -> Result<Answer, EngineError> {
        let stream = tokio::time::timeout(CONNECT_LIMIT, self.connect())
            .await
            .map_err(|_| self.unreachable("it did not answer within 10 seconds"))?
            .map_err(|error| self.unreachable(error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.unreachable(error))?;
        let connection = Task::spawn(async move {
            // How it ends is told by the answer.
            let _ = connection.with_upgrades().await;
        });
        // Docker ignores the value, and HTTP/1.1 demands one.
        request.headers_mut().insert(HOST, hyper::header::HeaderValue::from_static("localhost"));
        let response =
            sender.send_request(request).await.map_err(|error| EngineError::Lost(error.to_string()))?;
        Ok(Answer { response, connection })
    }

    /// Turns a connection into the raw stream behind `path`, where both sides then speak HTTP/2.
    ///
    /// `None` when the engine has no such path.
    pub(super) async fn upgrade(
        &self,
        path: &str,
        headers: &[(&'static str, String)],
    ) -> Result<Option<Upgraded>, EngineError> {
        let mut request = Request::post(path).header(CONNECTION, "Upgrade").header(UPGRADE, "h2c");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::default()).map_err(|error| EngineError::Lost(error.to_string()))?;
        let answer = self.send(request).await?;
        match answer.response.status() {
            StatusCode::SWITCHING_PROTOCOLS => {
                let upgraded = hyper::upgrade::on(answer.response)
                    .await
                    .map_err(|error| EngineError::Lost(error.to_string()))?;
                Ok(Some(upgraded))
            }
            StatusCode::NOT_FOUND => Ok(None),
            status => {
                let text = answer.error_text().await;
                Err(EngineError::Lost(format!("`{path}` answered {status}: {text}")))
            }
        }
    }

    async fn connect(&self) -> std::io::Result<Box<dyn Connection>> {
        Ok(match self {
            Self::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        })
    }

    /// The error for an engine that does not answer.
    pub(super) fn unreachable(&self, reason: impl std::fmt::Display) -> EngineError {
        EngineError::Unreachable { endpoint: self.to_string(), reason: reason.to_string() }
    }
}

impl Answer {
    /// The text of an error answer: Docker's `message`, or the body itself, bounded.
    pub(super) async fn error_text(self) -> String {
        let _connection = self.connection;
        let body = match Limited::new(self.response.into_body(), ERROR_BODY_LIMIT).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return error.to_string(),
        };
        let message = serde_json::from_slice::<serde_json::Value>(&body)
            .ok()
            .and_then(|answer| Some(answer.get("message")?.as_str()?.to_owned()));
        message.unwrap_or_else(|| String::from_utf8_lossy(&body).trim().to_owned())
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(formatter, "unix://{}", path.display()),
            Self::Tcp(address) => write!(formatter, "tcp://{address}"),
        }
    }
}

impl Task {
    /// Runs `future` until it ends or the guard is dropped.
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
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_docker_host() {
        let tcp = |address: &str| Endpoint::Tcp(address.to_owned());
        assert_eq!(Endpoint::parse(None).unwrap().to_string(), DEFAULT);
        assert_eq!(Endpoint::parse(Some("")).unwrap().to_string(), DEFAULT);
        assert_eq!(Endpoint::parse(Some("tcp://127.0.0.1:1/")).unwrap(), tcp("127.0.0.1:1"));
        assert_eq!(Endpoint::parse(Some("tcp://build.lan")).unwrap(), tcp("build.lan:2375"));
        assert!(Endpoint::parse(Some("ssh://build.lan")).is_err());
        assert!(Endpoint::parse(Some("unix://relative")).is_err());
    }

    #[tokio::test]
    async fn an_engine_that_is_not_there_is_unreachable() {
        let endpoint = Endpoint::Unix("/nonexistent/docker.sock".into());
        let error = endpoint.upgrade("/grpc", &[]).await.unwrap_err();
        assert!(error.to_string().contains("cannot reach the engine at `unix:///nonexistent/docker.sock`"));
    }
}
