//! The runtime of a process. Start with [`block_on`], which a command calls once.

use std::io;

use tokio::runtime::{Builder, Runtime};
use tokio_util::context::TokioContext;

/// Runs a command's future to its end on this thread. No other thread is started: a command that asks little waits
/// for a few answers, and handing the answers to other threads takes longer.
///
/// # Errors
/// Fails when the kernel has no more descriptors for the runtime's poll.
pub fn block_on<T>(future: impl Future<Output = T>) -> io::Result<T> {
    Ok(Builder::new_current_thread().enable_all().build()?.block_on(future))
}

/// Runs a future to its end within a runtime of one thread per core, to which the future's tasks, sockets and timers
/// belong. For work that sends files and follows builds; connections that were made meanwhile end with the runtime.
///
/// # Errors
/// Fails when the threads cannot be started.
pub async fn on_workers<T>(future: impl Future<Output = T>) -> io::Result<T> {
    let workers = Workers(Some(Builder::new_multi_thread().enable_all().build()?));
    let Workers(Some(runtime)) = &workers else { return Err(io::ErrorKind::Other.into()) };
    Ok(TokioContext::new(future, runtime.handle().clone()).await)
}

/// A runtime whose threads are given up, not waited for: a thread that polls other tasks must not wait.
struct Workers(Option<Runtime>);

impl Drop for Workers {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_runs_on_this_thread_and_its_work_on_others() {
        let here = std::thread::current().id();
        let (command, task) = block_on(async {
            let command = tokio::spawn(async { std::thread::current().id() }).await.unwrap();
            let task =
                on_workers(async { tokio::spawn(async { std::thread::current().id() }).await.unwrap() });
            (command, task.await.unwrap())
        })
        .unwrap();
        assert_eq!(command, here);
        assert_ne!(task, here);
    }

    #[test]
    fn work_that_is_given_up_takes_its_threads_along() {
        let given_up = block_on(async {
            tokio::select! {
                biased;
                _ = on_workers(std::future::pending::<()>()) => false,
                () = tokio::task::yield_now() => true,
            }
        });
        assert!(given_up.unwrap());
    }
}
