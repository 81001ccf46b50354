//! A folder of the working tree, as the disk has it: untracked and ignored files are part of it.
//!
//! A [`WorkingTree`] is what the folder was when it was first looked at: each folder is listed once and
//! each file identified once, so its digest and its snapshot always speak of the same files. A content id
//! is the blob id of the bytes *on disk*. Git's index answers for files that nobody touched, where
//! git stores the very bytes that the disk has; the stat cache answers for what was read before; all
//! else is read.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_cache::snapshot::{Snapshot, SnapshotEntry};
use dtbuild_cache::stat::StatCache;
use dtbuild_cache::tree::{self, ContentId, Filter, Kind, Node, Tree};

use super::conversion::Conversions;
use super::disk::{self, Stat};
use super::disk_contents::DiskContents;
use super::index::Index;
use super::listing::Listing;
use super::objects::Objects;
use super::reading::{self, Unread};
use super::snapshot::{Kept, is_pointer_size, lfs_pointer};
use super::{GitError, Repository};

/// Where the stat cache is, from the git folder of the work tree.
const STATS: &str = "dtbuild/stat";

/// A folder of the working tree.
pub struct WorkingTree {
    listing: Listing,
    objects: Objects,
    /// The content ids that are known, by path from the folder's root.
    ids: RefCell<HashMap<BString, ContentId>>,
    conversions: RefCell<Conversions>,
    /// What was read before, by any run.
    stats: StatCache,
}

impl Repository {
    /// The folder at `folder` of the working tree, empty for all of it; none where there is no such folder.
    ///
    /// # Errors
    /// When the repository is bare, the folder's links lead out of it, or git's index cannot be read.
    pub fn working_tree(&self, folder: &BStr) -> Result<Option<WorkingTree>, GitError> {
        let path = self.root()?.join(folder.to_path_lossy());
        let root = match path.canonicalize() {
            Ok(path) if path.is_dir() => path,
            Ok(_) => return Ok(None),
            Err(error) if disk::is_missing(&error) => return Ok(None),
            Err(source) => return Err(GitError::Unreadable { path, source }),
        };
        let index = Index::read(self)?;
        let conversions = RefCell::new(Conversions::of(self, &index)?);
        let listing = Listing {
            folder: self.prefix(&root)?,
            root,
            executable_bit: self.inner.config_snapshot().boolean("core.fileMode").unwrap_or(true),
            index,
            folders: RefCell::default(),
        };
        let stats = StatCache::load(self.inner.git_dir().join(STATS), self.object_hash());
        Ok(Some(WorkingTree {
            listing,
            objects: self.objects(),
            ids: RefCell::default(),
            conversions,
            stats,
        }))
    }
}

impl WorkingTree {
    /// The id of what `filter` lets through: of the same files, [`CommitTree::digest`](super::CommitTree::digest)
    /// gives the same.
    ///
    /// # Errors
    /// When a file cannot be read, or changed meanwhile.
    pub fn digest<F: Filter>(&self, filter: &F) -> Result<ContentId, GitError> {
        Ok(tree::digest(self, &self.prepare(filter)?)?)
    }

    /// The files of the folder that `filter` lets through, as a build is to see them.
    ///
    /// # Errors
    /// When a file cannot be read or changed meanwhile, is a submodule, a device or an LFS pointer.
    pub fn snapshot<F: Filter>(&self, filter: &F) -> Result<Snapshot, GitError> {
        let filter = self.prepare(filter)?;
        let mut entries = Vec::new();
        tree::walk(self, &filter, |path, node| {
            entries.push(self.entry(path, node)?);
            Ok(())
        })?;
        let contents = Arc::new(DiskContents::new(self.listing.root.clone(), self.objects.hash()));
        Ok(Snapshot { entries: entries.into(), contents })
    }

