//! Who asks: docker's stored [`Credentials`] and the [`Grants`] that registries give for them.
//!
//! The token protocol is <https://distribution.github.io/distribution/spec/auth/token/>: an unauthorized
//! request is answered with a challenge, a token is fetched from the challenge's realm, and the request is
//! made again with it. Neither credentials nor tokens are ever shown: their types have no `Debug` that does.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use docker_credential::{CredentialRetrievalError, DockerCredential};
use reqwest::{RequestBuilder, Url};

use super::error::Kind;
use super::host::Host;

/// How long a credential helper may take: it may ask a keychain, which may ask its owner.
const HELPER_LIMIT: Duration = Duration::from_mins(1);

/// What a request is for; a grant counts for one scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    /// The path of the repository.
    pub(super) repository: String,
    /// Whether something is written.
    pub(super) push: bool,
}

/// What a registry accepts as leave to do something.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Grant {
    Basic { user: String, password: String },
    Bearer { token: String },
}

/// How a registry wants to be told who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer { realm: Url, service: Option<String> },
}

/// A user's stored secret for a registry.
#[derive(Clone)]
pub(super) enum Credential {
    Password {
        user: String,
        password: String,
    },
    /// A refresh token of the OAuth 2 flavour of the token protocol.
    Identity {
        token: String,
    },
}

/// The credentials of docker's configuration, read once per registry.
pub(super) struct Credentials {
    config: Option<PathBuf>,
    known: PerKey<String, Option<Credential>>,
}

/// The grants and challenges that registries have given in this run.
#[derive(Default)]
pub(super) struct Grants {
    challenges: Mutex<HashMap<String, Challenge>>,
    slots: Mutex<HashMap<(String, Scope), GrantSlot>>,
}

/// One scope's grant and when it ends. Locked while it is fetched, so that thirty requests fetch it once.
pub(super) type GrantSlot = Arc<tokio::sync::Mutex<Option<(Grant, Instant)>>>;

type PerKey<K, V> = Mutex<HashMap<K, Arc<tokio::sync::OnceCell<V>>>>;

impl Credentials {
    /// The credentials of docker's configuration in this folder; none for a user without one.
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self { config: folder.map(|folder| folder.join("config.json")), known: Mutex::default() }
    }

    /// What `docker login` stored for a registry; none to stay anonymous.
    pub(super) async fn find(&self, host: &Host) -> Result<Option<Credential>, Kind> {
        let Some(config) = &self.config else { return Ok(None) };
        let cell = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(host.name.clone()).or_default().clone()
        };
        let found = cell.get_or_try_init(|| look_up(config.clone(), host.clone())).await?;
        Ok(found.clone())
    }
}

/// Asks docker's configuration and its helpers, which block, on a thread that may.
async fn look_up(config: PathBuf, host: Host) -> Result<Option<Credential>, Kind> {
    let failed = |reason: String| Kind::Credentials { host: host.name.clone(), reason };
    let key = host.credential_key().to_owned();
    let shown = config.display().to_string();
    let task = tokio::task::spawn_blocking(move || match std::fs::File::open(&config) {
        Ok(file) => Ok(docker_credential::get_credential_from_reader(std::io::BufReader::new(file), &key)),
        Err(error) => Err(error),
    });
    let answer = match tokio::time::timeout(HELPER_LIMIT, task).await {
        Err(_) => return Err(failed("docker's credential helper does not answer".to_owned())),
        Ok(Err(_)) => return Err(failed("docker's credential helper broke off".to_owned())),
        Ok(Ok(Err(error))) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Ok(Ok(Err(error))) => return Err(failed(format!("failed to read `{shown}`: {error}"))),
        Ok(Ok(Ok(answer))) => answer,
    };
    match answer {
        Ok(DockerCredential::UsernamePassword(user, password)) if user.is_empty() && password.is_empty() => {
            Ok(None)
        }
        Ok(DockerCredential::UsernamePassword(user, password)) => {
            Ok(Some(Credential::Password { user, password }))
        }
        Ok(DockerCredential::IdentityToken(token)) => Ok(Some(Credential::Identity { token })),
        Err(error) if means_none(&error) => Ok(None),
        Err(error) => Err(failed(explain(&error, &shown))),
    }
}

