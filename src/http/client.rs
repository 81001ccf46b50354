//! The HTTP client: sends requests, follows redirections, reads answers within their bounds. Start with [`Client`].

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, LOCATION};
use reqwest::{Method, Response, Url};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::innermost;
use super::patience::{Patience, Silence, Wait};
use super::{Answer, HttpError, PlainHosts, Problem, Request, SMALL_ANSWER, authority, retry, tls};
use crate::loopback::is_loopback;

/// The longest time that a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// The longest time that a request may take, its answer included.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// The largest number of redirections that a request follows.
const REDIRECTIONS: usize = 5;

/// The largest number of connections to one server, whatever is asked of the server.
const CONNECTIONS: usize = 32;

/// The largest number of requests under way to one server. It is lower than the number of connections: an answer may
/// be read before its connection can be used again, and then the next request makes another connection.
const SEATS: usize = 28;

/// The number of free seats from which on an answered request leaves its seat at once: one more connection is no harm then.
const AMPLE: usize = SEATS / 2;

/// The time from the end of an answer until its connection can be used again.
const RETURN: Duration = Duration::from_millis(2);

/// The HTTP client, with the connections to all servers.
#[derive(Debug)]
pub(crate) struct Client {
    /// The client for other machines: through the proxy that the process's environment names.
    remote: reqwest::Client,
    /// The client for this machine, which no proxy can reach.
    local: reqwest::Client,
    plain: PlainHosts,
    patience: Patience,
    seats: Seats,
}

/// The requests that may be under way, counted per server.
#[derive(Debug, Default)]
struct Seats(Mutex<HashMap<String, Arc<Semaphore>>>);

/// The right of a request to be under way, given back when the request's connection can be used again.
struct Seat(Option<OwnedSemaphorePermit>);

/// One request on its way, with the parts that a redirection changes.
struct Hop<'a> {
    request: &'a Request,
    url: Url,
    headers: HeaderMap,
    redirected: bool,
}

impl Client {
    /// Makes a client that speaks without TLS to the hosts `plain` alone, and gives up a server that says nothing for
    /// `silence_limit`. The error is the reason why TLS cannot be set up on this machine.
    pub(crate) fn new(plain: PlainHosts, silence_limit: Option<Duration>) -> Result<Self, String> {
        let tls = tls::config().map_err(|error| error.to_string())?;
        let build = |local: bool| {
            let builder = reqwest::Client::builder()
                .user_agent(concat!("dtbuild/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT_LIMIT)
                .timeout(REQUEST_LIMIT)
                .pool_max_idle_per_host(CONNECTIONS)
                .tls_backend_preconfigured(tls.clone())
                .redirect(reqwest::redirect::Policy::none());
            let builder = if local { builder.no_proxy() } else { builder };
            builder.build().map_err(|error| innermost(&error).0)
        };
        Ok(Self {
            remote: build(false)?,
            local: build(true)?,
            plain,
            patience: Patience::new(silence_limit),
            seats: Seats::default(),
        })
    }

    /// The hosts that may be spoken to without TLS.
    pub(crate) fn plain(&self) -> &PlainHosts {
        &self.plain
    }

    /// Sends a request. The request gets two more attempts when the failure may pass and nothing can be done twice.
    pub(crate) async fn send(&self, request: &Request) -> Result<Answer, HttpError> {
        let peer = authority(&request.url);
        let _seat = Seat(self.seats.take(&peer).await);
        let mut wait = self.patience.begin(&peer).map_err(|silence| silent(peer, false, silence))?;
        for usual in retry::PAUSES {
            let result = self.attempt(request, &mut wait).await;
            match retry::pause(request, &result, usual) {
                Some(pause) => wait.pause(pause).await,
                None => return result,
            }
        }
        self.attempt(request, &mut wait).await
    }

    /// Sends a request once, and follows its redirections.
    async fn attempt(&self, request: &Request, wait: &mut Wait<'_>) -> Result<Answer, HttpError> {
        let mut hop =
            Hop { request, url: request.url.clone(), headers: request.headers.clone(), redirected: false };
        for _ in 0..=REDIRECTIONS {
            let sent = wait.hear(&authority(&hop.url), self.exchange(&hop)).await;
            let response = sent.map_err(|silence| hop.silent(silence))??;
            wait.heard();
            match hop.next(&response, &self.plain)? {
                Some(next) => hop = next,
                None => return hop.read(response, wait).await,
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

impl Seats {
    /// Waits until one more request may be under way to `peer`.
    async fn take(&self, peer: &str) -> Option<OwnedSemaphorePermit> {
        let seats = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(peer.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(SEATS))))
        };
        // The semaphore is never closed.
        seats.acquire_owned().await.ok()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(seat) = self.0.take() else { return };
        if seat.semaphore().available_permits() >= AMPLE {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                tokio::time::sleep(RETURN).await;
                drop(seat);
            });
        }
    }
}

impl<'a> Hop<'a> {
    /// The hop that a response redirects to; none if the response is the answer.
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
        // A server may redirect to another one, but never to an address without TLS that needs TLS.
        if !plain.accept(&url) {
            return Err(self.failed(Problem::Redirected, "it redirects to an address without TLS"));
        }
        let mut headers = self.headers.clone();
        let elsewhere = authority(&url) != authority(&self.url) || url.scheme() != self.url.scheme();
        if elsewhere {
            // The credentials are meant for the first server alone.
            headers.remove(AUTHORIZATION);
        }
        Ok(Some(Hop { request: self.request, url, headers, redirected: self.redirected || elsewhere }))
    }

    /// Reads the body of an answer up to its bound.
    async fn read(self, mut response: Response, wait: &mut Wait<'_>) -> Result<Answer, HttpError> {
        let status = response.status();
        let failed = status.as_u16() >= 400;
        let limit = if failed { SMALL_ANSWER } else { self.request.limit };
        let (mut body, peer) = (Vec::new(), authority(&self.url));
        loop {
            let chunk = wait.hear(&peer, response.chunk()).await.map_err(|silence| self.silent(silence))?;
            let Some(chunk) = chunk.map_err(|error| self.broken(error))? else { break };
            wait.heard();
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

    fn silent(&self, silence: Silence) -> HttpError {
        silent(authority(&self.url), self.redirected, silence)
    }

    fn failed(&self, problem: Problem, reason: &str) -> HttpError {
        let (peer, reason) = (authority(&self.url), reason.to_owned());
        HttpError { peer, redirected: self.redirected, problem, reason }
    }
}

fn silent(peer: String, redirected: bool, Silence(limit): Silence) -> HttpError {
    let reason = format!("nothing was heard of it for {} seconds", limit.as_secs());
    HttpError { peer, redirected, problem: Problem::Silent, reason }
}
