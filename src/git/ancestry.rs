//! The order of two commits, and the newest commit of a branch. Start with [`Ancestry`].

use std::time::Duration;

use super::fetch::fetched;
use super::{CommitId, FetchError, GitError, Presence, Repository, program};

/// The place of a commit in history, seen from another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ancestry {
    /// The other commit is an ancestor.
    Newer,
    /// The commit is an ancestor of the other one.
    Older,
    /// Neither is an ancestor of the other.
    Apart,
}

impl Repository {
    /// The place of `commit` seen from `other`, two different commits; none where this clone cannot tell, because it is
    /// shallow or lacks one of the two.
    ///
    /// # Errors
    /// When a commit cannot be read.
    pub fn ancestry(&self, commit: CommitId, other: CommitId) -> Result<Option<Ancestry>, GitError> {
        for one in [commit, other] {
            if self.has_commit(one)? != Presence::Known {
                return Ok(None);
            }
        }
        let base = self.merge_base(commit, other).ok();
        Ok(match base {
            Some(base) if base == other => Some(Ancestry::Newer),
            Some(base) if base == commit => Some(Ancestry::Older),
            // The history that is missing may connect the two.
            _ if self.is_shallow() => None,
            _ => Some(Ancestry::Apart),
        })
    }

    /// The newest commit of a branch, as this clone knows it without asking: of the remote's branch when it was fetched
    /// last, or of the branch itself where there is no remote.
    #[must_use]
    pub fn known_tip(&self, branch: &str) -> Option<CommitId> {
        let name = match self.fetch_remote() {
            Some(remote) => format!("refs/remotes/{remote}/{branch}"),
            None => format!("refs/heads/{branch}"),
        };
        self.resolve(&name).ok()
    }

    /// The newest commit of the remote's branch, of which the remote is asked; the branch of this clone where there is no
    /// remote. None where there is no such branch.
    ///
    /// # Errors
    /// When the remote does not answer within `patience`.
    pub async fn remote_tip(&self, branch: &str, patience: Duration) -> Result<Option<CommitId>, FetchError> {
        let Some(remote) = self.fetch_remote() else { return Ok(self.known_tip(branch)) };
        let name = format!("refs/heads/{branch}");
        let ask = async {
            let mut git = self.program().map_err(FetchError::Program)?.command();
            git.args(["ls-remote", "--quiet", "--", &remote, &name]);
            fetched(&mut git, &remote).await
        };
        let answer = tokio::time::timeout(patience, ask).await;
        let printed = answer.map_err(|_| FetchError::Slow { remote: remote.clone(), patience })??;
        let text = String::from_utf8_lossy(&printed);
        // A pattern of ls-remote also matches longer names that end so.
        let line = text.lines().find_map(|line| line.strip_suffix(&name)?.strip_suffix('\t'));
        Ok(line.and_then(|id| id.parse().ok()))
    }

    /// The [`ancestry`](Self::ancestry) by the commits of the remote's branch, which are fetched without their files into
    /// a repository of their own: this clone's history does not change. None where the branch cannot tell either.
    ///
    /// # Errors
    /// When the remote does not give them within `patience`.
    pub async fn remote_ancestry(
        &self,
        branch: &str,
        (commit, other): (CommitId, CommitId),
        patience: Duration,
    ) -> Result<Option<Ancestry>, FetchError> {
        let remote = self.fetch_remote().ok_or(FetchError::NoRemote)?;
        let find = self.ancestry_at(&remote, branch, commit, other);
        let found = tokio::time::timeout(patience, find).await;
        found.map_err(|_| FetchError::Slow { remote: remote.clone(), patience })?
    }

    async fn ancestry_at(
        &self,
        remote: &str,
        branch: &str,
        commit: CommitId,
        other: CommitId,
    ) -> Result<Option<Ancestry>, FetchError> {
        let folder = tempfile::tempdir().map_err(FetchError::Program)?;
        let format = format!("--object-format={}", self.object_hash());
        let program = self.program().map_err(FetchError::Program)?;
        let mut git = program.command();
        git.env_remove("GIT_DIR").args(["init", "--quiet", "--bare", &format]).arg(folder.path());
        fetched(&mut git, remote).await?;
        let in_folder = || {
            let mut git = program.command();
            // The remote and its credentials are those of the clone.
            let config = program.common_folder().join("config");
            git.args(["-c", &format!("include.path={}", config.display())]);
            git.env_remove("GIT_DIR").arg("--git-dir").arg(folder.path());
            git
        };
        let mut git = in_folder();
        git.args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--refmap=", "--filter=tree:0"]);
        git.args(["--", remote, &format!("+refs/heads/{branch}:refs/heads/tip")]);
        fetched(&mut git, remote).await?;
        for (older, newer, ancestry) in [(other, commit, Ancestry::Newer), (commit, other, Ancestry::Older)] {
            let mut git = in_folder();
            git.args(["merge-base", "--is-ancestor", &older.to_string(), &newer.to_string()]);
            match program::run(&mut git).await.map_err(FetchError::Program)?.code {
                Some(0) => return Ok(Some(ancestry)),
                Some(1) => {}
                _ => return Ok(None),
            }
        }
        Ok(Some(Ancestry::Apart))
    }
}
