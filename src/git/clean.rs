//! Large files that git takes for clean: its index knows their content. Start with [`Clean`].
//!
//! To hash a file takes a time that grows with its size; to ask git takes that of reading its index, and the start of an
//! object for each file. So small files are read.
//!
//! The index has what git would *store* of a file. Where that need not be the bytes of the disk, it is not believed:
//!
//! - Line endings that were converted show in the size, whatever attributes say today.
//! - Other conversions need not. A file with such an attribute is read; all are where the repository has filters at all,
//!   as attributes may have been others when the file was checked out. Nor do they stay the same where another commit was
//!   checked out before, so HEAD must have been at one commit alone.
//! - Objects that replace others are checked out in the name of those.
//!
//! What this does not see is a conversion that keeps the size, by an attribute that somebody set, had a file checked out
//! with, and removed, all without a commit. Git takes such a file for clean as well; a build that is sent it fails, as the
//! bytes are checked on their way.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bstr::{BStr, ByteSlice as _};
use dtbuild_content::stat::Stat;
use dtbuild_content::tree::ContentId;

use super::Repository;
use super::attributes::Drivers;
use super::index::Index;
use super::listing::Listing;
use super::sizes::Sizes;
use super::tracking::Tracking;

/// The size of the smallest file that git is asked about. It takes a sixth of the time that the file takes to be read and
/// hashed; of 4 KiB it is two fifths, of which too little would be saved to keep an index in memory.
pub(super) const LARGE: u64 = 16 * 1024;

/// What git knows of files that are worth asking about.
pub(super) struct Clean<'a> {
    index: &'a Index,
    sizes: Arc<Sizes>,
}

impl<'a> Clean<'a> {
    /// What is known in `repository`, of which large files with so many `bytes` are to be identified. None where it is not
    /// to be believed, or where all that this run came upon are hashed sooner than the index is read.
    pub(super) fn of(repository: &Repository, listing: &'a Listing, bytes: u64) -> Option<Self> {
        if bytes == 0 || repository.shared.large(bytes) <= listing.index.size()? {
            return None;
        }
        let git = &repository.inner;
        let replaced = git.objects.store_ref().replacements().next().is_some();
        if replaced || Drivers::any(git) || !stayed(&git.git_dir().join("logs/HEAD")) {
            return None;
        }
        // What cannot be read here is told where it is needed.
        let sizes = repository.shared.sizes(|| Sizes::of(git))?;
        Some(Self { index: listing.index.get().ok()?, sizes })
    }

    /// The blob of the file at `path` of the repository, to which the attributes `tracking` apply, if it is sure to hold
    /// what is on the disk.
    pub(super) fn id(&self, path: &BStr, stat: &Stat, tracking: &Tracking) -> Option<ContentId> {
        let id = self.index.unchanged(path, stat)?;
        let is_stored = !tracking.converts(path) && self.sizes.of_blob(&id) == Some(stat.size);
        is_stored.then_some(id)
    }
}

/// Whether HEAD was at one commit alone since the work tree was made, by git's log of it.
fn stayed(log: &Path) -> bool {
    let text = fs::read(log).unwrap_or_default();
    let mut moves = text.lines().map(|line| {
        let mut ids = line.split(|byte| *byte == b' ');
        (ids.next().unwrap_or_default(), ids.next().unwrap_or_default())
    });
    let Some((from, first)) = moves.next() else { return false };
    // Git drops what is old from the log.
    from.iter().all(|digit| *digit == b'0') && moves.all(|(_, to)| to == first)
}
