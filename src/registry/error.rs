//! The errors of requests to registries: [`RegistryError`].

use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;

use crate::error::{Code, Failure};
use crate::http::{HttpError, Problem};

/// A request to a registry that failed: the action, and the kind of the failure.
#[derive(Clone, Debug, thiserror::Error)]
#[error("failed to {action}: {kind}")]
pub struct RegistryError {
    action: String,
    kind: Kind,
}

/// The kinds of failure that callers may tell apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Kind {
    /// The server gave no answer.
    #[error("cannot reach {peer}: {reason}")]
    Unreachable {
        /// The server that did not answer.
        peer: Peer,
        /// The error of the attempt.
        reason: String,
        /// The advice on what to do.
        hint: &'static str,
        /// True if the request may succeed when it is sent again a moment later.
        transient: bool,
    },
    /// The registry asks for credentials, and dtbuild has none.
    #[error("`{host}` asks for credentials and there are none")]
    Unauthorized {
        /// The registry's name.
        host: String,
    },
    /// The registry knows the user, or needs no user, and refuses the request.
    #[error("`{host}` refuses: {reason}")]
    Denied {
        /// The registry's name.
        host: String,
        /// The reason that the registry gave.
        reason: String,
    },
    /// The image, blob or repository does not exist.
    #[error("`{name}` does not exist")]
    NotFound {
        /// The name of the missing thing.
        name: String,
    },
    /// The server got too many requests in too short a time.
    #[error("{peer} limits how often it may be asked")]
    RateLimited {
        /// The server that limits requests.
        peer: Peer,
        /// The time for which the server wants no request; none where the server does not say so.
        after: Option<Duration>,
    },
    /// The server failed (status 5xx).
    #[error("{peer} failed with status {status}: {reason}")]
    Server {
        /// The server that failed.
        peer: Peer,
        /// The HTTP status of the answer.
        status: u16,
        /// The reason that the server gave.
        reason: String,
    },
    /// The server rejected the request as wrong (another status 4xx).
    #[error("{peer} rejects the request with status {status}: {reason}")]
    Rejected {
        /// The server that rejected the request.
        peer: Peer,
        /// The HTTP status of the answer.
        status: u16,
        /// The reason that the server gave.
        reason: String,
    },
    /// The registry does not let a tag be moved.
    #[error("`{host}` does not let the tag `{tag}` be moved: {reason}")]
    Immutable {
        /// The registry's name.
        host: String,
        /// The tag that cannot be moved.
        tag: String,
        /// The reason that the registry gave.
        reason: String,
    },
    /// The answer breaks the protocol, is too large, or does not match its digest.
    #[error("{peer} gave an invalid answer: {reason}")]
    Invalid {
        /// The server that gave the answer.
        peer: Peer,
        /// The fault of the answer.
        reason: String,
    },
    /// Docker's configuration could not be read, or its credential helper failed.
    #[error("cannot get the credentials for `{host}`: {reason}")]
    Credentials {
        /// The registry's name.
        host: String,
        /// The reason of the failure.
        reason: String,
        /// The advice on what to do.
        hint: String,
    },
    /// The name or the address is invalid, so that no request can be sent.
    #[error("{0}")]
    Name(String),
    /// The client could not be set up on this machine.
    #[error("cannot set up TLS: {0}")]
    Setup(String),
}

/// A server that takes part in an answer: the registry, or a server that the registry leaves the answer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The registry's name, with its port where it has one.
    pub registry: Box<str>,
    /// The role of the server.
    pub role: Role,
}

/// The role of a server in the answer of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// The registry itself.
    Registry,
    /// The server at this host, which gives the registry's tokens.
    TokenServer(Box<str>),
    /// The server at this host, which the registry redirects to.
    RedirectTarget(Box<str>),
}

impl RegistryError {
    /// The failure of an action; the text of the action follows "failed to".
    pub(crate) fn new(action: String, kind: Kind) -> Self {
        Self { action, kind }
    }

