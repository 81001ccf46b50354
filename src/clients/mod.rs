//! The clients for everything outside of the repository: registries, the engine, the records. Start with
//! [`Clients`].
//!
//! A client is made when it is first asked for: a run with nothing to do makes none. One [`Clients`] serves any
//! number of runs at the same time.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::config::EnvironmentName;
use crate::engine::AnyEngine;
use crate::engine::endpoint::{Endpoint, Environment};
use crate::error::{Code, Error, Kind, Result};
use crate::process::Signals;
use crate::record::{Record, Records};
use crate::registry::{Registry, Settings};
use crate::workspace::Workspace;

mod git_storage;
mod records;
mod registry_storage;

pub use git_storage::GitStorage;
pub(crate) use records::state_folder;
pub use registry_storage::RegistryStorage;

/// The options of the clients.
#[derive(Clone, Default)]
pub struct Options {
    /// Whether neither registries nor git's remote are asked, nor the engine for more than base images of its own.
    pub offline: bool,
    /// The longest silence of an engine or a registry before it is given up; their own limits where none is
    /// given.
    pub silence_limit: Option<Duration>,
    /// The signals that end a run.
    pub signals: Signals,
    /// The path of the program `dtbuild`, which supervises the triggers of a run; without one, only a run that ends
    /// in an orderly way ends its trigger.
    pub supervisor: Option<PathBuf>,
}

/// The registry client, the engine and the record stores of any number of runs.
#[derive(Default)]
pub struct Clients {
    options: Options,
    registry: OnceLock<Registry>,
    engine: OnceCell<Arc<AnyEngine>>,
}

impl Clients {
    /// The clients with these options; each client is made when it is first asked for.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options, ..Self::default() }
    }

    /// Whether neither registries nor git's remote are asked, nor the engine for more than base images of its own.
    pub(crate) fn is_offline(&self) -> bool {
        self.options.offline
    }

    /// The program that supervises triggers.
    pub(crate) fn supervisor(&self) -> Option<&Path> {
        self.options.supervisor.as_deref()
    }

    /// The signals that end a run.
    pub(crate) fn signals(&self) -> &Signals {
        &self.options.signals
    }

    /// Runs a future to its end, or drops it at the first signal.
    pub(crate) async fn until_signal<T>(&self, future: impl Future<Output = T>) -> Result<T> {
        let ended = self.options.signals.until_signal(future).await;
        ended.ok_or_else(|| Error::new(Kind::Interrupted, "interrupted"))
    }

    /// The registry client.
    pub(crate) fn registry(&self) -> Result<&Registry> {
        self.online("a registry")?;
        if let Some(registry) = self.registry.get() {
            return Ok(registry);
        }
        let silence_limit = self.options.silence_limit;
        let registry = Registry::new(Settings { silence_limit, ..Settings::from_env() })?;
        Ok(self.registry.get_or_init(|| registry))
    }

    /// The engine that the process's environment names, else the machine's own engine.
    pub(crate) async fn engine(&self) -> Result<Arc<AnyEngine>> {
        self.online("the engine")?;
        self.machine_engine().await
    }

    /// The same engine, also where nobody is to be asked: for what lies in its own store.
    pub(crate) async fn machine_engine(&self) -> Result<Arc<AnyEngine>> {
        let connect = || async {
            let endpoint = self.patient(Environment::read().endpoint()?);
            Ok::<_, Error>(Arc::new(AnyEngine::connect(endpoint).await?))
        };
        self.engine.get_or_try_init(connect).await.map(Arc::clone)
    }

    /// The engine's address; empty where the address cannot be told.
    pub(crate) fn engine_name() -> String {
        Environment::read().endpoint().map(|endpoint| endpoint.to_string()).unwrap_or_default()
    }

    /// The endpoint with the silence limit of the options.
    pub(crate) fn patient(&self, endpoint: Endpoint) -> Endpoint {
        match self.options.silence_limit {
            Some(limit) => endpoint.with_silence_limit(limit),
            None => endpoint,
        }
    }

    /// The mirrors of Docker Hub that the engine pulls from; none where no engine answers.
    pub(crate) async fn mirrors(&self) -> Vec<String> {
        let Ok(engine) = self.engine().await else { return Vec::new() };
        engine.mirrors().await.unwrap_or_default()
    }

    /// The records of a workspace, in the storage that its `build.toml` names.
    pub(crate) fn records(&self, workspace: &Workspace) -> Result<Records> {
        records::open(workspace, || self.registry(), || self.online("git's remote"))
    }

    /// The newest part of an environment's record, back to the deployment that runs. Such a record must not be
    /// written.
    pub(crate) async fn newest_record(
        &self,
        workspace: &Workspace,
        environment: &EnvironmentName,
    ) -> Result<Record> {
        Ok(self.records(workspace)?.read_newest(environment).await?)
    }

    /// Fails if the clients are offline. `who` is the part that would have to be asked.
    fn online(&self, who: &str) -> Result<()> {
        if !self.options.offline {
            return Ok(());
        }
        let message = format!("{who} has to be asked, and `--offline` was given");
        Err(Error::new(Code::Offline, message).hint(
            "`dtbuild lock` keeps the digests of base images in build.lock, and `[records] store = \"folder\"` \
             what environments run on this machine",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_can_be_shared_by_runs_on_any_thread() {
        fn shared<T: Send + Sync>() {}
        shared::<Clients>();
    }
}
