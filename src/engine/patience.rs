//! The longest silence of an engine before it is given up. Start with [`Patience`].

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

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

    /// This patience with a lower limit, for an answer that no work stands behind.
    pub(super) fn at_most(&self, limit: Duration) -> Self {
        Self::new(self.limit.min(limit))
    }

    /// Asks again and again, and ends when the engine leaves a question unanswered. Half of the limit passes
    /// before each question, and half may pass until the answer.
    pub(super) async fn until_unanswered<T, F: Future<Output = T>>(&self, ask: impl Fn() -> F) -> Silence {
        let half = self.limit / 2;
        loop {
            tokio::time::sleep(half).await;
            if timeout(half, ask()).await.is_err() {
                return self.silence();
            }
        }
    }

    /// The silence that ends the patience.
    pub(super) fn silence(&self) -> Silence {
        Silence(self.limit)
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
                return Err(self.silence());
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn only_silence_ends_the_wait() {
        let limit = Duration::from_millis(1);
        assert_eq!(Patience::new(limit).wait(pending::<()>()).await, Err(Silence(limit)));
        assert_eq!(Patience::new(SILENCE_LIMIT).wait(async { 1 }).await, Ok(1));
    }

    #[tokio::test]
    async fn an_engine_is_asked_until_it_leaves_a_question_unanswered() {
        let asked = AtomicUsize::new(0);
        let ask = || async {
            if asked.fetch_add(1, Ordering::Relaxed) == 3 {
                pending::<()>().await;
            }
        };
        let limit = Duration::from_millis(40);
        assert_eq!(Patience::new(limit).until_unanswered(ask).await, Silence(limit));
        assert_eq!(asked.into_inner(), 4, "answered three times");
    }

    #[test]
    fn a_silence_is_told_in_words() {
        for (seconds, words) in [(1, "1 second"), (90, "90 seconds"), (60, "1 minute"), (600, "10 minutes")] {
            assert_eq!(Silence(Duration::from_secs(seconds)).to_string(), words);
        }
    }
}
