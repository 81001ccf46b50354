//! The identification of many files by several threads: the content ids come from git's index where the index can be
//! trusted, otherwise from hashing. Start with [`identify`].

use std::cell::RefCell;
use std::sync::Arc;

use bstr::{BString, ByteSlice as _};
use dtbuild_content::stat::{Form, Stat};
use dtbuild_content::tree::{ContentId, Kind};

use super::content_id::{self, Failure};
use super::folder::{File, Folder};
use super::folders::DiskFolders;
use super::trusted_index::{LARGE, TrustedIndex};
use crate::git::path::split;
use crate::git::{GitError, Repository};
use crate::parallel;

/// The fewest files for which a thread is started.
const SHARE: usize = 16;

/// A file or link whose content id is not known.
pub(super) struct Unidentified {
    /// The file's path from the root of the tree.
    path: BString,
    folder: Arc<Folder>,
    /// The file's index in [`Folder::files`].
    number: usize,
    /// The blob in git's index, for a file that Git LFS may keep.
    indexed: Option<ContentId>,
}

impl Unidentified {
    /// The file with the index `number` in `folder`, at `path`.
    pub(super) fn new(
        disk: &DiskFolders,
        folder: &Arc<Folder>,
        number: usize,
        path: BString,
    ) -> Result<Self, GitError> {
        let file = &folder.files[number];
        if let Some(what) = file.special {
            return Err(GitError::SpecialFile { path: disk.shown(path.as_bstr()), what });
        }
        let indexed = match file.form {
            Form::Bytes => None,
            Form::Pointer => disk.index.get()?.blob(disk.place(path.as_bstr()).as_bstr()),
        };
        Ok(Self { path, folder: Arc::clone(folder), number, indexed })
    }

    fn file(&self) -> &File {
        &self.folder.files[self.number]
    }

    /// The size of the file in bytes, if the file is large enough to be looked up in git's index.
    fn large(&self) -> Option<u64> {
        let Stat { size, .. } = self.file().stat;
        let is_large = size >= LARGE && self.file().kind != Kind::Symlink;
        (is_large && self.file().form == Form::Bytes).then_some(size)
    }

    /// The content id from git's index, stored for later; none where the index cannot be trusted with the file.
    fn by_index(&self, disk: &DiskFolders, index: &TrustedIndex<'_>) -> Option<ContentId> {
        self.large()?;
        let place = disk.place(self.path.as_bstr());
        let id = index.id(place.as_bstr(), &self.file().stat, &self.folder.attributes)?;
        Some(self.note(disk, id))
    }

    /// The content id from hashing the file's bytes, stored for later.
    pub(super) fn identify(
        &self,
        disk: &DiskFolders,
        hash: gix::hash::Kind,
        buffer: &mut Vec<u8>,
    ) -> Result<ContentId, GitError> {
        let (file, path) = (self.file(), self.path.as_bstr());
        let lfs = file.form == Form::Pointer;
        let ids = content_id::identify(&disk.handle, path, (file.kind, &file.stat), lfs, hash, buffer);
        let ids = ids.map_err(|failure| match failure {
            Failure::Io(source) => GitError::Unreadable { path: disk.disk_path(path), source },
            Failure::Changed => GitError::Changed { path: disk.shown(path) },
        })?;
        // A file that was committed before Git LFS kept it stays unconverted until somebody changes the file.
        let unconverted = self.indexed == Some(ids.bytes);
        let id = ids.pointer.filter(|_| !unconverted).unwrap_or(ids.bytes);
        Ok(self.note(disk, id))
    }

    /// Stores the content id in the stat cache and in the folder.
    fn note(&self, disk: &DiskFolders, id: ContentId) -> ContentId {
        let file = self.file();
        let (folder, name) = split(self.path.as_bstr());
        let folder = disk.place(folder);
        disk.stats.record(folder.as_bstr(), name, file.form, file.stat, id);
        *file.id.get_or_init(|| id)
    }
}

/// Finds the content ids of the files, by several threads where there are many.
pub(super) fn identify(
    repository: &Repository,
    disk: &DiskFolders,
    files: &[Unidentified],
) -> Result<(), GitError> {
    let hash = repository.object_hash();
    let index = TrustedIndex::of(repository, disk, files.iter().filter_map(Unidentified::large).sum());
    // There are more threads than cores: most of the time, a thread waits for the disk.
    let threads = (parallel::cores() * 4).max(8).min(files.len() / SHARE);
    let identify = |buffer: &RefCell<Vec<u8>>, file: &Unidentified| {
        let known = index.as_ref().and_then(|index| file.by_index(disk, index));
        known.map_or_else(|| file.identify(disk, hash, &mut buffer.borrow_mut()), Ok).map(drop)
    };
    parallel::map(files, threads, &RefCell::default(), RefCell::default, identify).into_iter().collect()
}
