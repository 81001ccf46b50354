//! A release on its way to its environment: build, check, tag, deploy, record. Start with [`ReleaseRun`].

use std::collections::BTreeMap;
use std::time::Instant;

use futures_util::future::try_join_all;
use time::OffsetDateTime;

use crate::config::{Deploy, Environment, EnvironmentName, ImageName};
use crate::deploy::{self, Release};
use crate::error::{Code, Error, Result};
use crate::events::Event;
use crate::plan::{DeployDecision, Head, Plan, PlannedImage, Reason};
use crate::record::{self, DeployedImage, Deployment, Lease, Outcome, Record, Store, Stored};
use crate::reference::Digest;
use crate::registry::Registry;
use crate::workspace::Workspace;
use builds::Builds;
use session::{Session, interrupted};

pub(crate) mod builders;
pub(crate) mod builds;
mod named;
pub(crate) mod requests;
pub(crate) mod session;

/// One release, one environment.
pub(crate) struct ReleaseRun<'a> {
    /// The repository.
    pub(crate) workspace: &'a Workspace,
    /// The environment.
    pub(crate) environment: (&'a EnvironmentName, &'a Environment),
    /// What was decided.
    pub(crate) plan: &'a Plan,
    /// What is to be built.
    pub(crate) builds: Builds,
    /// Where images and tags are.
    pub(crate) registry: &'a Registry,
    /// Where deployments are recorded.
    pub(crate) store: &'a dyn Store,
    /// What is shown, and what ends the run.
    pub(crate) session: &'a Session,
    /// When the run began.
    pub(crate) started: OffsetDateTime,
}

/// The digest of every image of the release.
type Digests = BTreeMap<ImageName, Digest>;

