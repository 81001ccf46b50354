//! A folder of the working tree as an input tree; untracked and ignored files are part of it. Start with
//! [`WorkingTree`].
//!
//! Each folder is read once and each file identified once, so that digest and snapshot are always about the same
//! files. A content id is the blob id of the bytes *on the disk*, or of the pointer for a file of Git LFS. Content ids
//! come from the stat cache, for large files from git's index, otherwise from hashing the file.

use std::collections::HashSet;
use std::fs;
use std::sync::{Arc, Mutex};

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::snapshot::{Snapshot, SnapshotEntry};
use dtbuild_content::stat::{Form, StatCache};
use dtbuild_content::tree::{self, ContentId, Filter, Kind, Node, Tree};
use rustix::fs::{CWD, OFlags};
use rustix::io::Errno;

use super::content_id::blob_id;
use super::contents::DiskContents;
use super::folders::DiskFolders;
use super::identify::{self, Unidentified};
use super::index::LazyIndex;
use super::submodules::{Identified, Within};
use super::system::{open, read_link, with_times_of_folders};
use super::walk::{Walked, walk};
use crate::git::lfs::Pointer;
use crate::git::memory::FOLDER;
use crate::git::objects::Objects;
use crate::git::path::{join, rest, split};
use crate::git::submodules::{Expanded, Submodules};
use crate::git::{GitError, Repository};

/// A folder of the working tree.
pub struct WorkingTree {
    pub(super) repository: Repository,
    pub(super) disk: DiskFolders,
    pub(super) objects: Objects,
    pub(super) submodules: Submodules<Self>,
}

impl Repository {
    /// The folder at `folder` of the working tree, empty for the whole tree; none where there is no such folder.
    /// The folder may be in a submodule.
    ///
    /// # Errors
    /// When the repository is bare, the folder's links lead out of it, or git's index cannot be read.
    pub fn working_tree(&self, folder: &BStr) -> Result<Option<WorkingTree>, GitError> {
        self.working_tree_in(folder, BStr::new(""))
    }

    /// The [`working_tree`](Self::working_tree) of a repository that is at `prefix` of the outermost repository.
    pub(super) fn working_tree_in(
        &self,
        folder: &BStr,
        prefix: &BStr,
    ) -> Result<Option<WorkingTree>, GitError> {
        let Some((root, folder)) = self.on_disk(folder)? else { return Ok(None) };
        let handle = match open(CWD, &root, OFlags::DIRECTORY) {
            Ok(handle) => handle,
            Err(Errno::NOTDIR | Errno::NOENT) => return Ok(None),
            Err(source) => return Err(GitError::Unreadable { path: root, source: source.into() }),
        };
        let index = LazyIndex::of(self);
        for end in folder.find_iter("/").chain((!folder.is_empty()).then_some(folder.len())) {
            let submodule = folder[..end].as_bstr();
            let place = self.root()?.join(submodule.to_path_lossy());
            if place.join(".git").symlink_metadata().is_ok() && index.get()?.submodule(submodule).is_some() {
                let prefix = join(prefix, submodule);
                return Self::of_submodule(&place, self.code())?
                    .working_tree_in(rest(folder.as_bstr(), end), prefix.as_bstr());
            }
        }
        let load = || StatCache::load(&self.inner.git_dir().join(FOLDER), &self.code(), self.object_hash());
        let disk = DiskFolders {
            prefix: prefix.to_owned(),
            root,
            device: with_times_of_folders(&handle),
            handle,
            executable_bit: self.inner.config_snapshot().boolean("core.fileMode").unwrap_or(true),
            attributes: self.attributes_above(folder.as_bstr(), &index)?,
            index,
            folder,
            stats: self.memory.disk.stats(load),
            read: Mutex::default(),
        };
        let (repository, objects) = (self.clone(), self.objects().clone());
        let submodules = Submodules::default();
        Ok(Some(WorkingTree { repository, disk, objects, submodules }))
    }
}

