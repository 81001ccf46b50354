//! What a run reaches outside of the repository: registries, the engine, the records. Start with [`Clients`].
//!
//! Each is made when it is first asked for: a run with nothing to do makes none of them. One value serves any
//! number of runs at the same time.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::config::{EnvironmentName, RecordStore};
use crate::engine::AnyEngine;
use crate::engine::endpoint::{Endpoint, Environment};
use crate::error::{Code, Error, Kind, Result};
use crate::process::Signals;
use crate::record::{Folder, Record, Records, Storage};
use crate::registry::{Registry, Settings};
use crate::workspace::Workspace;

mod registry_storage;

pub use registry_storage::RegistryStorage;

/// How a run reaches what is outside of the repository.
#[derive(Clone, Default)]
pub struct Options {
    /// Whether neither registries nor git's remote are asked, nor the engine for more than base images of its own.
    pub offline: bool,
    /// How long an engine, or a registry, may say nothing before it is given up; their own limits where none is given.
    pub silence_limit: Option<Duration>,
    /// What ends a question that takes long.
    pub signals: Signals,
}

/// The registry client, the engine and the record stores of any number of runs.
#[derive(Default)]
pub struct Clients {
    options: Options,
    registry: OnceLock<Registry>,
    engine: OnceCell<Arc<AnyEngine>>,
}

impl Clients {
    /// Clients that are made when they are first asked for.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options, ..Self::default() }
    }

    /// Whether neither registries nor git's remote are asked, nor the engine for more than base images of its own.
    pub(crate) fn is_offline(&self) -> bool {
        self.options.offline
    }

    /// What ends a run.
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

    /// The engine that the process's environment names, else the machine's own.
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

    /// The address of the engine; empty where that cannot be told.
    pub(crate) fn engine_name() -> String {
        Environment::read().endpoint().map(|endpoint| endpoint.to_string()).unwrap_or_default()
    }

    /// The engine at `endpoint`, given up as the options say.
    pub(crate) fn patient(&self, endpoint: Endpoint) -> Endpoint {
        match self.options.silence_limit {
            Some(limit) => endpoint.with_silence_limit(limit),
            None => endpoint,
        }
    }

    /// The mirrors of Docker Hub that the engine pulls from; none where there is no engine to ask.
    pub(crate) async fn mirrors(&self) -> Vec<String> {
        let Ok(engine) = self.engine().await else { return Vec::new() };
        engine.mirrors().await.unwrap_or_default()
    }

    /// The records of a workspace, in the storage that its `build.toml` names.
    pub(crate) fn records(&self, workspace: &Workspace) -> Result<Records> {
        let storage: Arc<dyn Storage> = match &workspace.config.records {
            RecordStore::Folder(folder) => Arc::new(record_folder(workspace, folder)?),
            RecordStore::Registry(repository) => {
                Arc::new(RegistryStorage::new(self.registry()?.clone(), repository.clone()))
            }
        };
        Ok(Records::new(storage))
    }

    /// The record of an environment, as far back as to what it runs: not to be written again.
    pub(crate) async fn newest_record(
        &self,
        workspace: &Workspace,
        environment: &EnvironmentName,
    ) -> Result<Record> {
        Ok(self.records(workspace)?.read_newest(environment).await?)
    }

    /// Fails where nobody is to be asked.
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

fn record_folder(workspace: &Workspace, folder: &Path) -> Result<Folder> {
    let root = workspace.repository.root().map_err(|error| {
        Error::from(error).hint("or keep the records at the registry: `[records] store = \"registry\"`")
    })?;
    Ok(Folder::new(root.join(folder)))
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
