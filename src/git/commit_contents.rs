//! The bytes of a commit's snapshot: from git's objects, those of submodules, and what Git LFS keeps.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Cursor, Read};
use std::sync::{Mutex, PoisonError};

use bstr::{BString, ByteSlice as _};
use dtbuild_content::snapshot::{Contents, SnapshotEntry};

use super::lfs::Stored;
use super::objects::Objects;

/// Where the content of a commit's file is.
pub(super) struct Origin {
    /// The submodule that it is in; empty for the repository itself.
    pub(super) repository: BString,
    /// What Git LFS keeps of it, if it does.
    pub(super) lfs: Option<Stored>,
}

/// The contents of a commit's files.
#[derive(Default)]
pub(super) struct CommitContents {
    /// By the path of the submodule; cloned by every reader, since a handle is made for one thread.
    objects: BTreeMap<BString, Mutex<Objects>>,
    /// By the path of the file.
    lfs: HashMap<BString, Stored>,
}

impl CommitContents {
    /// Takes note of where the content of the file at `path` is; `objects` gives those of its repository.
    pub(super) fn add(&mut self, path: &BString, origin: Origin, objects: impl FnOnce(&BString) -> Objects) {
        if let Some(stored) = origin.lfs {
            self.lfs.insert(path.clone(), stored);
        } else if let Entry::Vacant(place) = self.objects.entry(origin.repository) {
            let objects = objects(place.key());
            place.insert(Mutex::new(objects));
        }
    }

    /// The objects of the innermost repository that the file is in.
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
