//! Docker's configuration file `config.json`, read as docker's own client reads it. Start with [`DockerConfig::read`].
//!
//! <https://github.com/docker/cli/blob/master/cli/config/configfile/file.go> and its `credentials/file_store.go` have the
//! rules. Go's JSON takes keys in any case, ignores what follows the first value, and has `null` for nothing.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize as _;
use serde_json::{Deserializer, Map, Value};

/// The key under which docker keeps the login of its own registry.
pub(crate) const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// The keys of Docker Hub's login: docker's own key, and Docker Hub's names, which other clients use as keys.
const HUB_KEYS: [&str; 4] = [DOCKER_HUB, "docker.io", "index.docker.io", "registry-1.docker.io"];

/// The number of bytes that are read of the configuration file at most. A larger file is none of docker's.
const FILE_LIMIT: u64 = 1 << 20;

/// The variables that docker hands to builds from `proxies`, each with its name in the file.
const PROXIES: [(&str, &str); 5] = [
    ("HTTP_PROXY", "httpProxy"),
    ("HTTPS_PROXY", "httpsProxy"),
    ("NO_PROXY", "noProxy"),
    ("FTP_PROXY", "ftpProxy"),
    ("ALL_PROXY", "allProxy"),
];

/// The content of `config.json`. The type has no `Debug`, which would print the secrets.
#[derive(Clone, Default)]
pub(crate) struct DockerConfig(Map<String, Value>);

/// A registry's entry in `auths`; an empty field counts as a missing one.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct StoredAuth {
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) identity_token: Option<String>,
    pub(crate) registry_token: Option<String>,
}

/// The folder of docker's configuration: `DOCKER_CONFIG`, else `.docker` in the home folder.
pub(crate) fn docker_folder() -> Option<PathBuf> {
    let named = std::env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty());
    named.map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".docker")))
}

/// The path of the configuration file in docker's folder.
pub(crate) fn file(folder: &Path) -> PathBuf {
    folder.join("config.json")
}

impl DockerConfig {
    /// Reads the configuration in docker's folder; an empty configuration if there is no file.
    ///
    /// # Errors
    /// Fails when there is a file that cannot be read, or is damaged (`InvalidData`).
    pub(crate) fn read(folder: &Path) -> io::Result<Self> {
        let mut text = Vec::new();
        match std::fs::File::open(file(folder)) {
            Ok(file) => file.take(FILE_LIMIT).read_to_end(&mut text)?,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => 0,
            Err(error) => return Err(error),
        };
        Self::parse(&text)
    }

    /// Parses the text of a configuration file.
    pub(crate) fn parse(text: &[u8]) -> io::Result<Self> {
        if text.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        match Value::deserialize(&mut Deserializer::from_slice(text))? {
            Value::Object(fields) => Ok(Self(fields)),
            Value::Null => Ok(Self::default()),
            _ => Err(io::Error::new(ErrorKind::InvalidData, "it is no object")),
        }
    }

    /// The name of the context that docker's client uses; none for the default context.
    pub(crate) fn current_context(&self) -> Option<&str> {
        text(&self.0, "currentContext")
    }

    /// The name of the credential helper for the registry at `host`; none if `auths` alone has the registry's login.
    pub(crate) fn helper(&self, host: &str) -> Option<&str> {
        let own = object(&self.0, "credHelpers");
        let own = own.and_then(|own| keys(host).find_map(|key| own.get(key)));
        match own {
            Some(helper) => helper.as_str().filter(|helper| !helper.is_empty()),
            None => text(&self.0, "credsStore"),
        }
    }

    /// The entry of the registry at `host` in `auths`.
    ///
    /// # Errors
    /// The key of the entry, when the entry is damaged.
    pub(crate) fn auth(&self, host: &str) -> Result<Option<StoredAuth>, String> {
        let Some(auths) = object(&self.0, "auths") else { return Ok(None) };
        let exact = keys(host).filter_map(|key| auths.get_key_value(key));
        // Older forms of a key: an address with a scheme, a path, a slash at its end.
        let older = auths.iter().filter(|(key, _)| keys(host).any(|name| name == host_of(key)));
        for (key, entry) in exact.chain(older) {
            let Some(entry) = entry.as_object() else { continue };
            let auth = StoredAuth::read(entry).ok_or_else(|| key.clone())?;
            if auth != StoredAuth::default() {
                return Ok(Some(auth));
            }
        }
        Ok(None)
    }

