//! The builds of a plan on its builders. Start with [`Builds`].

use std::collections::BTreeMap;

use super::BuildSettings;
use super::builders::Builders;
use super::observer::{Observer, interrupted};
use super::requests::{self, Purpose};
use crate::clients::Clients;
use crate::config::ImageName;
use crate::error::{Error, Kind, Result};
use crate::events::{Event, ImageOutcome};
use crate::execute::Attempts;
use crate::execute::scheduler::{Job, JobOutcome, Scheduler};
use crate::gather::Gathered;
use crate::plan::{Decision, Plan};
use crate::reference::Digest;
use crate::workspace::Workspace;

/// The builds of a plan, and the engines that they run on.
pub(crate) struct Builds {
    /// The engines; none where nothing is to be built, as no engine is needed then.
    builders: Option<Builders>,
    jobs: Vec<Job>,
    keep_going: bool,
}

impl Builds {
    /// Prepares the builds of a plan: lists the files and connects to the engines.
    pub(crate) async fn prepare(
        clients: &Clients,
        workspace: &Workspace,
        gathered: &Gathered,
        plan: &Plan,
        purpose: Purpose,
        settings: BuildSettings,
    ) -> Result<Self> {
        plan.check_decided()?;
        let no_cache = gathered.facts.request.force;
        let jobs = requests::jobs(workspace, gathered, plan, purpose, no_cache)?;
        let reach = Builders::reach(clients, workspace, purpose, settings.jobs);
        let builders = if jobs.is_empty() { None } else { Some(reach.await?) };
        Ok(Self { builders, jobs, keep_going: settings.keep_going })
    }

    /// Builds the images, and pushes them where that is the purpose. Returns the digests of the pushed images.
    ///
    /// # Errors
    /// Fails when an image cannot be built or pushed; the events have the details.
    pub(crate) async fn run(&self, plan: &Plan, observer: &Observer) -> Result<BTreeMap<ImageName, Digest>> {
        for image in &plan.images {
            let outcome = match image.decision {
                Decision::Build => continue,
                Decision::Reuse => ImageOutcome::Reused,
                Decision::Keep => ImageOutcome::Kept,
            };
            let image = image.name.clone();
            observer.events.send(Event::ImageFinished { image, outcome, milliseconds: 0 });
        }
        let Some(builders) = &self.builders else { return Ok(BTreeMap::new()) };
        builders.announce(&observer.events);
        let (builders, jobs) = builders.pool();
        let scheduler = Scheduler {
            builders,
            jobs,
            keep_going: self.keep_going,
            events: observer.events.clone(),
            cancel: observer.cancel.clone(),
            attempts: Attempts::default(),
        };
        let outcomes = Box::pin(scheduler.run(self.jobs.clone())).await;
        if observer.cancel.is_cancelled() {
            return Err(interrupted());
        }
        digests(outcomes)
    }
}

fn digests(outcomes: BTreeMap<ImageName, JobOutcome>) -> Result<BTreeMap<ImageName, Digest>> {
    let mut digests = BTreeMap::new();
    let mut failed = Vec::new();
    for (image, outcome) in outcomes {
        match outcome {
            JobOutcome::Done { digest } => digests.extend(digest.map(|digest| (image, digest))),
            JobOutcome::Failed(error) => failed.push((image, Some(error))),
            JobOutcome::Skipped { .. } => failed.push((image, None)),
        }
    }
    if failed.is_empty() {
        return Ok(digests);
    }
    let count = |failed: usize| if failed == 1 { "1 image".to_owned() } else { format!("{failed} images") };
    let names: Vec<String> =
        failed.iter().filter(|(_, error)| error.is_some()).map(|(image, _)| format!("`{image}`")).collect();
    let skipped = failed.len() - names.len();
    let skipped = if skipped > 0 { format!("; {} skipped", count(skipped)) } else { String::new() };
    let message = format!("{} could not be built: {}{skipped}", count(names.len()), names.join(", "));
    // An engine or registry that cannot be used is not the fault of an image.
    let unusable = |error: &crate::engine::EngineError| error.is_unusable();
    let mut errors = failed.into_iter().filter_map(|(_, error)| error);
    match errors.find(unusable) {
        Some(error) => Err(Error::from(error)),
        None => Err(Error::new(Kind::Image, message)),
    }
}
