//! A snapshot: the exact files that a build will see, fixed at the time their key was taken.
//!
//! *What is built is what was hashed*: the engine sends a [`Snapshot`], never a folder. The owner of each
//! file is always 0:0, modes are those of [`Kind`], and times are not part of a snapshot.

use std::cmp::Ordering;
use std::io;
use std::sync::Arc;

use bstr::{BStr, BString};

use crate::tree::{ContentId, Kind};

/// One path of a [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotEntry {
    /// The path from the context's root, with `/` between components and none at the start.
    pub path: BString,
    /// The kind of the path; never [`Kind::Submodule`].
    pub kind: Kind,
    /// The content id; for a folder the null id.
    pub id: ContentId,
    /// The size of the content in bytes; 0 for folders.
    pub size: u64,
    /// The text of a symbolic link; none for other kinds.
    pub link: Option<BString>,
}

/// The source of a snapshot's bytes: git's objects or the disk.
pub trait Contents: Send + Sync {
    /// Opens the content of the file `entry`.
    ///
    /// # Errors
    /// Fails if the content cannot be read, or is no longer the content that `entry.id` names: the reader
    /// fails at the latest when its last byte was read.
    fn open(&self, entry: &SnapshotEntry) -> io::Result<Box<dyn io::Read + Send>>;
}

/// The files of a build context, in the order of their path's components: a folder directly before the paths
/// in it.
#[derive(Clone)]
pub struct Snapshot {
    /// The paths that are sent to the build, parents before children.
    pub entries: Arc<[SnapshotEntry]>,
    /// The source of the files' bytes.
    pub contents: Arc<dyn Contents>,
}

impl Snapshot {
    /// The snapshot of `entries`, which are in the order of their path's components, each path once.
    #[must_use]
    pub fn new(entries: impl Into<Arc<[SnapshotEntry]>>, contents: Arc<dyn Contents>) -> Self {
        let entries = entries.into();
        debug_assert!(
            entries.is_sorted_by(|left, right| by_component(left.path.as_ref(), right.path.as_ref()).is_lt()),
            "a snapshot's entries are in the order of their path's components"
        );
        Self { entries, contents }
    }

    /// The entry at `path`, if it is part of the snapshot.
    #[must_use]
    pub fn get(&self, path: &BStr) -> Option<&SnapshotEntry> {
        let index = self.entries.binary_search_by(|entry| by_component(entry.path.as_ref(), path)).ok()?;
        self.entries.get(index)
    }

    /// The entries below the folder at `path`, without the folder; all entries for the empty path.
    #[must_use]
    pub fn below(&self, path: &BStr) -> &[SnapshotEntry] {
        if path.is_empty() {
            return &self.entries;
        }
        let start = self.entries.partition_point(|entry| by_component(entry.path.as_ref(), path).is_le());
        let inside = |entry: &SnapshotEntry| {
            entry.path.strip_prefix(&**path).is_some_and(|rest| rest.starts_with(b"/"))
        };
        let count = self.entries[start..].partition_point(inside);
        &self.entries[start..start + count]
    }
}

/// Compares paths component by component: a folder, the paths in it, then the paths that follow it.
#[must_use]
pub fn by_component(left: &BStr, right: &BStr) -> Ordering {
    // No component holds a zero byte, so the end of one sorts before any byte of another.
    let rank = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
    left.iter().map(rank).cmp(right.iter().map(rank))
}

#[cfg(test)]
mod tests;
