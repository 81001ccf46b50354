//! Failures of git: [`GitError`]. The hints to them are in `advice`.

use std::fmt;
use std::io;
use std::path::PathBuf;

use bstr::BString;
use dtbuild_content::tree::{self, ContentId};

use super::CommitId;

/// What a library below reported.
pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why something about a repository cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// No repository holds the folder.
    #[error("`{}` is not in a git repository", path.display())]
    NotARepository {
        /// The folder.
        path: PathBuf,
    },
    /// Git itself would refuse the repository, because somebody else could have planted it.
    #[error("the repository of `{}` belongs to another user", path.display())]
    ForeignOwner {
        /// The folder.
        path: PathBuf,
    },
    /// The repository's format is not one that can be read.
    #[error("the repository `{}` uses {what}, which cannot be read", path.display())]
    UnsupportedFormat {
        /// Its git folder.
        path: PathBuf,
        /// The format or extension.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// The repository is there, but cannot be opened.
    #[error("failed to open the git repository of `{}`", path.display())]
    Open {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The repository is bare.
    #[error("the repository `{}` has no work tree", path.display())]
    NoWorkTree {
        /// Its git folder.
        path: PathBuf,
    },
    /// A folder is not part of the work tree.
    #[error("`{}` is outside of the repository `{}`", path.display(), root.display())]
    OutsideRepository {
        /// The folder.
        path: PathBuf,
        /// The root of the work tree.
        root: PathBuf,
    },
    /// A revision names nothing.
    #[error("`{revision}` names no commit")]
    UnknownRevision {
        /// What was asked for.
        revision: String,
        /// What to do.
        hint: String,
        /// Why, in the words of the resolver.
        #[source]
        source: Option<Cause>,
    },
    /// A commit is known by its id, but not in this clone.
    #[error("commit `{commit}` is not in this clone: {}", reason.cause())]
    MissingCommit {
        /// The commit.
        commit: CommitId,
        /// Why, and what to do.
        reason: MissingReason,
    },
    /// An object that a commit refers to is not in this clone.
    #[error("object `{id}` is not in this clone, `{path}` needs it")]
    MissingObject {
        /// The object.
        id: ContentId,
        /// The path that it belongs to; a commit's id where it is the commit's own.
        path: BString,
    },
    /// An object cannot be decoded.
    #[error("object `{id}` of `{path}` cannot be read")]
    BrokenObject {
        /// The object.
        id: ContentId,
        /// The path that it belongs to.
        path: BString,
        /// Why.
        #[source]
        source: Cause,
    },
    /// A path cannot be followed within the repository.
    #[error("`{path}` leads out of the repository by the link `{link}`")]
    LeavesRepository {
        /// The path that was asked for.
        path: BString,
        /// The text of the link.
        link: BString,
    },
    /// A path never ends.
    #[error("`{path}` goes through too many symbolic links")]
    LinkLoop {
        /// The path.
        path: BString,
    },
    /// A file that must be small is not.
    #[error("`{path}` has {size} bytes, more than the {limit} that are read")]
    TooLarge {
        /// The file.
        path: BString,
        /// Its number of bytes.
        size: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// A build would be sent a pointer from the disk instead of the file.
    #[error("`{path}` is a Git LFS pointer on the disk, not the file")]
    LfsPointer {
        /// The file.
        path: BString,
        /// The submodule that it is in; empty for the repository itself.
        repository: BString,
    },
    /// A build needs a content that Git LFS did not fetch.
    #[error("what Git LFS keeps of `{path}` is not in this clone")]
    LfsMissing {
        /// The file.
        path: BString,
        /// The submodule that it is in; empty for the repository itself.
        repository: BString,
    },
    /// A pointer that no checkout would replace.
    #[error("`{path}` is a Git LFS pointer, but no `.gitattributes` of the commit gives it `filter=lfs`")]
    StrayPointer {
        /// The file.
        path: BString,
    },
    /// A build would see what git stores, and not what a checkout holds.
    #[error(
        "`{path}` goes through the filter `{filter}` when it is checked out, which a build of the commit cannot run"
    )]
    Filtered {
        /// The file.
        path: BString,
        /// The name of the filter, from `.gitattributes`.
        filter: String,
    },
    /// A build needs files of a submodule that are not on this machine.
    #[error("commit `{commit}` of the submodule `{path}` is not on this machine")]
    Submodule {
        /// Its path.
        path: BString,
        /// The submodule that it is in; empty for the repository itself.
        repository: BString,
        /// Its commit.
        commit: ContentId,
        /// Whether its repository is there, without the commit.
        cloned: bool,
    },
    /// A file or folder of the working tree cannot be read.
    #[error("failed to read `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file changed between two looks at it.
    #[error("`{path}` changed while it was being read")]
    Changed {
        /// The file, from the root of the repository.
        path: BString,
    },
    /// A file is neither a file, nor a link, nor a folder.
    #[error("`{path}` is {what}, which no build can be sent")]
    SpecialFile {
        /// Its path from the root of the repository.
        path: BString,
        /// What it is.
        what: &'static str,
    },
    /// Git's index cannot be read.
    #[error("failed to read the index `{}`", path.display())]
    BrokenIndex {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The attributes of the working tree cannot be read.
    #[error("failed to read the attributes of `{path}`")]
    BrokenAttributes {
        /// The file that they were asked for.
        path: BString,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The working tree cannot be compared with the index.
    #[error("failed to compare the working tree with git's index")]
    Status {
        /// Why.
        #[source]
        source: Cause,
    },
    /// A folder holds what no folder can hold.
    #[error("failed to read a folder")]
    BrokenTree {
        /// Why.
        #[source]
        source: Cause,
    },
    /// HEAD or another reference cannot be read.
    #[error("failed to read `{name}`")]
    BrokenReference {
        /// The reference.
        name: String,
        /// Why.
        #[source]
        source: Cause,
    },
}

/// Why a commit is not in a clone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingReason {
    /// The clone's history ends before it.
    Shallow,
    /// It was never fetched, or nothing refers to it any more.
    NotFetched,
    /// The clone was made without the folders of older commits.
    Treeless,
}

impl MissingReason {
    /// Why, without what to do.
    #[must_use]
    pub fn cause(self) -> &'static str {
        match self {
            Self::Shallow => "the clone is shallow",
            Self::Treeless => "the clone has no folders of older commits",
            Self::NotFetched => "it was not fetched, or a force-push left it behind",
        }
    }

    /// What to do.
    pub(super) fn way_out(self) -> &'static str {
        match self {
            Self::Shallow => {
                "fetch the commit with `git fetch --depth=1 origin <commit>`, or the history with `git fetch --unshallow`"
            }
            Self::Treeless => "clone with `--filter=blob:none` or `--depth=1` instead of `--filter=tree:0`",
            Self::NotFetched => "`git fetch origin <commit>` brings it if the server still has it",
        }
    }
}

impl fmt::Display for MissingReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; {}", self.cause(), self.way_out())
    }
}

impl From<tree::Error<GitError>> for GitError {
    fn from(error: tree::Error<GitError>) -> Self {
        match error {
            tree::Error::Read { source, .. } => source,
            other => Self::BrokenTree { source: other.into() },
        }
    }
}

impl GitError {
    /// Whether a content cannot be had from where a build takes it, so that the build can be only without it.
    pub(super) fn is_of_content(&self) -> bool {
        matches!(
            self,
            Self::LfsPointer { .. }
                | Self::LfsMissing { .. }
                | Self::StrayPointer { .. }
                | Self::Filtered { .. }
                | Self::Submodule { .. }
        )
    }

    pub(super) fn unreadable(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Open { path: path.into(), source: source.into() }
    }
}
