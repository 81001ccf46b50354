//! Going back: an earlier release of an environment is applied again. Start with [`Rollback`].

use time::OffsetDateTime;

use super::Observer;
use super::recorded::{Recorded, Target};
use crate::config::ImageName;
use crate::deploy::Release;
use crate::error::{Code, Error, Result};
use crate::git::{Ancestry, CommitId};
use crate::record::{Deployment, Hold, Outcome, Record, Records};
use crate::reference::Reference;
use crate::workspace::Files;

/// A rollback of one environment.
pub struct Rollback<'a> {
    /// The environment, and the means to apply a release.
    pub recorded: Recorded<'a>,
    /// The id of the deployment to go back to, or its commit; none for the release before the one that runs.
    pub to: Option<&'a str>,
    /// The person or job that asks for it.
    pub by: String,
}

impl Rollback<'_> {
    /// Takes the lease, applies the earlier release, and holds the environment there until something newer comes.
    ///
    /// # Errors
    /// Fails when there is no such release, the registry does not have all of its images any more, or the deployment
    /// fails.
    pub async fn execute(&self, observer: &Observer) -> Result<Release> {
        let find = async |store: &Records, record: &Record| {
            let history = store.history(&self.recorded.environment.name).await?;
            let release = self.target(record, &history)?.clone();
            let hold = self.hold(record, &release)?;
            Ok(Target { release, hold })
        };
        self.recorded.execute(find, observer).await
    }

    /// The deployment to go back to.
    fn target<'h>(&self, record: &Record, history: &'h [Deployment]) -> Result<&'h Deployment> {
        let mut succeeded = history.iter().filter(|one| one.outcome == Outcome::Succeeded);
        let environment = &self.recorded.environment.name;
        if let Some(to) = self.to {
            let commit = self.recorded.workspace.repository.resolve(to).map(|commit| commit.to_string());
            let is_named = |one: &&Deployment| {
                one.id == to || (one.commit.is_some() && one.commit.as_deref() == commit.as_deref().ok())
            };
            return succeeded.find(is_named).ok_or_else(|| {
                Error::new(Code::NotDeployed, format!("`{environment}` never ran `{to}`"))
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
            Error::new(Code::NotDeployed, format!("`{environment}` ran no other release before"))
                .hint(format!("`dtbuild history {environment}` lists what it ran"))
        })
    }

    /// The hold after the rollback: only what is newer than all that was there is deployed again.
    fn hold(&self, record: &Record, target: &Deployment) -> Result<Option<Hold>> {
        let left = record.newest_touching().and_then(|newest| newest.commit.as_deref());
        let Some(left) = left.and_then(|commit| commit.parse::<CommitId>().ok()) else { return Ok(None) };
        let newest = match self.recorded.workspace.files {
            Files::Commit(head) if head != left => {
                let is_newer =
                    self.recorded.workspace.repository.ancestry(head, left)? == Some(Ancestry::Newer);
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
}
