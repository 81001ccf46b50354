//! Moving on: the release that one environment runs is applied to another. Start with [`Promotion`].

use std::collections::BTreeMap;

use super::Observer;
use super::recorded::{Recorded, Target};
use crate::config::Environment;
use crate::deploy::Release;
use crate::error::{Code, Error, Result};
use crate::git::{Ancestry, CommitId};
use crate::record::{Deployment, Outcome, Record, Records};

/// A promotion from one environment to another: the very digests that the first one runs.
pub struct Promotion<'a> {
    /// The environment that the release comes from.
    pub from: &'a Environment,
    /// The environment that the release goes to, and the means to apply it.
    pub recorded: Recorded<'a>,
    /// True if it goes ahead although the last deployment of `from` did not succeed, or the other environment is on
    /// hold or runs a newer commit.
    pub force: bool,
}

impl Promotion<'_> {
    /// Takes the lease on the second environment, and applies what the first one runs.
    ///
    /// # Errors
    /// Fails when the first environment does not run all images of the second one, for the reasons that `force`
    /// passes over, when the registry does not have an image any more, or when the deployment fails.
    pub async fn execute(&self, observer: &Observer) -> Result<Release> {
        let find = async |store: &Records, record: &Record| {
            let release = self.release(&store.read(&self.from.name).await?.record)?;
            if !self.force {
                self.check_order(record, &release)?;
            }
            Ok(Target { release, again: false, hold: None })
        };
        self.recorded.execute(find, observer).await
    }

    /// What the first environment runs, as far as the second one has the images.
    fn release(&self, record: &Record) -> Result<Deployment> {
        let (from, to) = (&self.from.name, &self.recorded.environment.name);
        let Some(current) = record.current() else {
            return Err(Error::new(
                Code::NotDeployed,
                format!("`{from}` runs nothing that could be promoted"),
            )
            .hint(format!("deploy to it first: `dtbuild --env {from}`")));
        };
        let newest = record.newest_touching().map(|newest| &newest.outcome);
        if !self.force && newest.is_some_and(|outcome| *outcome != Outcome::Succeeded) {
            let message =
                format!("the last deployment to `{from}` did not succeed, so it is not sure what it runs");
            return Err(Error::new(Code::NotDeployed, message)
                .hint("deploy to it again, or promote what it ran last with `--force`"));
        }
        let mut images = BTreeMap::new();
        for name in &self.recorded.environment.images {
            let Some(image) = current.images.get(name) else {
                let message = format!("`{from}` does not run `{name}`, which is an image of `{to}`");
                return Err(Error::new(Code::NotDeployed, message)
                    .hint(format!("deploy the image to `{from}` first, or take it out of `{to}`")));
            };
            images.insert(name.clone(), image.clone());
        }
        Ok(Deployment { images, ..current.clone() })
    }

    /// Fails where the second environment is on hold, or runs a commit that is newer than the promoted one.
    fn check_order(&self, record: &Record, release: &Deployment) -> Result<()> {
        let to = &self.recorded.environment.name;
        if let Some(hold) = record.hold() {
            let message = format!("`{to}` is on hold, set by {}: {}", hold.by, hold.reason);
            return Err(Error::new(Code::OnHold, message).hint("end the hold by promoting with `--force`"));
        }
        let running = record.newest_touching().and_then(|newest| newest.commit.as_deref());
        let commit = |id: Option<&str>| id.and_then(|id| id.parse::<CommitId>().ok());
        let (Some(running), Some(promoted)) = (commit(running), commit(release.commit.as_deref())) else {
            return Ok(());
        };
        if self.recorded.workspace.repository.ancestry(promoted, running)? != Some(Ancestry::Older) {
            return Ok(());
        }
        let message = format!(
            "`{to}` runs {}, which is newer than {} of `{}`",
            running.short(),
            promoted.short(),
            self.from.name
        );
        Err(Error::new(Code::OnHold, message)
            .hint("`dtbuild rollback` goes back; `--force` promotes all the same"))
    }
}
