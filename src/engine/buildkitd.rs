//! buildkitd: BuildKit without Docker. Start with [`Buildkitd::connect`].
//!
//! A buildkitd has no image store: the images that it builds go to the registry, or into a file.

use std::collections::BTreeSet;

use bollard_buildkit_proto::moby::buildkit::v1::{InfoRequest, ListWorkersRequest};
use tonic::Code;

use super::abilities::Abilities;
use super::buildkit::{self, BuildKit, Exporter};
use super::endpoint::Endpoint;
use super::{BuildRequest, Built, Description, Engine, EngineError, Output};
use crate::config::ImageName;
use crate::dockerfile::EntitlementKind;
use crate::events::EventSink;
use crate::reference::{Digest, Reference};

/// A connection to a buildkitd that answered.
#[derive(Debug)]
pub struct Buildkitd {
    buildkit: BuildKit,
    version: Option<String>,
}

impl Buildkitd {
    /// Connects to the buildkitd at `endpoint`, and asks for its version.
    pub async fn connect(endpoint: Endpoint) -> Result<Self, EngineError> {
        match ask_version(&endpoint).await {
            Ok(version) => Ok(Self { buildkit: BuildKit::new(endpoint), version }),
            Err(error) => Err(endpoint.diagnose(error).await),
        }
    }

    /// The endpoint of the buildkitd.
    pub(super) fn endpoint(&self) -> &Endpoint {
        self.buildkit.endpoint()
    }

    /// Asks the buildkitd for its description, with the platforms that its workers build for.
    pub(super) async fn describe(&self) -> Result<Description, EngineError> {
        let lost = || EngineError::Lost("it does not speak BuildKit any more".to_owned());
        let mut control = buildkit::control(self.buildkit.endpoint()).await?.ok_or_else(lost)?;
        let workers = self.endpoint().greeted(control.list_workers(ListWorkersRequest::default())).await?;
        let workers = workers.map_err(|status| EngineError::Lost(buildkit::lost_reason(&status)))?;
        let platforms = workers.into_inner().record.into_iter().flat_map(|worker| worker.platforms);
        let platforms: BTreeSet<String> = platforms
            .map(|platform| {
                let parts = [platform.os, platform.architecture, platform.variant];
                parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
            })
            .collect();
        Ok(Description {
            kind: "buildkitd".to_owned(),
            version: self.version().map(str::to_owned),
            store: None,
            platforms: platforms.into_iter().collect(),
            mirrors: Vec::new(),
            abilities: self.abilities(),
        })
    }

    fn abilities(&self) -> Abilities {
        let mut numbers =
            self.version().unwrap_or_default().split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if version < (0, 15) { Abilities::BUILDKITD.before_times() } else { Abilities::BUILDKITD }
    }

    fn version(&self) -> Option<&str> {
        self.version.as_deref().map(|version| version.trim_start_matches('v'))
    }

    /// True if the buildkitd allows an entitlement.
    pub(super) async fn allows(&self, kind: EntitlementKind) -> Result<bool, EngineError> {
        self.buildkit.allows(kind).await
    }

    /// Refuses a request that the buildkitd does not support.
    pub(super) fn check(&self, request: &BuildRequest) -> Result<(), EngineError> {
        if request.output == Output::Load {
            return Err(self.without_store("keeping a built image"));
        }
        self.abilities().check(request, &self.to_string())
    }

    fn without_store(&self, feature: &str) -> EngineError {
        EngineError::Unsupported {
            feature: feature.to_owned(),
            engine: self.to_string(),
            hint: "it has no store of images: push them, or use Docker for local builds".to_owned(),
        }
    }
}

/// Asks the buildkitd at `endpoint` for its version; none from a buildkitd that does not tell it.
async fn ask_version(endpoint: &Endpoint) -> Result<Option<String>, EngineError> {
    let control = buildkit::control(endpoint).await?;
    let mut control = control.ok_or_else(|| endpoint.unreachable("it does not speak BuildKit"))?;
    match endpoint.greeted(control.info(InfoRequest {})).await? {
        Ok(info) => Ok(info.into_inner().buildkit_version.map(|version| version.version)),
        // buildkitd before 0.11 does not tell its version.
        Err(status) if status.code() == Code::Unimplemented => Ok(None),
        Err(status) => Err(endpoint.unreachable(buildkit::lost_reason(&status))),
    }
}

impl Engine for Buildkitd {
    async fn build(&self, request: &BuildRequest, events: &EventSink) -> Result<Built, EngineError> {
        self.check(request)?;
        let exporter = match request.output {
            Output::Stay => Exporter::Nothing,
            _ => Exporter::of(&request.output, true),
        };
        self.buildkit.build((&self.to_string(), self.abilities()), exporter, request, events).await
    }

    async fn push(&self, _: &ImageName, _: &Reference, _: &EventSink) -> Result<Digest, EngineError> {
        Err(self.without_store("pushing an image after its build"))
    }

    async fn answers(&self) -> Result<(), EngineError> {
        ask_version(self.endpoint()).await.map(drop)
    }

    async fn names(&self, _: &Reference) -> Result<Option<Vec<String>>, EngineError> {
        Err(self.without_store("keeping images"))
    }

    async fn tag(&self, _: &Reference, _: &Reference) -> Result<(), EngineError> {
        Err(self.without_store("naming images"))
    }
}

impl std::fmt::Display for Buildkitd {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("buildkitd")?;
        match self.version() {
            Some(version) => write!(formatter, " {version}"),
            None => Ok(()),
        }
    }
}
