//! The bytes of a commit's snapshot, from git's objects, from the objects of submodules and from the store of Git LFS.
//! Start with [`CommitContents`].

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Cursor, Read};
use std::sync::{Mutex, PoisonError};

use bstr::{BString, ByteSlice as _};
use dtbuild_content::snapshot::{Contents, SnapshotEntry};

use crate::git::lfs::Stored;
use crate::git::objects::Objects;

/// The place of the content of a commit's file.
pub(super) struct Origin {
    /// The submodule that holds the file; empty for the repository itself.
    pub(super) repository: BString,
    /// The content in the store of Git LFS, for a file that LFS keeps.
    pub(super) lfs: Option<Stored>,
}

/// The contents of a commit's files.
#[derive(Default)]
pub(super) struct CommitContents {
    /// The objects of the repositories, by the submodule's path; every reader clones the handle, which is for one
    /// thread.
    objects: BTreeMap<BString, Mutex<Objects>>,
    /// The contents of files that Git LFS keeps, by the file's path.
    lfs: HashMap<BString, Stored>,
}

impl CommitContents {
    /// Adds the file at `path`; `objects` gives the objects of the repository that holds the file.
    pub(super) fn add(&mut self, path: &BString, origin: Origin, objects: impl FnOnce(&BString) -> Objects) {
        if let Some(stored) = origin.lfs {
            self.lfs.insert(path.clone(), stored);
        } else if let Entry::Vacant(place) = self.objects.entry(origin.repository) {
            let objects = objects(place.key());
            place.insert(Mutex::new(objects));
        }
    }

    /// The objects of the innermost repository that holds the file.
    fn objects(&self, path: &BString) -> Option<Objects> {
        let ends = path.rfind_iter("/").map(|end| &path[..end]).chain([&path[..0]]);
        let objects = ends.into_iter().find_map(|folder| self.objects.get(folder.as_bstr()))?;
        Some(objects.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Contents for CommitContents {
    fn open(&self, entry: &SnapshotEntry) -> io::Result<Box<dyn Read + Send>> {
        if let Some(stored) = self.lfs.get(&entry.path) {
            return stored.open(&entry.path);
        }
        let objects = self.objects(&entry.path).ok_or(io::ErrorKind::NotFound)?;
        let mut content = Vec::new();
        objects
            .read(&entry.id, gix::objs::Kind::Blob, entry.path.as_bstr(), &mut content)
            .map_err(io::Error::other)?;
        Ok(Box::new(Cursor::new(content)))
    }
}