    /// The kind of failure, for callers that tell failures apart.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }
    /// True if the request may succeed when it is sent again a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.kind.is_transient()
    }
}

impl Failure for RegistryError {
    fn hint(&self) -> Option<String> {
        self.kind.hint()
    }

    fn code(&self) -> Code {
        match &self.kind {
            Kind::Unreachable { .. } => Code::RegistryUnreachable,
            Kind::Unauthorized { .. } | Kind::Denied { .. } | Kind::Credentials { .. } => {
                Code::RegistryDenied
            }
            Kind::NotFound { .. } => Code::RegistryNotFound,
            Kind::RateLimited { .. } => Code::RegistryRateLimited,
            Kind::Server { .. }
            | Kind::Rejected { .. }
            | Kind::Immutable { .. }
            | Kind::Invalid { .. }
            | Kind::Name(_)
            | Kind::Setup(_) => Code::RegistryFailed,
        }
    }
}

impl Kind {
    /// True if the request may succeed when it is sent again a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { transient, .. } => *transient,
            Self::RateLimited { .. } | Self::Server { .. } => true,
            _ => false,
        }
    }

    /// The advice on what to do; none where nothing is known to help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable { hint, .. } => (*hint).to_owned(),
            Self::Unauthorized { host } => format!("run `docker login {host}`"),
            Self::Denied { host, .. } => {
                format!("run `docker login {host}` with an account that may do this")
            }
            Self::NotFound { .. } => "check the name and the tag".to_owned(),
            Self::RateLimited { peer, after } => {
                let time =
                    after.map_or("a little".to_owned(), |after| format!("{} seconds", after.as_secs()));
                format!("wait {time}, or log in with `docker login {}`", peer.registry)
            }
            Self::Server { peer, .. } => match peer.role {
                Role::Registry => "see the registry's own log".to_owned(),
                _ => "see that server's own log".to_owned(),
            },
            Self::Immutable { tag, .. } => format!(
                "an environment's tag moves at every deployment: give every commit a tag of its own in build.toml, \
                 `tag = \"{{environment}}-{{commit}}\"`, or except `{tag}` from the registry's rule for immutable tags \
                 and leave those that begin with `key-` under it (docs/compatibility.md says how)"
            ),
            Self::Invalid { .. } => "is it an image registry?".to_owned(),
            Self::Setup(_) => "are the system's certificates installed (`ca-certificates`)?".to_owned(),
            Self::Credentials { hint, .. } => hint.clone(),
            Self::Rejected { .. } | Self::Name(_) => return None,
        })
    }

    /// The error of an action; the text of the action follows "failed to".
    pub(super) fn during(self, action: impl Into<String>) -> RegistryError {
        RegistryError::new(action.into(), self)
    }

    /// The failure to put a manifest under a tag: [`Kind::Immutable`] where the registry's words mean that the
    /// tag cannot be moved. No error code exists for this: Amazon ECR, Harbor, Quay, Google's and Nexus have
    /// words of their own.
    pub(super) fn of_tag(self, tag: &str) -> Self {
        let (host, reason) = match self {
            Self::Rejected { ref peer, ref reason, .. } => (peer.registry.to_string(), reason),
            Self::Denied { ref host, ref reason } => (host.clone(), reason),
            other => return other,
        };
        let words = reason.to_lowercase();
        let immutable = ["immutab", "cannot be overwritten", "not allow updating"];
        if immutable.iter().any(|said| words.contains(said)) {
            return Self::Immutable { host, tag: tag.to_owned(), reason: reason.clone() };
        }
        self
    }

    /// An answer of the registry itself that breaks the protocol.
    pub(super) fn invalid(host: &str, reason: impl Into<String>) -> Self {
        Self::Invalid { peer: Peer::registry(host), reason: reason.into() }
    }

    /// The failure of a request to `asked` that got no usable answer.
    pub(super) fn from_http(asked: Peer, error: HttpError) -> Self {
        let transient = error.is_transient();
        let redirected = error.redirected && *error.peer != *asked.registry;
        let peer =
            if redirected { Peer { role: Role::RedirectTarget(error.peer.into()), ..asked } } else { asked };
        let reason = error.reason;
        let hint = match (error.problem, &peer.role) {
            (Problem::TooLarge | Problem::Redirected, _) => return Self::Invalid { peer, reason },
            (Problem::Refused, Role::Registry) => "is the registry running?",
            (Problem::Refused, _) => "is that server running?",
            (Problem::Certificate, _) => "add the authority of its certificate to the system's",
            (Problem::NotTls, _) => "does it speak plain HTTP? then name it as an insecure registry",
            (Problem::TimedOut, _) => "is the network up, and is there a proxy to go through?",
            (Problem::Silent, _) => "is the network up? `--silence-limit` sets how long is waited",
            (Problem::Broken, Role::Registry) => "is its name right, and is the registry running?",
            (Problem::Broken, _) => "is its name right, and is it running?",
        };
        Self::Unreachable { peer, reason, hint, transient }
    }

    /// The failure that a status without success means, with the words of the server.
    pub(super) fn from_status(
        peer: Peer,
        status: StatusCode,
        said: Option<String>,
        after: Option<Duration>,
    ) -> Self {
        let reason =
            said.unwrap_or_else(|| status.canonical_reason().unwrap_or("no reason given").to_owned());
        match status.as_u16() {
            401 | 403 => Self::Denied { host: peer.registry.into(), reason },
            429 => Self::RateLimited { peer, after },
            status @ 500.. => Self::Server { peer, status, reason },
            status => Self::Rejected { peer, status, reason },
        }
    }
}

