//! A client of Docker's API, which keeps its connections. Start with [`Endpoint::api`].

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, BollardRequest, ClientVersion};
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::{HeaderMap, Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection as Poolable};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::exchange::{never_there, words};
use super::{Connection, Endpoint};
use crate::engine::EngineError;

/// The longest time that a request to the API may take unless the silence limit is lower; builds and pushes have
/// no limit.
const REQUEST_LIMIT: Duration = Duration::from_mins(2);

/// Docker's API at an endpoint, with the client that speaks it.
#[derive(Debug)]
pub(in crate::engine) struct Api {
    /// The client, which speaks the newest version of the API that both sides know.
    pub(in crate::engine) docker: bollard::Docker,
    /// True if podman answers, which has Docker's API without BuildKit.
    pub(in crate::engine) is_podman: bool,
    endpoint: Endpoint,
}

impl Endpoint {
    /// A client of the engine's API.
    ///
    /// The client asks the engine by `_ping`, which the engine answers from memory: for `version`, dockerd
    /// runs several programs.
    pub(in crate::engine) async fn api(&self) -> Result<Api, EngineError> {
        let endpoint = self.clone();
        let connector = tower::service_fn(move |_: Uri| {
            let endpoint = endpoint.clone();
            Box::pin(async move { endpoint.connect().await.map(|stream| Pooled(TokioIo::new(stream))) })
        });
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let transport = move |request: BollardRequest| {
            let client = client.clone();
            async move {
                let answer = client.request(request).await;
                answer.map_err(|error| io::Error::other(never_there(&error).unwrap_or_else(|| words(&error))))
            }
        };
        let question = Request::get("http://localhost/_ping").header(HOST, "localhost");
        let question =
            question.body(bollard::body_full(Bytes::new())).map_err(|error| self.unreachable(error))?;
        let answer = self.greeted(transport(question)).await?.map_err(|error| self.unreachable(error))?;
        if !answer.status().is_success() {
            return Err(self.unreachable(format!("`/_ping` answered {}", answer.status())));
        }
        let version = version(answer.headers());
        let is_podman = answer.headers().contains_key("Libpod-Api-Version");
        let docker = bollard::Docker::connect_with_custom_transport(
            move |request| {
                let answer = transport(request);
                async move { Ok(answer.await?) }
            },
            // The address is never looked up.
            Some("http://localhost"),
            self.patience().limit().min(REQUEST_LIMIT).as_secs().max(1),
            &version,
        );
        let docker = docker.map_err(|error| self.unreachable(error))?;
        Ok(Api { docker, is_podman, endpoint: self.clone() })
    }
}

impl Api {
    /// Asks the engine whether it is there.
    pub(in crate::engine) async fn ping(&self) -> Result<(), EngineError> {
        self.docker.ping().await.map(drop).map_err(|error| self.failed(&error))
    }

    /// The error for a request that the engine did not or could not answer.
    pub(in crate::engine) fn failed(&self, error: &bollard::errors::Error) -> EngineError {
        match error {
            bollard::errors::Error::RequestTimeoutError => {
                self.endpoint.silent(self.endpoint.patience().at_most(REQUEST_LIMIT).silence())
            }
            bollard::errors::Error::DockerResponseServerError { message, .. } => {
                EngineError::Lost(message.trim().to_owned())
            }
            other => EngineError::Lost(other.to_string()),
        }
    }
}

/// The newest version of the API that both the engine and dtbuild know.
fn version(headers: &HeaderMap) -> ClientVersion {
    let own = *API_DEFAULT_VERSION;
    let told = headers.get("Api-Version").and_then(|value| value.to_str().ok()?.split_once('.'));
    let numbers = told.and_then(|(major, minor)| major.parse().ok().zip(minor.parse().ok()));
    match numbers.map(|(major_version, minor_version)| ClientVersion { major_version, minor_version }) {
        Some(theirs) if theirs < own => theirs,
        _ => own,
    }
}

/// A connection of the client's pool, which may be used again.
struct Pooled(TokioIo<Box<dyn Connection>>);

impl Poolable for Pooled {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Pooled {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Pooled {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_that_both_know_is_spoken() {
        for (told, spoken) in [("1.41", "1.41"), ("1.9", "1.9"), ("2.0", ""), ("nonsense", ""), ("", "")] {
            let headers = HeaderMap::from_iter([("api-version".parse().unwrap(), told.parse().unwrap())]);
            let own = API_DEFAULT_VERSION.to_string();
            let expected = if spoken.is_empty() { own.as_str() } else { spoken };
            assert_eq!(version(&headers).to_string(), expected, "{told}");
        }
    }
}
