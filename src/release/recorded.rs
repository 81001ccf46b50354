//! Recorded releases, applied again by their digests: nothing is built. Start with [`Recorded::execute`], which going
//! back and promoting have in common.

use std::time::Duration;

use time::OffsetDateTime;

use super::steps::Act;
use super::{Leasing, Observer};
use crate::clients::Clients;
use crate::config::Environment;
use crate::deploy::{self, Release};
use crate::error::{Code, Error, Result};
use crate::record::{Deployment, Hold, Lease, Outcome, Record, Records};
use crate::reference::Reference;
use crate::workspace::Workspace;

/// The means by which a recorded release is applied to an environment. The trigger's files are those of the workspace.
pub struct Recorded<'a> {
    /// The clients of the registry and the records.
    pub clients: &'a Clients,
    /// The repository.
    pub workspace: &'a Workspace,
    /// The environment that the release is applied to.
    pub environment: &'a Environment,
    /// The time for which the run waits for another run that deploys to the environment.
    pub wait: Duration,
}

/// The release to apply, and the hold that the environment has afterwards.
pub(super) struct Target {
    pub(super) release: Deployment,
    /// True if the release is one that the environment ran before.
    pub(super) again: bool,
    pub(super) hold: Option<Hold>,
}

impl Recorded<'_> {
    /// Takes the lease, finds the release in the records, and applies it.
    ///
    /// # Errors
    /// Fails when there is no such release, the registry does not have all of its images any more, or the deployment
    /// fails.
    pub(super) async fn execute(
        &self,
        find: impl AsyncFnOnce(&Records, &Record) -> Result<Target>,
        observer: &Observer,
    ) -> Result<Release> {
        let store = self.clients.records(self.workspace)?;
        store.check_writable().await?;
        if let Some(deploy) = &self.environment.deploy {
            deploy::open(&deploy.trigger).check(self.workspace.repository.root()?)?;
        }
        let leasing = Leasing {
            clients: self.clients,
            store: &store,
            environment: &self.environment.name,
            wait: self.wait,
        };
        let mut lease = leasing.take(observer).await?;
        let applying = async {
            let finding = async {
                let target = find(&store, lease.record()).await?;
                self.check_there(&target.release).await?;
                Ok::<_, Error>(target)
            };
            let target = observer.unless_cancelled(finding).await?;
            let guard = leasing.guard(&lease);
            self.apply(target, &mut lease, guard, observer).await
        };
        let result = Box::pin(applying).await;
        let released = lease.release().await;
        let release = result?;
        released?;
        Ok(release)
    }

    async fn apply(
        &self,
        target: Target,
        lease: &mut Lease,
        guard: Option<deploy::Guard>,
        observer: &Observer,
    ) -> Result<Release> {
        let Target { release: recorded, again, hold } = target;
        let images = recorded.images.iter().map(|(name, image)| (name.clone(), image.reference.clone()));
        let release = Release {
            project: self.workspace.config.project.clone(),
            environment: self.environment.name.clone(),
            commit: recorded.commit.clone(),
            images: images.collect(),
        };
        let mut entry = self.entry(lease.record(), &recorded);
        entry.again = again.then(|| recorded.again.clone().unwrap_or_else(|| recorded.id.clone()));
        lease.add(&entry).await?;
        let act = Act {
            workspace: self.workspace,
            environment: self.environment,
            registry: self.clients.registry()?,
            observer,
            guard,
            generation: lease.generation(),
        };
        let applied = lease.hold(act.apply(&release)).await?;
        entry.finished = Some(OffsetDateTime::now_utc());
        entry.outcome = match &applied {
            Ok(()) => Outcome::Succeeded,
            Err(error) => Outcome::Failed { reason: error.message.clone() },
        };
        let change = |record: &mut Record| {
            record.add(entry.clone());
            record.set_hold(hold.clone());
        };
        lease.finish(change).await?;
        applied.map(|()| release)
    }

    /// Checks that the registry has every image of the release.
    async fn check_there(&self, release: &Deployment) -> Result<()> {
        let references: Vec<Reference> =
            release.images.values().map(|image| image.reference.clone()).collect();
        let served = self.clients.registry()?.digests(&references).await?;
        match references.iter().zip(served).find(|(_, served)| served.is_none()) {
            None => Ok(()),
            Some((reference, _)) => {
                let message = format!("cannot deploy: the registry does not have `{reference}` any more");
                let environment = &self.environment.name;
                let commit = release.commit.as_deref().unwrap_or("COMMIT");
                let again = format!("dtbuild --env {environment} --head {commit} --allow-older");
                Err(Error::new(Code::RegistryNotFound, message)
                    .hint(format!("build that commit again: `{again}`")))
            }
        }
    }

    /// The entry of the release, to be begun in the environment's record.
    fn entry(&self, record: &Record, release: &Deployment) -> Deployment {
        let now = OffsetDateTime::now_utc();
        let mut images = release.images.clone();
        // Older entries do not have the fields of their keys.
        for (name, image) in &mut images {
            let running = record.current().and_then(|current| current.images.get(name));
            let same = running.filter(|running| running.key == image.key);
            image.fields = image.fields.take().or_else(|| same.and_then(|running| running.fields.clone()));
        }
        Deployment {
            id: Deployment::name(now),
            generation: record.generation(),
            commit: release.commit.clone(),
            started: now,
            finished: None,
            outcome: Outcome::Started,
            images,
            deploy: self.environment.deploy.as_ref().map(|deploy| deploy.trigger.kind().to_owned()),
            deploy_inputs: None,
            deploy_settings: None,
            again: None,
            by: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}
