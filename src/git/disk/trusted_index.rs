//! The content ids of large files from git's index, where the index is sure to name the bytes of the disk. Start with
//! [`TrustedIndex`].
//!
//! Hashing a file takes a time that grows with its size. A lookup takes the time to read the index once, and the first
//! bytes of one object for each file. So small files are hashed.
//!
//! The index has the blob that git would *store* of a file. The index is not trusted where a conversion may make that
//! blob differ from the bytes of the disk:
//!
//! - Converted line endings show in the size, whatever attributes say today.
//! - Other conversions may keep the size. A file with such an attribute is hashed. All files are hashed where the
//!   repository has filters, because attributes may have been others when a file was checked out; and where HEAD was at
//!   another commit before, because that commit may have had other attributes.
//! - Replaced objects are checked out under the ids of the objects that they replace, so all files are hashed.
//!
//! One case remains: a conversion that keeps the size, by an attribute that was set, used for a checkout and removed
//! without a commit. Git takes such a file for clean as well; the file's build fails, because bytes are verified
//! while they are sent.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bstr::{BStr, ByteSlice as _};
use dtbuild_content::stat::Stat;
use dtbuild_content::tree::ContentId;

use super::attributes::FolderAttributes;
use super::blob_sizes::BlobSizes;
use super::folders::DiskFolders;
use super::index::Index;
use crate::git::Repository;
use crate::git::attributes::Drivers;

/// The size of the smallest file that is looked up in the index, in bytes. The lookup takes a sixth of the time that
/// hashing such a file takes. For a file of 4 KiB it would be two fifths, which saves too little to keep an index in
/// memory.
pub(super) const LARGE: u64 = 16 * 1024;

/// A git index whose blob ids are the ids of the bytes of the disk, for every file that [`id`](Self::id) answers for.
pub(super) struct TrustedIndex<'a> {
    index: &'a Index,
    sizes: Arc<BlobSizes>,
}

impl<'a> TrustedIndex<'a> {
    /// The index of `repository`, in which large files of `bytes` bytes in all are to be identified. None where the
    /// index cannot be trusted, or where hashing all large files that this run came upon is quicker than reading the
    /// index.
    pub(super) fn of(repository: &Repository, disk: &'a DiskFolders, bytes: u64) -> Option<Self> {
        if bytes == 0 || repository.memory.disk.large(bytes) <= disk.index.size()? {
            return None;
        }
        let git = &repository.inner;
        let replaced = git.objects.store_ref().replacements().next().is_some();
        if replaced || Drivers::any(git) || !stayed(&git.git_dir().join("logs/HEAD")) {
            return None;
        }
        // A failure here is reported where the objects are needed.
        let sizes = repository.memory.disk.sizes(|| BlobSizes::of(git))?;
        Some(Self { index: disk.index.get().ok()?, sizes })
    }

    /// The blob id of the file at `path` of the repository, in a folder where `attributes` apply; none where the file
    /// must be hashed.
    pub(super) fn id(&self, path: &BStr, stat: &Stat, attributes: &FolderAttributes) -> Option<ContentId> {
        let id = self.index.unchanged(path, stat)?;
        let is_stored = !attributes.converts(path) && self.sizes.of_blob(&id) == Some(stat.size);
        is_stored.then_some(id)
    }
}

/// True if, by git's log of HEAD, HEAD stayed at one commit since the work tree was made.
fn stayed(log: &Path) -> bool {
    let text = fs::read(log).unwrap_or_default();
    let mut moves = text.lines().map(|line| {
        let mut ids = line.split(|byte| *byte == b' ');
        (ids.next().unwrap_or_default(), ids.next().unwrap_or_default())
    });
    let Some((from, first)) = moves.next() else { return false };
    // Git drops old entries from the log.
    from.iter().all(|digit| *digit == b'0') && moves.all(|(_, to)| to == first)
}