impl Peer {
    /// The registry at `host`.
    pub(super) fn registry(host: &str) -> Self {
        Self { registry: host.into(), role: Role::Registry }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registry = &self.registry;
        match &self.role {
            Role::Registry => write!(formatter, "`{registry}`"),
            Role::TokenServer(host) => write!(formatter, "the token server `{host}` of `{registry}`"),
            Role::RedirectTarget(host) => write!(formatter, "the redirect target `{host}` of `{registry}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_failed_why_and_what_to_do() {
        let error = Kind::Unauthorized { host: "example.com".to_owned() }.during("look up `example.com/a:b`");
        assert_eq!(
            error.to_string(),
            "failed to look up `example.com/a:b`: `example.com` asks for credentials and there are none"
        );
        assert_eq!(error.hint().unwrap(), "run `docker login example.com`");
    }

    #[test]
    fn a_server_that_the_registry_leaves_the_answer_to_is_named_as_that() {
        let failure = |peer: &str| HttpError {
            peer: peer.to_owned(),
            redirected: true,
            problem: Problem::Refused,
            reason: "Connection refused".to_owned(),
        };
        let kind = Kind::from_http(Peer::registry("r.example"), failure("s3.example"));
        assert_eq!(
            kind.to_string(),
            "cannot reach the redirect target `s3.example` of `r.example`: Connection refused"
        );
        assert_eq!(kind.hint().unwrap(), "is that server running?");
        let tokens = Peer { role: Role::TokenServer("auth.example".into()), ..Peer::registry("r.example") };
        let kind = Kind::from_status(tokens, StatusCode::BAD_GATEWAY, None, None);
        assert_eq!(
            kind.to_string(),
            "the token server `auth.example` of `r.example` failed with status 502: Bad Gateway"
        );
    }

    #[test]
    fn only_what_may_pass_is_transient() {
        let (host, peer) = (|| "example.com".to_owned(), || Peer::registry("example.com"));
        assert!(Kind::RateLimited { peer: peer(), after: None }.is_transient());
        assert!(Kind::Server { peer: peer(), status: 503, reason: String::new() }.is_transient());
        assert!(!Kind::Denied { host: host(), reason: String::new() }.is_transient());
        assert!(!Kind::NotFound { name: host() }.is_transient());
    }
}
