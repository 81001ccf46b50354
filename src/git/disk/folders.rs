//! The folders of a working tree, each read once. Start with [`DiskFolders`].

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::stat::StatCache;
use dtbuild_content::tree::{Kind, Node};

use super::attributes::FolderAttributes;
use super::folder::{File, Folder};
use super::index::LazyIndex;
use super::system;
use crate::git::GitError;
use crate::git::path::{join, split};

/// The folders of a working tree, each read when it is first needed and never again. Threads can share the value.
pub(super) struct DiskFolders {
    /// The absolute path of the topmost folder, without links.
    pub(super) root: PathBuf,
    /// The topmost folder, opened: paths are relative to it.
    pub(super) handle: OwnedFd,
    /// The device of the topmost folder, if a folder's times there change whenever the names in the folder change.
    pub(super) device: Option<u64>,
    /// The path of the topmost folder in the repository.
    pub(super) folder: BString,
    /// The path of a submodule's repository in the outermost repository, for messages; empty for the outermost one.
    pub(super) prefix: BString,
    /// True if the disk keeps the executable bit, by git's `core.fileMode`.
    pub(super) executable_bit: bool,
    pub(super) index: LazyIndex,
    /// The attributes that apply in the folder that holds the topmost one.
    pub(super) attributes: Arc<FolderAttributes>,
    /// The stat cache: the content ids that this run and earlier runs found.
    pub(super) stats: Arc<StatCache>,
    /// The folders that were read, by path from the root.
    pub(super) read: Mutex<HashMap<BString, Arc<Folder>>>,
}

impl DiskFolders {
    /// The folder at `path`.
    pub(super) fn folder(&self, path: &BStr) -> Result<Arc<Folder>, GitError> {
        if let Some(folder) = self.already_read(path) {
            return Ok(folder);
        }
        let attributes = if path.is_empty() {
            Arc::clone(&self.attributes)
        } else {
            Arc::clone(&self.folder(split(path).0)?.attributes)
        };
        let folder = Arc::new(Folder::read(self, path, &attributes)?);
        // Another thread may have read the folder meanwhile, and handed out its own reading: all get the first one.
        Ok(Arc::clone(self.known().entry(path.to_owned()).or_insert(folder)))
    }

    fn already_read(&self, path: &BStr) -> Option<Arc<Folder>> {
        self.known().get(path).cloned()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<BString, Arc<Folder>>> {
        // A folder is inserted whole or not at all.
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entries of the folder at `path`; folders without any file are left out, as git leaves them out.
    pub(super) fn nodes(&self, path: &BStr) -> Result<Vec<Node>, GitError> {
        let folder = self.folder(path)?;
        let mut nodes = Vec::with_capacity(folder.files.len() + folder.folders.len());
        for file in &folder.files {
            nodes.push(Node {
                name: folder.name(file).to_owned(),
                kind: file.kind,
                id: file.id.get().copied(),
            });
        }
        for name in &folder.folders {
            let kind = self.kind(join(path, name.as_bstr()).as_bstr())?;
            nodes.extend(kind.map(|kind| Node { name: name.clone(), kind, id: None }));
        }
        Ok(nodes)
    }

    /// The kind of the folder at `path`: a folder or a submodule. None where neither git nor a build has the folder,
    /// as for an empty folder.
    pub(super) fn kind(&self, path: &BStr) -> Result<Option<Kind>, GitError> {
        let (holds_something, is_repository) = if let Some(folder) = self.already_read(path) {
            (self.holds_something(path, &folder)?, folder.is_repository)
        } else {
            let place = self.disk_path(path);
            // A folder that cannot be read matters only if it is built.
            let holds_something = system::holds_something(&place).unwrap_or(true);
            (holds_something, place.join(".git").symlink_metadata().is_ok())
        };
        if holds_something && !is_repository {
            // A build gets files without a repository, also where git has a submodule in their place.
            return Ok(Some(Kind::Folder));
        }
        let place = self.place(path);
        if self.index.get()?.submodule(place.as_bstr()).is_some() {
            return Ok(Some(Kind::Submodule));
        }
        Ok((holds_something || self.holds_submodule(place.as_bstr())?).then_some(Kind::Folder))
    }

    fn holds_something(&self, path: &BStr, folder: &Folder) -> Result<bool, GitError> {
        if !folder.files.is_empty() {
            return Ok(true);
        }
        let mut found = false;
        for name in &folder.folders {
            found = found || self.kind(join(path, name.as_bstr()).as_bstr())?.is_some();
        }
        Ok(found)
    }

    /// True if there is a submodule below the folder at `place` of the repository, checked out or not.
    fn holds_submodule(&self, place: &BStr) -> Result<bool, GitError> {
        let inside = |path: &BStr| match path.strip_prefix(self.folder.as_slice()) {
            Some(rest) if !self.folder.is_empty() => rest.strip_prefix(b"/").unwrap_or(rest).to_owned(),
            _ => path.to_vec(),
        };
        let mut paths = self.index.get()?.submodules_below(place).map(inside);
        Ok(paths
            .any(|path| self.disk_path(path.as_bstr()).symlink_metadata().is_ok_and(|found| found.is_dir())))
    }

    /// Calls `look` with the file or link at `path`, as it was when its folder was read.
    pub(super) fn file<R>(&self, path: &BStr, look: impl FnOnce(&File) -> R) -> Result<R, GitError> {
        let (folder, name) = split(path);
        let folder = self.folder(folder)?;
        // Callers have the path from a folder that was read.
        let found = folder.find(name).and_then(|number| folder.files.get(number));
        let file = found.ok_or_else(|| GitError::Changed { path: self.shown(path) })?;
        match file.special {
            Some(what) => Err(GitError::SpecialFile { path: self.shown(path), what }),
            None => Ok(look(file)),
        }
    }

    /// The path, in the repository, of `path` in the topmost folder.
    pub(super) fn place(&self, path: &BStr) -> BString {
        if path.is_empty() { self.folder.clone() } else { join(self.folder.as_bstr(), path) }
    }

    /// The path, in the outermost repository, of `path` in the topmost folder; for messages.
    pub(super) fn shown(&self, path: &BStr) -> BString {
        join(self.prefix.as_bstr(), self.place(path).as_bstr())
    }

    /// The absolute path, on the disk, of `path` in the topmost folder.
    pub(super) fn disk_path(&self, path: &BStr) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path.to_path_lossy()) }
    }
}
