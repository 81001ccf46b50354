//! The paths by which the working tree differs from HEAD, found by [`Repository::changed_in_working_tree`].

use std::collections::BTreeSet;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::stat::Stat;
use dtbuild_content::tree::{ContentId, Kind};
use gix::status::{Item, Submodule, UntrackedFiles};
use rustix::fs::{Access, CWD, access};

use super::content_id;
use super::system::is_missing;
use crate::changed::{ChangeStatus, ChangedPath};
use crate::git::commit::lookup;
use crate::git::lfs::Pointer;
use crate::git::objects::Objects;
use crate::git::path::join;
use crate::git::{CommitId, GitError, Repository};

impl Repository {
    /// The paths by which the working tree differs from HEAD, sorted: staged and unstaged changes, and untracked files
    /// that git does not ignore. In a repository without commits, every path is new.
    ///
    /// # Errors
    /// When the repository is bare, or the working tree cannot be compared with git's index.
    pub fn changed_in_working_tree(&self) -> Result<Vec<ChangedPath>, GitError> {
        let head = match self.head()? {
            Some(head) => self.tree_of(head.commit)?,
            None => ContentId::empty_tree(self.object_hash()),
        };
        self.changed_among(head, self.candidates(head)?)
    }

    /// The paths that git tracks and by which the working tree, or git's index, differs from `commit`, sorted.
    ///
    /// # Errors
    /// When the repository is bare, or the working tree cannot be compared with git's index.
    pub fn uncommitted(&self, commit: CommitId) -> Result<Vec<ChangedPath>, GitError> {
        let tree = self.tree_of(commit)?;
        self.changed_among(tree, self.candidates_among(tree, UntrackedFiles::None, &[])?)
    }

    /// The changed paths among `candidates`.
    fn changed_among(
        &self,
        head: ContentId,
        candidates: BTreeSet<BString>,
    ) -> Result<Vec<ChangedPath>, GitError> {
        let (root, objects) = (self.root()?, self.objects());
        let mut changes = Vec::new();
        for path in candidates {
            let before = lookup::find_exact(objects, head, path.as_bstr())?;
            let place = root.join(path.to_path_lossy());
            let after = match OnDisk::at(&place) {
                Ok(after) => after,
                // A path that git may not look at has not changed for git.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => continue,
                Err(source) => return Err(GitError::Unreadable { path: place, source }),
            };
            if let Some(status) = status(objects, before, after.as_ref()) {
                changes.push(ChangedPath { path, status });
            }
        }
        Ok(changes)
    }

    /// The paths at which HEAD, the index and the disk do not all agree. Files and folders that cannot be read are
    /// passed by.
    fn candidates(&self, head: ContentId) -> Result<BTreeSet<BString>, GitError> {
        self.candidates_among(head, UntrackedFiles::Files, &[]).or_else(|error| {
            let (is_whole, readable) = readable(self.root()?, BStr::new(""));
            if is_whole {
                return Err(error);
            }
            if readable.is_empty() {
                return Ok(BTreeSet::new());
            }
            let untracked = self.candidates_among(head, UntrackedFiles::Files, &readable)?;
            // The readable paths lack the deleted ones.
            let tracked = self.candidates_among(head, UntrackedFiles::None, &[]).unwrap_or_default();
            Ok(untracked.into_iter().chain(tracked).collect())
        })
    }

    /// The [`candidates`](Self::candidates) at and below `places`; all candidates if `places` is empty.
    fn candidates_among(
        &self,
        head: ContentId,
        untracked: UntrackedFiles,
        places: &[BString],
    ) -> Result<BTreeSet<BString>, GitError> {
        let pattern = |place: &BString| BString::from([b":(top,literal)", place.as_slice()].concat());
        let failed = |source: gix::Error| GitError::Status { source: source.into() };
        let submodules =
            Submodule::Given { ignore: gix::submodule::config::Ignore::Dirty, check_dirty: false };
        let items = self
            .inner
            .status(gix::progress::Discard)
            .map_err(failed)?
            .head_tree(head)
            .untracked_files(untracked)
            .index_worktree_rewrites(None)
            .tree_index_track_renames(gix::status::tree_index::TrackRenames::Disabled)
            .index_worktree_submodules(submodules)
            .into_iter(places.iter().map(pattern))
            .map_err(failed)?;
        let mut paths = BTreeSet::new();
        for item in items {
            let item = item.map_err(failed)?;
            let differs = match &item {
                Item::IndexWorktree(change) => change.summary().is_some(),
                Item::TreeIndex(_) => true,
            };
            if differs {
                paths.insert(item.location().to_owned());
            }
        }
        Ok(paths)
    }
}

