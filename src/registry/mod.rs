//! Registries: the digests of references, tags moved to a digest, base images, and records.
//!
//! Start with [`Registry`]: one value for all hosts of a run, cheap to clone. A [`Registry`] sends its requests through
//! [`crate::http`], tells "not there" from "not allowed", keeps tokens, and shows no secret. The protocol is the OCI's
//! distribution specification, <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>.

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

/// The number of requests under way at a time: most of their time is spent on the network.
const PARALLEL: usize = 32;

/// The number of requests under way at a time where all registries are on this machine. No time is spent on the
/// network there, and each further request needs a further connection, which takes longer to make than some
/// requests take.
const PARALLEL_HERE: usize = 8;

/// A client of all registries. Clones share connections, credentials and tokens.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Transport>);

/// The settings of a [`Registry`] that depend on the machine it runs on.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Hosts, with or without a port, that may be spoken to without TLS. Hosts of this machine always may.
    pub insecure: Vec<String>,
    /// The folder of docker's `config.json`, for credentials; none for an anonymous user.
    pub docker_config: Option<PathBuf>,
    /// The longest time that a registry may stay silent, all attempts included; none for the limits of single
    /// requests alone.
    pub silence_limit: Option<Duration>,
}

impl Settings {
    /// The settings of the process's environment: the folder in `DOCKER_CONFIG`, else `.docker` in the home
    /// folder.
    #[must_use]
    pub fn from_env() -> Self {
        Self { docker_config: docker_config::docker_folder(), ..Self::default() }
    }
}

impl Registry {
    /// A client, which sends no request yet.
    pub fn new(settings: Settings) -> Result<Self, RegistryError> {
        let transport = Transport::new(settings);
        Ok(Self(Arc::new(transport.map_err(|kind| kind.during("set up the registry client"))?)))
    }

    /// The digest of the manifest that a reference names. None when the tag or the repository does not exist,
    /// or the registry answers as it does for repositories that a first push makes.
    pub async fn digest(&self, reference: &Reference) -> Result<Option<Digest>, RegistryError> {
        let look_up = async {
            let host = self.host(reference.repository())?;
            let (path, version) = (reference.repository().path(), manifest::version(reference));
            self.manifest_digest(&host, path, &version, Hidden::IsMissing).await
        };
        look_up.await.map_err(|kind: Kind| kind.during(format!("look up `{reference}`")))
    }

    /// The [`digest`](Self::digest) of each reference, asked for in parallel and returned in order; the first
    /// failure ends the look-up.
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

    /// True if docker's configuration has a login for the repository's registry, which all requests to the registry
    /// then use: a credential helper is run once.
    pub(crate) async fn has_login(&self, repository: &Repository) -> Result<bool, RegistryError> {
        let find = async { Ok(self.0.logins.find(&*self.host(repository)?).await?.is_some()) };
        find.await.map_err(|kind: Kind| kind.during(format!("log in to `{}`", repository.registry())))
    }

    fn host(&self, repository: &Repository) -> Result<Arc<Host>, Kind> {
        self.0.hosts.of(repository.registry(), self.0.client.plain())
    }
}

/// The SHA-256 digest of some bytes, as registries name digests.
pub(crate) fn digest_of(bytes: &[u8]) -> Digest {
    Digest::of_sha256(Sha256::digest(bytes).into())
}
