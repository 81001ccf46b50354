//! The names and kinds in a folder of the working tree.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{self, DirEntry};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_cache::tree::{ContentId, Kind};

use super::GitError;
use super::diff::join;
use super::disk::{self, Stat};
use super::index::Index;

/// What the folders of a working tree hold, each listed when it is first asked for and never again.
///
/// Folders without any file are left out, as git leaves them out, and so are `.git` and sockets.
pub(super) struct Listing {
    /// The folder that is listed, without links.
    pub(super) root: PathBuf,
    /// Its path in the repository.
    pub(super) folder: BString,
    /// Whether the disk keeps the executable bit.
    pub(super) executable_bit: bool,
    pub(super) index: Index,
    /// By path from the root.
    pub(super) folders: RefCell<HashMap<BString, Arc<[Item]>>>,
}

/// A name in a folder; they are sorted.
pub(super) struct Item {
    pub(super) name: BString,
    pub(super) kind: Kind,
    pub(super) stat: Stat,
    /// Why no build can be sent this.
    special: Option<&'static str>,
}

impl Listing {
    /// The names in the folder at `path`.
    pub(super) fn items(&self, path: &BStr) -> Result<Arc<[Item]>, GitError> {
        if let Some(items) = self.folders.borrow().get(path) {
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
        self.folders.borrow_mut().insert(path.to_owned(), Arc::clone(&items));
        Ok(items)
    }

    /// What `entry` of the folder at `folder` is; none for what neither git nor a build has.
    fn item(&self, folder: &BStr, entry: &DirEntry) -> io::Result<Option<Item>> {
        let name = BString::from(entry.file_name().as_bytes());
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            Err(error) if disk::is_missing(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let (kind, stat) = (metadata.file_type(), Stat::from(&metadata));
        let place = || self.place(join(folder, name.as_bstr()).as_bstr());
        let kind = if name == ".git" || kind.is_socket() {
            return Ok(None);
        } else if kind.is_symlink() {
            Kind::Symlink
        } else if kind.is_dir() {
            if self.index.submodule(place().as_bstr()).is_some() {
                Kind::Submodule
            // One that cannot be looked into matters only if it is built.
            } else if disk::holds_something(&entry.path()).unwrap_or(true) {
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

    /// What the file or link at `path` was when it was listed.
    pub(super) fn file(&self, path: &BStr) -> Result<(Kind, Stat), GitError> {
        let (folder, name) = match path.rfind_byte(b'/') {
            Some(end) => (path[..end].as_bstr(), path[end + 1..].as_bstr()),
            None => (BStr::new(""), path),
        };
        let items = self.items(folder)?;
        // Whoever asks got the path from the listing.
        let found = items.binary_search_by(|item| item.name.as_bstr().cmp(name));
        let item = &items[found.map_err(|_| GitError::Changed { path: self.place(path) })?];
        match item.special {
            Some(what) => Err(GitError::SpecialFile { path: self.place(path), what }),
            None => Ok((item.kind, item.stat)),
        }
    }

    /// The commit that is checked out in the submodule at `path`; the pinned one where none is.
    pub(super) fn submodule(&self, path: &BStr) -> Option<ContentId> {
        let options = gix::open::Options::default().bail_if_untrusted(true);
        let repository = options.open(self.disk_path(path)).ok().map(|opened| opened.to_thread_local());
        let head = repository.and_then(|repository| Some(repository.head_id().ok()?.detach()));
        head.or_else(|| self.index.submodule(self.place(path).as_bstr()))
    }

    /// The path in the repository of `path` in this folder.
    pub(super) fn place(&self, path: &BStr) -> BString {
        join(self.folder.as_bstr(), path)
    }

    pub(super) fn disk_path(&self, path: &BStr) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path.to_path_lossy()) }
    }
}
