//! Trust in a repository, by the rules of git: its owner, `safe.directory` and `safe.bareRepository`. Start with
//! [`Found`].
//!
//! A repository's configuration runs programs. So git refuses repositories of other users, unless the configuration of
//! the user, the system or the command line allows them. Git trusts a repository that `GIT_DIR` names.

use std::env;
use std::path::{Path, PathBuf};

use bstr::{BStr, BString, ByteSlice as _};
use gix::config::source::Kind;
use gix::discover::repository;

use super::GitError;

/// A repository that was found on the disk.
pub(super) struct Found {
    pub(super) git_dir: PathBuf,
    /// The folder whose `.git` names the repository; none where the search began in the git folder, or ended in a bare
    /// repository.
    pub(super) checkout: Option<PathBuf>,
}

impl Found {
    /// The result of a search that began at `start`.
    pub(super) fn new(found: repository::Path, start: &Path) -> Self {
        let (git_dir, checkout) = found.into_repository_and_work_tree_directories();
        let checkout = checkout.filter(|_| !start.starts_with(&git_dir));
        Self { git_dir, checkout }
    }

    /// The path to open: `.git` of a checkout, or the git folder.
    pub(super) fn place(&self) -> PathBuf {
        self.checkout.as_ref().map_or_else(|| self.git_dir.clone(), |checkout| checkout.join(".git"))
    }

    /// Fails if git would refuse the repository under the configuration of `opened`.
    pub(super) fn check(&self, opened: &gix::Repository) -> Result<(), GitError> {
        if self.is_owned() {
            return Ok(());
        }
        let root = self.checkout.as_ref().unwrap_or(&self.git_dir);
        let root = root.canonicalize().unwrap_or_else(|_| root.clone());
        if is_safe(&root, &protected(opened, "safe.directory")) {
            return Ok(());
        }
        Err(GitError::ForeignOwner { path: root })
    }

    /// True if the repository is bare: it has no checkout, and is not inside of a folder `.git`.
    pub(super) fn is_bare(&self) -> bool {
        let path = self.git_dir.as_os_str().as_encoded_bytes();
        let inside = [&b"/.git/worktrees/"[..], b"/.git/modules/"];
        self.checkout.is_none()
            && !self.git_dir.ends_with(".git")
            && !inside.iter().any(|part| path.contains_str(part))
    }

    /// True if the current user owns the git folder, the checkout and the checkout's `.git`.
    fn is_owned(&self) -> bool {
        let link = self.checkout.as_ref().map(|checkout| checkout.join(".git")).filter(|link| link.is_file());
        let paths = [link.as_ref(), self.checkout.as_ref(), Some(&self.git_dir)];
        paths.into_iter().flatten().all(|path| is_owned(path))
    }
}

/// True if the configuration wants bare repositories to be named, and not found by a search.
pub(super) fn only_named(opened: &gix::Repository) -> bool {
    protected(opened, "safe.bareRepository").last().is_some_and(|value| value == "explicit")
}

/// True if the current user owns `path`. Root with `SUDO_UID` is also the user who called `sudo`.
fn is_owned(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let Ok(owner) = path.symlink_metadata().map(|found| found.uid()) else { return false };
    let user = rustix::process::geteuid();
    let caller = || env::var("SUDO_UID").ok().and_then(|id| id.parse::<u32>().ok());
    owner == user.as_raw() || user.is_root() && caller() == Some(owner)
}

/// The values of `key` that do not come from the repository itself, in git's order.
fn protected(opened: &gix::Repository, key: &str) -> Vec<BString> {
    let config = opened.config_snapshot();
    let values = config.plumbing().strings_filter(key, |section| section.source.kind() != Kind::Repository);
    values.unwrap_or_default()
}

/// True if `safe.directory` with these `values` names the folder `root`, or all folders.
fn is_safe(root: &Path, values: &[BString]) -> bool {
    values.iter().fold(false, |safe, value| match value.as_bytes() {
        b"" => false,
        b"*" => true,
        _ => safe || names(value.as_bstr(), root),
    })
}

/// True if a value of `safe.directory` is the path of `root`, or of a folder above `root` with `/*` at the end.
fn names(value: &BStr, root: &Path) -> bool {
    let path = match value.strip_prefix(b"~/") {
        Some(rest) => {
            let Some(home) = env::var_os("HOME") else { return false };
            Path::new(&home).join(rest.to_path_lossy())
        }
        None => value.to_path_lossy().into_owned(),
    };
    if !path.is_absolute() && value != "." {
        return false;
    }
    if path.ends_with("*") {
        let above = path.parent().and_then(|above| above.canonicalize().ok());
        return above.is_some_and(|above| root != above && root.starts_with(above));
    }
    path.canonicalize().is_ok_and(|path| path == root)
}
