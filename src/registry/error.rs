//! Why a registry did not do what it was asked: [`RegistryError`].

use std::time::Duration;

/// A request to a registry that failed: what was to be done, and why it was not.
#[derive(Clone, Debug, thiserror::Error)]
#[error("failed to {action}: {kind}")]
pub struct RegistryError {
    action: String,
    kind: Kind,
}

/// The kinds of failure that callers may tell apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Kind {
    /// No answer came.
    #[error("cannot reach `{host}`: {reason}; {hint}")]
    Unreachable {
        /// The registry, with its port where it has one.
        host: String,
        /// What the attempt said.
        reason: String,
        /// What to do.
        hint: &'static str,
        /// Whether the same request may succeed a moment later.
        transient: bool,
    },
    /// The registry wants to know who asks, and nobody has told dtbuild.
    #[error("`{host}` asks for credentials and there are none; run `docker login {host}`")]
    Unauthorized {
        /// The registry.
        host: String,
    },
    /// The registry knows who asks, or need not, and says no.
    #[error("`{host}` refuses: {reason}; run `docker login {host}` with an account that may do this")]
    Denied {
        /// The registry.
        host: String,
        /// What it said.
        reason: String,
    },
    /// The thing itself is not there.
    #[error("`{name}` does not exist; check the name and the tag")]
    NotFound {
        /// What was asked for.
        name: String,
    },
    /// Too many requests in too short a time.
    #[error(
        "`{host}` limits how often it may be asked; wait {time}, or log in with `docker login {host}`",
        time = after.map_or_else(|| "a little".to_owned(), |after| format!("{} seconds", after.as_secs()))
    )]
    RateLimited {
        /// The registry.
        host: String,
        /// How long it wants to be left alone, where it says so.
        after: Option<Duration>,
    },
    /// The registry failed (status 5xx).
    #[error("`{host}` failed with status {status}: {reason}; see the registry's own log")]
    Server {
        /// The registry.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What it said.
        reason: String,
    },
    /// The registry took the request for a wrong one (another status 4xx).
    #[error("`{host}` rejects the request with status {status}: {reason}")]
    Rejected {
        /// The registry.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What it said.
        reason: String,
    },
    /// The answer breaks the protocol, is too large, or is not what its digest says.
    #[error("`{host}` gave an invalid answer: {reason}; is it an image registry?")]
    Invalid {
        /// The registry.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Docker's configuration could not be read, or its credential helper failed.
    #[error("cannot get the credentials for `{host}`: {reason}")]
    Credentials {
        /// The registry.
        host: String,
        /// What went wrong, and what to do.
        reason: String,
    },
    /// The name or address cannot be asked for at all.
    #[error("{0}")]
    Name(String),
    /// The client could not be set up on this machine.
    #[error("cannot set up TLS: {0}; are the system's certificates installed (`ca-certificates`)?")]
    Setup(String),
}

impl RegistryError {
    /// The failure of an action, given as it follows "failed to".
    pub(crate) fn new(action: String, kind: Kind) -> Self {
        Self { action, kind }
    }

    /// What failed, for callers that tell failures apart.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Whether the same request may succeed a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.kind.is_transient()
    }
}

impl Kind {
    /// Whether the same request may succeed a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { transient, .. } => *transient,
            Self::RateLimited { .. } | Self::Server { .. } => true,
            _ => false,
        }
    }

    /// The error of an action, given as it follows "failed to".
    pub(super) fn during(self, action: impl Into<String>) -> RegistryError {
        RegistryError::new(action.into(), self)
    }

    /// What the HTTP client's error means. Never with the URL: a mirror's could hold a password.
    pub(super) fn from_transport(host: &str, error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut cause: &dyn std::error::Error = &error;
        let mut refused = false;
        while let Some(next) = cause.source() {
            cause = next;
            let io = next.downcast_ref::<std::io::Error>();
            refused |= io.is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused);
        }
        let reason = legible(&cause.to_string(), 300);
        if error.is_redirect() {
            return Self::Invalid { host: host.to_owned(), reason };
        }
        let (hint, transient) = if refused {
            ("is the registry running?", true)
        } else if reason.contains("certificate") {
            ("add the authority of its certificate to the system's", false)
        } else if reason.contains("corrupt message") || reason.contains("InvalidContentType") {
            ("does it speak plain HTTP? then name it as an insecure registry", false)
        } else if error.is_timeout() {
            ("is the network up, and is there a proxy to go through?", true)
        } else {
            ("is its name right, and is the registry running?", true)
        };
        Self::Unreachable { host: host.to_owned(), reason, hint, transient }
    }

    /// Whether nobody listens, which waiting for half a second does not change.
    pub(super) fn is_refused(&self) -> bool {
        matches!(self, Self::Unreachable { hint: "is the registry running?", .. })
    }
}

/// Text from elsewhere, fit for a terminal: without control characters and cut to `limit` characters.
pub(super) fn legible(text: &str, limit: usize) -> String {
    let text = text.replace(|character: char| character.is_whitespace(), " ");
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
    fn errors_say_what_failed_why_and_what_to_do() {
        let kind = Kind::Unauthorized { host: "example.com".to_owned() };
        assert_eq!(
            kind.during("look up `example.com/a:b`").to_string(),
            "failed to look up `example.com/a:b`: `example.com` asks for credentials and there are none; \
             run `docker login example.com`"
        );
    }

    #[test]
    fn text_from_elsewhere_cannot_move_the_cursor() {
        assert_eq!(legible("\u{1b}[2Jgone\r\nnow\n", 20), "gone  now");
        assert_eq!(legible("abcdef", 3), "abc…");
    }

    #[test]
    fn only_what_may_pass_is_transient() {
        let host = || "example.com".to_owned();
        assert!(Kind::RateLimited { host: host(), after: None }.is_transient());
        assert!(Kind::Server { host: host(), status: 503, reason: String::new() }.is_transient());
        assert!(!Kind::Denied { host: host(), reason: String::new() }.is_transient());
        assert!(!Kind::NotFound { name: host() }.is_transient());
    }
}