    /// Identifies all that `filter` lets through, reading many files at once, and gives the filter that
    /// also leaves out what a commit of the same files would not hold: folders that `filter` empties
    /// and in which git has nothing.
    fn prepare<'a, F: Filter>(&self, filter: &'a F) -> Result<Kept<'a, F>, GitError> {
        let (mut unread, mut folders, mut held) = (Vec::new(), HashSet::new(), HashSet::new());
        tree::walk(self, filter, |path, node| {
            if node.kind == Kind::Folder {
                folders.insert(path.to_owned());
                return Ok(());
            }
            // Where a folder is known to hold something, so are those above it.
            for end in path.rfind_iter("/") {
                if !held.insert(BString::from(&path[..end])) {
                    break;
                }
            }
            if node.kind != Kind::Submodule && self.known(path)?.is_none() {
                unread.push(self.unread(path)?);
            }
            Ok(())
        })?;
        for (path, id) in reading::identify(&self.listing.root, unread, self.objects.hash())? {
            let (_, stat) = self.listing.file(path.as_bstr())?;
            self.stats.record(self.listing.place(path.as_bstr()).as_bstr(), stat.noted, id);
            self.ids.borrow_mut().insert(path, id);
        }
        // A cache that cannot be kept costs time, and nothing else.
        let _ = self.stats.save();
        let index = &self.listing.index;
        folders.retain(|path| {
            !held.contains(path) && !index.has_below(self.listing.place(path.as_bstr()).as_bstr())
        });
        Ok(Kept::new(filter, folders))
    }

    fn entry(&self, path: &BStr, node: &Node) -> Result<SnapshotEntry, GitError> {
        let (mut size, mut link) = (0, None);
        let id = match node.kind {
            Kind::Folder => ContentId::null(self.objects.hash()),
            Kind::Submodule => return Err(GitError::Submodule { path: self.listing.place(path) }),
            _ => self.identify(path, node)?,
        };
        if node.kind == Kind::Symlink {
            let text = self.link(path, node)?;
            size = text.len() as u64;
            link = Some(text);
        } else if node.kind != Kind::Folder {
            size = self.listing.file(path)?.1.size;
            self.refuse_lfs_pointer(path, size)?;
        }
        Ok(SnapshotEntry { path: path.to_owned(), kind: node.kind, id, size, link })
    }

    fn refuse_lfs_pointer(&self, path: &BStr, size: u64) -> Result<(), GitError> {
        let place = self.listing.place(path);
        if !is_pointer_size(size) || !self.conversions.borrow_mut().is_lfs(place.as_bstr())? {
            return Ok(());
        }
        let file = self.listing.disk_path(path);
        match fs::read(&file) {
            Ok(content) if lfs_pointer(&content) => Err(GitError::LfsPointer { path: place }),
            Ok(_) => Ok(()),
            Err(source) => Err(GitError::Unreadable { path: file, source }),
        }
    }

    fn unread(&self, path: &BStr) -> Result<Unread, GitError> {
        let (kind, stat) = self.listing.file(path)?;
        Ok(Unread { path: path.to_owned(), place: self.listing.place(path), kind, stat })
    }

    /// The content id of the file or link at `path`, where it is known without reading it.
    fn known(&self, path: &BStr) -> Result<Option<ContentId>, GitError> {
        if let Some(id) = self.ids.borrow().get(path) {
            return Ok(Some(*id));
        }
        let (_, stat) = self.listing.file(path)?;
        let place = self.listing.place(path);
        let known = self.stored_as_it_is(place.as_bstr(), &stat)?;
        let known = known.or_else(|| self.stats.lookup(place.as_bstr(), &stat.noted));
        if let Some(id) = known {
            self.ids.borrow_mut().insert(path.to_owned(), id);
        }
        Ok(known)
    }

    /// The blob of git's index for a file that nobody touched, where it holds the very bytes of the disk.
    fn stored_as_it_is(&self, place: &BStr, stat: &Stat) -> Result<Option<ContentId>, GitError> {
        let Some(id) = self.listing.index.clean(place, stat) else { return Ok(None) };
        // Git stores another form of what it converts, and what was converted may be told by no attribute
        // any more; but converted line endings show in the size.
        let as_stored = self.objects.size(&id, place).is_ok_and(|size| size == stat.size);
        if !as_stored || self.conversions.borrow_mut().apply(place)? {
            return Ok(None);
        }
        Ok(Some(id))
    }
}

impl Tree for WorkingTree {
    type Error = GitError;

    fn hash_kind(&self) -> gix::hash::Kind {
        self.objects.hash()
    }

    fn list(&self, path: &BStr, _: Option<ContentId>) -> Result<Vec<Node>, GitError> {
        let items = self.listing.items(path)?;
        Ok(items.iter().map(|item| Node { name: item.name.clone(), kind: item.kind, id: None }).collect())
    }

    fn identify(&self, path: &BStr, node: &Node) -> Result<ContentId, GitError> {
        if node.kind == Kind::Submodule {
            let changed = || GitError::Changed { path: self.listing.place(path) };
            return self.listing.submodule(path).ok_or_else(changed);
        }
        if let Some(id) = self.known(path)? {
            return Ok(id);
        }
        let file = self.unread(path)?;
        let id = reading::identify_one(&self.listing.root, &file, self.objects.hash(), &mut Vec::new())?;
        self.ids.borrow_mut().insert(file.path, id);
        Ok(id)
    }

    fn link(&self, path: &BStr, node: &Node) -> Result<BString, GitError> {
        let id = self.identify(path, node)?;
        let place = self.listing.disk_path(path);
        let text = disk::read_link(&place);
        let text = text.map_err(|source| GitError::Unreadable { path: place, source })?;
        if disk::blob_id(self.objects.hash(), &text).ok() == Some(id) {
            Ok(text)
        } else {
            Err(GitError::Changed { path: self.listing.place(path) })
        }
    }
}
