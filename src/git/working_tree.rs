//! A folder of the working tree, as the disk has it: untracked and ignored files are part of it.
//!
//! A [`WorkingTree`] is what the folder was when it was first looked at: each folder is listed once and
//! each file identified once, so its digest and its snapshot always speak of the same files. A content id
//! is the blob id of the bytes *on disk*; of a file that Git LFS keeps, that of the pointer to them. Git's
//! index answers for files that nobody touched, where git stores the very bytes that the disk has, or the
//! pointer; the stat cache answers for what was read before; all else is read.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_cache::snapshot::{Snapshot, SnapshotEntry};
use dtbuild_cache::stat::StatCache;
use dtbuild_cache::tree::{self, ContentId, Filter, Kind, Node, Tree};

use super::conversion::{Conversion, SharedConversions};
use super::diff::join;
use super::disk;
use super::disk_contents::DiskContents;
use super::disk_submodules::Identified;
use super::index::Index;
use super::listing::Listing;
use super::objects::Objects;
use super::reading::{self, Unread};
use super::snapshot::{Expanded, Kept, Within};
use super::submodules::{Submodules, rest};
use super::{GitError, Repository};

/// Where the stat cache is, from the git folder of the work tree.
const STATS: &str = "dtbuild/stat";

/// A folder of the working tree.
pub struct WorkingTree {
    pub(super) repository: Repository,
    pub(super) listing: Listing,
    pub(super) objects: Objects,
    /// The content ids that are known, by path from the folder's root.
    pub(super) ids: RefCell<HashMap<BString, ContentId>>,
    pub(super) conversions: SharedConversions,
    /// What was read before, by any run.
    pub(super) stats: Arc<StatCache>,
    pub(super) submodules: Submodules<Self>,
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
        let path = self.root()?.join(folder.to_path_lossy());
        let root = match path.canonicalize() {
            Ok(path) if path.is_dir() => path,
            Ok(_) => return Ok(None),
            Err(error) if disk::is_missing(&error) => return Ok(None),
            Err(source) => return Err(GitError::Unreadable { path, source }),
        };
        let index = self.shared.index(&self.inner.index_path(), || Index::read(self))?;
        let folder = self.prefix(&root)?;
        for end in folder.find_iter("/").chain([folder.len()]) {
            let submodule = folder[..end].as_bstr();
            let place = self.root()?.join(submodule.to_path_lossy());
            if index.submodule(submodule).is_some() && place.join(".git").symlink_metadata().is_ok() {
                let prefix = join(prefix, submodule);
                return Self::at(&place)?.working_tree_in(rest(folder.as_bstr(), end), prefix.as_bstr());
            }
        }
        let conversions = self.conversions(&index)?;
        let listing = Listing {
            folder,
            prefix: prefix.to_owned(),
            root,
            executable_bit: self.inner.config_snapshot().boolean("core.fileMode").unwrap_or(true),
            index,
            folders: RefCell::default(),
        };
        let load = || StatCache::load(self.inner.git_dir().join(STATS), self.object_hash());
        let stats = self.shared.stats(load);
        Ok(Some(WorkingTree {
            repository: self.clone(),
            listing,
            objects: self.objects().clone(),
            ids: RefCell::default(),
            conversions,
            stats,
            submodules: Submodules::default(),
        }))
    }
}