impl ReleaseRun<'_> {
    /// Does all of it under the lease, and returns the release.
    ///
    /// Before anything changes that the environment sees, the record says that a deployment was started; how
    /// it ended is written last. So a run that is killed in between is known to the next one.
    pub(crate) async fn execute(&self, stored: Stored, lease: &mut Lease) -> Result<Release> {
        let mut ledger = Ledger { run: self, stored };
        let digests = match record::hold(self.store, lease, self.build()).await? {
            Ok(digests) => digests,
            Err(error) => {
                let outcome = Outcome::NotBuilt { reason: error.message.clone() };
                ledger.write(outcome, &Digests::new(), lease).await?;
                return Err(error);
            }
        };
        let release = self.release(&digests);
        if self.runs_already(&ledger.stored.record, &digests) {
            return Ok(release);
        }
        if matches!(self.plan.deploy, DeployDecision::Nothing { .. }) {
            // Recorded first: the next run must know that the tags may name this release.
            ledger.write(Outcome::Tagged, &digests, lease).await?;
            record::hold(self.store, lease, self.move_tags(&digests)).await??;
            return Ok(release);
        }
        ledger.write(Outcome::Started, &digests, lease).await?;
        let applied = record::hold(self.store, lease, self.apply(&digests, &release)).await?;
        let outcome = match &applied {
            Ok(()) => Outcome::Succeeded,
            Err(error) => Outcome::Failed { reason: error.message.clone() },
        };
        ledger.write(outcome, &digests, lease).await?;
        applied.map(|()| release)
    }

    /// Whether the environment runs what was built: where nothing fixes what a build fetches, only its digest
    /// tells.
    fn runs_already(&self, record: &Record, digests: &Digests) -> bool {
        let DeployDecision::Deploy { reasons } = &self.plan.deploy else { return false };
        let Some(current) = record.current() else { return false };
        let only_images = reasons.iter().all(|reason| matches!(reason, Reason::ReleaseChanged { .. }));
        let running = current.images.iter().map(|(name, image)| (name, image.reference.digest()));
        only_images && running.eq(digests.iter().map(|(name, digest)| (name, Some(digest))))
    }

    /// Builds and pushes what the plan says, and checks that all of the release is at the registry.
    async fn build(&self) -> Result<Digests> {
        let mut digests: Digests = self
            .plan
            .images
            .iter()
            .filter_map(|image| Some((image.name.clone(), image.digest.clone()?)))
            .collect();
        digests.extend(self.builds.run(self.plan, self.session).await?);
        let released = self.plan.images.iter().filter(|image| image.released);
        let names: Vec<&ImageName> = released.map(|image| &image.name).collect();
        digests.retain(|name, _| names.contains(&name));
        tokio::select! {
            checked = self.check(&digests) => checked?,
            () = self.session.cancel.cancelled() => return Err(interrupted()),
        }
        Ok(digests)
    }

    /// All or nothing: what was pushed is served under its key and digest before a tag moves.
    async fn check(&self, digests: &Digests) -> Result<()> {
        let built: Vec<&PlannedImage> = self.plan.builds().filter(|image| image.released).collect();
        let references: Vec<_> = built.iter().map(|image| image.key_reference()).collect();
        let served = self.registry.digests(&references).await?;
        for ((image, reference), served) in built.iter().zip(&references).zip(served) {
            if served.as_ref() != digests.get(&image.name) {
                let served = served.map_or_else(|| "nothing".to_owned(), |digest| digest.to_string());
                let message =
                    format!("the registry serves {served} under `{reference}`, not what was pushed");
                return Err(Error::new(Code::RegistryMismatch, message)
                    .hint("no tag was moved; does something else push the same image? run dtbuild again"));
            }
        }
        Ok(())
    }

    async fn apply(&self, digests: &Digests, release: &Release) -> Result<()> {
        self.move_tags(digests).await?;
        match &self.environment.1.deploy {
            Some(deploy) => self.deploy(deploy, release).await,
            None => Ok(()),
        }
    }

    async fn move_tags(&self, digests: &Digests) -> Result<()> {
        let tag = &self.environment.1.tag;
        let moves = self.plan.images.iter().filter_map(|image| Some((image, digests.get(&image.name)?)));
        try_join_all(moves.map(|(image, digest)| async move {
            let digest = self.registry.move_tag(&image.repository.pinned(digest), tag).await?;
            let reference = image.repository.tagged(tag)?;
            self.session.events.send(Event::TagMoved { image: image.name.clone(), reference, digest });
            Ok::<_, Error>(())
        }))
        .await?;
        Ok(())
    }

    async fn deploy(&self, deploy: &Deploy, release: &Release) -> Result<()> {
        let events = &self.session.events;
        let (environment, trigger) = (self.environment.0.clone(), deploy.trigger.kind().to_owned());
        events.send(Event::DeployStarted { environment, trigger });
        let started = Instant::now();
        let root = self.workspace.repository.root()?;
        let deployed = tokio::select! {
            deployed = deploy::run(&deploy.trigger, release, root, events) => deployed.map_err(Error::from),
            () = self.session.cancel.cancelled() => Err(interrupted()),
        };
        let error = deployed.as_ref().err().map(Error::advice);
        let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        events.send(Event::DeployFinished { error, milliseconds });
        deployed
    }

    fn release(&self, digests: &Digests) -> Release {
        let pinned = self.plan.images.iter().filter_map(|image| {
            Some((image.name.clone(), image.repository.pinned(digests.get(&image.name)?)))
        });
        Release {
            project: self.workspace.config.project.clone(),
            environment: self.environment.0.clone(),
            commit: self.commit(),
            images: pinned.collect(),
        }
    }

    fn commit(&self) -> Option<String> {
        match &self.plan.head {
            Head::Commit { id } => Some(id.clone()),
            Head::WorkingTree { .. } => None,
        }
    }
}

/// The environment's record while a run adds its deployment to it.
struct Ledger<'a> {
    run: &'a ReleaseRun<'a>,
    stored: Stored,
}

impl Ledger<'_> {
    /// Writes the deployment of this run, or writes it anew.
    async fn write(&mut self, outcome: Outcome, digests: &Digests, lease: &Lease) -> Result<()> {
        let run = self.run;
        let images = run.plan.images.iter().filter_map(|image| {
            let reference = image.repository.pinned(digests.get(&image.name)?);
            let fields = Some(image.fields.clone());
            Some((image.name.clone(), DeployedImage { reference, key: image.key, fields }))
        });
        self.stored.record.add(Deployment {
            id: Deployment::name(run.started),
            commit: run.commit(),
            started: run.started,
            finished: OffsetDateTime::now_utc(),
            outcome,
            images: images.collect(),
            deploy: run.environment.1.deploy.as_ref().map(|deploy| deploy.trigger.kind().to_owned()),
            deploy_inputs: run.plan.deploy_inputs.clone(),
            by: env!("CARGO_PKG_VERSION").to_owned(),
        });
        self.stored.revision = run.store.write(&self.stored.record, &self.stored.revision, lease).await?;
        Ok(())
    }
}
