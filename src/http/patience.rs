//! The longest time that a server may say nothing. Start with [`Patience`]; each request has a [`Wait`].

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// The limit for silence, and the servers that exceeded it.
///
/// A server that said nothing for the whole limit is not waited for again until the limit has passed once more:
/// requests until then fail at once, so that a run ends after one limit, and not after one limit per request.
#[derive(Debug)]
pub(super) struct Patience {
    limit: Option<Duration>,
    silent: Mutex<HashMap<String, Instant>>,
}

/// The wait of one request: all attempts share the wait, and every sign of life begins it anew.
pub(super) struct Wait<'a> {
    patience: &'a Patience,
    heard: Instant,
}

/// The error for a server that said nothing for this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Silence(pub(super) Duration);

impl Patience {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self { limit, silent: Mutex::default() }
    }

    /// Begins to wait for an answer of `peer`. Fails if `peer` was found silent less than one limit ago.
    pub(super) fn begin(&self, peer: &str) -> Result<Wait<'_>, Silence> {
        if let Some(limit) = self.limit
            && self.silent().get(peer).is_some_and(|since| since.elapsed() < limit)
        {
            return Err(Silence(limit));
        }
        Ok(Wait { patience: self, heard: Instant::now() })
    }

    fn silent(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wait<'_> {
    /// Waits for `next` from `peer`, as long as the limit allows.
    pub(super) async fn hear<T>(&mut self, peer: &str, next: impl Future<Output = T>) -> Result<T, Silence> {
        let Some(limit) = self.patience.limit else { return Ok(next.await) };
        timeout_at(self.heard + limit, next).await.map_err(|_| {
            self.patience.silent().insert(peer.to_owned(), Instant::now());
            Silence(limit)
        })
    }

    /// Notes a sign of life.
    pub(super) fn heard(&mut self) {
        self.heard = Instant::now();
    }

    /// Waits before the next attempt.
    pub(super) async fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let end = self.patience.limit.map_or(until, |limit| until.min(self.heard + limit));
        tokio::time::sleep_until(end).await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    const LIMIT: Duration = Duration::from_millis(60);

    #[tokio::test]
    async fn a_silent_server_costs_one_limit_and_not_one_per_request() {
        let patience = Patience::new(Some(LIMIT));
        let mut wait = patience.begin("a.example").unwrap();
        assert_eq!(wait.hear("a.example", pending::<()>()).await, Err(Silence(LIMIT)));
        assert!(patience.begin("a.example").is_err() && patience.begin("b.example").is_ok());
        *patience.silent().get_mut("a.example").unwrap() -= LIMIT;
        assert!(patience.begin("a.example").is_ok(), "it may have come back");
    }

    #[tokio::test]
    async fn attempts_share_the_limit_and_a_sign_of_life_renews_it() {
        let patience = Patience::new(Some(LIMIT));
        let mut wait = patience.begin("a.example").unwrap();
        wait.heard -= LIMIT;
        wait.heard();
        assert_eq!(wait.hear("a.example", ready(1)).await, Ok(1));
        wait.heard -= LIMIT;
        let started = Instant::now();
        wait.pause(LIMIT * 100).await;
        assert!(wait.hear("a.example", pending::<()>()).await.is_err());
        assert!(started.elapsed() < LIMIT * 50, "the pause before an attempt is silence, too");
    }
}
