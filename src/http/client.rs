//! The [`Client`]: requests sent, redirections followed, answers read within their bounds.

use std::mem;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, LOCATION};
use reqwest::{Method, Response, Url};

use super::error::innermost;
use super::{Answer, HttpError, PlainHosts, Problem, Request, SMALL_ANSWER, authority, retry, tls};
use crate::loopback::is_loopback;

/// How long a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long a request may take, its answer included.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// How many redirections are followed.
const REDIRECTIONS: usize = 5;

/// The connections to all servers.
#[derive(Debug)]
pub(crate) struct Client {
    /// For other machines: through the proxy that the environment names.
    remote: reqwest::Client,
    /// For this machine, which no proxy can reach.
    local: reqwest::Client,
    plain: PlainHosts,
}

/// One request on its way: what a redirection changes of it.
struct Hop<'a> {
    request: &'a Request,
    url: Url,
    headers: HeaderMap,
    redirected: bool,
}

impl Client {
    /// A client that speaks without TLS to `plain` alone; the reason where TLS cannot be set up on this machine.
    pub(crate) fn new(plain: PlainHosts) -> Result<Self, String> {
        let tls = tls::config().map_err(|error| error.to_string())?;
        let build = |local: bool| {
            let builder = reqwest::Client::builder()
                .user_agent(concat!("dtbuild/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT_LIMIT)
                .timeout(REQUEST_LIMIT)
                .tls_backend_preconfigured(tls.clone())
                .redirect(reqwest::redirect::Policy::none());
            let builder = if local { builder.no_proxy() } else { builder };
            builder.build().map_err(|error| innermost(&error).0)
        };
        Ok(Self { remote: build(false)?, local: build(true)?, plain })
    }

    /// The hosts that may be spoken to without TLS.
    pub(crate) fn plain(&self) -> &PlainHosts {
        &self.plain
    }

    /// Sends a request. It gets two more chances when the failure may pass and nothing can be done twice.
    pub(crate) async fn send(&self, request: &Request) -> Result<Answer, HttpError> {
        for usual in retry::PAUSES {
            let result = self.attempt(request).await;
            match retry::pause(request, &result, usual) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return result,
            }
        }
        self.attempt(request).await
    }

    /// Sends a request once, to wherever it is sent on.
    async fn attempt(&self, request: &Request) -> Result<Answer, HttpError> {
        let mut hop =
            Hop { request, url: request.url.clone(), headers: request.headers.clone(), redirected: false };
        for _ in 0..=REDIRECTIONS {
            let response = self.exchange(&hop).await?;
            match hop.next(&response, &self.plain)? {
                Some(next) => hop = next,
                None => return hop.read(response).await,
            }
        }
        Err(hop.failed(Problem::Redirected, "too many redirections"))
    }

    async fn exchange(&self, hop: &Hop<'_>) -> Result<Response, HttpError> {
        let client = if hop.url.host_str().is_some_and(is_loopback) { &self.local } else { &self.remote };
        let request =
            client.request(hop.request.method.clone(), hop.url.clone()).headers(hop.headers.clone());
        let request = match &hop.request.body {
            Some(body) => request.body(body.clone()),
            None => request,
        };
        request.send().await.map_err(|error| hop.broken(error))
    }
}

impl<'a> Hop<'a> {
    /// The hop that a response leads to; none where it is the answer.
    fn next(&self, response: &Response, plain: &PlainHosts) -> Result<Option<Hop<'a>>, HttpError> {
        let reads = matches!(self.request.method, Method::GET | Method::HEAD);
        let leads_on = match response.status().as_u16() {
            301..=303 => reads,
            307 | 308 => true,
            _ => false,
        };
        let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let Some(url) = location.filter(|_| leads_on).and_then(|location| self.url.join(location).ok())
        else {
            return Ok(None);
        };
        // A server may send elsewhere, but never from TLS to none.
        if !plain.accept(&url) {
            return Err(self.failed(Problem::Redirected, "it redirects to an address without TLS"));
        }
        let mut headers = self.headers.clone();
        let elsewhere = authority(&url) != authority(&self.url) || url.scheme() != self.url.scheme();
        if elsewhere {
            // Who asks concerns nobody else.
            headers.remove(AUTHORIZATION);
        }
        Ok(Some(Hop { request: self.request, url, headers, redirected: self.redirected || elsewhere }))
    }

    /// Reads an answer to its bound.
    async fn read(self, mut response: Response) -> Result<Answer, HttpError> {
        let status = response.status();
        let failed = status.as_u16() >= 400;
        let limit = if failed { SMALL_ANSWER } else { self.request.limit };
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(error))? {
            if body.len() + chunk.len() > limit {
                if failed {
                    break;
                }
                return Err(self.failed(Problem::TooLarge, &format!("it is larger than {limit} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers: mem::take(response.headers_mut()), body, url: self.url })
    }

    fn broken(&self, error: reqwest::Error) -> HttpError {
        HttpError::from_transport(authority(&self.url), self.redirected, error)
    }

    fn failed(&self, problem: Problem, reason: &str) -> HttpError {
        let (peer, reason) = (authority(&self.url), reason.to_owned());
        HttpError { peer, redirected: self.redirected, problem, reason }
    }
}