impl WorkingTree {
    /// The id of the tree of all paths that `filter` lets in. The
    /// [`CommitTree::digest`](crate::git::CommitTree::digest) of equal files is equal.
    ///
    /// # Errors
    /// When a file cannot be read, or changed meanwhile.
    pub fn digest<F: Filter>(&self, filter: &F) -> Result<ContentId, GitError> {
        self.digest_within(filter, BStr::new(""))
    }

    /// The [`digest`](Self::digest) by a filter for a tree that has this tree at `folder`.
    pub(super) fn digest_within<F: Filter>(&self, filter: &F, folder: &BStr) -> Result<ContentId, GitError> {
        self.prepare(&Within::new(filter, folder))?;
        self.fold(filter, folder)
    }

    /// The [`digest_within`](Self::digest_within) of a tree that was prepared already.
    pub(super) fn fold<F: Filter>(&self, filter: &F, folder: &BStr) -> Result<ContentId, GitError> {
        Ok(tree::digest(&Identified { tree: self, filter, folder }, &Within::new(filter, folder))?)
    }

    /// The files of the folder that `filter` lets in, as a build sees them.
    ///
    /// # Errors
    /// When a file cannot be read or changed meanwhile, is a device or an LFS pointer, or when a submodule is not
    /// checked out.
    pub fn snapshot<F: Filter>(&self, filter: &F) -> Result<Snapshot, GitError> {
        self.snapshot_reading(filter, |_| true)
    }

    /// The [`snapshot`](Self::snapshot) for a build that reads only the paths for which `reads` is true. Other paths
    /// are left out if their content cannot be had.
    ///
    /// # Errors
    /// As for [`WorkingTree::snapshot`], for the paths that are read.
    pub fn snapshot_reading<F: Filter>(
        &self,
        filter: &F,
        reads: impl Fn(&BStr) -> bool,
    ) -> Result<Snapshot, GitError> {
        self.prepare_all(filter, BStr::new(""))?;
        let (mut entries, mut lfs) = (Vec::new(), HashSet::new());
        tree::walk(&Expanded(self), filter, |path, node| {
            match self.owned(path, |tree, inside| tree.entry(inside, node)) {
                Ok((entry, kept_by_lfs)) => {
                    lfs.extend(kept_by_lfs.then(|| path.to_owned()));
                    entries.push(SnapshotEntry { path: path.to_owned(), ..entry });
                }
                Err(error) if error.is_of_content() && !reads(path) => {}
                Err(error) => return Err(error),
            }
            Ok(())
        })?;
        let contents = DiskContents::new(self.disk.root.clone(), self.objects.hash(), lfs);
        Ok(Snapshot { entries: entries.into(), contents: Arc::new(contents) })
    }

    /// Reads all folders that `filter` lets in, and identifies their files, by several threads.
    pub(super) fn prepare<F: Filter>(&self, filter: &F) -> Result<Walked, GitError> {
        let found = walk(&self.disk, filter)?;
        identify::identify(&self.repository, &self.disk, &found.unidentified)?;
        Ok(found)
    }

    /// Does the work of [`prepare`](Self::prepare), submodules included, by a filter for a tree that has this tree at
    /// `folder`.
    fn prepare_all<F: Filter>(&self, filter: &F, folder: &BStr) -> Result<(), GitError> {
        for path in self.prepare(&Within::new(filter, folder))?.submodules {
            // A submodule that cannot be opened matters only if it is built; the build reports it.
            if let Ok(submodule) = self.submodule(path.as_bstr()) {
                submodule.prepare_all(filter, join(folder, path.as_bstr()).as_bstr())?;
            }
        }
        Ok(())
    }

    /// Calls `ask` with the innermost repository that holds `path`, and the path in it.
    fn owned<R>(
        &self,
        path: &BStr,
        ask: impl FnOnce(&Self, &BStr) -> Result<R, GitError>,
    ) -> Result<R, GitError> {
        match self.submodules.above(path) {
            Some(end) => self.submodule(path[..end].as_bstr())?.owned(rest(path, end), ask),
            None => ask(self, path),
        }
    }

