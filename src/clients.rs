//! What a command reaches outside of the repository, made when it is first needed.
//!
//! A run with nothing to do needs none of it: no runtime, no connection.

use std::cell::OnceCell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::cli::Building;
use crate::config::{EnvironmentName, RecordStore};
use crate::engine::AnyEngine;
use crate::engine::endpoint::{Endpoint, Environment};
use crate::error::{Code, Error, Kind, Result};
use crate::process::signals::Signals;
use crate::process::timings::Timings;
use crate::record::{Artifacts, Folder, Record, Store};
use crate::registry::{Registry, Settings};
use crate::workspace::Workspace;

/// The runtime, the registry client and the engine of one process.
#[derive(Default)]
pub(crate) struct Clients {
    runtime: OnceCell<Runtime>,
    registry: OnceCell<Registry>,
    engine: OnceCell<Arc<AnyEngine>>,
    signals: OnceCell<Signals>,
    /// Whether nobody is to be asked.
    offline: bool,
    /// Whether all of it is done on one thread.
    on_one_thread: bool,
    /// How long an engine may say nothing, where the command line says so.
    silence_limit: Option<Duration>,
    /// Where the time goes.
    pub(crate) timings: Timings,
}

impl Clients {
    /// None of them, where `offline` says so.
    pub(crate) fn unless(offline: bool) -> Self {
        Self { offline, ..Self::default() }
    }

    /// Those of a preview, which asks small questions and waits: handing them to other threads takes longer than asking.
    pub(crate) fn for_preview(self) -> Self {
        Self { on_one_thread: true, ..self }
    }

    /// Those of a run that builds.
    pub(crate) fn for_building(self, building: &Building) -> Self {
        Self { silence_limit: Some(Duration::from_secs(building.silence_limit)), ..self }
    }

    /// The engine at `endpoint`, given up as the command line says.
    pub(crate) fn patient(&self, endpoint: Endpoint) -> Endpoint {
        match self.silence_limit {
            Some(limit) => endpoint.with_silence_limit(limit),
            None => endpoint,
        }
    }

    /// Whether neither registries, engines nor git's remote are asked.
    pub(crate) fn is_offline(&self) -> bool {
        self.offline
    }

    /// Fails where nobody is to be asked.
    fn online(&self, what: &str) -> Result<()> {
        if !self.offline {
            return Ok(());
        }
        let message = format!("{what} has to be asked, and `--offline` was given");
        Err(Error::new(Code::Offline, message).hint(
            "`dtbuild lock` keeps the digests of base images in build.lock, and `[records] store = \"folder\"` \
             what environments run on this machine",
        ))
    }

    /// Runs a future to its end.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        self.runtime()?.block_on(future)
    }

    /// Runs a future to its end, or drops it at the first signal.
    pub(crate) fn block_until_signal<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        let cancel = CancellationToken::new();
        self.cancel_on_signal(cancel.clone())?;
        let result = self.block_on(async {
            tokio::select! {
                result = future => result,
                () = cancel.cancelled() => Err(Error::new(Kind::Interrupted, "interrupted")),
            }
        });
        self.signals()?.cancel(None);
        result
    }

    /// The first signal from now on cancels the run, the second ends the process.
    pub(crate) fn cancel_on_signal(&self, run: CancellationToken) -> Result<()> {
        self.signals()?.cancel(Some(run));
        Ok(())
    }

    fn signals(&self) -> Result<&Signals> {
        get_or_try(&self.signals, || {
            let _within = self.runtime()?.enter();
            Ok(Signals::listen())
        })
    }

    fn runtime(&self) -> Result<&Runtime> {
        get_or_try(&self.runtime, || {
            let mut builder = if self.on_one_thread {
                tokio::runtime::Builder::new_current_thread()
            } else {
                tokio::runtime::Builder::new_multi_thread()
            };
            let runtime = builder.enable_all().build();
            runtime.map_err(|error| Error::new(Kind::Environment, format!("cannot start threads: {error}")))
        })
    }

    /// The registry client.
    pub(crate) fn registry(&self) -> Result<&Registry> {
        self.online("a registry")?;
        get_or_try(&self.registry, || Ok(Registry::new(Settings::from_env())?))
    }

    /// Where the engine is; empty where that cannot be told.
    pub(crate) fn engine_name() -> String {
        Environment::read().endpoint().map(|endpoint| endpoint.to_string()).unwrap_or_default()
    }

    /// The engine that the process's environment names, else the machine's own.
    pub(crate) fn engine(&self) -> Result<Arc<AnyEngine>> {
        self.online("the engine")?;
        let engine = get_or_try(&self.engine, || {
            let endpoint = self.patient(Environment::read().endpoint()?);
            let engine = self.runtime()?.block_on(AnyEngine::connect(endpoint))?;
            Ok(Arc::new(engine))
        })?;
        Ok(Arc::clone(engine))
    }

    /// The mirrors of Docker Hub that the engine pulls from; none where there is no engine to ask.
    pub(crate) fn mirrors(&self) -> Vec<String> {
        let Ok(engine) = self.engine() else { return Vec::new() };
        self.block_on(async { Ok(engine.mirrors().await?) }).unwrap_or_default()
    }

    /// Where the deployments of a workspace are recorded.
    pub(crate) fn records(&self, workspace: &Workspace) -> Result<Box<dyn Store>> {
        Ok(match &workspace.config.records {
            RecordStore::Folder(folder) => Box::new(Self::folder(workspace, folder)?),
            RecordStore::Registry(repository) => {
                Box::new(Artifacts::new(self.registry()?.clone(), repository.clone()))
            }
        })
    }

    fn folder(workspace: &Workspace, folder: &Path) -> Result<Folder> {
        let root = workspace.repository.root().map_err(|error| {
            Error::from(error).hint("or keep the records at the registry: `[records] store = \"registry\"`")
        })?;
        Ok(Folder::new(root.join(folder)))
    }

    /// The record of an environment, as far back as to what it runs: not to be written again.
    pub(crate) fn read_record(&self, workspace: &Workspace, environment: &EnvironmentName) -> Result<Record> {
        // A file is read faster than threads are started.
        if let RecordStore::Folder(folder) = &workspace.config.records {
            return Ok(Self::folder(workspace, folder)?.read_newest(environment)?);
        }
        let store = self.records(workspace)?;
        self.block_on(async { Ok(store.read(environment).await?.record) })
    }
}

fn get_or_try<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    Ok(cell.get_or_init(|| value))
}
