//! Logins of registries, as `docker login` stored them. Start with [`login`].
//!
//! The registry client and the engines' sessions both take their logins from here, so that they are always the same
//! user. A login is looked for in the order of docker's client: `DOCKER_AUTH_CONFIG`, then the credential helper that
//! [`DockerConfig`] names for a registry, then, where no helper is named, `auths`.

use std::path::Path;

use crate::docker_config::{self, DOCKER_HUB, DockerConfig, StoredAuth};
use helper::Helper;

pub(crate) use crate::docker_config::docker_folder;

mod helper;

/// The variable that holds a whole configuration, as continuous integration sets it.
const VARIABLE: &str = "DOCKER_AUTH_CONFIG";

/// The credentials for a registry. `Debug` shows nothing of them, because they are secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Login {
    /// A name and a password.
    Password {
        /// The user's name.
        username: String,
        /// The password or access token.
        password: String,
    },
    /// A refresh token of the OAuth 2 flavour of the token protocol.
    IdentityToken(String),
    /// A token that the registry itself takes.
    RegistryToken(String),
}

/// The failure to read a login that exists.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot get the credentials for `{host}`: {reason}")]
pub(crate) struct LoginError {
    /// The registry's host.
    pub(crate) host: String,
    /// The reason of the failure; never a text that a helper printed.
    pub(crate) reason: String,
    /// The advice on what to do.
    pub(crate) hint: String,
}

/// The place of the login for the registry at `host`, in words; none where no login is stored.
pub(crate) fn source(folder: &Path, host: &str) -> Option<String> {
    let has = |config: &DockerConfig| matches!(config.auth(host), Ok(Some(_)));
    if has(&from_variable()) {
        return Some(format!("`{VARIABLE}`"));
    }
    let config = DockerConfig::read(folder).ok()?;
    let shown = docker_config::file(folder);
    let shown = shown.display();
    match config.helper(host) {
        Some(helper) => Some(format!("`docker-credential-{helper}`, which `{shown}` names")),
        None => has(&config).then(|| format!("`{shown}`")),
    }
}

/// The login for the registry at `host` in this user's configuration; none for an anonymous user.
pub(crate) async fn stored_login(host: &str) -> Result<Option<Login>, LoginError> {
    match docker_folder() {
        Some(folder) => login(&folder, host).await,
        None => Ok(None),
    }
}

/// The login for the registry at `host` in docker's configuration folder; none for an anonymous user.
pub(crate) async fn login(folder: &Path, host: &str) -> Result<Option<Login>, LoginError> {
    let failed = |reason: String, hint: String| LoginError { host: host.to_owned(), reason, hint };
    if let Ok(Some(auth)) = from_variable().auth(host) {
        return Ok(auth.into());
    }
    let file = docker_config::file(folder);
    let shown = file.display();
    let anew = || "correct it, or run `docker login` again".to_owned();
    let config = DockerConfig::read(folder).map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::IsADirectory => failed(
            format!("failed to read `{shown}`: {error}"),
            "make it a file that you may read".to_owned(),
        ),
        _ => failed(format!("`{shown}` is damaged"), anew()),
    })?;
    let Some(name) = config.helper(host) else {
        let damaged = |key: String| failed(format!("the `auth` of `{key}` in `{shown}` is damaged"), anew());
        return Ok(config.auth(host).map_err(damaged)?.and_then(Into::into));
    };
    let key = if docker_config::is_docker_hub(host) { DOCKER_HUB } else { host };
    Helper::new(name).get(key).await.map_err(|(reason, hint)| failed(reason, hint))
}

/// The configuration in the variable. A variable that is not set, or holds no configuration, counts as an empty
/// configuration, as in docker's client.
fn from_variable() -> DockerConfig {
    let text = std::env::var(VARIABLE).unwrap_or_default();
    DockerConfig::parse(text.as_bytes()).unwrap_or_default()
}

impl From<StoredAuth> for Option<Login> {
    fn from(auth: StoredAuth) -> Self {
        let StoredAuth { username, password, identity_token, registry_token } = auth;
        let password =
            (!username.is_empty() || !password.is_empty()).then_some(Login::Password { username, password });
        let token = identity_token.map(Login::IdentityToken);
        registry_token.map(Login::RegistryToken).or(token).or(password)
    }
}

impl LoginError {
    /// The failure and the advice in one text.
    pub(crate) fn with_hint(&self) -> String {
        format!("{self}; {}", self.hint)
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

    #[tokio::test]
    async fn a_token_goes_before_a_password() {
        let entry = |more: &str| format!(r#"{{"auths":{{"r.example":{{"auth":"bWU6cHc="{more}}}}}}}"#);
        let found = find(&entry(r#","identitytoken":"i""#), "r.example").await.unwrap();
        assert!(found == Some(Login::IdentityToken("i".into())));
        let found = find(&entry(r#","identitytoken":"i","registrytoken":"r""#), "r.example").await.unwrap();
        assert!(found == Some(Login::RegistryToken("r".into())));
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
        let error = find(r#"{"auths":{"example.com/":{"auth":"!"}}}"#, "example.com").await.unwrap_err();
        assert!(error.to_string().contains("the `auth` of `example.com/` in `"), "{error}");
    }
}
