//! Revisions and commits: the commit that a revision names, its tree, time and message. Start with [`CommitId`].

use std::fmt;
use std::str::FromStr;

use bstr::{BStr, ByteSlice as _};
use dtbuild_content::tree::ContentId;
use gix::objs::{CommitRefIter, Find as _, Kind};

use super::error::Cause;
use super::objects::broken;
use super::{GitError, MissingReason, Repository};

/// The id of a commit; it shows as the full hexadecimal id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(pub(super) ContentId);

/// The error for a text that is no commit id.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a commit id; it must be 40 or 64 hexadecimal digits")]
pub struct CommitIdError(String);

/// The commit and the branch that HEAD names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The commit.
    pub commit: CommitId,
    /// The branch, such as `master`; none when HEAD is detached.
    pub branch: Option<String>,
}

/// The presence of a commit in this clone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The commit is in this clone.
    Known,
    /// The commit is not in this clone.
    Missing {
        /// The reason why the commit is not in this clone.
        reason: MissingReason,
    },
}

impl Repository {
    /// The commit and the branch that HEAD names; none in a repository without commits.
    ///
    /// # Errors
    /// When HEAD cannot be read.
    pub fn head(&self) -> Result<Option<Head>, GitError> {
        let unreadable =
            |source: gix::Error| GitError::BrokenReference { name: "HEAD".to_owned(), source: source.into() };
        let mut head = self.inner.head().map_err(unreadable)?;
        let Some(id) = head.try_peel_to_id().map_err(unreadable)? else { return Ok(None) };
        let branch = head.referent_name().and_then(|name| {
            let short = name.as_bstr().strip_prefix(b"refs/heads/")?;
            Some(short.to_str_lossy().into_owned())
        });
        Ok(Some(Head { commit: CommitId(id.detach()), branch }))
    }

    /// The commit that `revision` names: a branch, a tag, a remote branch, an id or its beginning, `HEAD~1`.
    ///
    /// # Errors
    /// When the revision names no commit of this clone.
    pub fn resolve(&self, revision: &str) -> Result<CommitId, GitError> {
        let unknown = |source: Option<gix::Error>| GitError::UnknownRevision {
            revision: revision.to_owned(),
            hint: self.hint(revision),
            // The message says that nothing has this name. The cause is told only if a file could not be read.
            source: source.filter(is_of_system).map(Into::into),
        };
        let named = self.inner.rev_parse_single(revision).map_err(|source| unknown(Some(source)))?;
        let object = named.object().map_err(|source| unknown(Some(source)))?;
        let commit = object.peel_to_kind(Kind::Commit).map_err(|source| unknown(Some(source)))?;
        Ok(CommitId(commit.id))
    }

    /// The best common ancestor of two commits: the commit at which one branch left the other.
    ///
    /// # Errors
    /// When the commits have no common history in this clone.
    pub fn merge_base(&self, one: CommitId, other: CommitId) -> Result<CommitId, GitError> {
        let unrelated = || GitError::UnknownRevision {
            revision: format!("{}...{}", one.short(), other.short()),
            hint: if self.is_shallow() {
                "the clone is shallow: `git fetch --unshallow`, or name a commit with `--from`".to_owned()
            } else {
                "the two have no common history; name a commit with `--from`".to_owned()
            },
            source: None,
        };
        let base = self.inner.merge_base(one.0, other.0).ok().flatten();
        base.map(|id| CommitId(id.detach())).ok_or_else(unrelated)
    }

    /// The presence of the commit in this clone.
    ///
    /// # Errors
    /// When the object is in this clone, but broken or no commit.
    pub fn has_commit(&self, commit: CommitId) -> Result<Presence, GitError> {
        match self.commit_data(commit, &mut Vec::new()) {
            Ok(_) => Ok(Presence::Known),
            Err(GitError::MissingCommit { reason, .. }) => Ok(Presence::Missing { reason }),
            Err(error) => Err(error),
        }
    }

    /// The commit's time (the committer's), in seconds since 1970.
    ///
    /// # Errors
    /// When the commit cannot be read.
    pub fn commit_time(&self, commit: CommitId) -> Result<i64, GitError> {
        let mut buffer = Vec::new();
        let data = self.commit_data(commit, &mut buffer)?;
        let seconds = data.committer().and_then(|committer| Ok(committer.time()?.seconds));
        seconds.map_err(|source| broken_commit(commit, source))
    }

