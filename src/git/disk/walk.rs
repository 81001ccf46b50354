//! The walk over the folders of a working tree that a filter lets in, by several threads where there are many. Start with
//! [`walk`].

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use bstr::{BString, ByteSlice as _};
use dtbuild_content::tree::{Filter, Kind, Verdict};

use super::folder::Folder;
use super::folders::DiskFolders;
use super::identify::Unidentified;
use crate::git::GitError;
use crate::git::path::join;

/// The number of folders that one thread reads before others take part: fewer are read before another thread has started.
const SHARE: usize = 256;

/// The result of a walk.
#[derive(Default)]
pub(super) struct Walked {
    /// The files that the filter lets in and whose content ids are not known.
    pub(super) unidentified: Vec<Unidentified>,
    /// The submodules of which the filter may let something in.
    pub(super) submodules: Vec<BString>,
    /// The folders that were read, in any order.
    pub(super) folders: Vec<(BString, Arc<Folder>)>,
}

/// The path of a folder to read, and the filter's state for what is in it.
type Waiting<S> = (BString, S);

/// Reads all folders that `filter` lets in.
pub(super) fn walk<F: Filter>(disk: &DiskFolders, filter: &F) -> Result<Walked, GitError> {
    let mut found = Walked::default();
    let mut open = vec![(BString::default(), filter.root())];
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    for number in 0.. {
        if number == SHARE && threads > 1 {
            break;
        }
        let Some(next) = open.pop() else { return Ok(found) };
        read(disk, filter, next, &mut open, &mut found)?;
    }
    let queue = Queue::new(open, threads);
    let work = || {
        let _end = End(&queue);
        queue.work(|next, open, found| read(disk, filter, next, open, found))
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = vec![work()];
        for other in others {
            all.push(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        for part in all {
            let Walked { unidentified, submodules, folders } = part?;
            found.unidentified.extend(unidentified);
            found.submodules.extend(submodules);
            found.folders.extend(folders);
        }
        Ok(found)
    })
}

/// Reads one folder; the folders in it are added to `open`.
fn read<F: Filter>(
    disk: &DiskFolders,
    filter: &F,
    (path, state): Waiting<F::State>,
    open: &mut Vec<Waiting<F::State>>,
    found: &mut Walked,
) -> Result<(), GitError> {
    let folder = disk.folder(path.as_bstr())?;
    let inside_another = folder.is_repository && !path.is_empty();
    if inside_another && disk.kind(path.as_bstr())? == Some(Kind::Submodule) {
        found.submodules.push(path);
        return Ok(());
    }
    for (number, file) in folder.files.iter().enumerate().filter(|(_, file)| file.id.get().is_none()) {
        let place = join(path.as_bstr(), folder.name(file));
        if filter.enter(&state, place.as_bstr(), file.kind).0 == Verdict::Included {
            found.unidentified.push(Unidentified::new(disk, &folder, number, place)?);
        }
    }
    for name in &folder.folders {
        let place = join(path.as_bstr(), name.as_bstr());
        let (_, inside) = filter.enter(&state, place.as_bstr(), Kind::Folder);
        if filter.below(&inside) != Some(false) {
            open.push((place, inside));
        }
    }
    found.folders.push((path, folder));
    Ok(())
}

/// The folders that threads have found and none has read yet.
struct Queue<S> {
    state: Mutex<QueueState<S>>,
    more: Condvar,
    threads: usize,
    /// The number of threads that wait.
    idle: AtomicUsize,
}

struct QueueState<S> {
    waiting: Vec<Waiting<S>>,
    ended: bool,
}

impl<S> Queue<S> {
    fn new(waiting: Vec<Waiting<S>>, threads: usize) -> Self {
        let state = Mutex::new(QueueState { waiting, ended: false });
        Self { state, more: Condvar::new(), threads, idle: AtomicUsize::new(0) }
    }

    /// One thread's part: reads folders until none is left, or until one cannot be read.
    fn work(
        &self,
        read: impl Fn(Waiting<S>, &mut Vec<Waiting<S>>, &mut Walked) -> Result<(), GitError>,
    ) -> Result<Walked, GitError> {
        let (mut found, mut open) = (Walked::default(), Vec::new());
        while let Some(next) = open.pop().or_else(|| self.take()) {
            read(next, &mut open, &mut found)?;
            if open.len() > 1 && self.idle.load(Ordering::Relaxed) > 0 {
                // The folders that were found first have most below them.
                let half = open.len() / 2;
                self.state.lock().unwrap_or_else(PoisonError::into_inner).waiting.extend(open.drain(..half));
                self.more.notify_all();
            }
        }
        Ok(found)
    }

    /// A folder that another thread found; none once all threads wait for one.
    fn take(&self) -> Option<Waiting<S>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = self.idle.fetch_add(1, Ordering::Relaxed) + 1;
        if idle == self.threads && state.waiting.is_empty() {
            state.ended = true;
            self.more.notify_all();
        }
        loop {
            if state.ended {
                return None;
            }
            if let Some(next) = state.waiting.pop() {
                self.idle.fetch_sub(1, Ordering::Relaxed);
                return Some(next);
            }
            state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Ends all threads when one ends: nothing is left, or it failed.
struct End<'a, S>(&'a Queue<S>);

impl<S> Drop for End<'_, S> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.0.more.notify_all();
    }
}
