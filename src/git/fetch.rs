//! The fetch of a base commit that the clone lacks. Start with [`Repository::fetched_changes`].
//!
//! Objects come into the clone without a reference to them, and a shallow clone takes note that the
//! history of the commit is missing; no reference, no setting and no other history changes.

use std::io;
use std::time::Duration;

use tokio::process::Command;

use super::{CommitId, GitError, Presence, Repository};
use crate::changed::ChangedPath;
use crate::error::Failure as _;
use crate::git::program;

/// The reasons for which a base commit could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The clone has no remote.
    #[error("there is no remote to fetch it from")]
    NoRemote,
    /// The `git` program could not be run.
    #[error("`git` cannot be run: {0}")]
    Program(#[source] io::Error),
    /// `git fetch` failed.
    #[error("`git fetch` from `{remote}` failed: {said}")]
    Failed {
        /// The remote's name.
        remote: String,
        /// The line of git's messages that gives the reason.
        said: String,
    },
    /// `git fetch` took too long.
    #[error("`git fetch` from `{remote}` was given up after {} seconds", patience.as_secs())]
    Slow {
        /// The remote's name.
        remote: String,
        /// The time after which the fetch was given up.
        patience: Duration,
    },
    /// The repository or a commit cannot be read.
    #[error("{}", .0.advice())]
    Git(#[from] GitError),
}

impl Repository {
    /// The paths that differ between the commits, as [`Repository::changed_paths`] has them, after a fetch of the
    /// objects of `base` that the clone lacks: the commit, without its history where the clone is shallow, and the
    /// commit's folders where the clone was made without folders of old commits.
    ///
    /// # Errors
    /// When the remote refuses the fetch, or takes longer than `patience`.
    pub async fn fetched_changes(
        &self,
        base: CommitId,
        head: CommitId,
        patience: Duration,
    ) -> Result<Vec<ChangedPath>, FetchError> {
        let remote = self.fetch_remote().ok_or(FetchError::NoRemote)?;
        let fetched = tokio::time::timeout(patience, self.fetch_base(&remote, base, head)).await;
        fetched.map_err(|_| FetchError::Slow { remote, patience })?
    }

    async fn fetch_base(
        &self,
        remote: &str,
        base: CommitId,
        head: CommitId,
    ) -> Result<Vec<ChangedPath>, FetchError> {
        if self.has_commit(base)? != Presence::Known {
            // A depth would make a complete clone a shallow one.
            let depth: &[&str] = if self.is_shallow() { &["--depth=1"] } else { &[] };
            self.fetch(remote, &[], depth, &base.to_string()).await?;
        }
        match self.changed_paths(base, head) {
            Err(GitError::MissingObject { .. }) if self.is_partial(remote) => {
                // The clone may lack the folders of commits that it has: the server is told of no commit.
                let settings = ["fetch.negotiationAlgorithm=noop"];
                let tree = self.tree_of(base)?.to_string();
                self.fetch(remote, &settings, &["--filter=blob:none"], &tree).await?;
                Ok(self.changed_paths(base, head)?)
            }
            other => Ok(other?),
        }
    }

    /// True if the clone is a partial clone of `remote`. In a complete clone, a fetch with a filter would write the
    /// settings of a partial clone.
    fn is_partial(&self, remote: &str) -> bool {
        let config = self.inner.config_snapshot();
        config.boolean(format!("remote.{remote}.promisor").as_str()) == Some(true)
            && config.string(format!("remote.{remote}.partialCloneFilter").as_str()).is_some()
    }

    async fn fetch(
        &self,
        remote: &str,
        settings: &[&str],
        options: &[&str],
        object: &str,
    ) -> Result<(), FetchError> {
        let mut git = self.program().map_err(FetchError::Program)?.command();
        for setting in settings {
            git.args(["-c", setting]);
        }
        git.args(["fetch", "--quiet", "--no-tags", "--no-prune", "--no-write-fetch-head", "--refmap="]);
        git.arg("--recurse-submodules=no").args(options).args(["--", remote, object]);
        fetched(&mut git, remote).await.map(drop)
    }
}

/// Runs a command that fetches from a remote, or asks it; what it printed.
pub(super) async fn fetched(git: &mut Command, remote: &str) -> Result<Vec<u8>, FetchError> {
    let ended = program::run(git).await.map_err(FetchError::Program)?;
    match ended.code {
        Some(0) => Ok(ended.printed),
        _ => Err(FetchError::Failed { remote: remote.to_owned(), said: ended.said }),
    }
}
