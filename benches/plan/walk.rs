//! A bare walk of a folder: every name listed, every file asked for its state, on two threads. No look at a
//! working tree can be faster. Start with [`walk`].

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use crate::Outcome;

#[derive(Default)]
struct Queue {
    folders: VecDeque<PathBuf>,
    /// The number of folders that are listed or waiting.
    open: usize,
}

/// Walks `folder`.
pub(crate) fn walk(folder: PathBuf) -> Outcome<()> {
    let queue = Mutex::new(Queue { folders: [folder].into(), open: 1 });
    let more = Condvar::new();
    let work = || -> std::io::Result<()> {
        loop {
            let mut waiting = queue.lock().unwrap_or_else(PoisonError::into_inner);
            let folder = loop {
                if waiting.open == 0 {
                    return Ok(());
                }
                if let Some(folder) = waiting.folders.pop_back() {
                    break folder;
                }
                waiting = more.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            };
            drop(waiting);
            let mut below = Vec::new();
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.metadata()?.is_dir() {
                    below.push(entry.path());
                }
            }
            let mut waiting = queue.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.open += below.len();
            waiting.open -= 1;
            waiting.folders.extend(below);
            more.notify_all();
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().map_err(|_| "a thread of the walk ended")??;
        }
        Ok(())
    })
}
