//! What can go wrong with a repository, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::tree::{self, ContentId};

use super::CommitId;

/// What a library below reported.
pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why something about a repository cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// No repository holds the folder.
    #[error("`{}` is not in a git repository; run inside a checkout, or `git init` first", path.display())]
    NotARepository {
        /// The folder.
        path: PathBuf,
    },
    /// Git itself would refuse the repository, because somebody else could have planted it.
    #[error(
        "the repository of `{0}` belongs to another user; if you trust it, \
         `git config --global --add safe.directory {0}`", path.display()
    )]
    ForeignOwner {
        /// The folder.
        path: PathBuf,
    },
    /// The repository's format is not one that can be read.
    #[error("the repository `{}` uses {what}, which cannot be read; {hint}", path.display())]
    UnsupportedFormat {
        /// Its git folder.
        path: PathBuf,
        /// The format or extension.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// The repository is there, but cannot be opened.
    #[error("failed to open the git repository of `{}`; does `git status` work there?", path.display())]
    Open {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The repository is bare.
    #[error("the repository `{}` has no work tree; make one with `git worktree add`", path.display())]
    NoWorkTree {
        /// Its git folder.
        path: PathBuf,
    },
    /// A folder is not part of the work tree.
    #[error("`{}` is outside of the repository `{}`; use a folder inside it", path.display(), root.display())]
    OutsideRepository {
        /// The folder.
        path: PathBuf,
        /// The root of the work tree.
        root: PathBuf,
    },
    /// A revision names nothing.
    #[error("`{revision}` names no commit; {hint}")]
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
    #[error("commit `{commit}` is not in this clone: {reason}")]
    MissingCommit {
        /// The commit.
        commit: CommitId,
        /// Why, and what to do.
        reason: MissingReason,
    },
    /// An object that a commit refers to is not in this clone.
    #[error(
        "object `{id}` is not in this clone, `{path}` needs it; complete a partial clone with \
         `git fetch --refetch --no-filter`, and check any other with `git fsck`"
    )]
    MissingObject {
        /// The object.
        id: ContentId,
        /// The path that it belongs to; a commit's id where it is the commit's own.
        path: BString,
    },
    /// An object cannot be decoded.
    #[error("object `{id}` of `{path}` cannot be read; check the repository with `git fsck`")]
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
    #[error("`{path}` leads out of the repository by the link `{link}`; replace the link with what it names")]
    LeavesRepository {
        /// The path that was asked for.
        path: BString,
        /// The text of the link.
        link: BString,
    },
    /// A path never ends.
    #[error("`{path}` goes through too many symbolic links; do two of them name each other?")]
    LinkLoop {
        /// The path.
        path: BString,
    },
    /// A file that must be small is not.
    #[error("`{path}` has {size} bytes, more than the {limit} that are read; is it the right file?")]
    TooLarge {
        /// The file.
        path: BString,
        /// Its number of bytes.
        size: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// A build would be sent a pointer from the disk instead of the file.
    #[error(
        "`{path}` is a Git LFS pointer on the disk, not the file; run `{} lfs pull`, or leave it out with \
         `.dockerignore`",
        git(repository)
    )]
    LfsPointer {
        /// The file.
        path: BString,
        /// The submodule that it is in; empty for the repository itself.
        repository: BString,
    },
    /// A build needs a content that Git LFS did not fetch.
    #[error(
        "what Git LFS keeps of `{path}` is not in this clone; run `{} lfs fetch`, or leave the file out with \
         `.dockerignore`",
        git(repository)
    )]
    LfsMissing {
        /// The file.
        path: BString,
        /// The submodule that it is in; empty for the repository itself.
        repository: BString,
    },
    /// A pointer that no checkout would replace.
    #[error(
        "`{path}` is a Git LFS pointer, but no `.gitattributes` of the commit gives it `filter=lfs`; add that, \
         build the disk with `source = \"worktree\"`, or leave the file out with `.dockerignore`"
    )]
    StrayPointer {
        /// The file.
        path: BString,
    },
    /// A build would see what git stores, and not what a checkout holds.
    #[error(
        "`{path}` goes through the filter `{filter}` when it is checked out, which a build of the commit \
         cannot run; build the disk with `source = \"worktree\"`, or leave it out with `.dockerignore`"
    )]
    Filtered {
        /// The file.
        path: BString,
        /// The name of the filter, from `.gitattributes`.
        filter: String,
    },
    /// A build needs files of a submodule that are not on this machine.
    #[error(
        "commit `{commit}` of the submodule `{path}` is not on this machine; run `{} submodule update --init {}`{}, \
         or leave it out with `.dockerignore`",
        git(repository), inside(path, repository), if *cloned {
            format!(", or `git -C {path} fetch origin {commit}` for another commit than the one checked out")
        } else {
            String::new()
        }
    )]
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
    #[error("failed to read `{}`; make it readable, or leave it out with `.dockerignore`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file changed between two looks at it.
    #[error("`{path}` changed while it was being read; build again when nothing writes to it")]
    Changed {
        /// The file, from the root of the repository.
        path: BString,
    },
    /// A file is neither a file, nor a link, nor a folder.
    #[error("`{path}` is {what}, which no build can be sent; leave it out with `.dockerignore`")]
    SpecialFile {
        /// Its path from the root of the repository.
        path: BString,
        /// What it is.
        what: &'static str,
    },
    /// Git's index cannot be read.
    #[error("failed to read the index `{}`; does `git status` work?", path.display())]
    BrokenIndex {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The attributes of the working tree cannot be read.
    #[error("failed to read the attributes of `{path}`; does `git check-attr --all {path}` work?")]
    BrokenAttributes {
        /// The file that they were asked for.
        path: BString,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The working tree cannot be compared with the index.
    #[error(
        "failed to compare the working tree with git's index; does `git status` work? \
         (a sparse index is made a full one by `git sparse-checkout reapply --no-sparse-index`)"
    )]
    Status {
        /// Why.
        #[source]
        source: Cause,
    },
    /// A folder holds what no folder can hold.
    #[error("failed to read a folder; check the repository with `git fsck`")]
    BrokenTree {
        /// Why.
        #[source]
        source: Cause,
    },
    /// HEAD or another reference cannot be read.
    #[error("failed to read `{name}`; check the repository with `git fsck`")]
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

    fn way_out(self) -> &'static str {
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

/// The `git` program in a submodule, or in the repository itself.
fn git(repository: &BString) -> String {
    if repository.is_empty() { "git".to_owned() } else { format!("git -C {repository}") }
}

/// A path from the root of the repository that it is in.
fn inside<'a>(path: &'a BString, repository: &BString) -> &'a BStr {
    let rest = path.strip_prefix(repository.as_slice()).unwrap_or(path);
    rest.strip_prefix(b"/").unwrap_or(rest).as_bstr()
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