    /// The entry of `path`, with true if the entry's content id is the id of a pointer of Git LFS.
    fn entry(&self, path: &BStr, node: &Node) -> Result<(SnapshotEntry, bool), GitError> {
        let (mut size, mut link, mut lfs) = (0, None, false);
        let id = match node.kind {
            Kind::Folder => ContentId::null(self.objects.hash()),
            Kind::Submodule => return Err(self.closed(path)),
            _ => self.identify(path, node)?,
        };
        if node.kind == Kind::Symlink {
            let text = self.link(path, node)?;
            size = text.len() as u64;
            link = Some(text);
        } else if node.kind != Kind::Folder {
            (size, lfs) = self.disk.file(path, |file| (file.stat.size, file.form == Form::Pointer))?;
            if lfs {
                self.refuse_pointer(path, size)?;
            }
        }
        Ok((SnapshotEntry { path: path.to_owned(), kind: node.kind, id, size, link }, lfs))
    }

    /// The error for the submodule at `path`, which was not opened.
    fn closed(&self, path: &BStr) -> GitError {
        let changed = || GitError::Changed { path: self.disk.shown(path) };
        self.submodule(path).err().unwrap_or_else(changed)
    }

    /// Fails if the file at `path`, which has `size` bytes, is a pointer of Git LFS and not the file that a build is
    /// to see.
    fn refuse_pointer(&self, path: &BStr, size: u64) -> Result<(), GitError> {
        if !Pointer::may_have(size) {
            return Ok(());
        }
        let file = self.disk.disk_path(path);
        match fs::read(&file) {
            Ok(content) if Pointer::parse(&content).is_some() => {
                let (path, repository) = (self.disk.shown(path), self.disk.prefix.clone());
                Err(GitError::LfsPointer { path, repository })
            }
            Ok(_) => Ok(()),
            Err(source) => Err(GitError::Unreadable { path: file, source }),
        }
    }

    /// The content id of the file or link at `path`, which is hashed if the id is not known.
    fn identify_file(&self, path: &BStr) -> Result<ContentId, GitError> {
        if let Some(id) = self.disk.file(path, |file| file.id.get().copied())? {
            return Ok(id);
        }
        let (folder, name) = split(path);
        let folder = self.disk.folder(folder)?;
        let number = folder.find(name).ok_or_else(|| GitError::Changed { path: self.disk.shown(path) })?;
        let file = Unidentified::new(&self.disk, &folder, number, path.to_owned())?;
        file.identify(&self.disk, self.objects.hash(), &mut Vec::new())
    }
}

impl Tree for WorkingTree {
    type Error = GitError;

    fn hash_kind(&self) -> gix::hash::Kind {
        self.objects.hash()
    }

    fn list(&self, path: &BStr, _: Option<ContentId>) -> Result<Vec<Node>, GitError> {
        if let Some(end) = self.submodules.at_or_above(path) {
            return self.submodule(path[..end].as_bstr())?.list(rest(path, end), None);
        }
        let nodes = self.disk.nodes(path)?;
        for node in nodes.iter().filter(|node| node.kind == Kind::Submodule) {
            self.submodules.note(join(path, node.name.as_bstr()), ContentId::null(self.hash_kind()));
        }
        Ok(nodes)
    }

    fn opens(&self, path: &BStr) -> Result<bool, GitError> {
        match self.owned(path, |tree, path| tree.submodule(path).map(drop)) {
            Ok(()) => Ok(true),
            Err(GitError::Submodule { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn identify(&self, path: &BStr, node: &Node) -> Result<ContentId, GitError> {
        self.owned(path, |tree, path| {
            if node.kind == Kind::Submodule {
                return tree.identify_submodule(path, &tree::Everything, BStr::new(""));
            }
            tree.identify_file(path)
        })
    }

    fn link(&self, path: &BStr, node: &Node) -> Result<BString, GitError> {
        self.owned(path, |tree, path| {
            let id = tree.identify(path, node)?;
            let place = tree.disk.disk_path(path);
            let text = read_link(&tree.disk.handle, path);
            let text = text.map_err(|source| GitError::Unreadable { path: place, source })?;
            if blob_id(tree.objects.hash(), &text).ok() == Some(id) {
                Ok(text)
            } else {
                Err(GitError::Changed { path: tree.disk.shown(path) })
            }
        })
    }
}
