//! A snapshot: the exact files that a build will see, fixed at the time their key was taken.
//!
//! *What is built is what was hashed*: the engine sends a [`Snapshot`], never a folder. Owner is
//! always 0:0 and modes are those of [`Kind`]; times are not part of it.

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
    /// What it is; never [`Kind::Submodule`].
    pub kind: Kind,
    /// The content id; for a folder the null id.
    pub id: ContentId,
    /// The number of bytes of the content; 0 for folders.
    pub size: u64,
    /// The text of a symbolic link.
    pub link: Option<BString>,
}

/// Where a snapshot's bytes come from: git's objects or the disk.
pub trait Contents: Send + Sync {
    /// Opens the content of the file `entry`.
    ///
    /// # Errors
    /// Fails if it cannot be read, or is no longer what `entry.id` names: the reader fails at the
    /// latest when its last byte was read.
    fn open(&self, entry: &SnapshotEntry) -> io::Result<Box<dyn io::Read + Send>>;
}

/// The files of a build context, in the order of their path's components
/// (a folder directly before what is in it).
#[derive(Clone)]
pub struct Snapshot {
    /// What is sent, parents before children.
    pub entries: Arc<[SnapshotEntry]>,
    /// Where the bytes come from.
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

    /// What lies below the folder at `path`, itself not included; for the empty path everything.
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

/// Compares paths component by component: a folder, what is in it, then what follows it.
#[must_use]
pub fn by_component(left: &BStr, right: &BStr) -> Ordering {
    // No component holds a zero byte, so the end of one sorts before any byte of another.
    let rank = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
    left.iter().map(rank).cmp(right.iter().map(rank))
}

#[cfg(test)]
mod tests;
