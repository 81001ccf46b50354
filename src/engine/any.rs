//! The engine at an endpoint, whichever kind it is. Start with [`AnyEngine::connect`].

use super::buildkitd::Buildkitd;
use super::docker::Docker;
use super::endpoint::{Endpoint, Protocol};
use super::{BuildRequest, Built, Engine, EngineError};
use crate::config::ImageName;
use crate::execute::events::EventSink;
use crate::reference::{Digest, Reference};

/// One of the engines that there are.
#[derive(Debug)]
pub enum AnyEngine {
    /// dockerd.
    Docker(Box<Docker>),
    /// buildkitd.
    Buildkitd(Buildkitd),
}

impl AnyEngine {
    /// Connects to the engine at `endpoint`.
    pub async fn connect(endpoint: Endpoint) -> Result<Self, EngineError> {
        Ok(match endpoint.protocol() {
            Protocol::Docker => Self::Docker(Box::new(Docker::at(endpoint).await?)),
            Protocol::BuildKit => Self::Buildkitd(Buildkitd::connect(endpoint).await?),
        })
    }

    /// Mirrors of Docker Hub, as URLs, in the order in which the engine asks them. A buildkitd does not tell its own.
    pub async fn mirrors(&self) -> Result<Vec<String>, EngineError> {
        match self {
            Self::Docker(docker) => Ok(docker.describe().await?.mirrors.clone()),
            Self::Buildkitd(_) => Ok(Vec::new()),
        }
    }
}

impl AnyEngine {
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

impl Engine for AnyEngine {
    async fn build(&self, request: &BuildRequest, events: &EventSink) -> Result<Built, EngineError> {
        match self {
            Self::Docker(engine) => engine.build(request, events).await,
            Self::Buildkitd(engine) => engine.build(request, events).await,
        }
    }

    async fn push(
        &self,
        image: &ImageName,
        reference: &Reference,
        events: &EventSink,
    ) -> Result<Digest, EngineError> {
        match self {
            Self::Docker(engine) => engine.push(image, reference, events).await,
            Self::Buildkitd(engine) => engine.push(image, reference, events).await,
        }
    }

    async fn names(&self, reference: &Reference) -> Result<Option<Vec<String>>, EngineError> {
        match self {
            Self::Docker(engine) => engine.names(reference).await,
            Self::Buildkitd(engine) => engine.names(reference).await,
        }
    }

    async fn tag(&self, source: &Reference, name: &Reference) -> Result<(), EngineError> {
        match self {
            Self::Docker(engine) => engine.tag(source, name).await,
            Self::Buildkitd(engine) => engine.tag(source, name).await,
        }
    }
}
