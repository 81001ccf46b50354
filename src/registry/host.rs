//! Addresses of registries: [`Host`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Url;

use super::error::Kind;
use crate::docker_config::is_docker_hub;
use crate::http::{PlainHosts, authority};

/// The address of a registry, or of a mirror.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Host {
    /// The registry's name as users write it, with the port where there is one.
    pub(super) name: String,
    /// The root of the registry's API, such as `https://registry-1.docker.io/`.
    pub(super) root: Url,
}

/// The registries of a run, by the names that users write.
#[derive(Debug, Default)]
pub(super) struct Hosts(Mutex<HashMap<String, Arc<Host>>>);

impl Hosts {
    /// The [`Host::of`] of a name, computed once per name: hundreds of images are in one registry.
    pub(super) fn of(&self, name: &str, plain: &PlainHosts) -> Result<Arc<Host>, Kind> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = known.get(name) {
            return Ok(Arc::clone(host));
        }
        let host = Arc::new(Host::of(name, plain)?);
        known.insert(name.to_owned(), Arc::clone(&host));
        Ok(host)
    }
}

impl Host {
    /// The registry of this name. `docker.io` is a name only: its API has another address.
    pub(super) fn of(name: &str, plain: &PlainHosts) -> Result<Self, Kind> {
        let scheme = if plain.allow(name) { "http" } else { "https" };
        let authority = if is_docker_hub(name) { "registry-1.docker.io" } else { name };
        let root = Url::parse(&format!("{scheme}://{authority}/"))
            .map_err(|error| Kind::Name(format!("`{name}` is not the address of a registry: {error}")))?;
        Ok(Self { name: name.to_owned(), root })
    }

    /// The mirror at a URL such as `http://127.0.0.1:5000`.
    pub(super) fn mirror(url: &str, plain: &PlainHosts) -> Result<Self, Kind> {
        let root = Url::parse(url).ok().filter(|root| matches!(root.scheme(), "http" | "https"));
        let Some(mut root) = root.filter(Url::has_host) else {
            return Err(Kind::Name("a mirror is a URL such as `http://127.0.0.1:5000`".to_owned()));
        };
        if !root.username().is_empty() || root.password().is_some() {
            let advice = "a mirror's URL carries a password; leave it out and use `docker login`";
            return Err(Kind::Name(advice.to_owned()));
        }
        root.set_path("/");
        root.set_query(None);
        let name = authority(&root);
        if !plain.accept(&root) {
            return Err(Kind::Name(format!(
                "the mirror `{name}` is not on this machine; use https, or name it as an insecure registry"
            )));
        }
        Ok(Self { name, root })
    }

    /// The address of a path `tail` below `/v2/`.
    pub(super) fn address(&self, tail: &str) -> Url {
        let mut address = self.root.clone();
        address.set_path(&format!("/v2/{tail}"));
        address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_hub_has_three_names_and_one_address() {
        let host = Host::of("docker.io", &PlainHosts::default()).unwrap();
        assert_eq!(host.root.as_str(), "https://registry-1.docker.io/");
    }

    #[test]
    fn a_mirror_elsewhere_needs_tls_and_carries_no_password() {
        let mirror = |url| Host::mirror(url, &PlainHosts::default());
        assert_eq!(mirror("http://127.0.0.1:5000").unwrap().name, "127.0.0.1:5000");
        assert!(mirror("https://mirror.example.com/").is_ok());
        assert!(mirror("http://mirror.example.com").is_err());
        assert!(mirror("127.0.0.1:5000").is_err());
        let error = mirror("https://me:hunter2@mirror.example.com").unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }
}
