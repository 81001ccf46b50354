//! The step that hands the release to the environment's trigger.

use std::time::Instant;

use super::Act;
use crate::deploy::{self, Release};
use crate::error::{Error, Result};
use crate::events::Event;

impl Act<'_> {
    /// Runs the environment's trigger; does nothing where the environment has none.
    pub(super) async fn deploy(&self, release: &Release) -> Result<()> {
        let Some(deploy) = &self.environment.deploy else { return Ok(()) };
        let events = &self.observer.events;
        let (environment, trigger) = (self.environment.name.clone(), deploy.trigger.kind().to_owned());
        events.send(Event::DeployStarted { environment, trigger });
        let started = Instant::now();
        let root = self.workspace.repository.root()?;
        let trigger = deploy::open(&deploy.trigger);
        let (guard, timeout, generation) = (self.guard.as_ref(), deploy.timeout, self.generation);
        let deployment = deploy::Deployment { release, root, events, guard, timeout, generation };
        let run = async { Ok(trigger.run(deployment).await?) };
        let deployed = self.observer.unless_cancelled(run).await;
        let error = deployed.as_ref().err().map(Error::advice);
        let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        events.send(Event::DeployFinished { error, milliseconds });
        deployed
    }
}
