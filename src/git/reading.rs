//! Learning the content ids of many files at once: of large ones from git where it knows them, of others by reading them.

use std::cell::RefCell;
use std::sync::Arc;
use std::thread;

use bstr::{BString, ByteSlice as _};
use dtbuild_content::stat::{Form, Stat};
use dtbuild_content::tree::{ContentId, Kind};

use super::clean::{Clean, LARGE};
use super::disk::{self, Failure};
use super::folder::{File, Folder};
use super::listing::{Listing, split};
use super::{GitError, Repository};
use crate::parallel;

/// How many files are worth a thread.
const SHARE: usize = 16;

/// A file or link whose content is not known.
pub(super) struct Unread {
    /// Its path from the root of the tree.
    path: BString,
    folder: Arc<Folder>,
    /// Which of the folder's files it is.
    number: usize,
    /// The blob that git's index has of it, where that tells how Git LFS keeps it.
    indexed: Option<ContentId>,
}

impl Unread {
    /// The file with a `number` in `folder`, at `path`.
    pub(super) fn new(
        listing: &Listing,
        folder: &Arc<Folder>,
        number: usize,
        path: BString,
    ) -> Result<Self, GitError> {
        let file = &folder.files[number];
        if let Some(what) = file.special {
            return Err(GitError::SpecialFile { path: listing.shown(path.as_bstr()), what });
        }
        let indexed = match file.form {
            Form::Bytes => None,
            Form::Pointer => listing.index.get()?.blob(listing.place(path.as_bstr()).as_bstr()),
        };
        Ok(Self { path, folder: Arc::clone(folder), number, indexed })
    }

    fn file(&self) -> &File {
        &self.folder.files[self.number]
    }

    /// The size of the file, if git may be asked what it holds.
    fn large(&self) -> Option<u64> {
        let Stat { size, .. } = self.file().stat;
        let is_large = size >= LARGE && self.file().kind != Kind::Symlink;
        (is_large && self.file().form == Form::Bytes).then_some(size)
    }

    /// Takes the file for what git has of it, if git knows.
    fn believe(&self, listing: &Listing, clean: &Clean<'_>) -> Option<ContentId> {
        self.large()?;
        let place = listing.place(self.path.as_bstr());
        let id = clean.id(place.as_bstr(), &self.file().stat, &self.folder.tracking)?;
        Some(self.note(listing, id))
    }

    /// Reads the file, and takes note of what it is.
    pub(super) fn identify(
        &self,
        listing: &Listing,
        hash: gix::hash::Kind,
        buffer: &mut Vec<u8>,
    ) -> Result<ContentId, GitError> {
        let (file, path) = (self.file(), self.path.as_bstr());
        let lfs = file.form == Form::Pointer;
        let ids = disk::identify(&listing.handle, path, (file.kind, &file.stat), lfs, hash, buffer);
        let ids = ids.map_err(|failure| match failure {
            Failure::Io(source) => GitError::Unreadable { path: listing.disk_path(path), source },
            Failure::Changed => GitError::Changed { path: listing.shown(path) },
        })?;
        // What was committed before the attribute was set stays as it is until somebody changes it.
        let unconverted = self.indexed == Some(ids.bytes);
        let id = ids.pointer.filter(|_| !unconverted).unwrap_or(ids.bytes);
        Ok(self.note(listing, id))
    }

    /// Takes note of what the file holds.
    fn note(&self, listing: &Listing, id: ContentId) -> ContentId {
        let file = self.file();
        let (folder, name) = split(self.path.as_bstr());
        let folder = listing.place(folder);
        listing.stats.record(folder.as_bstr(), name, file.form, file.stat, id);
        *file.id.get_or_init(|| id)
    }
}

/// Finds out what the files hold, by several threads where there are many.
pub(super) fn identify(repository: &Repository, listing: &Listing, files: &[Unread]) -> Result<(), GitError> {
    let hash = repository.object_hash();
    let clean = Clean::of(repository, listing, files.iter().filter_map(Unread::large).sum());
    // More threads than cores: most of the time goes into waiting for the disk.
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = (cores * 4).max(8).min(files.len() / SHARE);
    let identify = |buffer: &RefCell<Vec<u8>>, file: &Unread| {
        let believed = clean.as_ref().and_then(|clean| file.believe(listing, clean));
        believed.map_or_else(|| file.identify(listing, hash, &mut buffer.borrow_mut()), Ok).map(drop)
    };
    parallel::map(files, threads, &RefCell::default(), RefCell::default, identify).into_iter().collect()
}
