//! The files that an image is built from: those of a commit, or those on the disk.

use std::fmt;

use bstr::{BStr, BString};
use dtbuild_content::globs::{FirstMatch, Globs};
use dtbuild_content::snapshot::Snapshot;
use dtbuild_content::sources::{Selection, Source};
use dtbuild_content::tree::{ContentId, Filter, Identified, Kind, Tree as _};

use crate::error::Result;
use crate::git::{CommitId, CommitTree, GitError, Repository, WorkingTree};

/// The source of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// The trees of a commit.
    Commit(CommitId),
    /// The working tree.
    Disk,
}

impl Files {
    /// A file's bytes, from the repository's root; none when it is not there.
    pub(crate) fn read(&self, repository: &Repository, path: &BStr) -> Result<Option<Vec<u8>>> {
        Ok(match self {
            Self::Commit(commit) => repository.read_file(*commit, path)?,
            Self::Disk => repository.read_from_disk(path)?,
        })
    }

    /// A folder as it is now; none when it is not there.
    pub(crate) fn folder<'a>(&self, repository: &'a Repository, folder: &BStr) -> Result<Option<Folder<'a>>> {
        Ok(match self {
            Self::Commit(commit) => {
                repository.commit_tree(*commit, folder)?.map(|tree| Folder::Commit(Box::new(tree)))
            }
            Self::Disk => repository.working_tree(folder)?.map(|tree| Folder::Disk(Box::new(tree))),
        })
    }

    /// The digest of what of a folder passes a filter; none when the folder is not there.
    pub(crate) fn digest(
        &self,
        repository: &Repository,
        folder: &BStr,
        filter: &impl Identified,
    ) -> Result<Option<ContentId>> {
        self.folder(repository, folder)?.map(|folder| folder.digest(filter)).transpose()
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

/// A folder that was opened: all that is asked of it is about the same files.
pub(crate) enum Folder<'a> {
    Commit(Box<CommitTree<'a>>),
    Disk(Box<WorkingTree>),
}

impl Folder<'_> {
    /// What sources of a Dockerfile read of it.
    pub(crate) fn select(&self, sources: &[Source]) -> Result<Selection> {
        let selection = match self {
            Self::Commit(tree) => Selection::find(&**tree, sources),
            Self::Disk(tree) => Selection::find(&**tree, sources),
        };
        Ok(selection.map_err(GitError::from)?)
    }

    /// The digest of what of it passes a filter.
    pub(crate) fn digest(&self, filter: &impl Identified) -> Result<ContentId> {
        Ok(match self {
            Self::Commit(tree) => tree.remembered_digest(filter)?,
            Self::Disk(tree) => tree.remembered_digest(filter)?,
        })
    }

    /// The names in the folder.
    pub(crate) fn names(&self) -> Result<Vec<BString>> {
        let names = match self {
            Self::Commit(tree) => tree.list(BStr::new(""), None)?,
            Self::Disk(tree) => tree.list(BStr::new(""), None)?,
        };
        Ok(names.into_iter().map(|node| node.name).collect())
    }

    /// The folder's id, where all that is in the folder has one.
    pub(crate) fn id(&self) -> Option<ContentId> {
        match self {
            Self::Commit(tree) => Some(tree.id()),
            Self::Disk(_) => None,
        }
    }

    /// The first path that globs match, as a path of the folder, and its kind. The folder is at `place` of the repository.
    pub(crate) fn first_match(&self, globs: &Globs, place: &BStr) -> Result<Option<(BString, Kind)>> {
        let search = FirstMatch::of(globs.clone(), place);
        match self {
            Self::Commit(tree) => tree.digest(&search)?,
            Self::Disk(tree) => tree.digest(&search)?,
        };
        Ok(search.found())
    }

    /// What of it passes a filter, as a build is sent it that reads what `reads` says. Of what is not read, what
    /// cannot be had is left out.
    pub(crate) fn snapshot_reading(
        &self,
        filter: &impl Filter,
        reads: impl Fn(&BStr) -> bool,
    ) -> Result<Snapshot> {
        Ok(match self {
            Self::Commit(tree) => tree.snapshot_reading(filter, reads)?,
            Self::Disk(tree) => tree.snapshot_reading(filter, reads)?,
        })
    }

    /// What of it passes a filter, as a build is sent it.
    pub(crate) fn snapshot(&self, filter: &impl Filter) -> Result<Snapshot> {
        Ok(match self {
            Self::Commit(tree) => tree.snapshot(filter)?,
            Self::Disk(tree) => tree.snapshot(filter)?,
        })
    }
}
