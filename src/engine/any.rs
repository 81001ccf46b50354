//! The engine at an endpoint, whichever kind it is. Start with [`AnyEngine::connect`].

use super::abilities::Abilities;
use super::buildkitd::Buildkitd;
use super::docker::{Docker, EngineInfo, Store};
use super::endpoint::{Endpoint, Protocol};
use super::proxies::{proxies, with_proxies};
use super::{BuildRequest, Built, Engine, EngineError, HeldImage};
use crate::config::ImageName;
use crate::dockerfile::EntitlementKind;
use crate::events::EventSink;
use crate::reference::{Digest, Reference};

/// An engine of one of the supported kinds.
#[derive(Debug)]
pub enum AnyEngine {
    /// dockerd, or podman through Docker's API.
    Docker(Box<Docker>),
    /// A buildkitd.
    Buildkitd(Buildkitd),
}

/// The description of an engine: kind, version, image store, platforms, mirrors and abilities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    /// The kind of the engine: `docker`, `podman` or `buildkitd`.
    pub(crate) kind: String,
    /// The engine's version, if the engine tells one.
    pub(crate) version: Option<String>,
    /// The engine's image store: a graph driver's name, or `containerd`; none for an engine without a store.
    pub(crate) store: Option<String>,
    /// The platforms that the engine builds for.
    pub(crate) platforms: Vec<String>,
    /// The engine's mirrors of Docker Hub, as URLs.
    pub(crate) mirrors: Vec<String>,
    /// The features and kinds of cache that the engine supports.
    pub(crate) abilities: Abilities,
}

impl AnyEngine {
    /// Connects to the engine at `endpoint`.
    pub async fn connect(endpoint: Endpoint) -> Result<Self, EngineError> {
        Ok(match endpoint.protocol() {
            Protocol::Docker => Self::Docker(Box::new(Docker::at(endpoint).await?)),
            Protocol::BuildKit => Self::Buildkitd(Buildkitd::connect(endpoint).await?),
        })
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        match self {
            Self::Docker(docker) => docker.endpoint(),
            Self::Buildkitd(buildkitd) => buildkitd.endpoint(),
        }
    }

    /// Asks the engine for its description.
    pub(crate) async fn describe(&self) -> Result<Description, EngineError> {
        match self {
            Self::Docker(docker) => Ok(docker.describe().await?.into()),
            Self::Buildkitd(buildkitd) => buildkitd.describe().await,
        }
    }

    /// The engine's mirrors of Docker Hub, as URLs, in the order in which the engine asks them. Empty for a
    /// buildkitd, which does not tell its mirrors.
    pub async fn mirrors(&self) -> Result<Vec<String>, EngineError> {
        match self {
            Self::Docker(docker) => Ok(docker.describe().await?.mirrors.clone()),
            Self::Buildkitd(_) => Ok(Vec::new()),
        }
    }

    /// The image that the engine's store holds under a name as Dockerfiles write it; none where it holds none.
    pub(crate) async fn held(&self, name: &str) -> Result<Option<HeldImage>, EngineError> {
        match self {
            Self::Docker(docker) => docker.held(name).await,
            Self::Buildkitd(_) => Ok(None),
        }
    }

    /// Gives the image with this id another name, so that it can be built on whatever its old name comes to mean.
    pub(crate) async fn name_by_id(&self, id: &Digest, name: &Reference) -> Result<(), EngineError> {
        match self {
            Self::Docker(docker) => docker.name_by_id(id, name).await,
            Self::Buildkitd(_) => Ok(()),
        }
    }

    /// True if the engine's configuration allows an entitlement. The engine is asked with a request that builds nothing.
    pub(crate) async fn allows(&self, kind: EntitlementKind) -> Result<bool, EngineError> {
        match self {
            Self::Docker(docker) => docker.allows(kind).await,
            Self::Buildkitd(buildkitd) => buildkitd.allows(kind).await,
        }
    }

    /// Refuses what this engine would leave out of a build, before there is one.
    pub async fn check(&self, request: &BuildRequest) -> Result<(), EngineError> {
        match self {
            Self::Docker(docker) => {
                let info = docker.describe().await?;
                info.abilities().check(request, &info.to_string())
            }
            Self::Buildkitd(buildkitd) => buildkitd.check(request),
        }
    }
}

/// Evaluates an expression for the engine inside an `AnyEngine`, whichever kind it is.
macro_rules! each {
    ($any:expr, $engine:ident => $does:expr) => {
        match $any {
            AnyEngine::Docker($engine) => $does,
            AnyEngine::Buildkitd($engine) => $does,
        }
    };
}

impl Engine for AnyEngine {
    async fn build(&self, request: &BuildRequest, events: &EventSink) -> Result<Built, EngineError> {
        let request = with_proxies(request, proxies(&self.endpoint().to_string()));
        each!(self, engine => engine.build(&request, events).await)
    }

    async fn push(
        &self,
        image: &ImageName,
        reference: &Reference,
        events: &EventSink,
    ) -> Result<Digest, EngineError> {
        each!(self, engine => engine.push(image, reference, events).await)
    }

    async fn answers(&self) -> Result<(), EngineError> {
        each!(self, engine => engine.answers().await)
    }

    async fn names(&self, reference: &Reference) -> Result<Option<Vec<String>>, EngineError> {
        each!(self, engine => engine.names(reference).await)
    }

    async fn tag(&self, source: &Reference, name: &Reference) -> Result<(), EngineError> {
        each!(self, engine => engine.tag(source, name).await)
    }
}

impl From<&EngineInfo> for Description {
    fn from(info: &EngineInfo) -> Self {
        let store = match &info.store {
            Store::GraphDriver(driver) => driver.clone(),
            Store::Containerd => "containerd".to_owned(),
        };
        Self {
            kind: info.name.clone(),
            version: Some(info.version.clone()),
            store: Some(store),
            platforms: vec![info.platform.clone()],
            mirrors: info.mirrors.clone(),
            abilities: info.abilities(),
        }
    }
}

/// The kind, the version and the store of the engine, such as `docker 28.5.2 (overlay2)`.
impl std::fmt::Display for Description {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.kind)?;
        if let Some(version) = &self.version {
            write!(formatter, " {version}")?;
        }
        match self.store.as_deref() {
            None => Ok(()),
            Some("containerd") => formatter.write_str(" (containerd store)"),
            Some(driver) => write!(formatter, " ({driver})"),
        }
    }
}
