//! Builds on engines that have Docker's API but no BuildKit: podman. Start with [`build`].
//!
//! Every build sends the whole context as an archive, and the engine knows neither secrets nor several
//! platforms.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bollard::auth::DockerCredentials;
use bollard::errors::Error;
use bollard::models::BuildInfo;
use bollard::query_parameters::{BuildImageOptions, BuildImageOptionsBuilder};
use futures_util::StreamExt as _;

use self::archive::Archive;
use self::output::Output;
use super::info::EngineInfo;
use crate::config::Network;
use crate::credentials::{Login, stored_login};
use crate::engine::endpoint::Api;
use crate::engine::{BuildRequest, Built, EngineError};
use crate::events::EventSink;
use crate::reference::Reference;

mod archive;
mod output;

/// The longest time that an engine may take to receive a context, one day: as good as no limit, since a build
/// has no limit either.
const LIMIT: Duration = Duration::from_hours(24);

/// The notice to the user of an engine without BuildKit, shown once.
pub(super) fn notice(engine: &EngineInfo) -> String {
    format!(
        "{engine} has no BuildKit, so builds go through its classic API: every build sends its whole context; secrets \
         and several platforms need Docker 20.10 or newer, or a buildkitd"
    )
}

/// Builds `request`, and leaves the image in the engine's store.
pub(super) async fn build(
    api: &Api,
    engine: &EngineInfo,
    request: &BuildRequest,
    events: &EventSink,
) -> Result<Built, EngineError> {
    if !request.contexts.named.is_empty() {
        return Err(EngineError::NoContexts { engine: engine.to_string() });
    }
    let credentials = credentials(&request.dockerfile).await?;
    let fault = Arc::new(OnceLock::new());
    let archive = Archive::new(request.context.clone(), Arc::clone(&request.dockerfile));
    let options = options(request, &archive.name);
    let body = bollard::body_try_stream(archive.stream(Arc::clone(&fault)));
    let docker = api.docker.clone().with_timeout(LIMIT);
    let mut answer = std::pin::pin!(docker.build_image(options, Some(credentials), Some(body)));
    let mut output = Output::new(request.image.clone(), events.clone());
    while let Some(message) = answer.next().await {
        let error = match message {
            Ok(BuildInfo { error_detail: Some(detail), .. }) => {
                detail.message.unwrap_or_else(|| "it does not say why".to_owned())
            }
            Ok(message) => {
                output.take(message.stream.as_deref().unwrap_or_default());
                continue;
            }
            Err(_) if fault.get().is_some() => break,
            Err(Error::DockerStreamError { error }) => error,
            Err(Error::DockerResponseServerError { message, .. }) => message,
            Err(error) => return Err(api.failed(&error)),
        };
        return Err(EngineError::Failed(Box::new(output.fail(&error, request))));
    }
    if let Some(reason) = fault.get() {
        return Err(EngineError::Context(reason.clone()));
    }
    let steps = output.finish();
    if let [built, others @ ..] = &*request.names {
        for name in others {
            super::tag(api, &built.to_string(), name).await?;
        }
    }
    Ok(Built { pushed: None, steps })
}

fn options(request: &BuildRequest, dockerfile: &str) -> BuildImageOptions {
    let map = |pairs: &std::collections::BTreeMap<String, String>| -> HashMap<String, String> {
        pairs.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let mut options = BuildImageOptionsBuilder::new()
        .dockerfile(dockerfile)
        .nocache(request.no_cache)
        .rm(true)
        .forcerm(true)
        .buildargs(&map(&request.args))
        .labels(&map(&request.labels));
    if let Some(name) = request.names.first() {
        options = options.t(&name.to_string());
    }
    if let Some(target) = &request.target {
        options = options.target(target);
    }
    if let Some(platform) = request.platforms.first() {
        options = options.platform(platform.as_str());
    }
    if let Some(network) = request.options.network {
        options = options.networkmode(match network {
            Network::None => "none",
            Network::Host => "host",
        });
    }
    options.build()
}

/// The logins of the registries that the Dockerfile names, with which the engine pulls base images.
async fn credentials(dockerfile: &[u8]) -> Result<HashMap<String, DockerCredentials>, EngineError> {
    let mut found = HashMap::new();
    for host in registries(dockerfile) {
        let login = stored_login(&host).await.map_err(|error| EngineError::Lost(error.to_string()))?;
        let serveraddress = Some(host.clone());
        let credentials = match login {
            None => continue,
            Some(Login::Password { username, password }) => DockerCredentials {
                username: Some(username),
                password: Some(password),
                serveraddress,
                ..DockerCredentials::default()
            },
            Some(Login::RegistryToken(token)) => DockerCredentials {
                registrytoken: Some(token),
                serveraddress,
                ..DockerCredentials::default()
            },
            Some(Login::IdentityToken(token)) => DockerCredentials {
                identitytoken: Some(token),
                serveraddress,
                ..DockerCredentials::default()
            },
        };
        found.insert(host, credentials);
    }
    Ok(found)
}

/// The registries of the images in `FROM` and `--from=`. Logins of other registries are not sent to the
/// engine.
fn registries(dockerfile: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(dockerfile);
    let images = text.lines().flat_map(|line| {
        let mut words = line.split_whitespace();
        let is_from = words.next().is_some_and(|word| word.eq_ignore_ascii_case("FROM"));
        let base = words.find(|word| !word.starts_with("--")).filter(|_| is_from);
        let copied = line
            .split([' ', '\t', ','])
            .filter_map(|word| word.strip_prefix("--from=").or_else(|| word.strip_prefix("from=")));
        base.into_iter().chain(copied)
    });
    // A name may have a tag and a digest.
    let name = |image: &str| image.split('@').next().unwrap_or_default().to_owned();
    let registry =
        |image: &str| Some(name(image).parse::<Reference>().ok()?.repository().registry().to_owned());
    images.filter_map(registry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_registries_of_the_dockerfile_get_logins() {
        let text = b"FROM --platform=linux/amd64 r.example/a:1@sha256:1 AS x
COPY --from=copied.example/b /a /b
RUN --mount=type=bind,from=bound.example:5000/c,target=/c echo from.example/d
";
        let found: Vec<String> = registries(text).into_iter().collect();
        assert_eq!(found, ["bound.example:5000", "copied.example", "r.example"]);
    }
}
