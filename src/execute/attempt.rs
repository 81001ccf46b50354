//! Further attempts at actions that failed for a reason that may pass. Start with [`Attempts`].

use std::time::Duration;

use crate::config::ImageName;
use crate::engine::EngineError;
use crate::error::Failure as _;
use crate::events::{Event, EventSink};

/// The number of attempts at an action, and the pause between attempts.
#[derive(Clone, Copy, Debug)]
pub struct Attempts {
    /// The most attempts, the first included; at least 1.
    pub most: u32,
    /// The pause before the second attempt; the pause doubles each time.
    pub pause: Duration,
}

impl Default for Attempts {
    fn default() -> Self {
        // An engine or a registry that is restarted is back within a quarter of a minute.
        Self { most: 6, pause: Duration::from_millis(500) }
    }
}

impl Attempts {
    /// The pause before a further attempt, after this many pauses, and at most `longest`.
    pub(super) fn pause_after(self, pauses: u32, longest: Duration) -> Duration {
        self.pause.saturating_mul(2_u32.saturating_pow(pauses)).min(longest)
    }

    /// These attempts, or a single one if the action can be tried elsewhere.
    pub(super) fn here(self, elsewhere: bool) -> Self {
        if elsewhere { Self { most: 1, ..self } } else { self }
    }

    /// Runs `action` until it succeeds, fails for good, or has used up its attempts.
    pub(super) async fn run<T, F>(
        self,
        image: &ImageName,
        events: &EventSink,
        action: impl Fn() -> F,
    ) -> Result<T, EngineError>
    where
        F: Future<Output = Result<T, EngineError>>,
    {
        let mut pause = self.pause;
        let mut attempt = 1;
        loop {
            let error = match action().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            // Each engine of a run has answered once, so an unreachable engine is restarting, as far as can
            // be told.
            let restarting = matches!(error, EngineError::Unreachable { .. });
            if attempt >= self.most || !(error.is_transient() || restarting) {
                return Err(error);
            }
            attempt += 1;
            events.send(Event::Retrying { image: image.clone(), reason: error.advice(), attempt });
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
}
