//! The order of a release: whether its commit may follow the one that the environment runs. Start with [`order`].

use std::time::Duration;

use super::Query;
use crate::clients::Clients;
use crate::error::{Code, Error, Result};
use crate::git::{Ancestry, CommitId};
use crate::record::{Hold, Record};
use crate::workspace::{Files, Workspace};

/// The longest time that git's remote is asked.
const PATIENCE: Duration = Duration::from_secs(30);

/// The place of a release in the order of an environment's releases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// The release may be deployed.
    Due,
    /// The environment runs a newer commit.
    Superseded,
    /// The release may be deployed, but nobody knows that it is not older than what runs, for this reason.
    Unknown(String),
}

/// Finds out whether the head may follow the commit that the environment runs, or may run.
///
/// A head that is newer by this clone's history is due, and so is the newest commit of the environment's branch, whatever
/// runs: a branch may be set back. Git's remote is asked only where the clone does not tell, and not at all unless `asking`.
///
/// # Errors
/// When the environment is on hold and the head is not known to be newer than what it is held from, or git cannot be read.
pub async fn order(
    clients: &Clients,
    workspace: &Workspace,
    query: &Query,
    record: &Record,
    asking: bool,
) -> Result<Order> {
    let (Files::Commit(head), Some(environment)) = (workspace.files, query.declared(workspace)) else {
        return Ok(Order::Due);
    };
    if query.allows_older() {
        return Ok(Order::Due);
    }
    let place = Place { clients, workspace, branch: environment.branch.as_deref(), head, asking };
    if let Some(hold) = record.hold() {
        place.check_hold(record, hold).await?;
    }
    let running = record.newest_touching().and_then(|newest| newest.commit.as_deref()?.parse().ok());
    let Some(running) = running.filter(|running| *running != head) else { return Ok(Order::Due) };
    place.after(running).await
}

/// A head, and where its place in history can be found out.
struct Place<'a> {
    clients: &'a Clients,
    workspace: &'a Workspace,
    branch: Option<&'a str>,
    head: CommitId,
    asking: bool,
}

impl Place<'_> {
    async fn after(&self, running: CommitId) -> Result<Order> {
        let known = self.workspace.repository.ancestry(self.head, running)?;
        if known == Some(Ancestry::Newer) {
            return Ok(Order::Due);
        }
        let mut unheard = None;
        if let Some(branch) = self.branch {
            match self.tip(branch).await? {
                Ok(Some(tip)) if tip == self.head => return Ok(Order::Due),
                Ok(_) => {}
                Err(reason) => unheard = Some(reason),
            }
        }
        let found = match (known, self.branch) {
            (None, Some(branch)) if self.asking && unheard.is_none() => {
                let (repository, pair) = (&self.workspace.repository, (self.head, running));
                let asked = repository.remote_ancestry(branch, pair, PATIENCE);
                self.clients.until_signal(asked).await?.unwrap_or_else(|error| {
                    unheard = Some(error.to_string());
                    None
                })
            }
            (known, _) => known,
        };
        Ok(match found {
            Some(Ancestry::Newer) => Order::Due,
            Some(Ancestry::Older) => Order::Superseded,
            Some(Ancestry::Apart) => Order::Unknown(format!(
                "{} is on another line of history than {}, which was deployed last",
                self.head.short(),
                running.short()
            )),
            None => Order::Unknown(format!(
                "nobody knows whether {} is older than {}, which was deployed last: {}",
                self.head.short(),
                running.short(),
                unheard.as_deref().unwrap_or("the history at hand does not reach so far")
            )),
        })
    }

    /// The newest commit of the branch, or the reason why it is not known.
    async fn tip(&self, branch: &str) -> Result<std::result::Result<Option<CommitId>, String>> {
        let repository = &self.workspace.repository;
        if !self.asking {
            return Ok(Ok(repository.known_tip(branch)));
        }
        let asked = self.clients.until_signal(repository.remote_tip(branch, PATIENCE)).await?;
        Ok(asked.map_err(|error| error.to_string()))
    }

    /// Fails unless the head is newer than the commit that the environment is held from.
    async fn check_hold(&self, record: &Record, hold: &Hold) -> Result<()> {
        let from: Option<CommitId> = hold.newer_than.parse().ok();
        if let Some(from) = from.filter(|from| *from != self.head) {
            let repository = &self.workspace.repository;
            let mut found = repository.ancestry(self.head, from)?;
            if let (None, Some(branch), true) = (found, self.branch, self.asking) {
                let asked = repository.remote_ancestry(branch, (self.head, from), PATIENCE);
                found = self.clients.until_signal(asked).await?.unwrap_or_default();
            }
            if found == Some(Ancestry::Newer) {
                return Ok(());
            }
        }
        let (environment, head) = (record.environment(), self.head.short());
        let what = if from == Some(self.head) {
            format!("{head} is the newest commit that it was held back from")
        } else {
            let short = &hold.newer_than[..hold.newer_than.len().min(10)];
            format!("{head} is not known to be newer than {short}")
        };
        let message = format!("`{environment}` is on hold, set by {}: {}; {what}", hold.by, hold.reason);
        Err(Error::new(Code::OnHold, message).hint(format!(
            "deploy a commit that is newer, or this one all the same, which ends the hold: `dtbuild deploy --env \
             {environment} --head {head} --allow-older`"
        )))
    }
}
