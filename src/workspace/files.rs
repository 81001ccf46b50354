//! The files that an image is built from: the files of a commit, or the files on the disk. Start with [`Files`].

use std::fmt;

use bstr::{BStr, BString};
use dtbuild_content::globs::{FirstMatch, Globs};
use dtbuild_content::snapshot::Snapshot;
use dtbuild_content::sources::{Selection, Source};
use dtbuild_content::tree::{ContentId, Filter, Identified, Kind, Tree as _};

use crate::error::Result;
use crate::git::{CommitId, CommitTree, GitError, Repository, WorkingTree};

/// The source of files: a commit or the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// The trees of a commit.
    Commit(CommitId),
    /// The working tree.
    Disk,
}

impl Files {
    /// The bytes of the file at a path from the repository's root; none if there is no such file.
    pub(crate) fn read(&self, repository: &Repository, path: &BStr) -> Result<Option<Vec<u8>>> {
        Ok(match self {
            Self::Commit(commit) => repository.read_file(*commit, path)?,
            Self::Disk => repository.read_from_disk(path)?,
        })
    }

    /// Opens a folder in its present state; none if there is no such folder.
    pub(crate) fn folder<'a>(&self, repository: &'a Repository, folder: &BStr) -> Result<Option<Folder<'a>>> {
        Ok(match self {
            Self::Commit(commit) => {
                repository.commit_tree(*commit, folder)?.map(|tree| Folder::Commit(Box::new(tree)))
            }
            Self::Disk => repository.working_tree(folder)?.map(|tree| Folder::Disk(Box::new(tree))),
        })
    }

    /// The digest of a folder's files that pass a filter; none if there is no such folder.
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

/// An opened folder: all methods answer for the same state of the files.
pub(crate) enum Folder<'a> {
    Commit(Box<CommitTree<'a>>),
    Disk(Box<WorkingTree>),
}

impl Folder<'_> {
    /// The files of the folder that sources of a Dockerfile read.
    pub(crate) fn select(&self, sources: &[Source]) -> Result<Selection> {
        let selection = match self {
            Self::Commit(tree) => Selection::find(&**tree, sources),
            Self::Disk(tree) => Selection::find(&**tree, sources),
        };
        Ok(selection.map_err(GitError::from)?)
    }

    /// The digest of the folder's files that pass a filter.
    pub(crate) fn digest(&self, filter: &impl Identified) -> Result<ContentId> {
        Ok(match self {
            Self::Commit(tree) => tree.remembered_digest(filter)?,
            Self::Disk(tree) => tree.remembered_digest(filter)?,
        })
    }

    /// The names of the folder's entries.
    pub(crate) fn names(&self) -> Result<Vec<BString>> {
        let names = match self {
            Self::Commit(tree) => tree.list(BStr::new(""), None)?,
            Self::Disk(tree) => tree.list(BStr::new(""), None)?,
        };
        Ok(names.into_iter().map(|node| node.name).collect())
    }

    /// The id of the folder's content, if all files in the folder have ids, as in a commit.
    pub(crate) fn id(&self) -> Option<ContentId> {
        match self {
            Self::Commit(tree) => Some(tree.id()),
            Self::Disk(_) => None,
        }
    }

    /// The first path that globs match, as a path from the folder, and the path's kind. The folder's path in the
    /// repository is `place`.
    pub(crate) fn first_match(&self, globs: &Globs, place: &BStr) -> Result<Option<(BString, Kind)>> {
        let search = FirstMatch::of(globs.clone(), place);
        match self {
            Self::Commit(tree) => tree.digest(&search)?,
            Self::Disk(tree) => tree.digest(&search)?,
        };
        Ok(search.found())
    }

    /// The folder's files that pass a filter, as they are sent to a build that reads the paths for which `reads` is
    /// true. Files that are not read are left out if they cannot be had.
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

    /// The folder's files that pass a filter, as they are sent to a build.
    pub(crate) fn snapshot(&self, filter: &impl Filter) -> Result<Snapshot> {
        Ok(match self {
            Self::Commit(tree) => tree.snapshot(filter)?,
            Self::Disk(tree) => tree.snapshot(filter)?,
        })
    }
}