    /// The proxies for builds on the engine at the address `engine`, as build arguments in upper and in lower case.
    pub(crate) fn proxies(&self, engine: &str) -> BTreeMap<String, String> {
        let Some(all) = object(&self.0, "proxies") else { return BTreeMap::new() };
        let Some(proxies) = all.get(engine).or_else(|| all.get("default")).and_then(Value::as_object) else {
            return BTreeMap::new();
        };
        let known = PROXIES.into_iter().filter_map(|(name, field)| Some((name, text(proxies, field)?)));
        let both = |(name, value): (&str, &str)| {
            [name.to_owned(), name.to_lowercase()].map(|name| (name, value.to_owned()))
        };
        known.flat_map(both).collect()
    }
}

impl StoredAuth {
    /// Reads an entry of `auths`; none if the entry's `auth` is damaged.
    fn read(entry: &Map<String, Value>) -> Option<Self> {
        let field = |name| text(entry, name).map(ToOwned::to_owned);
        let (username, password) = match text(entry, "auth") {
            Some(encoded) => decode(encoded)?,
            None => (field("username").unwrap_or_default(), field("password").unwrap_or_default()),
        };
        let (identity_token, registry_token) = (field("identitytoken"), field("registrytoken"));
        Some(Self { username, password, identity_token, registry_token })
    }
}

/// Decodes `user:password` from base64. Go ignores line breaks in base64, and docker takes NULs off the password's
/// ends.
fn decode(encoded: &str) -> Option<(String, String)> {
    let padding = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let encoded: String = encoded.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let decoded = GeneralPurpose::new(&STANDARD, padding).decode(encoded).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (username, password) = decoded.split_once(':').filter(|(username, _)| !username.is_empty())?;
    Some((username.to_owned(), password.trim_matches('\0').to_owned()))
}

/// True if a registry's name means Docker Hub.
pub(crate) fn is_docker_hub(host: &str) -> bool {
    HUB_KEYS[1..].contains(&host)
}

/// The keys of the registry at `host` in the configuration, docker's own key first.
fn keys(host: &str) -> impl Iterator<Item = &str> {
    let hub = is_docker_hub(host);
    let names = if hub { &HUB_KEYS[..] } else { &[] };
    names.iter().copied().chain((!hub).then_some(host))
}

/// The host and the port in a key, without the key's scheme and path.
fn host_of(key: &str) -> &str {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

fn field<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let any_case = || fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    fields.get(name).or_else(any_case)
}

fn object<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Map<String, Value>> {
    field(fields, name)?.as_object()
}

