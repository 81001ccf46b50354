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
use dtbuild_cache::tree::Kind;

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
    /// The path of the repository, where it is a submodule: so that users are told whole paths.
    pub(super) prefix: BString,
    /// Whether the disk keeps the executable bit.
    pub(super) executable_bit: bool,
    pub(super) index: Arc<Index>,
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
            return Err(GitError::Changed { path: self.shown(path) });
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
            // One that cannot be looked into matters only if it is built.
            let holds_something = || disk::holds_something(&entry.path()).unwrap_or(true);
            if self.index.submodule(place().as_bstr()).is_some() {
                // Files without a repository are what a build gets, whatever git has in their place.
                let repository = entry.path().join(".git").symlink_metadata().is_ok();
                if repository || !holds_something() { Kind::Submodule } else { Kind::Folder }
            } else if holds_something() || self.holds_submodule(place().as_bstr()) {
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

    /// Whether there is a submodule below the folder at `place` of the repository, checked out or not.
    fn holds_submodule(&self, place: &BStr) -> bool {
        let inside = |path: &BStr| match path.strip_prefix(self.folder.as_slice()) {
            Some(rest) if !self.folder.is_empty() => rest.strip_prefix(b"/").unwrap_or(rest).to_owned(),
            _ => path.to_vec(),
        };
        let mut paths = self.index.submodules_below(place).map(inside);
        paths.any(|path| self.disk_path(path.as_bstr()).symlink_metadata().is_ok_and(|found| found.is_dir()))
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
        let item = &items[found.map_err(|_| GitError::Changed { path: self.shown(path) })?];
        match item.special {
            Some(what) => Err(GitError::SpecialFile { path: self.shown(path), what }),
            None => Ok((item.kind, item.stat)),
        }
    }

    /// The path in the repository of `path` in this folder.
    pub(super) fn place(&self, path: &BStr) -> BString {
        join(self.folder.as_bstr(), path)
    }

    /// The path of `path` in the outermost repository, for what is told to the user.
    pub(super) fn shown(&self, path: &BStr) -> BString {
        join(self.prefix.as_bstr(), self.place(path).as_bstr())
    }

    pub(super) fn disk_path(&self, path: &BStr) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path.to_path_lossy()) }
    }
}
