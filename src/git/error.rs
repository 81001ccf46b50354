//! The errors of a repository, with their messages. Start with [`GitError`]; `advice` has their codes and hints.

use std::fmt;
use std::io;
use std::path::PathBuf;

use bstr::BString;
use dtbuild_content::tree::{self, ContentId};

use super::CommitId;

/// The error of a library, as the cause of a [`GitError`].
pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The reasons for which a repository, or something in it, cannot be read.
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
    /// A bare repository that git would not take up by itself, or that may have come with a checkout.
    #[error(
        "`{}` is a bare repository{}, whose configuration could run programs",
        path.display(),
        checkout.as_ref().map(|checkout| format!(" inside the checkout `{}`", checkout.display())).unwrap_or_default()
    )]
    BareRepository {
        /// The bare repository.
        path: PathBuf,
        /// The checkout that holds it.
        checkout: Option<PathBuf>,
    },
    /// The repository has a format that cannot be read.
    #[error("the repository `{}` uses {what}, which cannot be read", path.display())]
    UnsupportedFormat {
        /// The git folder.
        path: PathBuf,
        /// The format or extension.
        what: String,
        /// The way out.
        hint: &'static str,
    },
    /// The repository exists, but cannot be opened.
    #[error("failed to open the git repository of `{}`", path.display())]
    Open {
        /// The folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Cause,
    },
    /// The repository is bare.
    #[error("the repository `{}` has no work tree", path.display())]
    NoWorkTree {
        /// The git folder.
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
    /// A revision names no commit.
    #[error("`{revision}` names no commit")]
    UnknownRevision {
        /// The revision.
        revision: String,
        /// The way out.
        hint: String,
        /// The cause, in the words of gix.
        #[source]
        source: Option<Cause>,
    },
    /// A commit is not in this clone.
    #[error("commit `{commit}` is not in this clone: {}", reason.cause())]
    MissingCommit {
        /// The commit.
        commit: CommitId,
        /// The reason why the commit is missing, which has the way out.
        reason: MissingReason,
    },
    /// An object that a commit refers to is not in this clone.
    #[error("object `{id}` is not in this clone, `{path}` needs it")]
    MissingObject {
        /// The object.
        id: ContentId,
        /// The path that the object belongs to; the commit's id for the tree of a commit.
        path: BString,
    },
    /// An object cannot be decoded.
    #[error("object `{id}` of `{path}` cannot be read")]
    BrokenObject {
        /// The object.
        id: ContentId,
        /// The path that the object belongs to.
        path: BString,
        /// The cause.
        #[source]
        source: Cause,
    },
    /// A path leads out of the repository.
    #[error("`{path}` leads out of the repository by the link `{link}`")]
    LeavesRepository {
        /// The path.
        path: BString,
        /// The text of the link.
        link: BString,
    },
    /// A path goes through too many links.
    #[error("`{path}` goes through too many symbolic links")]
    LinkLoop {
        /// The path.
        path: BString,
    },
    /// A file is larger than the most bytes that are read of a file.
    #[error("`{path}` has {size} bytes, more than the {limit} that are read")]
    TooLarge {
        /// The file.
        path: BString,
        /// The file's size in bytes.
        size: u64,
        /// The most bytes that are read of a file.
        limit: u64,
    },
    /// A file of the disk is a pointer of Git LFS, and a build would get the pointer instead of the file.
    #[error("`{path}` is a Git LFS pointer on the disk, not the file")]
    LfsPointer {
        /// The file.
        path: BString,
        /// The path of the submodule that holds the path; empty for the repository itself.
        repository: BString,
    },
    /// A build needs a file whose content Git LFS did not fetch.
    #[error("what Git LFS keeps of `{path}` is not in this clone")]
    LfsMissing {
        /// The file.
        path: BString,
        /// The path of the submodule that holds the path; empty for the repository itself.
        repository: BString,
    },
    /// A file of a commit is a pointer of Git LFS that a checkout would not replace by the file.
    #[error("`{path}` is a Git LFS pointer, but no `.gitattributes` of the commit gives it `filter=lfs`")]
    StrayPointer {
        /// The file.
        path: BString,
    },
    /// A file of a commit goes through a filter on checkout, so that git stores other bytes than a build is to see.
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
    #[error(
        "commit `{commit}` of the submodule `{path}` is not on this machine{}",
        super::advice::unfetchable(path, repository, *cloned, *mapping)
    )]
    Submodule {
        /// The path of the submodule.
        path: BString,
        /// The path of the submodule that holds the path; empty for the repository itself.
        repository: BString,
        /// The submodule's commit.
        commit: ContentId,
        /// True if the submodule's repository is on this machine, without the commit.
        cloned: bool,
        /// The submodule's entry in `.gitmodules`.
        mapping: SubmoduleMapping,
    },
    /// A file or folder of the working tree cannot be read.
    #[error("failed to read `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file changed while it was being read.
    #[error("`{path}` changed while it was being read")]
    Changed {
        /// The file, from the root of the repository.
        path: BString,
    },
    /// A path is neither a file, nor a link, nor a folder.
    #[error("`{path}` is {what}, which no build can be sent")]
    SpecialFile {
        /// The path, from the root of the repository.
        path: BString,
        /// The kind of file at the path, such as `a named pipe`.
        what: &'static str,
    },
    /// Git's index cannot be read.
    #[error("failed to read the index `{}`", path.display())]
    BrokenIndex {
        /// The path of git's index.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Cause,
    },
    /// The attributes of the working tree cannot be read.
    #[error("failed to read the attributes of `{path}`")]
    BrokenAttributes {
        /// The attribute file, or the file whose attributes were to be read.
        path: BString,
        /// The cause.
        #[source]
        source: Cause,
    },
    /// The working tree cannot be compared with the index.
    #[error("failed to compare the working tree with git's index")]
    Status {
        /// The cause.
        #[source]
        source: Cause,
    },
    /// A folder has entries that no folder can have.
    #[error("failed to read a folder")]
    BrokenTree {
        /// The cause.
        #[source]
        source: Cause,
    },
    /// HEAD or another reference cannot be read.
    #[error("failed to read `{name}`")]
    BrokenReference {
        /// The reference.
        name: String,
        /// The cause.
        #[source]
        source: Cause,
    },
}

/// The entry of a submodule in `.gitmodules`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmoduleMapping {
    /// `.gitmodules` gives the address from which git fetches the submodule.
    Address,
    /// `.gitmodules` gives an address, and tells `git submodule update` to leave the submodule alone.
    Skipped,
    /// `.gitmodules` has no entry, or an entry without an address: git cannot fetch the submodule.
    Missing,
}

/// The reasons for which a commit is not in a clone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingReason {
    /// The clone's history ends before the commit.
    Shallow,
    /// The commit was never fetched, or nothing refers to it any more.
    NotFetched,
    /// The clone was made without the folders of older commits.
    Treeless,
}

impl MissingReason {
    /// The reason as a phrase, without the way out.
    #[must_use]
    pub fn cause(self) -> &'static str {
        match self {
            Self::Shallow => "the clone is shallow",
            Self::Treeless => "the clone has no folders of older commits",
            Self::NotFetched => "it was not fetched, or a force-push left it behind",
        }
    }

    /// The way out: the command or the setting that brings the commit.
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
    /// True if the error is that the content of a file cannot be had. A build that does not read the file is still
    /// possible.
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
