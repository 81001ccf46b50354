//! The code and the hint of every [`GitError`]: its implementation of [`Failure`].

use bstr::{BStr, BString, ByteSlice as _};

use super::{GitError, SubmoduleMapping};
use crate::error::{Code, Failure};

/// The hint for failures of which `git status` can tell more.
const STATUS: &str = "does `git status` work there?";
/// The hint for failures after which a part of the repository may be damaged.
const CHECK: &str = "check the repository with `git fsck`";

impl Failure for GitError {
    fn code(&self) -> Code {
        match self {
            Self::NotARepository { .. } => Code::RepositoryMissing,
            Self::ForeignOwner { .. }
            | Self::BareRepository { .. }
            | Self::UnsupportedFormat { .. }
            | Self::Open { .. }
            | Self::NoWorkTree { .. }
            | Self::BrokenObject { .. }
            | Self::BrokenIndex { .. }
            | Self::BrokenAttributes { .. }
            | Self::Status { .. }
            | Self::BrokenTree { .. }
            | Self::BrokenReference { .. } => Code::RepositoryUnusable,
            Self::UnknownRevision { .. } => Code::RevisionUnknown,
            Self::MissingCommit { .. } | Self::MissingObject { .. } => Code::CommitMissing,
            Self::OutsideRepository { .. }
            | Self::LeavesRepository { .. }
            | Self::LinkLoop { .. }
            | Self::TooLarge { .. } => Code::PathInvalid,
            Self::LfsPointer { .. }
            | Self::LfsMissing { .. }
            | Self::StrayPointer { .. }
            | Self::Filtered { .. }
            | Self::Submodule { .. } => Code::ContentUnavailable,
            Self::Unreadable { .. } | Self::Changed { .. } | Self::SpecialFile { .. } => Code::FileUnreadable,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotARepository { .. } => "run inside a checkout, or `git init` first".to_owned(),
            Self::ForeignOwner { path } => {
                format!("if you trust it, `git config --global --add safe.directory {}`", path.display())
            }
            Self::BareRepository { path, .. } => {
                format!("if you trust it, name it: `GIT_DIR={} dtbuild ...`", path.display())
            }
            Self::UnsupportedFormat { hint, .. } => (*hint).to_owned(),
            Self::Open { .. } | Self::BrokenIndex { .. } => STATUS.to_owned(),
            Self::NoWorkTree { .. } => "make one with `git worktree add`".to_owned(),
            Self::OutsideRepository { .. } => "use a folder inside it".to_owned(),
            Self::UnknownRevision { hint, .. } => hint.clone(),
            Self::MissingCommit { reason, .. } => reason.way_out().to_owned(),
            Self::MissingObject { .. } => {
                "complete a partial clone with `git fetch --refetch --no-filter`, and check any other with `git fsck`"
                    .to_owned()
            }
            Self::BrokenObject { .. } | Self::BrokenTree { .. } | Self::BrokenReference { .. } => {
                CHECK.to_owned()
            }
            Self::LeavesRepository { .. } => "replace the link with what it names".to_owned(),
            Self::LinkLoop { .. } => "do two of them name each other?".to_owned(),
            Self::TooLarge { .. } => "is it the right file?".to_owned(),
            Self::LfsPointer { repository, .. } => {
                format!("run `{} lfs pull`, or leave it out with `.dockerignore`", git(repository))
            }
            Self::LfsMissing { repository, .. } => {
                format!("run `{} lfs fetch`, or leave the file out with `.dockerignore`", git(repository))
            }
            Self::StrayPointer { .. } => {
                "add that, build the disk with `source = \"worktree\"`, or leave the file out with `.dockerignore`"
                    .to_owned()
            }
            Self::Filtered { .. } => {
                "build the disk with `source = \"worktree\"`, or leave it out with `.dockerignore`".to_owned()
            }
            Self::Submodule { .. } => format!("{}, or leave it out with `.dockerignore`", self.submodule_way_out()?),
            Self::Unreadable { .. } => "make it readable, or leave it out with `.dockerignore`".to_owned(),
            Self::Changed { .. } => "build again when nothing writes to it".to_owned(),
            Self::SpecialFile { .. } => "leave it out with `.dockerignore`".to_owned(),
            Self::BrokenAttributes { path, .. } => format!("does `git check-attr --all {path}` work?"),
            Self::Status { .. } => "does `git status` work? (a sparse index is made a full one by \
                 `git sparse-checkout reapply --no-sparse-index`)"
                .to_owned(),
        })
    }
}

impl GitError {
    /// The commands that bring the commit of a submodule to this machine; none where git would refuse all of them.
    fn submodule_way_out(&self) -> Option<String> {
        let Self::Submodule { path, repository, commit, cloned, mapping } = self else { return None };
        let (git, inside) = (git(repository), inside(path, repository));
        let options = if *mapping == SubmoduleMapping::Skipped { "--init --checkout" } else { "--init" };
        let update = format!("run `{git} submodule update {options} {inside}`");
        let fetch = format!("`git -C {path} fetch origin {commit}`");
        Some(match (mapping, cloned) {
            (SubmoduleMapping::Missing, true) => format!("run {fetch}"),
            // No command brings the commit alone; the message of [`unfetchable`] has the commands that help.
            (SubmoduleMapping::Missing, false) => return None,
            (_, true) => format!("{update}, or {fetch} for another commit than the one checked out"),
            (_, false) => update,
        })
    }
}

/// The end of the message about a submodule that is not on this machine: the reason why git cannot fetch the
/// submodule, and the ways out. Empty where git can fetch it.
pub(super) fn unfetchable(
    path: &BString,
    repository: &BString,
    cloned: bool,
    mapping: SubmoduleMapping,
) -> String {
    if cloned || mapping != SubmoduleMapping::Missing {
        return String::new();
    }
    let (git, inside) = (git(repository), inside(path, repository));
    format!(
        ", and git cannot fetch it, as no `.gitmodules` gives its address: name it by `{git} rm {inside}` and \
         `{git} submodule add ADDRESS {inside}`, commit its files instead of it, or leave it out with `.dockerignore`"
    )
}

/// The words that run `git` in the submodule `repository`, or in the outermost repository where `repository` is empty.
fn git(repository: &BString) -> String {
    if repository.is_empty() { "git".to_owned() } else { format!("git -C {repository}") }
}

/// The `path`, taken from the root of the `repository` that holds it.
fn inside<'a>(path: &'a BString, repository: &BString) -> &'a BStr {
    let rest = path.strip_prefix(repository.as_slice()).unwrap_or(path);
    rest.strip_prefix(b"/").unwrap_or(rest).as_bstr()
}
