//! Authorization: the [`Logins`] that docker stored and the [`Grants`] that registries give for them.
//!
//! The token protocol is <https://distribution.github.io/distribution/spec/auth/token/>: an unauthorized
//! request is answered with a challenge, a token is fetched from the challenge's realm, and the request is
//! sent again with the token. Credentials and tokens are never shown: no `Debug` of their types shows them.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http_auth::parser::ChallengeParser;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderValue};

use super::error::Kind;
use super::host::Host;
use crate::credentials::{self, Login, LoginError};
use crate::http::Request;

/// The repository and the access that a request needs; a grant counts for one scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    /// The path of the repository.
    pub(super) repository: String,
    /// True if the request writes.
    pub(super) push: bool,
}

/// The credentials that a registry accepts in a request.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Grant {
    Basic { user: String, password: String },
    Bearer { token: String },
}

/// The kind of credentials that a registry asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer { realm: Url, service: Option<String> },
}

/// The logins of docker's configuration, each read once per registry.
pub(super) struct Logins {
    folder: Option<PathBuf>,
    known: PerKey<String, Result<Option<Login>, LoginError>>,
}

/// The grants and challenges that registries have given in this run.
#[derive(Default)]
pub(super) struct Grants {
    challenges: Mutex<HashMap<String, Challenge>>,
    slots: Mutex<HashMap<(String, Scope), GrantSlot>>,
}

/// The grant of one scope and the time at which it ends. The slot is locked while a grant is fetched, so that
/// thirty requests fetch one grant.
type GrantSlot = Arc<tokio::sync::Mutex<Option<(Grant, Instant)>>>;

type PerKey<K, V> = Mutex<HashMap<K, Arc<tokio::sync::OnceCell<V>>>>;

impl Logins {
    /// The logins of docker's configuration in this folder; without a folder, no logins.
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, known: Mutex::default() }
    }

    /// The login that `docker login` stored for a registry; none for an anonymous user.
    pub(super) async fn find(&self, host: &Host) -> Result<Option<Login>, Kind> {
        let Some(folder) = &self.folder else { return Ok(None) };
        let cell = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(host.name.clone()).or_default().clone()
        };
        // A helper that failed is not run again for every request.
        let found = cell.get_or_init(|| credentials::login(folder, &host.name)).await;
        found.clone().map_err(|error| Kind::Credentials {
            host: error.host,
            reason: error.reason,
            hint: error.hint,
        })
    }
}

impl Grants {
    /// The slot of a scope at a registry.
    pub(super) fn slot(&self, host: &Host, scope: &Scope) -> GrantSlot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry((host.name.clone(), scope.clone())).or_default().clone()
    }

    /// The challenge that this registry gave before, so that the next scope saves a round trip.
    pub(super) fn challenge(&self, host: &Host) -> Option<Challenge> {
        self.challenges.lock().unwrap_or_else(PoisonError::into_inner).get(&host.name).cloned()
    }

    /// Keeps the challenge of this registry.
    pub(super) fn remember(&self, host: &Host, challenge: Challenge) {
        self.challenges.lock().unwrap_or_else(PoisonError::into_inner).insert(host.name.clone(), challenge);
    }
}

impl Grant {
    /// The request with this grant.
    pub(super) fn apply(&self, request: Request) -> Request {
        match self {
            Self::Basic { user, password } => basic(request, user, password),
            Self::Bearer { token } => authorized(request, &format!("Bearer {token}")),
        }
    }
}

/// The request with a user's name and password.
pub(super) fn basic(request: Request, user: &str, password: &str) -> Request {
    authorized(request, &format!("Basic {}", BASE64.encode(format!("{user}:{password}"))))
}

/// The request with credentials. Credentials that no header can carry are left out, so that the registry
/// refuses the request.
fn authorized(request: Request, credentials: &str) -> Request {
    match HeaderValue::from_str(credentials) {
        Ok(mut value) => {
            value.set_sensitive(true);
            request.header(AUTHORIZATION, value)
        }
        Err(_) => request,
    }
}

impl Challenge {
    /// The first challenge that dtbuild can answer among the `WWW-Authenticate` headers.
    pub(super) fn parse<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut basic = None;
        for header in headers {
            // Challenges after one that cannot be parsed are left out.
            for challenge in ChallengeParser::new(header).map_while(Result::ok) {
                let parameter = |name: &str| {
                    let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                    found.map(|(_, value)| value.to_unescaped())
                };
                if challenge.scheme.eq_ignore_ascii_case("bearer") {
                    let realm = parameter("realm").and_then(|realm| Url::parse(&realm).ok());
                    if let Some(realm) = realm {
                        return Some(Self::Bearer { realm, service: parameter("service") });
                    }
                } else if challenge.scheme.eq_ignore_ascii_case("basic") {
                    basic = Some(Self::Basic);
                }
            }
        }
        basic
    }
}

impl Scope {
    /// The scope's text in the token protocol.
    pub(super) fn text(&self) -> String {
        let actions = if self.push { "pull,push" } else { "pull" };
        format!("repository:{}:{actions}", self.repository)
    }
}

impl fmt::Debug for Grants {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Grants").finish_non_exhaustive()
    }
}

impl fmt::Debug for Logins {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Logins").field("folder", &self.folder).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_preferred_to_a_password_in_every_request() {
        let headers = [r#"Basic realm="r""#, r#"Bearer realm="https://a.example/token",service="s""#];
        let challenge = Challenge::parse(headers.into_iter());
        let realm = Url::parse("https://a.example/token").unwrap();
        assert_eq!(challenge, Some(Challenge::Bearer { realm, service: Some("s".to_owned()) }));
        assert_eq!(Challenge::parse([r#"Basic realm="r""#].into_iter()), Some(Challenge::Basic));
        assert_eq!(Challenge::parse(["Negotiate"].into_iter()), None);
    }
}
