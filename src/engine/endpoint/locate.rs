//! Which engine a machine is set up for. Start with [`Environment`].
//!
//! `DTBUILD_ENGINE` goes first, then what docker's own command line looks at, in its order: `DOCKER_HOST`, the context
//! that `DOCKER_CONTEXT` names, the current one of `config.json`, the default socket.
//! <https://docs.docker.com/engine/manage-resources/contexts/>

use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::Endpoint;
use crate::docker_config::{self, DockerConfig, docker_folder};
use crate::engine::EngineError;

/// Docker's own default.
const DEFAULT: &str = "unix:///var/run/docker.sock";
/// The context that stands for "none".
const DEFAULT_CONTEXT: &str = "default";
/// More is not a configuration of docker's.
const FILE_LIMIT: u64 = 1 << 20;

/// What says where the engine is.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `DTBUILD_ENGINE`.
    pub engine: Option<String>,
    /// `DTBUILD_ENGINE_CERTS`, the certificates for it.
    pub engine_certificates: Option<PathBuf>,
    /// `DOCKER_HOST`.
    pub docker_host: Option<String>,
    /// Whether `DOCKER_TLS_VERIFY` is set.
    pub docker_tls: bool,
    /// `DOCKER_CERT_PATH`.
    pub docker_certificates: Option<PathBuf>,
    /// `DOCKER_CONTEXT`.
    pub docker_context: Option<String>,
    /// The folder of docker's configuration.
    pub docker_folder: Option<PathBuf>,
}

/// A context's `meta.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Meta {
    #[serde(default)]
    endpoints: Endpoints,
}

#[derive(Default, Deserialize)]
struct Endpoints {
    docker: Option<DockerEndpoint>,
}

#[derive(Deserialize)]
struct DockerEndpoint {
    #[serde(rename = "Host", default)]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_tls_verify: bool,
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn read() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            engine: text("DTBUILD_ENGINE"),
            engine_certificates: text("DTBUILD_ENGINE_CERTS").map(PathBuf::from),
            docker_host: text("DOCKER_HOST"),
            docker_tls: text("DOCKER_TLS_VERIFY").is_some(),
            docker_certificates: text("DOCKER_CERT_PATH").map(PathBuf::from),
            docker_context: text("DOCKER_CONTEXT"),
            docker_folder: docker_folder(),
        }
    }

    /// The engine that it says to use.
    ///
    /// # Errors
    /// When what it names is not an address, or a context that does not exist.
    pub fn endpoint(&self) -> Result<Endpoint, EngineError> {
        if let Some(engine) = &self.engine {
            return Endpoint::parse(engine, self.engine_certificates.as_deref());
        }
        if let Some(host) = &self.docker_host {
            return self.docker(host);
        }
        let context = match &self.docker_context {
            Some(context) => Some(context.clone()),
            None => self.current_context()?,
        };
        match context.filter(|context| context != DEFAULT_CONTEXT) {
            Some(context) => self.context(&context),
            None => Endpoint::parse(DEFAULT, None),
        }
    }

    /// An address as `DOCKER_HOST` holds it, with the certificates that go with it.
    pub(in crate::engine) fn docker(&self, host: &str) -> Result<Endpoint, EngineError> {
        let folder = self.docker_certificates.as_ref().or(self.docker_folder.as_ref());
        Endpoint::parse(host, folder.filter(|_| self.docker_tls).map(PathBuf::as_path))
    }

    fn current_context(&self) -> Result<Option<String>, EngineError> {
        let Some(folder) = &self.docker_folder else { return Ok(None) };
        let config = DockerConfig::read(folder).map_err(|error| EngineError::Address {
            address: docker_config::file(folder).display().to_string(),
            reason: format!("it is damaged: {error}"),
        })?;
        Ok(config.current_context().map(ToOwned::to_owned))
    }

    /// The engine of a context of docker's.
    fn context(&self, name: &str) -> Result<Endpoint, EngineError> {
        let wrong = |reason: &str| EngineError::Address {
            address: format!("docker context {name}"),
            reason: reason.to_owned(),
        };
        let folder = self.docker_folder.as_ref().ok_or_else(|| wrong("there is no home folder"))?;
        let id = folder_of(name);
        let folder = folder.join("contexts");
        let meta: Option<Meta> = read_json(&folder.join("meta").join(&id).join("meta.json"))?;
        let meta = meta.ok_or_else(|| wrong("there is no such context; `docker context ls` lists them"))?;
        let docker = meta.endpoints.docker.filter(|docker| !docker.host.is_empty());
        let docker = docker.ok_or_else(|| wrong("it names no engine"))?;
        if docker.skip_tls_verify {
            return Err(wrong(
                "it asks not to verify TLS, which dtbuild always does; make it anew with the engine's ca",
            ));
        }
        let certificates = folder.join("tls").join(&id).join("docker");
        Endpoint::parse(&docker.host, certificates.exists().then_some(&*certificates))
    }
}

/// The folder of a context: the SHA-256 of its name.
pub(super) fn folder_of(context: &str) -> String {
    hex::encode(Sha256::digest(context.as_bytes()))
}

/// A file of docker's; none where there is none.
fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, EngineError> {
    use std::io::Read as _;
    let unusable = |reason: String| EngineError::Address { address: path.display().to_string(), reason };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(error.to_string())),
    };
    let parsed = serde_json::from_reader(std::io::BufReader::new(file.take(FILE_LIMIT)));
    parsed.map(Some).map_err(|error| unusable(format!("it is damaged: {error}")))
}
