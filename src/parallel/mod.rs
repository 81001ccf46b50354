//! Work on many items, shared out over the machine's cores. Start with [`map`], or with [`explore`] if the work finds
//! more items.

mod explore;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

pub(crate) use explore::explore;

/// The number of threads that this machine runs at the same time.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The number of threads that `count` items are worth, where each thread takes at least `share` items: fewer items
/// are done before another thread has started.
pub(crate) fn threads(count: usize, share: usize) -> usize {
    if count < share * 2 {
        return 1;
    }
    cores().min(count / share)
}

/// The results of `work` for each item, in the items' order, computed on `threads` threads, this thread among them.
///
/// This thread works with `own`, such as a handle or a buffer, and each other thread with a value that `other` makes.
/// A panic of one thread is carried on.
pub(crate) fn map<I: Sync, S: Send, R: Send>(
    items: &[I],
    threads: usize,
    own: &S,
    mut other: impl FnMut() -> S,
    work: impl Fn(&S, &I) -> R + Sync,
) -> Vec<R> {
    if threads < 2 {
        return items.iter().map(|item| work(own, item)).collect();
    }
    let next = AtomicUsize::new(0);
    let take = |state: &S| {
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(place) else { return done };
            done.push((place, work(state, item)));
        }
    };
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map(|_| {
                let state = other();
                let take = &take;
                scope.spawn(move || take(&state))
            })
            .collect();
        let mut done = take(own);
        for other in others {
            match other.join() {
                Ok(of_thread) => done.extend(of_thread),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items_however_many_threads_there_are() {
        let items: Vec<u32> = (0..1000).collect();
        let doubled: Vec<u32> = items.iter().map(|item| item * 2).collect();
        for threads in [0, 1, 2, 7, 2000] {
            assert_eq!(map(&items, threads, &(), || (), |(), item| item * 2), doubled, "{threads} threads");
        }
        assert_eq!(map(&[0_u32; 0], 4, &(), || (), |(), item| *item), [0_u32; 0]);
    }

    #[test]
    fn each_thread_has_a_state_of_its_own() {
        let mut made = 0;
        let other = || {
            made += 1;
            made
        };
        let users = map(&[(); 100], 3, &0, other, |own, ()| *own);
        assert!(users.iter().all(|user| *user < 3));
        assert_eq!(made, 2);
    }

    #[test]
    #[should_panic(expected = "the 57th")]
    fn a_panic_is_carried_on() {
        let items: Vec<u32> = (0..100).collect();
        map(&items, 4, &(), || (), |(), item| assert_ne!(*item, 57, "the 57th"));
    }

    #[test]
    fn few_things_are_not_worth_a_thread() {
        assert_eq!(threads(0, 8), 1);
        assert_eq!(threads(15, 8), 1);
        assert!(threads(16, 8) <= 2);
    }
}
