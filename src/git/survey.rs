//! A look at all of a working tree that a filter lets in, by several threads where there is much. Start with [`survey`].

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use bstr::{BString, ByteSlice as _};
use dtbuild_content::tree::{Filter, Kind, Verdict};

use super::GitError;
use super::diff::join;
use super::folder::Folder;
use super::listing::Listing;
use super::reading::Unread;

/// How many folders one thread looks at before others take part: fewer are done before another one has started.
const SHARE: usize = 256;

/// What was found.
#[derive(Default)]
pub(super) struct Survey {
    /// The files that count and whose content is not known.
    pub(super) unread: Vec<Unread>,
    /// The submodules that something is let in of.
    pub(super) submodules: Vec<BString>,
    /// The folders that were entered, in any order.
    pub(super) folders: Vec<(BString, Arc<Folder>)>,
}

/// A folder to look at, and the filter's state for what is in it.
type Way<S> = (BString, S);

/// Lists all folders that `filter` lets in.
pub(super) fn survey<F: Filter>(listing: &Listing, filter: &F) -> Result<Survey, GitError> {
    let mut found = Survey::default();
    let mut open = vec![(BString::default(), filter.root())];
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    for number in 0.. {
        if number == SHARE && threads > 1 {
            break;
        }
        let Some(way) = open.pop() else { return Ok(found) };
        look(listing, filter, way, &mut open, &mut found)?;
    }
    let queue = Queue::new(open, threads);
    let work = || {
        let _end = End(&queue);
        queue.work(|way, open, found| look(listing, filter, way, open, found))
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = vec![work()];
        for other in others {
            all.push(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        for part in all {
            let Survey { unread, submodules, folders } = part?;
            found.unread.extend(unread);
            found.submodules.extend(submodules);
            found.folders.extend(folders);
        }
        Ok(found)
    })
}

/// Looks at one folder.
fn look<F: Filter>(
    listing: &Listing,
    filter: &F,
    (path, state): Way<F::State>,
    open: &mut Vec<Way<F::State>>,
    found: &mut Survey,
) -> Result<(), GitError> {
    let folder = listing.folder(path.as_bstr())?;
    let inside_another = folder.is_repository && !path.is_empty();
    if inside_another && listing.kind(path.as_bstr())? == Some(Kind::Submodule) {
        found.submodules.push(path);
        return Ok(());
    }
    for (number, file) in folder.files.iter().enumerate().filter(|(_, file)| file.id.get().is_none()) {
        let place = join(path.as_bstr(), folder.name(file));
        if filter.enter(&state, place.as_bstr(), file.kind).0 == Verdict::Included {
            found.unread.push(Unread::new(listing, &folder, number, place)?);
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

/// Folders that threads have found and that none looks at yet.
struct Queue<S> {
    waiting: Mutex<Waiting<S>>,
    more: Condvar,
    threads: usize,
    /// How many threads have nothing to do.
    idle: AtomicUsize,
}

struct Waiting<S> {
    ways: Vec<Way<S>>,
    ended: bool,
}

impl<S> Queue<S> {
    fn new(ways: Vec<Way<S>>, threads: usize) -> Self {
        let waiting = Mutex::new(Waiting { ways, ended: false });
        Self { waiting, more: Condvar::new(), threads, idle: AtomicUsize::new(0) }
    }

    /// One thread's part: looks at folders until none is left, or one cannot be looked at.
    fn work(
        &self,
        look: impl Fn(Way<S>, &mut Vec<Way<S>>, &mut Survey) -> Result<(), GitError>,
    ) -> Result<Survey, GitError> {
        let (mut found, mut open) = (Survey::default(), Vec::new());
        while let Some(way) = open.pop().or_else(|| self.take()) {
            look(way, &mut open, &mut found)?;
            if open.len() > 1 && self.idle.load(Ordering::Relaxed) > 0 {
                // Those that were found first have most below them.
                let half = open.len() / 2;
                self.waiting.lock().unwrap_or_else(PoisonError::into_inner).ways.extend(open.drain(..half));
                self.more.notify_all();
            }
        }
        Ok(found)
    }

    /// A folder that another thread found; none once all threads wait for one.
    fn take(&self) -> Option<Way<S>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = self.idle.fetch_add(1, Ordering::Relaxed) + 1;
        if idle == self.threads && waiting.ways.is_empty() {
            waiting.ended = true;
            self.more.notify_all();
        }
        loop {
            if waiting.ended {
                return None;
            }
            if let Some(way) = waiting.ways.pop() {
                self.idle.fetch_sub(1, Ordering::Relaxed);
                return Some(way);
            }
            waiting = self.more.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Has all threads end when one does: nothing is left, or it failed.
struct End<'a, S>(&'a Queue<S>);

impl<S> Drop for End<'_, S> {
    fn drop(&mut self) {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.0.more.notify_all();
    }
}
