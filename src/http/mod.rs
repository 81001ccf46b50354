//! The HTTP client of dtbuild: one [`Client`] for all servers that are asked by requests and answers.
//!
//! Start with [`Client::send`]: a [`Request`] goes out, an [`Answer`] comes back, whatever its status. The client bounds
//! answers and time, repeats requests that may be repeated, follows redirections, keeps connections and limits their
//! number. The meaning of a status, the credentials and the words of a failure are the caller's: registries have
//! theirs in [`crate::registry`].

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};

mod address;
mod client;
mod error;
mod patience;
mod retry;
mod tls;

pub(crate) use address::{PlainHosts, authority};
pub(crate) use client::Client;
pub(crate) use error::{HttpError, Problem, legible};
pub(crate) use retry::retry_after;

/// The largest answer to a request that sets no other limit, and the largest body of a failure, in bytes.
const SMALL_ANSWER: usize = 256 * 1024;

/// A request, which may be sent several times.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    /// The bytes to send; none for a request without a body.
    pub(crate) body: Option<Vec<u8>>,
    /// The largest answer, in bytes.
    pub(crate) limit: usize,
    /// True if sending the request twice does no more than sending it once.
    pub(crate) repeatable: bool,
}

/// The answer to a request, with any status.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The body of the answer; of a failure (status 400 and more), only the part that was read.
    pub(crate) body: Vec<u8>,
    /// The address that the answer came from, after redirections.
    pub(crate) url: Url,
}

impl Request {
    /// A request without a body. GET and HEAD may be repeated.
    pub(crate) fn new(method: Method, url: Url) -> Self {
        let repeatable = matches!(method, Method::GET | Method::HEAD);
        Self { method, url, headers: HeaderMap::new(), body: None, limit: SMALL_ANSWER, repeatable }
    }

    /// The request with a header.
    #[must_use]
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The request with a body of this media type.
    #[must_use]
    pub(crate) fn body(self, media_type: &str, body: Vec<u8>) -> Self {
        let value =
            HeaderValue::from_str(media_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
        let this = self.header(reqwest::header::CONTENT_TYPE, value);
        Self { body: Some(body), ..this }
    }
}
