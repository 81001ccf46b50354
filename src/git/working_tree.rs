//! A folder of the working tree, as the disk has it: untracked and ignored files are part of it.
//!
//! A [`WorkingTree`] is what the folder was when it was first looked at: each folder is listed once and
//! each file identified once, so its digest and its snapshot always speak of the same files. A content id
//! is the blob id of the bytes *on disk*; of a file that Git LFS keeps, that of the pointer to them. The stat
//! cache answers for what was read before, git's index for large files that it knows; all else is read.

use std::cell::Cell;
use std::collections::HashSet;
use std::fs;
use std::sync::{Arc, Mutex};

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::snapshot::{Snapshot, SnapshotEntry};
use dtbuild_content::stat::{Form, StatCache};
use dtbuild_content::tree::{self, ContentId, Filter, Kind, Node, Tree};
use rustix::fs::{CWD, OFlags};
use rustix::io::Errno;

use super::diff::join;
use super::disk;
use super::disk_contents::DiskContents;
use super::disk_submodules::Identified;
use super::index::LazyIndex;
use super::lfs::Pointer;
use super::listing::{Listing, split};
use super::objects::Objects;
use super::reading::{self, Unread};
use super::snapshot::{Expanded, Within};
use super::submodules::{Submodules, rest};
use super::survey::{Survey, survey};
use super::{GitError, Repository};

/// Where the stat cache is, from the git folder of the work tree.
const STATS: &str = "dtbuild/stat";

/// A folder of the working tree.
pub struct WorkingTree {
    pub(super) repository: Repository,
    pub(super) listing: Listing,
    pub(super) objects: Objects,
    pub(super) submodules: Submodules<Self>,
    /// Whether it counted what git has of a path.
    pub(super) asked_git: Cell<bool>,
}

impl Repository {
    /// The folder at `folder` of the working tree, empty for all of it; none where there is no such folder.
    /// It may be in a submodule.
    ///
    /// # Errors
    /// When the repository is bare, the folder's links lead out of it, or git's index cannot be read.
    pub fn working_tree(&self, folder: &BStr) -> Result<Option<WorkingTree>, GitError> {
        self.working_tree_in(folder, BStr::new(""))
    }

    pub(super) fn working_tree_in(
        &self,
        folder: &BStr,
        prefix: &BStr,
    ) -> Result<Option<WorkingTree>, GitError> {
        let Some((root, folder)) = self.on_disk(folder)? else { return Ok(None) };
        let handle = match disk::open(CWD, &root, OFlags::DIRECTORY) {
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
                return Self::at(&place)?.working_tree_in(rest(folder.as_bstr(), end), prefix.as_bstr());
            }
        }
        let load = || StatCache::load(self.inner.git_dir().join(STATS), self.object_hash());
        let listing = Listing {
            prefix: prefix.to_owned(),
            root,
            device: disk::with_times_of_folders(&handle),
            handle,
            executable_bit: self.inner.config_snapshot().boolean("core.fileMode").unwrap_or(true),
            tracking: self.tracking_above(folder.as_bstr(), &index)?,
            index,
            folder,
            stats: self.shared.stats(load),
            folders: Mutex::default(),
        };
        let (repository, objects) = (self.clone(), self.objects().clone());
        let submodules = Submodules::default();
        Ok(Some(WorkingTree { repository, listing, objects, submodules, asked_git: Cell::new(false) }))
    }
}

impl WorkingTree {
    /// The id of what `filter` lets through: of the same files, [`CommitTree::digest`](super::CommitTree::digest)
    /// gives the same.
    ///
    /// # Errors
    /// When a file cannot be read, or changed meanwhile.
    pub fn digest<F: Filter>(&self, filter: &F) -> Result<ContentId, GitError> {
        self.digest_within(filter, BStr::new(""))
    }

    /// The digest by a filter that is for a tree in which this one is at `folder`.
    pub(super) fn digest_within<F: Filter>(&self, filter: &F, folder: &BStr) -> Result<ContentId, GitError> {
        self.prepare(&Within::new(filter, folder))?;
        self.fold(filter, folder)
    }

    /// The same of what was looked at already.
    pub(super) fn fold<F: Filter>(&self, filter: &F, folder: &BStr) -> Result<ContentId, GitError> {
        Ok(tree::digest(&Identified { tree: self, filter, folder }, &Within::new(filter, folder))?)
    }

    /// The files of the folder that `filter` lets through, as a build is to see them.
    ///
    /// # Errors
    /// When a file cannot be read or changed meanwhile, is a device or an LFS pointer, or when a submodule is not
    /// checked out.
    pub fn snapshot<F: Filter>(&self, filter: &F) -> Result<Snapshot, GitError> {
        self.snapshot_reading(filter, |_| true)
    }

