//! Failures of requests. Start with [`HttpError`].

use std::error::Error;
use std::io::ErrorKind;

/// The failure of a request that got no usable answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{peer}`: {reason}")]
pub(crate) struct HttpError {
    /// The server's host, with the port if there is one: after redirections, the last server.
    pub(crate) peer: String,
    /// True if another server redirected the request to this server.
    pub(crate) redirected: bool,
    /// The kind of failure.
    pub(crate) problem: Problem,
    /// The reason of the failure, fit for a terminal. The text never holds the URL, which could hold a password.
    pub(crate) reason: String,
}

/// The kinds of failure that callers may tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// The connection was refused: no server listens.
    Refused,
    /// The server's certificate is not trusted.
    Certificate,
    /// The server does not speak TLS.
    NotTls,
    /// The answer took too long.
    TimedOut,
    /// The server said nothing for as long as `--silence-limit` says.
    Silent,
    /// The answer is larger than the request's limit.
    TooLarge,
    /// The redirections are too many, or lead to an address without TLS.
    Redirected,
    /// The connection could not be made, or broke.
    Broken,
}

impl HttpError {
    /// True if the same request may succeed a moment later.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.problem, Problem::Refused | Problem::TimedOut | Problem::Broken)
    }

    /// The failure that an error of the transport means.
    pub(super) fn from_transport(peer: String, redirected: bool, error: reqwest::Error) -> Self {
        let error = error.without_url();
        let (reason, refused) = innermost(&error);
        let problem = if refused {
            Problem::Refused
        } else if reason.contains("certificate") {
            Problem::Certificate
        } else if reason.contains("corrupt message") || reason.contains("InvalidContentType") {
            Problem::NotTls
        } else if error.is_timeout() {
            Problem::TimedOut
        } else {
            Problem::Broken
        };
        Self { peer, redirected, problem, reason }
    }
}

/// The words of an error's innermost cause, and true if a connection was refused on the way to that cause.
pub(super) fn innermost(error: &dyn Error) -> (String, bool) {
    let (mut cause, mut refused) = (error, false);
    while let Some(next) = cause.source() {
        cause = next;
        let io = next.downcast_ref::<std::io::Error>();
        refused |= io.is_some_and(|io| io.kind() == ErrorKind::ConnectionRefused);
    }
    (legible(&cause.to_string(), 300), refused)
}

/// A text from elsewhere, made fit for a terminal: without control characters and cut to `limit` characters.
pub(crate) fn legible(text: &str, limit: usize) -> String {
    let text = text.replace(char::is_whitespace, " ");
    let text = crate::inert::plain(text.trim());
    let mut legible: String = text.chars().take(limit).collect();
    if text.chars().nth(limit).is_some() {
        legible.push('…');
    }
    legible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_elsewhere_cannot_move_the_cursor() {
        assert_eq!(legible("\u{1b}[2Jgone\r\nnow\n", 20), "gone  now");
        assert_eq!(legible("abcdef", 3), "abc…");
    }
}
