//! Logins of registries, as `docker login` left them. Start with [`login`].
//!
//! Docker's `config.json` and its credential helpers are asked each time: a login that expires or changes
//! during a long run is then the current one.

use docker_credential::{CredentialRetrievalError, DockerCredential};

/// The key under which Docker keeps the login of its own registry.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// What a registry is told about who asks. Its `Debug` says nothing on purpose: it would be the secret.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Login {
    /// A name and a password.
    Password {
        /// Who.
        username: String,
        /// The password or access token.
        password: String,
    },
    /// A refresh token that an identity provider gave.
    IdentityToken(String),
}

/// A login that exists but cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the login of `{host}`: {reason}; run `docker login {host}` again")]
pub(super) struct LoginError {
    host: String,
    reason: String,
}

/// The login for the registry at `host`; none to ask anonymously.
pub(super) async fn login(host: &str) -> Result<Option<Login>, LoginError> {
    let failed = |reason: String| LoginError { host: host.to_owned(), reason };
    let server = server_key(host).to_owned();
    // A credential helper is a program that may take its time.
    let found = tokio::task::spawn_blocking(move || docker_credential::get_credential(&server)).await;
    match found.map_err(|error| failed(error.to_string()))? {
        Ok(DockerCredential::UsernamePassword(username, password)) => {
            Ok(Some(Login::Password { username, password }))
        }
        Ok(DockerCredential::IdentityToken(token)) => Ok(Some(Login::IdentityToken(token))),
        Err(error) => interpret(&error).map_err(failed),
    }
}

/// The key of `config.json` that holds the login for the registry at `host`.
fn server_key(host: &str) -> &str {
    match host {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB,
        host => host,
    }
}

fn interpret(error: &CredentialRetrievalError) -> Result<Option<Login>, String> {
    match error {
        CredentialRetrievalError::ConfigNotFound
        | CredentialRetrievalError::ConfigReadError
        | CredentialRetrievalError::NoCredentialConfigured => Ok(None),
        // Helpers answer so on stdout by convention; what else they print could be a secret.
        CredentialRetrievalError::HelperFailure { stdout, .. }
            if stdout.contains("credentials not found") =>
        {
            Ok(None)
        }
        CredentialRetrievalError::HelperFailure { helper, .. } => {
            Err(format!("the credential helper `{helper}` failed"))
        }
        other => Err(other.to_string()),
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

    #[test]
    fn docker_hub_has_one_login_under_all_its_names() {
        assert_eq!(server_key("registry-1.docker.io"), DOCKER_HUB);
        assert_eq!(server_key("docker.io"), DOCKER_HUB);
        assert_eq!(server_key("localhost:5000"), "localhost:5000");
    }

    #[test]
    fn no_login_is_anonymous_and_a_broken_helper_is_not() {
        let helper = |stdout: &str| CredentialRetrievalError::HelperFailure {
            helper: "pass".to_owned(),
            stdout: stdout.to_owned(),
            stderr: "s3cret".to_owned(),
        };
        assert_eq!(interpret(&CredentialRetrievalError::ConfigNotFound), Ok(None));
        assert_eq!(interpret(&helper("credentials not found in native keychain")), Ok(None));
        let error = interpret(&helper("s3cret")).unwrap_err();
        assert!(error.contains("`pass`") && !error.contains("s3cret"));
    }
}
