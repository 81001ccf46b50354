//! Docker: dockerd with its BuildKit, and engines with Docker's API but without BuildKit. Start with
//! [`Docker::connect`].

use std::sync::atomic::{AtomicBool, Ordering};

use bollard::query_parameters::TagImageOptionsBuilder;
use tokio::sync::OnceCell;

use super::buildkit::{BuildKit, Exporter};
use super::endpoint::{Api, Endpoint, Environment};
use super::{BuildRequest, Built, Engine, EngineError, HeldImage, Output};
use crate::config::ImageName;
use crate::dockerfile::EntitlementKind;
use crate::events::{Event, EventSink};
use crate::reference::{Digest, Reference};

mod classic;
mod contexts;
mod info;
mod push;
mod save;

pub use info::{EngineInfo, Store};

/// A connection to dockerd, or to an engine with dockerd's API.
#[derive(Debug)]
pub struct Docker {
    endpoint: Endpoint,
    api: Api,
    info: OnceCell<EngineInfo>,
    buildkit: BuildKit,
    /// True once the user was told that the engine has no BuildKit.
    noticed: AtomicBool,
}

impl Docker {
    /// Connects to the engine at `host`, such as `unix:///var/run/docker.sock` or `tcp://127.0.0.1:2375`;
    /// without `host`, to the engine that the [environment](Environment) names.
    pub async fn connect(host: Option<&str>) -> Result<Self, EngineError> {
        let environment = Environment::read();
        Self::at(match host {
            Some(host) => environment.docker(host)?,
            None => environment.endpoint()?,
        })
        .await
    }

    /// Connects to the engine at `endpoint`.
    ///
    /// The connection uses the newest version of the API that both sides know.
    pub async fn at(endpoint: Endpoint) -> Result<Self, EngineError> {
        let api = match endpoint.api().await {
            Ok(api) => api,
            Err(error) => return Err(endpoint.diagnose(error).await),
        };
        let buildkit = BuildKit::new(endpoint.clone());
        Ok(Self { endpoint, api, info: OnceCell::new(), buildkit, noticed: AtomicBool::new(false) })
    }

    /// The endpoint of the engine.
    pub(in crate::engine) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The engine's description of itself, asked for once.
    pub async fn describe(&self) -> Result<&EngineInfo, EngineError> {
        self.info.get_or_try_init(|| EngineInfo::ask(&self.api)).await
    }

    /// The image that the store holds under a name.
    pub(crate) async fn held(&self, name: &str) -> Result<Option<HeldImage>, EngineError> {
        let image = match self.api.docker.inspect_image(name).await {
            Ok(image) => image,
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => {
                return Ok(None);
            }
            Err(error) => return Err(self.api.failed(&error)),
        };
        let Some(id) = image.id.as_deref().and_then(|id| id.parse().ok()) else { return Ok(None) };
        let config = image.config.unwrap_or_default();
        let platform = [image.os, image.architecture, image.variant].into_iter().flatten();
        let platform: Vec<String> = platform.filter(|part| !part.is_empty()).collect();
        Ok(Some(HeldImage {
            id,
            repo_digests: image.repo_digests.unwrap_or_default(),
            platform: platform.join("/"),
            env: config.env.unwrap_or_default(),
            onbuild: config.on_build.unwrap_or_default(),
        }))
    }

    /// Gives the image with this id another name.
    pub(crate) async fn name_by_id(&self, id: &Digest, name: &Reference) -> Result<(), EngineError> {
        tag(&self.api, id.as_str(), name).await
    }

    /// True if the engine allows an entitlement. An engine without BuildKit has none, and leaves its own refusal to
    /// the step that meets it.
    pub(super) async fn allows(&self, kind: EntitlementKind) -> Result<bool, EngineError> {
        if self.describe().await?.has_buildkit() { self.buildkit.allows(kind).await } else { Ok(true) }
    }

    /// Builds `request` as it is.
    async fn solve(&self, request: &BuildRequest, events: &EventSink) -> Result<Built, EngineError> {
        let info = self.describe().await?;
        info.abilities().check(request, &info.to_string())?;
        if !info.has_buildkit() && !self.noticed.swap(true, Ordering::Relaxed) {
            events.send(Event::Notice { text: classic::notice(info) });
        }
        let exporter = Exporter::of(&request.output, info.store == Store::Containerd);
        let (Output::File(archive), Exporter::Moby) = (&request.output, exporter) else {
            return self.run(info, exporter, request, events).await;
        };
        // An engine that cannot send an image as a file can save one from its store.
        let loaded = BuildRequest { output: Output::Load, ..request.clone() };
        let built = self.run(info, exporter, &loaded, events).await?;
        if let Some(name) = request.names.first() {
            save::save(&self.endpoint, name, archive).await?;
        }
        Ok(built)
    }

    async fn run(
        &self,
        info: &EngineInfo,
        exporter: Exporter,
        request: &BuildRequest,
        events: &EventSink,
    ) -> Result<Built, EngineError> {
        if info.has_buildkit() {
            self.buildkit.build((&info.to_string(), info.abilities()), exporter, request, events).await
        } else {
            classic::build(&self.api, info, request, events).await
        }
    }
}

impl Engine for Docker {
    async fn build(&self, request: &BuildRequest, events: &EventSink) -> Result<Built, EngineError> {
        contexts::build(self, request, events).await
    }

    async fn push(
        &self,
        image: &ImageName,
        reference: &Reference,
        events: &EventSink,
    ) -> Result<Digest, EngineError> {
        push::push(&self.endpoint, image, reference, events).await
    }

    async fn answers(&self) -> Result<(), EngineError> {
        self.api.ping().await
    }

    async fn names(&self, reference: &Reference) -> Result<Option<Vec<String>>, EngineError> {
        match self.api.docker.inspect_image(&reference.to_string()).await {
            Ok(image) => Ok(Some(image.repo_tags.unwrap_or_default())),
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(self.api.failed(&error)),
        }
    }

    async fn tag(&self, source: &Reference, name: &Reference) -> Result<(), EngineError> {
        tag(&self.api, &source.to_string(), name).await
    }
}

/// Gives an image of the store another name.
async fn tag(api: &Api, source: &str, name: &Reference) -> Result<(), EngineError> {
    let tag = name.tag().ok_or_else(|| EngineError::Lost(format!("`{name}` is not a tag")))?;
    let repository = name.repository().to_string();
    let options = TagImageOptionsBuilder::new().repo(&repository).tag(tag).build();
    api.docker.tag_image(source, Some(options)).await.map_err(|error| api.failed(&error))
}
