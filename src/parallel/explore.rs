//! Parallel work that finds more work, such as reading the folders of a tree. Start with [`explore`].

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Does the work on all `open` items and on the items that the work adds to them, and returns the findings: one part
/// for each thread that took part.
///
/// This thread works alone on the first `alone` items, because fewer items are not worth the start of another thread.
/// The first failure ends the work of all threads, and a panic of one thread is carried on.
pub(crate) fn explore<I: Send, F: Default + Send, E: Send>(
    open: Vec<I>,
    alone: usize,
    work: impl Fn(I, &mut Vec<I>, &mut F) -> Result<(), E> + Sync,
) -> Result<Vec<F>, E> {
    explore_on(super::cores(), open, alone, work)
}

fn explore_on<I: Send, F: Default + Send, E: Send>(
    threads: usize,
    mut open: Vec<I>,
    alone: usize,
    work: impl Fn(I, &mut Vec<I>, &mut F) -> Result<(), E> + Sync,
) -> Result<Vec<F>, E> {
    let mut found = F::default();
    let mut done = 0;
    while threads < 2 || done < alone {
        let Some(item) = open.pop() else { return Ok(vec![found]) };
        work(item, &mut open, &mut found)?;
        done += 1;
    }
    let queue = Queue::new(open, threads);
    let take_part = || {
        let _end = End(&queue);
        queue.work(&work)
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(take_part)).collect();
        let mut parts = vec![take_part()];
        for other in others {
            parts.push(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        std::iter::once(Ok(found)).chain(parts).collect()
    })
}

/// The items that threads have found and that no thread works on yet.
struct Queue<I> {
    waiting: Mutex<Vec<I>>,
    more: Condvar,
    threads: usize,
    /// The number of threads that have nothing to do.
    idle: AtomicUsize,
    /// True once the work has ended; set under the lock, so that no thread begins to wait afterwards.
    ended: AtomicBool,
}

impl<I> Queue<I> {
    fn new(items: Vec<I>, threads: usize) -> Self {
        let (idle, ended) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { waiting: Mutex::new(items), more: Condvar::new(), threads, idle, ended }
    }

    /// Does one thread's part of the work, until no item is left or one fails.
    fn work<F: Default, E>(&self, work: impl Fn(I, &mut Vec<I>, &mut F) -> Result<(), E>) -> Result<F, E> {
        let (mut found, mut open) = (F::default(), Vec::new());
        while !self.ended.load(Ordering::Relaxed)
            && let Some(item) = open.pop().or_else(|| self.take())
        {
            work(item, &mut open, &mut found)?;
            if open.len() > 1 && self.idle.load(Ordering::Relaxed) > 0 {
                // The items that were found first have most below them.
                let half = open.len() / 2;
                self.lock().extend(open.drain(..half));
                self.more.notify_all();
            }
        }
        Ok(found)
    }

    /// Takes an item that another thread found; none once the work has ended or all threads wait for an item.
    fn take(&self) -> Option<I> {
        let mut waiting = self.lock();
        let idle = self.idle.fetch_add(1, Ordering::Relaxed) + 1;
        if idle == self.threads && waiting.is_empty() {
            self.end(&waiting);
        }
        loop {
            if self.ended.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(item) = waiting.pop() {
                self.idle.fetch_sub(1, Ordering::Relaxed);
                return Some(item);
            }
            waiting = self.more.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<I>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, _locked: &MutexGuard<'_, Vec<I>>) {
        self.ended.store(true, Ordering::Relaxed);
        self.more.notify_all();
    }
}

/// The guard that ends all threads when one thread ends: no item is left, or the work failed.
struct End<'a, I>(&'a Queue<I>);

impl<I> Drop for End<'_, I> {
    fn drop(&mut self) {
        self.0.end(&self.0.lock());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All numbers below `2^depth` in a tree, each found from its half.
    fn numbers(threads: usize, depth: u32) -> Vec<u32> {
        let work = |number: u32, open: &mut Vec<u32>, found: &mut Vec<u32>| {
            found.push(number);
            open.extend([number * 2, number * 2 + 1].into_iter().filter(|next| *next < 1 << depth));
            Ok::<_, ()>(())
        };
        let mut found = explore_on(threads, vec![1], 16, work).unwrap().concat();
        found.sort_unstable();
        found
    }

    #[test]
    fn everything_is_found_once_however_many_threads_there_are() {
        for threads in [0, 1, 2, 7] {
            for depth in [1, 3, 12] {
                assert!(
                    numbers(threads, depth).into_iter().eq(1..1 << depth),
                    "{threads} threads, {depth} deep"
                );
            }
        }
        let nothing = explore_on(4, Vec::<u32>::new(), 1, |_, _, _: &mut Vec<u32>| Ok::<_, ()>(()));
        assert_eq!(nothing, Ok(vec![Vec::new()]));
    }

    #[test]
    fn a_failure_ends_the_work_of_all() {
        let endless = |number: u32, open: &mut Vec<u32>, (): &mut ()| {
            open.extend([0, 0]);
            if number == 57 { Err("the 57th") } else { Ok(()) }
        };
        assert_eq!(explore_on(4, vec![0, 57], 0, endless).map(drop), Err("the 57th"));
    }

    #[test]
    #[should_panic(expected = "the 57th")]
    fn a_panic_is_carried_on() {
        let work = |number: u32, open: &mut Vec<u32>, (): &mut ()| {
            assert_ne!(number, 57, "the 57th");
            open.extend((number < 100).then_some(number + 1));
            Ok::<_, ()>(())
        };
        let _ = explore_on(4, vec![0], 8, work);
    }
}
