//! Reading many files at once to learn their content ids.

use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;

use bstr::{BString, ByteSlice as _};
use dtbuild_cache::tree::{ContentId, Kind};

use super::GitError;
use super::disk::{self, Failure, Stat};

/// How many files are worth a thread.
const SHARE: usize = 16;

/// A file to be read: its path from the root of the tree and from that of the repository, and what it
/// was when it was listed.
pub(super) struct Unread {
    pub(super) path: BString,
    pub(super) place: BString,
    pub(super) kind: Kind,
    pub(super) stat: Stat,
    /// Whether Git LFS keeps it.
    pub(super) lfs: bool,
    /// The blob that git's index has of it.
    pub(super) indexed: Option<ContentId>,
}

/// The content ids of the files below `root`, in the order in which the threads come by them.
pub(super) fn identify(
    root: &Path,
    files: Vec<Unread>,
    hash: gix::hash::Kind,
) -> Result<Vec<(BString, ContentId)>, GitError> {
    let worth = files.len() / SHARE;
    let queue = Mutex::new(files.into_iter());
    let work = || {
        let (mut found, mut buffer) = (Vec::new(), Vec::new());
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(file) = next else { return Ok(found) };
            let id = identify_one(root, &file, hash, &mut buffer)?;
            found.push((file.path, id));
        }
    };
    if worth < 2 {
        return work();
    }
    // More threads than cores: most of the time goes into waiting for the disk.
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = (cores * 4).max(8).min(worth);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut all = Vec::new();
        for worker in workers {
            match worker.join() {
                Ok(found) => all.extend(found?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(all)
    })
}

/// The content id of one file below `root`.
pub(super) fn identify_one(
    root: &Path,
    file: &Unread,
    hash: gix::hash::Kind,
    buffer: &mut Vec<u8>,
) -> Result<ContentId, GitError> {
    let path = root.join(file.path.to_path_lossy());
    let ids = disk::identify(&path, (file.kind, &file.stat), file.lfs, hash, buffer);
    let ids = ids.map_err(|failure| match failure {
        Failure::Io(source) => GitError::Unreadable { path, source },
        Failure::Changed => GitError::Changed { path: file.place.clone() },
    })?;
    // What was committed before the attribute was set stays as it is until somebody changes it.
    let unconverted = file.indexed == Some(ids.bytes);
    Ok(ids.pointer.filter(|_| !unconverted).unwrap_or(ids.bytes))
}
