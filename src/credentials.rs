//! Logins of registries, as `docker login` left them. Start with [`login`].
//!
//! The registry client and the engines' sessions both ask here, so that they are always the same user. Docker's
//! `config.json` and its credential helpers have the answers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use docker_credential::{CredentialRetrievalError, DockerCredential};

/// The key under which Docker keeps the login of its own registry.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// How long a credential helper may take: it may ask a keychain, which may ask its owner.
const HELPER_LIMIT: Duration = Duration::from_mins(1);

/// What a registry is told about who asks. Its `Debug` says nothing on purpose: it would be the secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Login {
    /// A name and a password.
    Password {
        /// Who.
        username: String,
        /// The password or access token.
        password: String,
    },
    /// A refresh token of the OAuth 2 flavour of the token protocol.
    IdentityToken(String),
}

/// A login that exists but cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot get the credentials for `{host}`: {reason}")]
pub(crate) struct LoginError {
    /// The registry.
    pub(crate) host: String,
    /// What went wrong, and what to do; never what a helper printed.
    pub(crate) reason: String,
}

/// The folder of docker's configuration: `DOCKER_CONFIG`, else `.docker` in the home folder.
pub(crate) fn docker_folder() -> Option<PathBuf> {
    let named = std::env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty());
    named.map(PathBuf::from).or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker")))
}

/// Where the login for the registry at `host` is kept, in words; none where nothing is.
pub(crate) fn source(folder: &Path, host: &str) -> Option<String> {
    let path = folder.join("config.json");
    let config: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
    let key = server_key(host);
    let helper = config["credHelpers"][key].as_str().or_else(|| config["credsStore"].as_str());
    let shown = path.display();
    match helper.filter(|helper| !helper.is_empty()) {
        Some(helper) => Some(format!("`docker-credential-{helper}`, which `{shown}` names")),
        None => config["auths"].get(key).map(|_| format!("`{shown}`")),
    }
}

/// The login for the registry at `host` in this user's configuration; none to ask anonymously.
pub(crate) async fn stored_login(host: &str) -> Result<Option<Login>, LoginError> {
    match docker_folder() {
        Some(folder) => login(&folder, host).await,
        None => Ok(None),
    }
}

/// The login for the registry at `host` in docker's configuration folder; none to ask anonymously.
pub(crate) async fn login(folder: &Path, host: &str) -> Result<Option<Login>, LoginError> {
    let failed = |reason: String| LoginError { host: host.to_owned(), reason };
    let (key, config) = (server_key(host).to_owned(), folder.join("config.json"));
    let shown = config.display().to_string();
    // A credential helper is a program that may take its time.
    let task = tokio::task::spawn_blocking(move || {
        let file = std::fs::File::open(&config)?;
        Ok(docker_credential::get_credential_from_reader(std::io::BufReader::new(file), &key))
    });
    let answer: std::io::Result<Result<DockerCredential, CredentialRetrievalError>> =
        match tokio::time::timeout(HELPER_LIMIT, task).await {
            Err(_) => return Err(failed("docker's credential helper does not answer".to_owned())),
            Ok(Err(_)) => return Err(failed("docker's credential helper broke off".to_owned())),
            Ok(Ok(answer)) => answer,
        };
    match answer {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(format!("failed to read `{shown}`: {error}"))),
        Ok(Ok(DockerCredential::UsernamePassword(username, password))) => {
            let empty = username.is_empty() && password.is_empty();
            Ok((!empty).then_some(Login::Password { username, password }))
        }
        Ok(Ok(DockerCredential::IdentityToken(token))) => Ok(Some(Login::IdentityToken(token))),
        Ok(Err(error)) if means_none(&error) => Ok(None),
        Ok(Err(error)) => Err(failed(explain(&error, &shown))),
    }
}

/// The key of `config.json` that holds the login for the registry at `host`.
fn server_key(host: &str) -> &str {
    match host {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB,
        host => host,
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

impl std::fmt::Debug for Login {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Login(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn find(config: &str, host: &str) -> Result<Option<Login>, LoginError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        login(folder.path(), host).await
    }

    #[tokio::test]
    async fn docker_hub_is_filed_under_its_old_address() {
        // `bWU6cHc=` is "me:pw".
        let config = r#"{"auths":{"https://index.docker.io/v1/":{"auth":"bWU6cHc="}}}"#;
        for host in ["docker.io", "registry-1.docker.io"] {
            let found = find(config, host).await.unwrap();
            assert_eq!(
                found,
                Some(Login::Password { username: "me".into(), password: "pw".into() }),
                "{host}"
            );
        }
    }

    #[test]
    fn the_source_of_a_login_is_named_without_it() {
        let folder = tempfile::tempdir().unwrap();
        let told = |config: &str| {
            std::fs::write(folder.path().join("config.json"), config).unwrap();
            source(folder.path(), "r.example")
                .map(|told| told.replace(&folder.path().display().to_string(), ""))
        };
        assert_eq!(told(r#"{"auths":{"r.example":{"auth":"bWU6cHc="}}}"#).unwrap(), "`/config.json`");
        let helped = told(r#"{"auths":{"r.example":{}},"credHelpers":{"r.example":"pass"}}"#).unwrap();
        assert_eq!(helped, "`docker-credential-pass`, which `/config.json` names");
        assert!(told(r#"{"credsStore":"pass"}"#).is_some());
        assert_eq!((told("{}"), told("damaged")), (None, None));
    }

    #[tokio::test]
    async fn who_never_logged_in_is_anonymous() {
        assert!(find(r#"{"auths":{}}"#, "example.com").await.unwrap().is_none());
        assert!(login(Path::new("/nowhere/at/all"), "example.com").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_damaged_configuration_is_an_error_that_names_it() {
        let error = find(r#"{"auths":"#, "example.com").await.unwrap_err();
        assert!(error.to_string().contains("config.json` is damaged"), "{error}");
    }

    #[test]
    fn what_a_helper_printed_is_not_repeated() {
        let failure = |stdout: &str| CredentialRetrievalError::HelperFailure {
            helper: "docker-credential-x".to_owned(),
            stdout: stdout.to_owned(),
            stderr: String::new(),
        };
        assert!(!explain(&failure("hunter2"), "config.json").contains("hunter2"));
        assert!(means_none(&failure("credentials not found in native keychain")));
        assert!(!means_none(&failure("hunter2")));
    }
}
