//! A folder of the working tree, as the disk has it: untracked and ignored files are part of it.
//!
//! A [`WorkingTree`] is what the folder was when it was first looked at: each folder is listed once and
//! each file identified once, so its digest and its snapshot always speak of the same files. A content id
//! is the blob id of the bytes *on disk*. Git's index answers for files that nobody touched, where
//! git stores the very bytes that the disk has; all else is read.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fs::{self, DirEntry};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_cache::snapshot::{Snapshot, SnapshotEntry};
use dtbuild_cache::tree::{ContentId, Filter, Kind, Node, Tree};

use super::conversion::Conversions;
use super::diff::join;
use super::disk::{self, Stat};
use super::disk_contents::DiskContents;
use super::index::Index;
use super::objects::Objects;
use super::reading::{self, Unread};
use super::snapshot::{self, Kept, is_pointer_size, lfs_pointer};
use super::{GitError, Repository};

/// A folder of the working tree.
pub struct WorkingTree {
    /// The folder, without links.
    root: PathBuf,
    /// Its path in the repository.
    folder: BString,
    /// Whether the disk keeps the executable bit.
    executable_bit: bool,
    index: Index,
    objects: Objects,
    seen: RefCell<Seen>,
}

/// What was learned so far, by path from the folder's root.
struct Seen {
    folders: HashMap<BString, Arc<[Item]>>,
    ids: HashMap<BString, ContentId>,
    conversions: Conversions,
}

/// A name in a folder; they are sorted.
struct Item {
    name: BString,
    kind: Kind,
    stat: Stat,
    /// Why no build can be sent this.
    special: Option<&'static str>,
}

impl Repository {
    /// The folder at `folder` of the working tree, empty for all of it; none where there is no such folder.
    ///
    /// # Errors
    /// When the repository is bare, the folder's links lead out of it, or git's index cannot be read.
    pub fn working_tree(&self, folder: &BStr) -> Result<Option<WorkingTree>, GitError> {
        let root = self.root()?;
        let path = root.join(folder.to_path_lossy());
        let path = match path.canonicalize() {
            Ok(path) if path.is_dir() => path,
            Ok(_) => return Ok(None),
            Err(error) if is_missing(&error) => return Ok(None),
            Err(source) => return Err(GitError::Unreadable { path, source }),
        };
        let folder = self.prefix(&path)?;
        let index = Index::read(self)?;
        let conversions = Conversions::of(self, &index)?;
        let seen = Seen { folders: HashMap::new(), ids: HashMap::new(), conversions };
        let executable_bit = self.inner.config_snapshot().boolean("core.fileMode").unwrap_or(true);
        let objects = self.objects();
        Ok(Some(WorkingTree { root: path, folder, executable_bit, index, objects, seen: RefCell::new(seen) }))
    }
}

/// Whether the error says that there is nothing at a path.
pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

impl WorkingTree {
    /// The files of the folder that `filter` lets through, as a build is to see them.
    ///
    /// # Errors
    /// When a file cannot be read or changed meanwhile, is a submodule, a device or an LFS pointer.
    pub fn snapshot<F: Filter>(&self, filter: &F) -> Result<Snapshot, GitError> {
        let filter = self.prepare(filter)?;
        let mut entries = Vec::new();
        snapshot::walk(self, &filter, &mut |path, node| {
            entries.push(self.entry(path, node)?);
            Ok(())
        })?;
        let contents = Arc::new(DiskContents::new(self.root.clone(), self.objects.hash()));
        Ok(Snapshot { entries: entries.into(), contents })
    }

