//! What the folders of a working tree hold. Start with [`Listing`].

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::stat::StatCache;
use dtbuild_content::tree::{Kind, Node};

use super::GitError;
use super::diff::join;
use super::disk;
use super::folder::{File, Folder};
use super::index::LazyIndex;
use super::tracking::Tracking;

/// What the folders of a working tree hold, each listed when it is first asked for and never again.
///
/// Threads can share it.
pub(super) struct Listing {
    /// The folder that is listed, without links.
    pub(super) root: PathBuf,
    /// The same, opened: what is in it is asked for by its path from there.
    pub(super) handle: OwnedFd,
    /// The device on which the times of folders tell whether the names in them changed.
    pub(super) device: Option<u64>,
    /// Its path in the repository.
    pub(super) folder: BString,
    /// The path of the repository, where it is a submodule: so that users are told whole paths.
    pub(super) prefix: BString,
    /// Whether the disk keeps the executable bit.
    pub(super) executable_bit: bool,
    pub(super) index: LazyIndex,
    /// The attributes that apply to the folder from above it.
    pub(super) tracking: Arc<Tracking>,
    /// What was read before, by any run.
    pub(super) stats: Arc<StatCache>,
    /// By path from the root.
    pub(super) folders: Mutex<HashMap<BString, Arc<Folder>>>,
}

impl Listing {
    /// What is in the folder at `path`.
    pub(super) fn folder(&self, path: &BStr) -> Result<Arc<Folder>, GitError> {
        if let Some(folder) = self.listed(path) {
            return Ok(folder);
        }
        let tracking = if path.is_empty() {
            Arc::clone(&self.tracking)
        } else {
            Arc::clone(&self.folder(split(path).0)?.tracking)
        };
        let folder = Arc::new(Folder::read(self, path, &tracking)?);
        // Who was first has told it to others already.
        Ok(Arc::clone(self.known().entry(path.to_owned()).or_insert(folder)))
    }

    fn listed(&self, path: &BStr) -> Option<Arc<Folder>> {
        self.known().get(path).cloned()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<BString, Arc<Folder>>> {
        // A folder is inserted whole or not at all.
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What git and a build have of the folder at `path`: folders without any file are left out, as git leaves them out.
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

    /// What the folder at `path` is to git; none where neither git nor a build has it.
    pub(super) fn kind(&self, path: &BStr) -> Result<Option<Kind>, GitError> {
        let (holds_something, is_repository) = if let Some(folder) = self.listed(path) {
            (self.holds_something(path, &folder)?, folder.is_repository)
        } else {
            let place = self.disk_path(path);
            // One that cannot be looked into matters only if it is built.
            let holds_something = disk::holds_something(&place).unwrap_or(true);
            (holds_something, place.join(".git").symlink_metadata().is_ok())
        };
        if holds_something && !is_repository {
            // Files without a repository are what a build gets, whatever git has in their place.
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

    /// Whether there is a submodule below the folder at `place` of the repository, checked out or not.
    fn holds_submodule(&self, place: &BStr) -> Result<bool, GitError> {
        let inside = |path: &BStr| match path.strip_prefix(self.folder.as_slice()) {
            Some(rest) if !self.folder.is_empty() => rest.strip_prefix(b"/").unwrap_or(rest).to_owned(),
            _ => path.to_vec(),
        };
        let mut paths = self.index.get()?.submodules_below(place).map(inside);
        Ok(paths
            .any(|path| self.disk_path(path.as_bstr()).symlink_metadata().is_ok_and(|found| found.is_dir())))
    }

    /// Gives `look` the file or link at `path` as it was when it was listed.
    pub(super) fn file<R>(&self, path: &BStr, look: impl FnOnce(&File) -> R) -> Result<R, GitError> {
        let (folder, name) = split(path);
        let folder = self.folder(folder)?;
        // Whoever asks got the path from the listing.
        let found = folder.find(name).and_then(|number| folder.files.get(number));
        let file = found.ok_or_else(|| GitError::Changed { path: self.shown(path) })?;
        match file.special {
            Some(what) => Err(GitError::SpecialFile { path: self.shown(path), what }),
            None => Ok(look(file)),
        }
    }

    /// The path in the repository of `path` in this folder.
    pub(super) fn place(&self, path: &BStr) -> BString {
        if path.is_empty() { self.folder.clone() } else { join(self.folder.as_bstr(), path) }
    }

    /// The path of `path` in the outermost repository, for what is told to the user.
    pub(super) fn shown(&self, path: &BStr) -> BString {
        join(self.prefix.as_bstr(), self.place(path).as_bstr())
    }

    pub(super) fn disk_path(&self, path: &BStr) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path.to_path_lossy()) }
    }
}

/// The path of the folder that `path` is in, and the name there.
pub(super) fn split(path: &BStr) -> (&BStr, &BStr) {
    match path.rfind_byte(b'/') {
        Some(end) => (path[..end].as_bstr(), path[end + 1..].as_bstr()),
        None => (BStr::new(""), path),
    }
}
