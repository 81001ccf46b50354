//! The fetch of a base commit that the clone lacks. Start with [`Repository::fetched_changes`].
//!
//! This is the one place that runs the `git` program, which alone knows all the ways in which a clone may have its
//! credentials. Objects come into the clone without a reference to them, and a shallow clone takes note that the
//! history of the commit is missing; no reference, no setting and no other history changes.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use gix::remote::{Direction, Name};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::{CommitId, GitError, Presence, Repository};
use crate::changed::ChangedPath;
use crate::error::Failure as _;
use crate::process::child::Running;

/// The most bytes of `git`'s messages that are read.
const WORDS_LIMIT: u64 = 8 << 10;

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
        let mut git = Command::new("git");
        // Git itself is to find the repository, and to refuse an untrusted one: git trusts a repository that is named.
        let checkout = self.root.as_ref().filter(|root| root.join(".git").exists());
        git.current_dir(checkout.map_or_else(|| self.inner.git_dir(), PathBuf::as_path));
        if std::env::var_os("GIT_DIR").is_some() {
            git.env("GIT_DIR", std::path::absolute(self.inner.git_dir()).map_err(FetchError::Program)?);
        }
        // Maintenance after the fetch can take longer than the fetch.
        for setting in settings.iter().chain(&["gc.auto=0", "maintenance.auto=false"]) {
            git.args(["-c", setting]);
        }
        git.args(["fetch", "--quiet", "--no-tags", "--no-prune", "--no-write-fetch-head", "--refmap="]);
        git.arg("--recurse-submodules=no").args(options).args(["--", remote, object]);
        // Nobody may be there to answer a prompt.
        git.env("GIT_TERMINAL_PROMPT", "0").env("GCM_INTERACTIVE", "never").stdin(Stdio::null());
        if self.uses_plain_ssh() {
            git.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
        }
        match run(&mut git).await.map_err(FetchError::Program)? {
            None => Ok(()),
            Some(said) => Err(FetchError::Failed { remote: remote.to_owned(), said }),
        }
    }

    /// The name of the remote to fetch from: the remote of the current branch, else the only remote, else `origin`.
    fn fetch_remote(&self) -> Option<String> {
        let branch = self.head().ok().flatten().and_then(|head| head.branch);
        let of_branch = branch.and_then(|branch| {
            match self.inner.branch_remote_name(branch.as_str(), Direction::Fetch)? {
                // The branch follows a branch of this same clone.
                Name::Url(url) if *url == "." => None,
                Name::Url(url) => Some(url.to_string()),
                Name::Symbol(name) => Some(name.into_owned()),
            }
        });
        of_branch.or_else(|| Some(self.inner.remote_default_name(Direction::Fetch)?.to_string()))
    }

    /// True if neither the environment nor the configuration sets a command for `ssh`.
    fn uses_plain_ssh(&self) -> bool {
        let named = ["GIT_SSH_COMMAND", "GIT_SSH"].iter().any(|name| std::env::var_os(name).is_some());
        !named && self.inner.config_snapshot().string("core.sshCommand").is_none()
    }
}

/// Runs a command to its end. Returns the line of its messages that gives the reason of a failure; none on success.
async fn run(command: &mut Command) -> io::Result<Option<String>> {
    let mut running = Running::start(command.stdout(Stdio::null()).stderr(Stdio::piped()))?;
    let mut words = Vec::new();
    if let Some(mut stderr) = running.child.stderr.take() {
        (&mut stderr).take(WORDS_LIMIT).read_to_end(&mut words).await?;
        // A full pipe would stop the command.
        tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await?;
    }
    let status = running.wait().await?;
    Ok((!status.success()).then(|| telling(&String::from_utf8_lossy(&words))))
}

/// The line that gives the reason of a failure, among the messages of `git` and of the programs that `git` starts.
fn telling(words: &str) -> String {
    let lines = words.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut telling = lines.filter(|line| !line.to_ascii_lowercase().starts_with("warning:"));
    let line = telling.next().unwrap_or("it does not say why");
    let line = ["fatal: ", "error: "].iter().find_map(|start| line.strip_prefix(start)).unwrap_or(line);
    without_credentials(line)
}

/// The text without the users and passwords of the addresses in it.
fn without_credentials(text: &str) -> String {
    let mut parts = text.split("://");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let host = part.find(['/', ' ', '\'']).unwrap_or(part.len());
        let start = part[..host].rfind('@').map_or(0, |at| at + 1);
        clean.push_str("://");
        clean.push_str(&part[start..]);
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_tells_why_is_told_without_what_is_secret() {
        for (words, expected) in [
            ("error: Server does not allow it\n", "Server does not allow it"),
            (
                "Warning: Permanently added 'x'.\r\ngit@x: Permission denied (publickey).\r\nfatal: Could not read.\n",
                "git@x: Permission denied (publickey).",
            ),
            (
                "fatal: unable to access 'https://ci:to@ken@x.org/a@b.git/': 403, see http://u@y\n",
                "unable to access 'https://x.org/a@b.git/': 403, see http://y",
            ),
            ("\n", "it does not say why"),
        ] {
            assert_eq!(telling(words), expected);
        }
    }
}
