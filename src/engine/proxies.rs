//! The proxies of builds. Docker's `config.json` names them, and docker's client passes them to `RUN` as
//! predefined build arguments. Start with [`with_proxies`].
//!
//! Proxies belong to the machine, not to the image: BuildKit leaves them out of its cache, and keys do not
//! include them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::BuildRequest;
use crate::docker_config::{DockerConfig, docker_folder};

/// The proxies of builds on the engine at this address, by the names of their build arguments. Empty if
/// docker's configuration cannot be read: the code that needs a login from it reports the error.
pub(crate) fn proxies(engine: &str) -> BTreeMap<String, String> {
    let config = docker_folder().and_then(|folder| DockerConfig::read(&folder).ok());
    config.unwrap_or_default().proxies(engine)
}

/// The request with these proxies as build arguments, except for those that `args` of `build.toml` sets.
pub(super) fn with_proxies(
    request: &BuildRequest,
    proxies: BTreeMap<String, String>,
) -> Cow<'_, BuildRequest> {
    if proxies.is_empty() {
        return Cow::Borrowed(request);
    }
    let args = proxies.into_iter().chain(request.args.clone()).collect();
    Cow::Owned(BuildRequest { args, ..request.clone() })
}

/// The note of `dtbuild inputs` on the proxies of builds on the engine at this address; none without proxies.
/// The note has their names alone, since a value may hold a password.
pub(crate) fn note(engine: &str) -> Option<String> {
    let proxies = proxies(engine);
    let capitals: Vec<String> = proxies
        .keys()
        .filter(|name| !name.contains(|c: char| c.is_lowercase()))
        .map(|name| format!("`{name}`"))
        .collect();
    (!capitals.is_empty()).then(|| {
        format!(
            "`RUN` gets {} from `proxies` in docker's `config.json`; no key has them, since they are this machine's",
            capitals.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fake;

    #[test]
    fn an_argument_of_the_image_goes_before_a_proxy_of_the_machine() {
        let pairs = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let args = pairs(&[("HTTP_PROXY", "http://own"), ("A", "1")]);
        let request = BuildRequest { args, ..fake::request("api") };
        let proxies = pairs(&[("HTTP_PROXY", "http://p"), ("http_proxy", "http://p")]);
        let told = with_proxies(&request, proxies).args.clone();
        assert_eq!(told, pairs(&[("A", "1"), ("HTTP_PROXY", "http://own"), ("http_proxy", "http://p")]));
        assert_eq!(with_proxies(&request, BTreeMap::new()).args, request.args);
    }
}