/// The text of the field `name`; none if the field is missing, empty or no text.
fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    field(fields, name)?.as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The login of `host`, as `username:password`.
    fn auth(config: &str, host: &str) -> Result<Option<String>, String> {
        let auth = DockerConfig::parse(config.as_bytes()).unwrap().auth(host)?;
        Ok(auth.map(|auth| format!("{}:{}", auth.username, auth.password)))
    }

    #[test]
    fn every_form_of_an_entry_that_docker_takes_is_taken() {
        for (entry, expected) in [
            (r#""auth":"dTpw""#, Some("u:p")),
            (r#""auth":"dTpw","identitytoken":"""#, Some("u:p")),
            (r#""username":"u","password":"p","auth":"""#, Some("u:p")),
            (r#""username":"u","password":"p""#, Some("u:p")),
            (r#""username":"","password":"","auth":"dTpw""#, Some("u:p")),
            (r#""username":"x","password":"y","auth":"dTpw","email":null"#, Some("u:p")),
            (r#""Auth":"dTpw""#, Some("u:p")),
            (r#""auth":"dTpwAAA=""#, Some("u:p")),
            (r#""auth":"dT\npw\n""#, Some("u:p")),
            (r#""auth":"dTpwOnE=""#, Some("u:p:q")),
            (r#""auth":"dTpwOnE""#, Some("u:p:q")),
            (r#""auth":null"#, None),
            ("", None),
        ] {
            let found = auth(&format!(r#"{{"auths":{{"r.example":{{{entry}}}}}}}"#), "r.example");
            assert_eq!(found.unwrap().as_deref(), expected, "{entry}");
        }
        for damaged in ["!", "dXA=", "OnA="] {
            let config = format!(r#"{{"auths":{{"r.example":{{"auth":"{damaged}"}}}}}}"#);
            assert_eq!(auth(&config, "r.example"), Err("r.example".to_owned()), "{damaged}");
            assert_eq!(auth(&config, "other.example"), Ok(None), "{damaged}");
        }
    }

    #[test]
    fn every_form_of_a_key_that_docker_takes_is_taken() {
        let found = |key: &str, host: &str| {
            auth(&format!(r#"{{"auths":{{"{key}":{{"auth":"dTpw"}}}}}}"#), host).unwrap().is_some()
        };
        for key in ["r.example:5000", "r.example:5000/", "r.example:5000/v2/", "r.example:5000/v1/"]
            .into_iter()
            .flat_map(|key| ["", "http://", "https://"].map(|scheme| format!("{scheme}{key}")))
        {
            assert!(found(&key, "r.example:5000"), "{key}");
            assert!(!found(&key, "r.example") && !found(&key, "docker.io"), "{key}");
        }
        for key in [DOCKER_HUB, "docker.io", "index.docker.io", "https://registry-1.docker.io/v2/"] {
            for host in &HUB_KEYS[1..] {
                assert!(found(key, host), "{key}");
            }
            assert!(!found(key, "r.example"), "{key}");
        }
    }

    #[test]
    fn an_exact_key_goes_first_and_an_empty_entry_is_none() {
        let config = r#"{"auths":{"https://r.example/":{"auth":"YTpi"},"r.example":{"auth":"dTpw"}}}"#;
        assert_eq!(auth(config, "r.example").unwrap().unwrap(), "u:p");
        let config = r#"{"auths":{"https://r.example/":{"auth":"YTpi"},"r.example":{}}}"#;
        assert_eq!(auth(config, "r.example").unwrap().unwrap(), "a:b");
    }

    #[test]
    fn a_registry_may_have_a_helper_of_its_own_or_none() {
        let text = r#"{"credsStore":"all","credHelpers":{"r.example":"own","plain.example":""}}"#;
        let config = DockerConfig::parse(text.as_bytes()).unwrap();
        assert_eq!(config.helper("r.example"), Some("own"));
        assert_eq!(config.helper("plain.example"), None);
        assert_eq!(config.helper("docker.io"), Some("all"));
    }

    #[test]
    fn a_file_may_hold_nothing_and_something_after_the_object() {
        for empty in ["", " \n", "null", "{}", r#"{"auths":null}"#] {
            assert_eq!(auth(empty, "r.example"), Ok(None), "{empty:?}");
        }
        assert!(auth(r#"{"AUTHS":{"r.example":{"auth":"dTpw"}}} trailing"#, "r.example").unwrap().is_some());
        assert!(DockerConfig::parse(b"{").is_err() && DockerConfig::parse(b"[]").is_err());
    }

    #[test]
    fn proxies_are_those_of_the_engine_or_the_default_ones() {
        let text = r#"{"proxies":{"default":{"httpProxy":"http://p:1","noProxy":"localhost","ftpProxy":""},
            "tcp://b:1":{"allProxy":"socks5://s"}}}"#;
        let config = DockerConfig::parse(text.as_bytes()).unwrap();
        let told = |engine: &str| {
            let proxies = config.proxies(engine);
            proxies.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        let default = "HTTP_PROXY=http://p:1 NO_PROXY=localhost http_proxy=http://p:1 no_proxy=localhost";
        assert_eq!(told("unix:///var/run/docker.sock"), default);
        assert_eq!(told("tcp://b:1"), "ALL_PROXY=socks5://s all_proxy=socks5://s");
        assert!(DockerConfig::default().proxies("any").is_empty());
    }
}