    /// The first paragraph of the commit's message, on one line.
    ///
    /// # Errors
    /// When the commit cannot be read.
    pub fn subject(&self, commit: CommitId) -> Result<String, GitError> {
        let mut buffer = Vec::new();
        let data = self.commit_data(commit, &mut buffer)?;
        let message = data.message().map_err(|source| broken_commit(commit, source))?;
        let lines = message.lines().skip_while(|line| line.trim().is_empty());
        let subject: Vec<_> =
            lines.take_while(|line| !line.trim().is_empty()).map(|line| line.trim().to_str_lossy()).collect();
        Ok(subject.join(" "))
    }

    /// The id of the commit's tree.
    pub(super) fn tree_of(&self, commit: CommitId) -> Result<ContentId, GitError> {
        self.memory.tree_of(commit, || {
            let mut buffer = Vec::new();
            let mut data = self.commit_data(commit, &mut buffer)?;
            data.tree_id().map_err(|source| broken_commit(commit, source))
        })
    }

    fn commit_data<'a>(
        &self,
        commit: CommitId,
        buffer: &'a mut Vec<u8>,
    ) -> Result<CommitRefIter<'a>, GitError> {
        let missing = || GitError::MissingCommit { commit, reason: self.missing_reason() };
        // An id of the other hash can be in no pack of this repository; looking it up is a misuse.
        if commit.0.kind() != self.object_hash() {
            return Err(missing());
        }
        let object = self.inner.objects.try_find(&commit.0, buffer);
        let object = object.map_err(|source| broken_commit(commit, source))?.ok_or_else(missing)?;
        let kind = object.kind;
        object
            .try_into_commit_iter()
            .ok_or_else(|| broken_commit(commit, format!("it is a {kind}, not a commit")))
    }

    fn missing_reason(&self) -> MissingReason {
        if self.is_shallow() { MissingReason::Shallow } else { MissingReason::NotFetched }
    }

    fn hint(&self, revision: &str) -> String {
        let digits = revision.len() >= 7 && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
        if self.inner.head().is_ok_and(|head| head.is_unborn()) && revision.starts_with("HEAD") {
            "the repository has no commits yet".to_owned()
        } else if let Some((remote, branch)) = self.remote_branch(revision) {
            format!("fetch it with `git fetch {remote} {branch}`")
        } else if self.is_shallow() {
            "the clone is shallow: fetch more of the history with `git fetch --unshallow`".to_owned()
        } else if revision.contains("..") {
            "name one commit, not a range".to_owned()
        } else if let Some(child) = self.without_ancestor(revision) {
            format!("the history of `{child}` does not go back so far")
        } else if digits {
            format!("fetch it with `git fetch origin {revision}`, if no force-push left it behind")
        } else {
            "check the spelling with `git branch --all`, or `git fetch` it".to_owned()
        }
    }

    /// The commit before `~` and `^` in a revision, if there is such a commit.
    fn without_ancestor<'a>(&self, revision: &'a str) -> Option<&'a str> {
        let child = &revision[..revision.find(['~', '^'])?];
        self.inner.rev_parse_single(child).is_ok().then_some(child)
    }

    fn remote_branch<'a>(&self, revision: &'a str) -> Option<(&'a str, &'a str)> {
        let (remote, branch) = revision.strip_prefix("refs/remotes/").unwrap_or(revision).split_once('/')?;
        let known = self.inner.remote_names().iter().any(|name| *name == remote);
        let plain = !branch.contains(['~', '^', '@', ':']);
        (known && plain).then_some((remote, branch))
    }
}

/// True if the error comes from the system's failure to read a file.
fn is_of_system(error: &gix::Error) -> bool {
    error.iter_errors().any(<dyn std::error::Error>::is::<std::io::Error>)
}

fn broken_commit(commit: CommitId, source: impl Into<Cause>) -> GitError {
    broken(&commit.0, BStr::new("the commit"), source)
}

impl CommitId {
    /// The first digits of the id, enough to tell commits apart when they are shown.
    #[must_use]
    pub fn short(self) -> String {
        self.0.to_hex_with_len(10).to_string()
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CommitId({})", self.0)
    }
}

impl FromStr for CommitId {
    type Err = CommitIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        ContentId::from_hex(text.as_bytes()).map(Self).map_err(|_| CommitIdError(text.to_owned()))
    }
}