/// Helpers say "not found" in words only; docker itself looks for these.
fn means_none(error: &CredentialRetrievalError) -> bool {
    match error {
        CredentialRetrievalError::NoCredentialConfigured | CredentialRetrievalError::ConfigNotFound => true,
        CredentialRetrievalError::HelperFailure { stdout, stderr, .. } => [stdout, stderr]
            .iter()
            .any(|said| said.contains("credentials not found") || said.contains("no credentials")),
        _ => false,
    }
}

/// What went wrong, without what a helper printed: that may be a secret.
fn explain(error: &CredentialRetrievalError, config: &str) -> String {
    match error {
        CredentialRetrievalError::HelperFailure { helper, .. } => {
            format!("`{helper}` failed; run `docker login` to see why")
        }
        CredentialRetrievalError::HelperCommunicationError => {
            format!("the credential helper that `{config}` names cannot be run; is it installed?")
        }
        CredentialRetrievalError::MalformedHelperResponse => {
            format!("the credential helper that `{config}` names gave an invalid answer")
        }
        _ => format!("`{config}` is damaged; correct it, or run `docker login` again"),
    }
}

impl Grants {
    /// The slot of a scope at a registry.
    pub(super) fn slot(&self, host: &Host, scope: &Scope) -> GrantSlot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry((host.name.clone(), scope.clone())).or_default().clone()
    }

    /// How this registry has asked before, so that the next scope saves a round trip.
    pub(super) fn challenge(&self, host: &Host) -> Option<Challenge> {
        self.challenges.lock().unwrap_or_else(PoisonError::into_inner).get(&host.name).cloned()
    }

    /// Keeps how this registry asks.
    pub(super) fn remember(&self, host: &Host, challenge: Challenge) {
        self.challenges.lock().unwrap_or_else(PoisonError::into_inner).insert(host.name.clone(), challenge);
    }
}

impl Grant {
    /// The request with this grant.
    pub(super) fn apply(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Basic { user, password } => request.basic_auth(user, Some(password)),
            Self::Bearer { token } => request.bearer_auth(token),
        }
    }
}

impl Challenge {
    /// The first challenge that dtbuild can answer among the `WWW-Authenticate` headers.
    pub(super) fn parse<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut basic = None;
        for header in headers {
            for challenge in http_auth::parse_challenges(header).unwrap_or_default() {
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
    /// The scope as the token protocol writes it.
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

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").field("config", &self.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn find(config: &str, registry: &str) -> Result<Option<Credential>, Kind> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        let host = Host::of(registry, &[]).unwrap();
        Credentials::new(Some(folder.path().to_owned())).find(&host).await
    }

    #[tokio::test]
    async fn docker_hub_is_filed_under_its_old_address() {
        // `bWU6cHc=` is "me:pw".
        let config = r#"{"auths":{"https://index.docker.io/v1/":{"auth":"bWU6cHc="}}}"#;
        let found = find(config, "docker.io").await.unwrap();
        assert!(
            matches!(found, Some(Credential::Password { user, password }) if user == "me" && password == "pw")
        );
    }

    #[tokio::test]
    async fn who_never_logged_in_is_anonymous() {
        assert!(find(r#"{"auths":{}}"#, "example.com").await.unwrap().is_none());
        let nowhere = Credentials::new(Some("/nowhere/at/all".into()));
        assert!(nowhere.find(&Host::of("example.com", &[]).unwrap()).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_damaged_configuration_is_an_error_that_names_it() {
        let error = find(r#"{"auths":"#, "example.com").await.err().unwrap();
        assert!(error.to_string().contains("config.json` is damaged"), "{error}");
    }

    #[test]
    fn what_a_helper_printed_is_not_repeated() {
        let error = CredentialRetrievalError::HelperFailure {
            helper: "docker-credential-x".to_owned(),
            stdout: "hunter2".to_owned(),
            stderr: String::new(),
        };
        assert!(!explain(&error, "config.json").contains("hunter2"));
        let missing = CredentialRetrievalError::HelperFailure {
            helper: "docker-credential-x".to_owned(),
            stdout: "credentials not found in native keychain".to_owned(),
            stderr: String::new(),
        };
        assert!(means_none(&missing));
    }

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