    /// The same for a build that reads the paths for which `reads` holds and no others: of the others, those
    /// whose content cannot be had are left out.
    ///
    /// # Errors
    /// As for [`WorkingTree::snapshot`], for what is read.
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
        let contents = DiskContents::new(self.listing.root.clone(), self.objects.hash(), lfs);
        Ok(Snapshot { entries: entries.into(), contents: Arc::new(contents) })
    }

    /// Looks at all that `filter` lets through, and identifies it, reading many files at once.
    pub(super) fn prepare<F: Filter>(&self, filter: &F) -> Result<Survey, GitError> {
        let found = survey(&self.listing, filter)?;
        reading::identify(&self.repository, &self.listing, &found.unread)?;
        Ok(found)
    }

    /// The same, submodules looked into; by a filter that is for a tree in which this one is at `folder`.
    fn prepare_all<F: Filter>(&self, filter: &F, folder: &BStr) -> Result<(), GitError> {
        for path in self.prepare(&Within::new(filter, folder))?.submodules {
            // One that cannot be looked into matters only if it is built, which is told then.
            if let Ok(submodule) = self.submodule(path.as_bstr()) {
                submodule.prepare_all(filter, join(folder, path.as_bstr()).as_bstr())?;
            }
        }
        Ok(())
    }

    /// Asks the innermost repository that `path` is in.
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

    /// Whether a commit of the index would hold the folder at `path`.
    fn is_in_git(&self, path: &BStr) -> Result<bool, GitError> {
        let (index, place) = (self.listing.index.get()?, self.listing.place(path));
        Ok(index.has_below(place.as_bstr()) || index.submodule(place.as_bstr()).is_some())
    }

    /// The entry of `path`, and whether its id is that of a pointer of Git LFS.
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
            (size, lfs) = self.listing.file(path, |file| (file.stat.size, file.form == Form::Pointer))?;
            if lfs {
                self.refuse_pointer(path, size)?;
            }
        }
        Ok((SnapshotEntry { path: path.to_owned(), kind: node.kind, id, size, link }, lfs))
    }

    /// Why the submodule at `path` was not looked into.
    fn closed(&self, path: &BStr) -> GitError {
        let changed = || GitError::Changed { path: self.listing.shown(path) };
        self.submodule(path).err().unwrap_or_else(changed)
    }

    /// Refuses a file of `size` bytes that is the pointer that Git LFS stores, not the file that a build is to see.
    fn refuse_pointer(&self, path: &BStr, size: u64) -> Result<(), GitError> {
        if !Pointer::may_have(size) {
            return Ok(());
        }
        let file = self.listing.disk_path(path);
        match fs::read(&file) {
            Ok(content) if Pointer::parse(&content).is_some() => {
                let (path, repository) = (self.listing.shown(path), self.listing.prefix.clone());
                Err(GitError::LfsPointer { path, repository })
            }
            Ok(_) => Ok(()),
            Err(source) => Err(GitError::Unreadable { path: file, source }),
        }
    }

    /// The content id of the file or link at `path`, which is read if that is needed.
    fn identify_file(&self, path: &BStr) -> Result<ContentId, GitError> {
        if let Some(id) = self.listing.file(path, |file| file.id.get().copied())? {
            return Ok(id);
        }
        let (folder, name) = split(path);
        let folder = self.listing.folder(folder)?;
        let number = folder.find(name).ok_or_else(|| GitError::Changed { path: self.listing.shown(path) })?;
        let file = Unread::new(&self.listing, &folder, number, path.to_owned())?;
        file.identify(&self.listing, self.objects.hash(), &mut Vec::new())
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
        let nodes = self.listing.nodes(path)?;
        for node in nodes.iter().filter(|node| node.kind == Kind::Submodule) {
            self.submodules.note(join(path, node.name.as_bstr()), ContentId::null(self.hash_kind()));
        }
        Ok(nodes)
    }

    fn stays(&self, path: &BStr) -> Result<bool, GitError> {
        self.asked_git.set(true);
        self.owned(path, Self::is_in_git)
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
            let place = tree.listing.disk_path(path);
            let text = disk::read_link(&tree.listing.handle, path);
            let text = text.map_err(|source| GitError::Unreadable { path: place, source })?;
            if disk::blob_id(tree.objects.hash(), &text).ok() == Some(id) {
                Ok(text)
            } else {
                Err(GitError::Changed { path: tree.listing.shown(path) })
            }
        })
    }
}
