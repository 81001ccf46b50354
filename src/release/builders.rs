//! The engines that a run builds on. Start with [`Builders::reach`].

use std::sync::Arc;

use futures_util::future::join_all;

use super::requests::Purpose;
use crate::clients::Clients;
use crate::config;
use crate::engine::endpoint::{Endpoint, Environment};
use crate::engine::{AnyEngine, EngineError};
use crate::error::{Code, Error, Failure as _, Result};
use crate::events::{Event, EventSink};
use crate::execute::pool::Builder;
use crate::workspace::Workspace;

/// The number of images that the machine's own engine builds at a time, unless the command line gives another.
const JOBS: usize = 4;

/// The engines that a run reached, and the engines that did not answer.
pub(crate) struct Builders {
    reached: Vec<Builder<AnyEngine>>,
    lost: Vec<(String, EngineError)>,
    jobs: usize,
}

impl Builders {
    /// Connects to the builders of `build.toml` for images that are published. Local builds use the engine that
    /// the process's environment names, and so does every build where `build.toml` declares no builder or where
    /// `DTBUILD_ENGINE` is set.
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
            let (name, engine) = (Clients::engine_name(), clients.engine().await?);
            let own = Builder { name, engine, platforms: Vec::new(), jobs };
            return Ok(Self { reached: vec![own], lost: Vec::new(), jobs });
        }
        let asked = declared.iter().map(|builder| connect(clients, workspace, builder));
        let answers = join_all(asked).await;
        let (mut reached, mut lost) = (Vec::new(), Vec::new());
        for (builder, answer) in declared.iter().zip(answers) {
            match answer {
                Ok(engine) => reached.push(Builder {
                    name: builder.name.clone(),
                    engine: Arc::new(engine),
                    platforms: builder.platforms.clone(),
                    jobs: usize::from(builder.jobs),
                }),
                Err(error) => lost.push((builder.name.clone(), error)),
            }
        }
        if reached.is_empty() {
            return Err(none_answers(&lost));
        }
        let all = reached.iter().map(|builder| builder.jobs).sum();
        Ok(Self { reached, lost, jobs: jobs.map_or(all, usize::from) })
    }

    /// Sends an event for each builder that this run has to do without.
    pub(crate) fn announce(&self, events: &EventSink) {
        for (builder, error) in &self.lost {
            let (builder, reason) = (builder.clone(), error.advice());
            events.send(Event::BuilderLost { builder, reason });
        }
    }

    /// The reached builders, and the number of builds at a time on all of them together.
    pub(crate) fn pool(&self) -> (Vec<Builder<AnyEngine>>, usize) {
        (self.reached.clone(), self.jobs)
    }
}

pub(crate) async fn connect(
    clients: &Clients,
    workspace: &Workspace,
    builder: &config::Builder,
) -> std::result::Result<AnyEngine, EngineError> {
    let certificates = builder.certificates.as_ref().map(|folder| match workspace.repository.root() {
        Ok(root) => root.join(folder),
        Err(_) => folder.clone(),
    });
    let endpoint = Endpoint::parse(&builder.address, certificates.as_deref())?;
    AnyEngine::connect(clients.patient(endpoint)).await
}

fn none_answers(lost: &[(String, EngineError)]) -> Error {
    let mut error = Error::new(Code::EngineUnreachable, "none of the builders of build.toml can be used");
    error.causes = lost.iter().map(|(name, reason)| format!("`{name}`: {}", reason.advice())).collect();
    error.hint("start one, or name another engine with `DTBUILD_ENGINE`")
}
