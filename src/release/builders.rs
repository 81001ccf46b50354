//! The engines that a run builds on. Start with [`Builders::reach`].

use std::sync::Arc;

use futures_util::future::join_all;

use super::requests::Purpose;
use crate::clients::Clients;
use crate::config;
use crate::engine::endpoint::{Endpoint, Environment};
use crate::engine::{AnyEngine, Engine as _, EngineError, LateEngine};
use crate::error::{Code, Error, Failure as _, Result};
use crate::events::{Event, EventSink};
use crate::execute::pool::Builder;
use crate::workspace::Workspace;

/// The number of images that the machine's own engine builds at a time, unless the command line gives another.
const JOBS: usize = 4;

/// The engines that a run may use, and the reasons of those that did not answer.
pub(crate) struct Builders {
    usable: Vec<Builder<LateEngine>>,
    lost: Vec<(String, EngineError)>,
    jobs: usize,
}

impl Builders {
    /// Connects to the builders of `build.toml` for images of a release. Local builds use the engine that the
    /// process's environment names, and so does every build where `build.toml` declares no builder or where
    /// `DTBUILD_ENGINE` is set. The run asks builders again that did not answer.
    ///
    /// `jobs` is the number of builds at a time on all engines together.
    ///
    /// # Errors
    /// Fails when none of the engines answers.
    pub(crate) async fn reach(
        clients: &Clients,
        workspace: &Workspace,
        purpose: Purpose,
        jobs: Option<u16>,
    ) -> Result<Self> {
        let declared = &workspace.config.builders;
        if declared.is_empty() || purpose == Purpose::Local || Environment::read().engine.is_some() {
            let jobs = jobs.map_or(JOBS, usize::from);
            let engine = Arc::new(LateEngine::from(clients.engine().await?));
            let (name, platforms) = (Clients::engine_name(), Vec::new());
            let own = Builder { name, engine, platforms, jobs, answers: true };
            return Ok(Self { usable: vec![own], lost: Vec::new(), jobs });
        }
        let asked = declared.iter().map(|builder| ask(clients, workspace, builder));
        let (mut usable, mut lost) = (Vec::new(), Vec::new());
        for (builder, (engine, answer)) in declared.iter().zip(join_all(asked).await) {
            let answers = answer.is_ok();
            lost.extend(answer.err().map(|error| (builder.name.clone(), error)));
            usable.extend(engine.map(|engine| Builder {
                name: builder.name.clone(),
                engine: Arc::new(engine),
                platforms: builder.platforms.clone(),
                jobs: usize::from(builder.jobs),
                answers,
            }));
        }
        if !usable.iter().any(|builder| builder.answers) {
            return Err(none_answers(&lost));
        }
        let all = usable.iter().map(|builder| builder.jobs).sum();
        Ok(Self { usable, lost, jobs: jobs.map_or(all, usize::from) })
    }

    /// Sends an event for each builder that did not answer.
    pub(crate) fn announce(&self, events: &EventSink) {
        for (builder, error) in &self.lost {
            let (builder, reason) = (builder.clone(), error.advice());
            events.send(Event::BuilderLost { builder, reason });
        }
    }

    /// The builders, and the number of builds at a time on all of them together.
    pub(crate) fn pool(&self) -> (Vec<Builder<LateEngine>>, usize) {
        (self.usable.clone(), self.jobs)
    }
}

/// The engine of a builder, and its first answer; no engine for an address that leads to none, however often it is
/// asked.
async fn ask(
    clients: &Clients,
    workspace: &Workspace,
    builder: &config::Builder,
) -> (Option<LateEngine>, std::result::Result<(), EngineError>) {
    let endpoint = match endpoint(clients, workspace, builder) {
        Ok(endpoint) => endpoint,
        Err(error) => return (None, Err(error)),
    };
    let engine = LateEngine::at(endpoint);
    match engine.answers().await {
        Err(error) if !error.is_lost() => (None, Err(error)),
        answer => (Some(engine), answer),
    }
}

/// Connects to a builder of `build.toml`.
pub(crate) async fn connect(
    clients: &Clients,
    workspace: &Workspace,
    builder: &config::Builder,
) -> std::result::Result<AnyEngine, EngineError> {
    AnyEngine::connect(endpoint(clients, workspace, builder)?).await
}

fn endpoint(
    clients: &Clients,
    workspace: &Workspace,
    builder: &config::Builder,
) -> std::result::Result<Endpoint, EngineError> {
    let certificates = builder.certificates.as_ref().map(|folder| match workspace.repository.root() {
        Ok(root) => root.join(folder),
        Err(_) => folder.clone(),
    });
    Ok(clients.patient(Endpoint::parse(&builder.address, certificates.as_deref())?))
}

fn none_answers(lost: &[(String, EngineError)]) -> Error {
    let mut error = Error::new(Code::EngineUnreachable, "none of the builders of build.toml can be used");
    error.causes = lost.iter().map(|(name, reason)| format!("`{name}`: {}", reason.advice())).collect();
    error.hint("start one, or name another engine with `DTBUILD_ENGINE`")
}
