//! An engine's description of itself. Start with [`EngineInfo`].

use crate::engine::EngineError;
use crate::engine::abilities::Abilities;
use crate::engine::endpoint::Api;
use crate::loopback::is_loopback;

/// The version and the abilities of an engine with Docker's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineInfo {
    /// The kind of the engine: `docker` or `podman`.
    pub name: String,
    /// The engine's version, such as `20.10.24`.
    pub version: String,
    /// The engine's image store, on which the abilities of its builds depend.
    pub store: Store,
    /// The engine's mirrors of Docker Hub, as URLs, in the order in which the engine asks them.
    pub mirrors: Vec<String>,
    /// The registries that the engine talks to without TLS or without checking it: hosts and CIDR ranges.
    pub insecure_registries: Vec<String>,
    /// The platform that the engine builds for unless told otherwise, such as `linux/amd64`.
    pub platform: String,
}

/// The image store of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// A graph driver, such as `overlay2`: one platform per image, pushes only through the API.
    GraphDriver(String),
    /// containerd's store, with which dockerd can do all that `buildkitd` can.
    Containerd,
}

impl EngineInfo {
    /// True if the engine builds with BuildKit. Podman has Docker's API, but answers 404 at BuildKit's path.
    #[must_use]
    pub fn has_buildkit(&self) -> bool {
        self.name != "podman"
    }

    /// The features and kinds of cache that the engine supports.
    pub(crate) fn abilities(&self) -> Abilities {
        match self.store {
            _ if !self.has_buildkit() => Abilities::CLASSIC,
            Store::GraphDriver(_) => Abilities::GRAPH_DRIVER,
            // Docker 28.0 has BuildKit 0.20, and 27 versions from 0.14 on.
            Store::Containerd if self.major() < 28 => Abilities::CONTAINERD.before_times(),
            Store::Containerd => Abilities::CONTAINERD,
        }
    }

    /// The first number of the engine's version; 0 if there is none.
    fn major(&self) -> u32 {
        self.version.split('.').next().and_then(|number| number.parse().ok()).unwrap_or_default()
    }

    /// Asks the engine behind `api` for its description.
    pub(super) async fn ask(api: &Api) -> Result<Self, EngineError> {
        let info = api.docker.info().await.map_err(|error| api.failed(&error))?;
        let registries = info.registry_config.unwrap_or_default();
        let indexes = registries.index_configs.unwrap_or_default();
        let of_hub = indexes.get("docker.io").and_then(|index| index.mirrors.clone()).unwrap_or_default();
        let mirrors = registries.mirrors.filter(|mirrors| !mirrors.is_empty()).unwrap_or(of_hub);
        let insecure = indexes.into_iter().filter(|(_, index)| index.secure == Some(false));
        let mut insecure_registries: Vec<String> = insecure.map(|(host, _)| host).collect();
        insecure_registries.sort();
        insecure_registries.extend(registries.insecure_registry_cidrs.unwrap_or_default());
        // dockerd since 24 tells the two stores apart by `driver-type`.
        let is_containerd =
            info.driver_status.unwrap_or_default().iter().any(|pair| {
                pair.iter().map(String::as_str).eq(["driver-type", "io.containerd.snapshotter.v1"])
            });
        Ok(Self {
            name: if api.is_podman { "podman" } else { "docker" }.to_owned(),
            version: info.server_version.unwrap_or_default(),
            store: if is_containerd {
                Store::Containerd
            } else {
                Store::GraphDriver(info.driver.unwrap_or_default())
            },
            mirrors: mirrors.into_iter().map(as_url).collect(),
            insecure_registries,
            platform: format!(
                "{}/{}",
                info.os_type.as_deref().unwrap_or("linux"),
                architecture(info.architecture.as_deref().unwrap_or("amd64"))
            ),
        })
    }
}

/// The name of an architecture in platforms; dockerd reports the kernel's name.
fn architecture(name: &str) -> &str {
    match name {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "i386" | "i686" => "386",
        name if name.starts_with("arm") && name != "arm64" => "arm",
        other => other,
    }
}

/// The URL of a mirror. Podman leaves the scheme out, and speaks to mirrors on this machine without TLS.
fn as_url(mirror: String) -> String {
    if mirror.contains("://") {
        return mirror;
    }
    let host = mirror.split('/').next().unwrap_or_default();
    format!("{}://{mirror}", if is_loopback(host) { "http" } else { "https" })
}

impl std::fmt::Display for EngineInfo {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.name, self.version)?;
        match &self.store {
            Store::GraphDriver(driver) => write!(formatter, " ({driver})"),
            Store::Containerd => write!(formatter, " (containerd store)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn architectures_are_those_of_platforms() {
        for (name, platform) in [
            ("x86_64", "amd64"),
            ("aarch64", "arm64"),
            ("arm64", "arm64"),
            ("armv7l", "arm"),
            ("i686", "386"),
            ("s390x", "s390x"),
        ] {
            assert_eq!(architecture(name), platform, "{name}");
        }
    }

    #[test]
    fn mirrors_are_urls() {
        for (mirror, url) in [
            ("http://127.0.0.1:5000/", "http://127.0.0.1:5000/"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("mirror.example/hub", "https://mirror.example/hub"),
        ] {
            assert_eq!(as_url(mirror.to_owned()), url);
        }
    }
}
