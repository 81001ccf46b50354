//! The longest silence of an engine before it is given up. Start with [`Patience`].

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// The silence limit unless the command line sets another: a registry may take minutes to check a large
/// layer.
pub const SILENCE_LIMIT: Duration = Duration::from_mins(10);

/// The silence limit of one engine, with the time when the engine was last heard. Clones share that time: of
/// several pushes, an engine does some and lets the others wait in silence.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    limit: Duration,
    heard: Arc<Mutex<Instant>>,
}

/// The error of a wait in which the engine was silent for this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Silence(Duration);

impl Patience {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, heard: Arc::new(Mutex::new(Instant::now())) }
    }

    /// The silence limit.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// Waits for `next`. Fails if nothing was heard of the engine for as long as the limit.
    pub(super) async fn wait<T>(&self, next: impl Future<Output = T>) -> Result<T, Silence> {
        let mut next = pin!(next);
        // Silence counts from here on: nobody was listening before this wait.
        *self.heard() = Instant::now();
        loop {
            let until = *self.heard() + self.limit;
            if let Ok(value) = timeout_at(until, &mut next).await {
                *self.heard() = Instant::now();
                return Ok(value);
            }
            if *self.heard() + self.limit <= Instant::now() {
                return Err(Silence(self.limit));
            }
        }
    }

    fn heard(&self) -> MutexGuard<'_, Instant> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Display for Silence {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (count, unit) = match self.0.as_secs() {
            seconds if seconds > 0 && seconds.is_multiple_of(60) => (seconds / 60, "minute"),
            seconds => (seconds, "second"),
        };
        let plural = if count == 1 { "" } else { "s" };
        write!(formatter, "{count} {unit}{plural}")
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn only_silence_ends_the_wait() {
        let limit = Duration::from_millis(1);
        assert_eq!(Patience::new(limit).wait(pending::<()>()).await, Err(Silence(limit)));
        assert_eq!(Patience::new(SILENCE_LIMIT).wait(async { 1 }).await, Ok(1));
    }

    #[test]
    fn a_silence_is_told_in_words() {
        for (seconds, words) in [(1, "1 second"), (90, "90 seconds"), (60, "1 minute"), (600, "10 minutes")] {
            assert_eq!(Silence(Duration::from_secs(seconds)).to_string(), words);
        }
    }
}