/// True if `folder` and all below can be read, with the paths of the files and whole folders that can be read; `path`
/// is the folder's path from the root.
fn readable(folder: &Path, path: &BStr) -> (bool, Vec<BString>) {
    // The user may be allowed to list a folder, but not to enter it.
    let entries = folder.join(".").symlink_metadata().and_then(|_| folder.read_dir());
    let Ok(entries) = entries else { return (false, Vec::new()) };
    let (mut is_whole, mut paths) = (true, Vec::new());
    for entry in entries.flatten().filter(|entry| entry.file_name() != ".git") {
        let inside = join(path, entry.file_name().as_bytes().as_bstr());
        if entry.file_type().is_ok_and(|found| found.is_dir()) {
            let (whole, below) = readable(&entry.path(), inside.as_bstr());
            is_whole &= whole;
            paths.extend(below);
        } else if access(entry.path(), Access::READ_OK).is_ok() {
            paths.push(inside);
        } else {
            // A link that leads nowhere fails this check, but git can read the link.
            let is_link = entry.file_type().is_ok_and(|found| found.is_symlink());
            is_whole &= is_link;
            paths.extend(is_link.then_some(inside));
        }
    }
    if is_whole && !path.is_empty() { (true, vec![path.to_owned()]) } else { (is_whole, paths) }
}

/// A file, link or folder of the disk.
struct OnDisk {
    path: PathBuf,
    kind: Kind,
    stat: Stat,
}

impl OnDisk {
    fn at(path: &Path) -> io::Result<Option<Self>> {
        let metadata = match path.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let stat = Stat::of(&metadata);
        let kind = if metadata.is_symlink() {
            Kind::Symlink
        } else if metadata.is_dir() {
            Kind::Folder
        } else if stat.is_executable() {
            Kind::Executable
        } else {
            Kind::File
        };
        Ok(Some(Self { path: path.to_owned(), kind, stat }))
    }

    /// True if git would store this file as an object `id` of this `kind`.
    fn holds(&self, kind: Kind, id: ContentId, objects: &Objects) -> bool {
        let pointer = objects.size(&id, BStr::new("")).is_ok_and(Pointer::may_have);
        let file = (self.kind, &self.stat);
        let path = self.path.as_os_str().as_bytes().as_bstr();
        let found = || content_id::identify(CWD, path, file, pointer, objects.hash(), &mut Vec::new());
        self.kind == kind && found().is_ok_and(|found| found.contain(id))
    }
}

/// The change of a path that git reports; none where the disk has the content of HEAD.
fn status(
    objects: &Objects,
    before: Option<(Kind, ContentId)>,
    after: Option<&OnDisk>,
) -> Option<ChangeStatus> {
    let is_file = |kind| matches!(kind, Kind::File | Kind::Executable);
    match (before, after) {
        (None, None) => None,
        (None | Some((Kind::Folder, _)), Some(_)) => Some(ChangeStatus::Added),
        (Some((Kind::Submodule, _)), Some(after)) if after.kind == Kind::Folder => {
            Some(ChangeStatus::Modified)
        }
        (Some(_), None) => Some(ChangeStatus::Deleted),
        // The files in the folder are reported by their own paths.
        (Some(_), Some(after)) if after.kind == Kind::Folder => Some(ChangeStatus::Deleted),
        (Some((kind, id)), Some(after)) if after.holds(kind, id, objects) => None,
        (Some((kind, _)), Some(after)) if kind == after.kind || is_file(kind) && is_file(after.kind) => {
            Some(ChangeStatus::Modified)
        }
        _ => Some(ChangeStatus::TypeChanged),
    }
}
