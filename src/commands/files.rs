//! The files that an image is built from: those of a commit, or those on the disk.

use std::fmt;

use bstr::BStr;
use dtbuild_cache::snapshot::Snapshot;
use dtbuild_cache::tree::{ContentId, Filter};

use crate::error::Result;
use crate::git::{CommitId, Repository};

/// Where files come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Files {
    /// The trees of a commit.
    Commit(CommitId),
    /// The working tree.
    Disk,
}

impl Files {
    /// A file's bytes, from the repository's root; none when it is not there.
    pub(super) fn read(&self, repository: &Repository, path: &BStr) -> Result<Option<Vec<u8>>> {
        Ok(match self {
            Self::Commit(commit) => repository.read_file(*commit, path)?,
            Self::Disk => repository.read_from_disk(path)?,
        })
    }

    /// The digest of what of a folder passes a filter; none when the folder is not there.
    pub(super) fn digest(
        &self,
        repository: &Repository,
        folder: &BStr,
        filter: &impl Filter,
    ) -> Result<Option<ContentId>> {
        Ok(match self {
            Self::Commit(commit) => match repository.commit_tree(*commit, folder)? {
                Some(tree) => Some(tree.digest(filter)?),
                None => None,
            },
            Self::Disk => match repository.working_tree(folder)? {
                Some(tree) => Some(tree.digest(filter)?),
                None => None,
            },
        })
    }

    /// What of a folder passes a filter, as a build is sent it; none when the folder is not there.
    pub(super) fn snapshot(
        &self,
        repository: &Repository,
        folder: &BStr,
        filter: &impl Filter,
    ) -> Result<Option<Snapshot>> {
        Ok(match self {
            Self::Commit(commit) => match repository.commit_tree(*commit, folder)? {
                Some(tree) => Some(tree.snapshot(filter)?),
                None => None,
            },
            Self::Disk => match repository.working_tree(folder)? {
                Some(tree) => Some(tree.snapshot(filter)?),
                None => None,
            },
        })
    }
}

impl fmt::Display for Files {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit(commit) => write!(formatter, "commit {}", commit.short()),
            Self::Disk => formatter.write_str("the working tree"),
        }
    }
}
