//! Registries: what they hold under a name, tags moved to a digest, base images, and records.
//!
//! Start with [`Registry`]: one value for all hosts of a run, cheap to clone. It speaks through
//! [`crate::http`], tells "not there" from "not allowed", keeps tokens, and shows no secret. The protocol is the OCI's distribution specification,
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::{Method, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::docker_config;
use crate::http::Answer;
use crate::loopback::is_loopback;
use crate::reference::{Digest, Reference, Repository};

pub mod artifact;
mod auth;
pub mod base;
mod blob;
pub mod configuration;
pub mod error;
mod host;
mod manifest;
mod quirks;
mod tags;
mod token;
mod transport;

pub use error::{Kind, Peer, RegistryError, Role};

use auth::Scope;
use host::Host;
use transport::{Call, Hidden, Transport};

/// How many requests are under way at a time: most of the time they are on the way.
const PARALLEL: usize = 32;

/// As many where registries are on this machine, and nothing is on the way: each request more needs a connection more,
/// which takes longer to make than some questions.
const PARALLEL_HERE: usize = 8;

/// A client of all registries. Clones share connections, credentials and tokens.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Transport>);

/// What a [`Registry`] is told about the machine it runs on.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Hosts, with or without a port, that may be spoken to without TLS. Those of this machine always may.
    pub insecure: Vec<String>,
    /// The folder of docker's `config.json`, for credentials; none to stay anonymous.
    pub docker_config: Option<PathBuf>,
    /// How long a registry may say nothing, all attempts included; none for the limits of single requests alone.
    pub silence_limit: Option<Duration>,
}

impl Settings {
    /// What the environment says: `DOCKER_CONFIG`, else `.docker` in the home folder.
    #[must_use]
    pub fn from_env() -> Self {
        Self { docker_config: docker_config::docker_folder(), ..Self::default() }
    }
}

impl Registry {
    /// A client. Nothing is asked of any registry yet.
    pub fn new(settings: Settings) -> Result<Self, RegistryError> {
        let transport = Transport::new(settings);
        Ok(Self(Arc::new(transport.map_err(|kind| kind.during("set up the registry client"))?)))
    }

    /// The digest of the manifest that a reference names; none when the tag or the repository is not there, or the
    /// registry answers as it does for repositories that a push makes.
    pub async fn digest(&self, reference: &Reference) -> Result<Option<Digest>, RegistryError> {
        let look_up = async {
            let host = self.host(reference.repository())?;
            let (path, version) = (reference.repository().path(), manifest::version(reference));
            self.manifest_digest(&host, path, &version, Hidden::IsMissing).await
        };
        look_up.await.map_err(|kind: Kind| kind.during(format!("look up `{reference}`")))
    }

    /// [`digest`](Self::digest) of many references at a time, in their order; the first failure ends it.
    pub async fn digests(&self, references: &[Reference]) -> Result<Vec<Option<Digest>>, RegistryError> {
        let is_here = |reference: &Reference| is_loopback(reference.repository().registry());
        let parallel = if references.iter().all(is_here) { PARALLEL_HERE } else { PARALLEL };
        // Clones: a borrowing closure's future is not general enough for callers that spawn this.
        let lookups = references.iter().cloned().map(|reference| {
            let this = self.clone();
            async move { this.digest(&reference).await }
        });
        stream::iter(lookups).buffered(parallel).try_collect().await
    }

    fn host(&self, repository: &Repository) -> Result<Arc<Host>, Kind> {
        self.0.hosts.of(repository.registry(), self.0.client.plain())
    }
}

/// The digest of bytes, as registries name them.
pub(crate) fn digest_of(bytes: &[u8]) -> Digest {
    Digest::of_sha256(Sha256::digest(bytes).into())
}
