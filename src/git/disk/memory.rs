//! The memory of the working tree, shared by all handles of a repository: git's index, the stat cache, sizes of blobs
//! and attributes. Start with [`DiskMemory`].

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bstr::{BStr, BString};
use dtbuild_content::stat::StatCache;

use super::attributes::FolderAttributes;
use super::blob_sizes::BlobSizes;
use super::index::Index;
use crate::git::GitError;

/// The identity of an index file: inode, size, and time of writing in seconds and nanoseconds. None where there is no
/// file.
type IndexFile = Option<(u64, u64, i64, i64)>;

/// The memory of the working tree: git's index, the stat cache, the sizes of blobs, and attributes.
#[derive(Default)]
pub(in crate::git) struct DiskMemory {
    index: Mutex<Option<(IndexFile, Arc<Index>)>>,
    stats: OnceLock<Arc<StatCache>>,
    /// The sizes of blobs, once opened; none inside where the objects cannot give sizes.
    sizes: OnceLock<Option<Arc<BlobSizes>>>,
    /// The number of bytes of all large files that were to be identified.
    large: AtomicU64,
    /// The attributes that apply in folders, by the folder's path.
    attributes: Mutex<HashMap<BString, Arc<FolderAttributes>>>,
}

impl DiskMemory {
    /// Stores the stat cache. A failure costs the next run time, and nothing else.
    pub(in crate::git) fn save(&self) {
        if let Some(stats) = self.stats.get() {
            let _ = stats.save();
        }
    }

    /// Git's index at `path`; the index is read again only when git wrote it anew.
    pub(super) fn index(
        &self,
        path: &Path,
        read: impl FnOnce() -> Result<Index, GitError>,
    ) -> Result<Arc<Index>, GitError> {
        let file =
            path.metadata().ok().map(|found| (found.ino(), found.size(), found.mtime(), found.mtime_nsec()));
        let mut known = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, index)) = &*known
            && *of == file
        {
            return Ok(Arc::clone(index));
        }
        let index = Arc::new(read()?);
        *known = Some((file, Arc::clone(&index)));
        Ok(index)
    }

    /// The stat cache, loaded by `load` once.
    pub(super) fn stats(&self, load: impl FnOnce() -> StatCache) -> Arc<StatCache> {
        Arc::clone(self.stats.get_or_init(|| Arc::new(load())))
    }

    /// The sizes of blobs, opened once; none where `open` gave none.
    pub(super) fn sizes(&self, open: impl FnOnce() -> Option<BlobSizes>) -> Option<Arc<BlobSizes>> {
        self.sizes.get_or_init(|| open().map(Arc::new)).clone()
    }

    /// Counts `bytes` of further large files that are to be identified, and returns the sum so far.
    pub(super) fn large(&self, bytes: u64) -> u64 {
        self.large.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    /// The attributes that are kept under `name`, found by `find` once.
    pub(super) fn attributes(
        &self,
        name: &BStr,
        find: impl FnOnce() -> Result<Arc<FolderAttributes>, GitError>,
    ) -> Result<Arc<FolderAttributes>, GitError> {
        let known = self.attributes.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some(attributes) = known {
            return Ok(attributes);
        }
        let attributes = find()?;
        self.attributes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), Arc::clone(&attributes));
        Ok(attributes)
    }
}
