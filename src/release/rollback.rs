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
            Ok(Target { release, again: true, hold })
        };
        self.recorded.execute(find, observer).await
    }

    /// The deployment to go back to.
    fn target<'h>(&self, record: &Record, history: &'h [Deployment]) -> Result<&'h Deployment> {
        let environment = &self.recorded.environment.name;
        let listed = format!("`dtbuild history {environment}` lists what it ran");
        let has_run = |one: &&Deployment| one.outcome == Outcome::Succeeded;
        if let Some(to) = self.to {
            let found = self.named(to, history);
            return found.filter(has_run).ok_or_else(|| {
                let what = if found.is_some() {
                    "was never deployed well to"
                } else {
                    "is no deployment or commit of"
                };
                Error::new(Code::NotDeployed, format!("`{to}` {what} `{environment}`")).hint(listed)
            });
        }
        let release = |one: &Deployment| -> Vec<(ImageName, Reference)> {
            one.images.iter().map(|(name, image)| (name.clone(), image.reference.clone())).collect()
        };
        // After a deployment that did not succeed, the release before is the newest that did. A rollback goes on from
        // where the last one went to: a second one leads further back.
        let running = record.newest_touching().filter(|newest| newest.outcome == Outcome::Succeeded);
        let from = running.map(|running| running.again.as_ref().unwrap_or(&running.id));
        let start = history.iter().position(|one| Some(&one.id) == from).unwrap_or_default();
        let running = running.map(release);
        let mut before = history[start..].iter().filter(has_run);
        before.find(|one| running.as_ref() != Some(&release(one))).ok_or_else(|| {
            Error::new(Code::NotDeployed, format!("`{environment}` ran no other release before")).hint(listed)
        })
    }

    /// The newest deployment of this id or commit; a commit by the first digits of its id, too, or by any name that the
    /// clone has for it.
    fn named<'h>(&self, name: &str, history: &'h [Deployment]) -> Option<&'h Deployment> {
        let is_short = name.len() >= 7 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let resolved = self.recorded.workspace.repository.resolve(name).map(|commit| commit.to_string()).ok();
        let is_named = |one: &&Deployment| {
            let commit = one.commit.as_deref();
            one.id == name
                || commit.is_some_and(|commit| is_short && commit.starts_with(name))
                || (commit.is_some() && commit == resolved.as_deref())
        };
        let mut found: Vec<&Deployment> = history.iter().filter(is_named).collect();
        found.sort_by_key(|one| one.outcome != Outcome::Succeeded);
        found.first().copied()
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