    /// Identifies all that `filter` lets through, reading many files at once, and gives the filter that
    /// also leaves out what a commit of the same files would not hold: folders that `filter` empties
    /// and in which git has nothing.
    ///
    /// # Errors
    /// When a file cannot be read, or changed meanwhile.
    pub fn prepare<'a, F: Filter>(&self, filter: &'a F) -> Result<Kept<'a, F>, GitError> {
        let (mut unread, mut folders, mut held) = (Vec::new(), Vec::new(), HashSet::new());
        snapshot::walk(self, filter, &mut |path, node| {
            if node.kind == Kind::Folder {
                folders.push(path.to_owned());
                return Ok(());
            }
            for end in path.rfind_iter("/") {
                if !held.insert(path[..end].as_bstr().to_owned()) {
                    break;
                }
            }
            if node.kind != Kind::Submodule && self.known(path)?.is_none() {
                unread.push(self.unread(path)?);
            }
            Ok(())
        })?;
        let found = reading::identify(&self.root, unread, self.objects.hash())?;
        self.seen.borrow_mut().ids.extend(found);
        folders.retain(|path| {
            !held.contains(path) && !self.index.has_below(self.place(path.as_bstr()).as_bstr())
        });
        Ok(Kept::new(filter, folders.into_iter().collect()))
    }

    fn entry(&self, path: &BStr, node: &Node) -> Result<SnapshotEntry, GitError> {
        let (mut size, mut link) = (0, None);
        let id = match node.kind {
            Kind::Folder => ContentId::null(self.objects.hash()),
            _ => self.identify(path, node)?,
        };
        match node.kind {
            Kind::Folder => {}
            Kind::Submodule => return Err(GitError::Submodule { path: self.place(path) }),
            Kind::Symlink => {
                let place = self.disk_path(path);
                let text =
                    disk::read_link(&place).map_err(|source| GitError::Unreadable { path: place, source })?;
                size = text.len() as u64;
                link = Some(text);
            }
            Kind::File | Kind::Executable => {
                size = self.stat(path)?.size;
                self.refuse_lfs_pointer(path, size)?;
            }
        }
        Ok(SnapshotEntry { path: path.to_owned(), kind: node.kind, id, size, link })
    }

    fn refuse_lfs_pointer(&self, path: &BStr, size: u64) -> Result<(), GitError> {
        let place = self.place(path);
        if !is_pointer_size(size) || !self.seen.borrow_mut().conversions.is_lfs(place.as_bstr())? {
            return Ok(());
        }
        let file = self.disk_path(path);
        match fs::read(&file) {
            Ok(content) if lfs_pointer(&content) => Err(GitError::LfsPointer { path: place }),
            Ok(_) => Ok(()),
            Err(source) => Err(GitError::Unreadable { path: file, source }),
        }
    }

    /// The content id of the file at `path`, where it is known without reading it.
    fn known(&self, path: &BStr) -> Result<Option<ContentId>, GitError> {
        if let Some(id) = self.seen.borrow().ids.get(path) {
            return Ok(Some(*id));
        }
        let stat = self.stat(path)?;
        let place = self.place(path);
        let Some(id) = self.index.clean(place.as_bstr(), &stat) else { return Ok(None) };
        // Git stores another form of what it converts, and what was converted may be told by no attribute
        // any more; but converted line endings show in the size.
        let as_stored = self.objects.size(&id, place.as_bstr()).is_ok_and(|size| size == stat.size);
        let mut seen = self.seen.borrow_mut();
        if !as_stored || seen.conversions.apply(place.as_bstr())? {
            return Ok(None);
        }
        seen.ids.insert(path.to_owned(), id);
        Ok(Some(id))
    }

    fn unread(&self, path: &BStr) -> Result<Unread, GitError> {
        let (kind, stat) = self.with_item(path, |item| (item.kind, item.stat))?;
        Ok(Unread { path: path.to_owned(), kind, stat })
    }

    fn stat(&self, path: &BStr) -> Result<Stat, GitError> {
        match self.with_item(path, |item| (item.stat, item.special))? {
            (stat, None) => Ok(stat),
            (_, Some(what)) => Err(GitError::SpecialFile { path: self.place(path), what }),
        }
    }

    fn with_item<R>(&self, path: &BStr, read: impl FnOnce(&Item) -> R) -> Result<R, GitError> {
        let (folder, name) = split(path);
        let items = self.items(folder)?;
        let found = items.binary_search_by(|item| item.name.as_bstr().cmp(name));
        // Whoever asks got the path from the listing.
        found.map(|at| read(&items[at])).map_err(|_| GitError::Changed { path: self.place(path) })
    }

    /// The names in the folder at `path`, as they were when it was first asked for.
    fn items(&self, path: &BStr) -> Result<Arc<[Item]>, GitError> {
        if let Some(items) = self.seen.borrow().folders.get(path) {
            return Ok(Arc::clone(items));
        }
        let folder = self.disk_path(path);
        let unreadable = |source| GitError::Unreadable { path: folder.clone(), source };
        if !folder.symlink_metadata().map_err(unreadable)?.is_dir() {
            return Err(GitError::Changed { path: self.place(path) });
        }
        let mut items = Vec::new();
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            items.extend(self.item(path, &entry).map_err(unreadable)?);
        }
        items.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        let items: Arc<[Item]> = items.into();
        self.seen.borrow_mut().folders.insert(path.to_owned(), Arc::clone(&items));
        Ok(items)
    }

    /// What `entry` of the folder at `folder` is; none for what neither git nor a build has.
    fn item(&self, folder: &BStr, entry: &DirEntry) -> io::Result<Option<Item>> {
        let name = BString::from(entry.file_name().as_bytes());
        let metadata = entry.metadata()?;
        let (kind, stat) = (metadata.file_type(), Stat::from(&metadata));
        let place = || self.place(join(folder, name.as_bstr()).as_bstr());
        let kind = if name == ".git" || kind.is_socket() {
            return Ok(None);
        } else if kind.is_symlink() {
            Kind::Symlink
        } else if metadata.is_dir() {
            if self.index.submodule(place().as_bstr()).is_some() {
                Kind::Submodule
            } else if disk::holds_something(&entry.path())? {
                Kind::Folder
            } else {
                return Ok(None);
            }
        } else if self.executable_bit && stat.is_executable()
            || !self.executable_bit && self.index.is_executable(place().as_bstr())
        {
            Kind::Executable
        } else {
            Kind::File
        };
        Ok(Some(Item { name, kind, stat, special: disk::special(metadata.file_type()) }))
    }

    /// The commit that is checked out in the submodule at `path`; the pinned one where none is.
    fn submodule(&self, path: &BStr) -> Option<ContentId> {
        let options = gix::open::Options::default().bail_if_untrusted(true);
        let repository = options.open(self.disk_path(path)).ok().map(|opened| opened.to_thread_local());
        let head = repository.and_then(|repository| Some(repository.head_id().ok()?.detach()));
        head.or_else(|| self.index.submodule(self.place(path).as_bstr()))
    }

    /// The path in the repository of `path` in this folder.
    fn place(&self, path: &BStr) -> BString {
        join(self.folder.as_bstr(), path)
    }

    fn disk_path(&self, path: &BStr) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path.to_path_lossy()) }
    }
}

impl Tree for WorkingTree {
    type Error = GitError;

    fn hash_kind(&self) -> gix::hash::Kind {
        self.objects.hash()
    }

    fn list(&self, path: &BStr, _: Option<ContentId>) -> Result<Vec<Node>, GitError> {
        let items = self.items(path)?;
        Ok(items.iter().map(|item| Node { name: item.name.clone(), kind: item.kind, id: None }).collect())
    }

    fn identify(&self, path: &BStr, node: &Node) -> Result<ContentId, GitError> {
        if node.kind == Kind::Submodule {
            return self.submodule(path).ok_or_else(|| GitError::Changed { path: self.place(path) });
        }
        if let Some(id) = self.known(path)? {
            return Ok(id);
        }
        let file = self.unread(path)?;
        let id = reading::identify_one(&self.root, &file, self.objects.hash(), &mut Vec::new())?;
        self.seen.borrow_mut().ids.insert(file.path, id);
        Ok(id)
    }
}

/// The folder and the name of a path.
fn split(path: &BStr) -> (&BStr, &BStr) {
    match path.rfind_byte(b'/') {
        Some(end) => (path[..end].as_bstr(), path[end + 1..].as_bstr()),
        None => (BStr::new(""), path),
    }
}
