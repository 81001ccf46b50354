//! The engine that a machine is set up for. Start with [`Environment`].
//!
//! `DTBUILD_ENGINE` goes first, then the settings that docker's own command line reads, in its order:
//! `DOCKER_HOST`, the context that `DOCKER_CONTEXT` names, the current context of `config.json`, the default
//! socket.
//! <https://docs.docker.com/engine/manage-resources/contexts/>

use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::Endpoint;
use crate::docker_config::{self, DockerConfig, docker_folder};
use crate::engine::EngineError;

/// The address that docker's own command line uses by default.
const DEFAULT: &str = "unix:///var/run/docker.sock";
/// The name of the context that stands for no context.
const DEFAULT_CONTEXT: &str = "default";
/// The largest `meta.json` that is read, in bytes; docker writes none that is larger.
const FILE_LIMIT: u64 = 1 << 20;

/// The settings that say where the engine is.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// The value of `DTBUILD_ENGINE`: the address of an engine.
    pub engine: Option<String>,
    /// The value of `DTBUILD_ENGINE_CERTS`: the folder of the certificates for that engine.
    pub engine_certificates: Option<PathBuf>,
    /// The value of `DOCKER_HOST`: the address of an engine.
    pub docker_host: Option<String>,
    /// True if `DOCKER_TLS_VERIFY` is set.
    pub docker_tls: bool,
    /// The value of `DOCKER_CERT_PATH`: the folder of the certificates for `DOCKER_HOST`.
    pub docker_certificates: Option<PathBuf>,
    /// The value of `DOCKER_CONTEXT`: the name of a context of docker's.
    pub docker_context: Option<String>,
    /// The folder of docker's configuration.
    pub docker_folder: Option<PathBuf>,
}

/// The file `meta.json` of a context of docker's.
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
    /// The settings of this process: its environment variables and docker's folder.
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

    /// The endpoint of the engine that the settings name.
    ///
    /// # Errors
    /// Fails if the settings name something that is no address, or a context that does not exist.
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

    /// The endpoint at an address of `DOCKER_HOST`, with the certificates that go with it.
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

    /// The endpoint of the engine that a context of docker's names.
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

/// The name of a context's folder: the SHA-256 of the context's name, in hex.
pub(super) fn folder_of(context: &str) -> String {
    hex::encode(Sha256::digest(context.as_bytes()))
}

/// The content of a JSON file of docker's; none if there is no such file.
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
