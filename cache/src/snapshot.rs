//! A snapshot: the exact files that a build will see, fixed at the time their key was taken.
//!
//! *What is built is what was hashed*: the engine sends a [`Snapshot`], never a folder. Owner is
//! always 0:0 and modes are those of [`Kind`]; times are not part of it.

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
    /// When it cannot be read, or is no longer what `entry.id` names: the reader fails at the
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
    /// The entry at `path`, if it is part of the snapshot.
    #[must_use]
    pub fn get(&self, path: &BStr) -> Option<&SnapshotEntry> {
        self.entries.iter().find(|entry| entry.path == path)
    }
}
