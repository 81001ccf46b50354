//! Reading many files at once to learn their content ids.

use std::cell::RefCell;
use std::sync::Arc;
use std::thread;

use bstr::{BString, ByteSlice as _};
use dtbuild_cache::stat::Form;
use dtbuild_cache::tree::ContentId;

use super::GitError;
use super::disk::{self, Failure};
use super::folder::{File, Folder};
use super::listing::{Listing, split};
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
        let (folder, name) = split(path);
        let folder = listing.place(folder);
        listing.stats.record(folder.as_bstr(), name, file.form, file.stat, id);
        Ok(*file.id.get_or_init(|| id))
    }
}

/// Reads the files, by several threads where there are many.
pub(super) fn identify(listing: &Listing, files: &[Unread], hash: gix::hash::Kind) -> Result<(), GitError> {
    // More threads than cores: most of the time goes into waiting for the disk.
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = (cores * 4).max(8).min(files.len() / SHARE);
    let identify = |buffer: &RefCell<Vec<u8>>, file: &Unread| {
        file.identify(listing, hash, &mut buffer.borrow_mut()).map(drop)
    };
    parallel::map(files, threads, &RefCell::default(), RefCell::default, identify).into_iter().collect()
}
