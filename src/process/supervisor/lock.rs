//! The lock of a supervisor: one file for each environment and machine. Start with [`take`].

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::process::child::GRACE;

/// The longest time that a supervisor waits for another one to end what is left of a dead run: the grace, and some time for
/// processes that are killed to go.
const PATIENCE: Duration = Duration::from_secs(GRACE.as_secs() + 10);

/// The longest time that a run waits for the supervisor of another: a run whose lease was taken away finds that out when it
/// renews the lease, and ends its trigger then.
const RUN_PATIENCE: Duration = Duration::from_mins(1);

const PAUSE: Duration = Duration::from_millis(20);

/// Takes the lock, which ends with the process that holds the file.
///
/// # Errors
/// When the file cannot be made, or another supervisor holds the lock for longer than it may.
pub(super) fn take(path: &Path) -> io::Result<File> {
    take_within(path, PATIENCE)
}

fn take_within(path: &Path, patience: Duration) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // Programs that the process starts do not get the file.
    let file = File::options().create(true).append(true).open(path)?;
    let end = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() < end => std::thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(
                    ErrorKind::TimedOut,
                    "the trigger of an earlier run does not end",
                ));
            }
        }
    }
}

/// Waits until no supervisor holds the lock; at once where there is no such file.
///
/// # Errors
/// When a supervisor holds the lock for longer than it may.
pub(crate) async fn wait_until_free(path: &Path) -> io::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let path = path.to_owned();
    let taken = tokio::task::spawn_blocking(move || take_within(&path, RUN_PATIENCE).map(drop)).await;
    taken.unwrap_or_else(|error| Err(io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_next_run_waits_for_the_supervisor_of_the_last_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop/staging.lock");
        wait_until_free(&path).await.unwrap();
        let held = take(&path).unwrap();
        let waiting = tokio::spawn({
            let path = path.clone();
            async move { wait_until_free(&path).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(held);
        waiting.await.unwrap().unwrap();
    }
}
