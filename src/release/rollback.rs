//! Going back: a recorded release is applied again, by its digests. Start with [`Rollback`].

use time::OffsetDateTime;

use super::steps::Act;
use super::{Leasing, Observer};
use crate::clients::Clients;
use crate::config::{Environment, ImageName};
use crate::deploy::{self, Release};
use crate::error::{Code, Error, Result};
use crate::git::{Ancestry, CommitId};
use crate::record::{Deployment, Hold, Lease, Outcome, Record, Records};
use crate::reference::Reference;
use crate::workspace::{Files, Workspace};

/// A rollback of one environment. The trigger's files are those of the workspace.
pub struct Rollback<'a> {
    /// The clients of the registry and the records.
    pub clients: &'a Clients,
    /// The repository.
    pub workspace: &'a Workspace,
    /// The environment.
    pub environment: &'a Environment,
    /// The id of the deployment to go back to, or its commit; none for the release before the one that runs.
    pub to: Option<&'a str>,
    /// The person or job that asks for it.
    pub by: String,
    /// The time for which the run waits for another run that deploys to the environment.
    pub wait: std::time::Duration,
}

impl Rollback<'_> {
    /// Takes the lease, applies the earlier release, and holds the environment there until something newer comes.
    ///
    /// # Errors
    /// Fails when there is no such release, the registry does not have all of its images any more, or the deployment
    /// fails.
    pub async fn execute(&self, observer: &Observer) -> Result<Release> {
        let store = self.clients.records(self.workspace)?;
        store.check_writable().await?;
        if let Some(deploy) = &self.environment.deploy {
            deploy::open(&deploy.trigger).check(self.workspace.repository.root()?)?;
        }
        let mut lease = self.leasing(&store).take(observer).await?;
        let result = Box::pin(self.under_lease(&store, &mut lease, observer)).await;
        let released = lease.release().await;
        let release = result?;
        released?;
        Ok(release)
    }

    fn leasing<'r>(&'r self, store: &'r Records) -> Leasing<'r> {
        Leasing { clients: self.clients, store, environment: &self.environment.name, wait: self.wait }
    }

    async fn under_lease(&self, store: &Records, lease: &mut Lease, observer: &Observer) -> Result<Release> {
        let finding = async {
            let history = store.history(&self.environment.name).await?;
            let target = self.target(lease.record(), &history)?.clone();
            self.check_there(&target).await?;
            Ok::<_, Error>(target)
        };
        let target = observer.unless_cancelled(finding).await?;
        let release = Release {
            project: self.workspace.config.project.clone(),
            environment: self.environment.name.clone(),
            commit: target.commit.clone(),
            images: target
                .images
                .iter()
                .map(|(name, image)| (name.clone(), image.reference.clone()))
                .collect(),
        };
        let hold = self.hold(lease.record(), &target)?;
        let mut entry = self.entry(lease.record(), &target);
        lease.add(&entry).await?;
        let registry = self.clients.registry()?;
        let act = Act {
            workspace: self.workspace,
            environment: self.environment,
            registry,
            observer,
            guard: self.leasing(store).guard(lease),
            generation: lease.generation(),
        };
        let applied = lease.hold(act.apply(&release)).await?;
        entry.finished = Some(OffsetDateTime::now_utc());
        entry.outcome = match &applied {
            Ok(()) => Outcome::Succeeded,
            Err(error) => Outcome::Failed { reason: error.message.clone() },
        };
        lease
            .finish(|record| {
                record.add(entry.clone());
                record.set_hold(hold.clone());
            })
            .await?;
        applied.map(|()| release)
    }

    /// The deployment to go back to.
    fn target<'h>(&self, record: &Record, history: &'h [Deployment]) -> Result<&'h Deployment> {
        let mut succeeded = history.iter().filter(|one| one.outcome == Outcome::Succeeded);
        let environment = &self.environment.name;
        if let Some(to) = self.to {
            let commit = self.workspace.repository.resolve(to).map(|commit| commit.to_string());
            let is_named = |one: &&Deployment| {
                one.id == to || (one.commit.is_some() && one.commit.as_deref() == commit.as_deref().ok())
            };
            return succeeded.find(is_named).ok_or_else(|| {
                Error::new(Code::NotDeclared, format!("`{environment}` never ran `{to}`"))
                    .hint(format!("`dtbuild history {environment}` lists what it ran"))
            });
        }
        let release = |one: &Deployment| -> Vec<(ImageName, Reference)> {
            one.images.iter().map(|(name, image)| (name.clone(), image.reference.clone())).collect()
        };
        // After a deployment that did not succeed, the release before is the newest that did.
        let running = record.newest_touching().filter(|newest| newest.outcome == Outcome::Succeeded);
        let running = running.map(release);
        succeeded.find(|one| running.as_ref() != Some(&release(one))).ok_or_else(|| {
            Error::new(Code::NotDeclared, format!("`{environment}` ran no other release before"))
                .hint(format!("`dtbuild history {environment}` lists what it ran"))
        })
    }

    /// Checks that the registry has every image of the release.
    async fn check_there(&self, target: &Deployment) -> Result<()> {
        let references: Vec<Reference> =
            target.images.values().map(|image| image.reference.clone()).collect();
        let served = self.clients.registry()?.digests(&references).await?;
        match references.iter().zip(served).find(|(_, served)| served.is_none()) {
            None => Ok(()),
            Some((reference, _)) => {
                let message = format!("cannot go back: the registry does not have `{reference}` any more");
                Err(Error::new(Code::RegistryNotFound, message)
                    .hint("build that commit again: `dtbuild --head COMMIT --allow-older`"))
            }
        }
    }

    /// The hold after the rollback: only what is newer than all that was there is deployed again.
    fn hold(&self, record: &Record, target: &Deployment) -> Result<Option<Hold>> {
        let left = record.newest_touching().and_then(|newest| newest.commit.as_deref());
        let Some(left) = left.and_then(|commit| commit.parse::<CommitId>().ok()) else { return Ok(None) };
        let newest = match self.workspace.files {
            Files::Commit(head) if head != left => {
                let is_newer = self.workspace.repository.ancestry(head, left)? == Some(Ancestry::Newer);
                if is_newer { head } else { left }
            }
            Files::Commit(_) | Files::Disk => left,
        };
        Ok(Some(Hold {
            reason: format!("rolled back from {} to the deployment {}", left.short(), target.id),
            by: self.by.clone(),
            since: OffsetDateTime::now_utc(),
            newer_than: newest.to_string(),
        }))
    }

    fn entry(&self, record: &Record, target: &Deployment) -> Deployment {
        let now = OffsetDateTime::now_utc();
        let mut images = target.images.clone();
        // Older entries do not have the fields of their keys.
        for (name, image) in &mut images {
            let running = record.current().and_then(|current| current.images.get(name));
            let same = running.filter(|running| running.key == image.key);
            image.fields = image.fields.take().or_else(|| same.and_then(|running| running.fields.clone()));
        }
        Deployment {
            id: Deployment::name(now),
            generation: record.generation(),
            commit: target.commit.clone(),
            started: now,
            finished: None,
            outcome: Outcome::Started,
            images,
            deploy: self.environment.deploy.as_ref().map(|deploy| deploy.trigger.kind().to_owned()),
            deploy_inputs: None,
            deploy_settings: None,
            by: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}