/// What was found out of all that a filter lets through.
struct Prepared<'a, F> {
    /// The filter that also leaves out what a commit of the same files would not hold.
    kept: Kept<'a, F>,
    /// The submodules that count and were not looked into.
    submodules: Vec<BString>,
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
        let inside = Within::new(filter, folder);
        let Prepared { kept, submodules } = self.prepare(self, &inside)?;
        let identify = |path: BString| {
            let id = self.identify_submodule(path.as_bstr(), filter, folder)?;
            Ok::<_, GitError>((path, id))
        };
        let submodules = submodules.into_iter().map(identify).collect::<Result<_, _>>()?;
        Ok(tree::digest(&Identified { tree: self, submodules }, &kept)?)
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
        let expanded = Expanded(self);
        let filter = self.prepare(&expanded, filter)?.kept;
        let (mut entries, mut lfs) = (Vec::new(), HashSet::new());
        tree::walk(&expanded, &filter, |path, node| {
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

    /// Identifies all of `view` (this tree, its submodules looked into or not) that `filter` lets through,
    /// reading many files at once, and finds the folders that `filter` empties and in which git has nothing.
    fn prepare<'a, T, F>(&self, view: &T, filter: &'a F) -> Result<Prepared<'a, F>, GitError>
    where
        T: Tree<Error = GitError>,
        F: Filter,
    {
        let (mut unread, mut folders, mut held) = (Vec::new(), HashSet::new(), HashSet::new());
        let mut submodules = Vec::new();
        tree::walk(view, filter, |path, node| {
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
            if node.kind == Kind::Submodule {
                submodules.push(path.to_owned());
            } else {
                let file = self.owned(path, Self::unread)?;
                unread.extend(file.map(|file| Unread { path: path.to_owned(), ..file }));
            }
            Ok(())
        })?;
        for (path, id) in reading::identify(&self.listing.root, unread, self.objects.hash())? {
            self.owned(path.as_bstr(), |tree, inside| tree.learn(inside, id))?;
        }
        let mut left_out = HashSet::new();
        for path in folders.into_iter().filter(|path| !held.contains(path)) {
            if !self.owned(path.as_bstr(), |tree, inside| Ok(tree.is_in_git(inside)))? {
                left_out.insert(path);
            }
        }
        Ok(Prepared { kept: Kept::new(filter, left_out), submodules })
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
    fn is_in_git(&self, path: &BStr) -> bool {
        let (index, place) = (&self.listing.index, self.listing.place(path));
        index.has_below(place.as_bstr()) || index.submodule(place.as_bstr()).is_some()
    }

    /// Takes note of what a file was found to be.
    fn learn(&self, path: &BStr, id: ContentId) -> Result<(), GitError> {
        let (_, stat) = self.listing.file(path)?;
        self.stats.record(self.note(path)?.as_bstr(), stat.noted, id);
        self.ids.borrow_mut().insert(path.to_owned(), id);
        Ok(())
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
            size = self.listing.file(path)?.1.size;
            lfs = self.conversion(path)? == Conversion::Lfs;
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

    /// The file or link at `path`, unless its content id is known without reading it.
    fn unread(&self, path: &BStr) -> Result<Option<Unread>, GitError> {
        if self.known(path)?.is_some() {
            return Ok(None);
        }
        let (kind, stat) = self.listing.file(path)?;
        let lfs = kind != Kind::Symlink && self.conversion(path)? == Conversion::Lfs;
        let indexed = self.listing.index.blob(self.listing.place(path).as_bstr());
        Ok(Some(Unread { path: path.to_owned(), place: self.listing.shown(path), kind, stat, lfs, indexed }))
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
        let items = self.listing.items(path)?;
        for item in items.iter().filter(|item| item.kind == Kind::Submodule) {
            self.submodules.note(join(path, item.name.as_bstr()), ContentId::null(self.hash_kind()));
        }
        Ok(items.iter().map(|item| Node { name: item.name.clone(), kind: item.kind, id: None }).collect())
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
            let Some(file) = tree.unread(path)? else {
                return tree.known(path)?.ok_or_else(|| GitError::Changed { path: tree.listing.shown(path) });
            };
            let hash = tree.objects.hash();
            let id = reading::identify_one(&tree.listing.root, &file, hash, &mut Vec::new())?;
            tree.ids.borrow_mut().insert(file.path, id);
            Ok(id)
        })
    }

    fn link(&self, path: &BStr, node: &Node) -> Result<BString, GitError> {
        self.owned(path, |tree, path| {
            let id = tree.identify(path, node)?;
            let place = tree.listing.disk_path(path);
            let text = disk::read_link(&place);
            let text = text.map_err(|source| GitError::Unreadable { path: place, source })?;
            if disk::blob_id(tree.objects.hash(), &text).ok() == Some(id) {
                Ok(text)
            } else {
                Err(GitError::Changed { path: tree.listing.shown(path) })
            }
        })
    }
}
