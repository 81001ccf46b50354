//! HTTP exchanges with an engine. Start with [`Endpoint::send`].
//!
//! Builds need a feature that HTTP clients hide: a connection that stops being HTTP/1.1 after its first
//! answer ([`Endpoint::upgrade`]). So each exchange has a connection of its own, which ends with the
//! exchange. Other requests go through [`Endpoint::api`], which keeps its connections: over ssh each
//! connection costs a handshake.

use std::error::Error;
use std::io;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderValue, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

use super::{Endpoint, Task};
use crate::engine::EngineError;
use crate::engine::patience::Silence;

/// The longest part of an unexpected answer that is read, in bytes.
const ERROR_BODY_LIMIT: usize = 64 * 1024;

/// The answer to an HTTP request, with the connection that carries it.
pub(in crate::engine) struct Answer {
    /// The answer's status, headers and body.
    pub(in crate::engine) response: Response<Incoming>,
    connection: Task,
}

impl Endpoint {
    /// Sends `request` over a connection of its own.
    pub(in crate::engine) async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Answer, EngineError> {
        let stream = self.connect().await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.unreachable(error))?;
        let connection = Task::spawn(async move {
            // The answer tells how the connection ends.
            let _ = connection.with_upgrades().await;
        });
        // Docker ignores the value, and HTTP/1.1 demands one.
        request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
        let answer = self.patience().wait(sender.send_request(request)).await;
        let answer = answer.map_err(|silence| self.silent(silence))?;
        let response = answer.map_err(|error| self.broken(&error))?;
        Ok(Answer { response, connection })
    }

    /// Turns a new connection into the raw stream behind `path`, where both sides then speak HTTP/2.
    ///
    /// Returns `None` if the engine has no such path.
    pub(in crate::engine) async fn upgrade(
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

    /// The error for an engine that does not answer a request.
    pub(in crate::engine) fn silent(&self, silence: Silence) -> EngineError {
        let hint = "see its log, restart it if it hangs";
        EngineError::Silent { what: format!("the engine at `{self}`"), time: silence.to_string(), hint }
    }

    /// The error for a connection that ended before the answer came.
    fn broken(&self, error: &hyper::Error) -> EngineError {
        match never_there(error) {
            Some(reason) => self.unreachable(reason),
            None => EngineError::Lost(words(error)),
        }
    }
}

/// The reason for which there was no connection at all, if `error` comes from that; none otherwise.
pub(super) fn never_there(error: &(dyn Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(EngineError::Unreachable { reason, .. }) = error.downcast_ref() {
            return Some(reason.clone());
        }
        let io = error.downcast_ref::<io::Error>();
        if let Some(io) = io.filter(|io| io.kind() == io::ErrorKind::NotConnected) {
            return Some(io.to_string());
        }
        cause = error.source();
    }
    None
}

/// The messages of an error and of its causes, in one line.
pub(super) fn words(error: &(dyn Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        source = cause.source();
    }
    words
}

impl Answer {
    /// The text of an error answer: Docker's `message`, or the body itself, up to a limit.
    pub(in crate::engine) async fn error_text(self) -> String {
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
