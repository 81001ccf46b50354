//! The durations of a run's phases, which `--timings` prints. Start with [`Timings::measure`].

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The phases of a run with their durations, in the order in which the phases ended.
pub struct Timings {
    begin: Instant,
    phases: Mutex<Vec<(&'static str, Duration)>>,
}

impl Default for Timings {
    fn default() -> Self {
        Self { begin: Instant::now(), phases: Mutex::default() }
    }
}

impl Timings {
    /// Does `work`, and notes its duration as that of `phase`.
    pub fn measure<T>(&self, phase: &'static str, work: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let result = work();
        self.note(phase, begin);
        result
    }

    /// Waits for `work`, and notes its duration as that of `phase`.
    pub async fn measure_async<T>(&self, phase: &'static str, work: impl Future<Output = T>) -> T {
        let begin = Instant::now();
        let result = work.await;
        self.note(phase, begin);
        result
    }

    /// The time since the run began.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.begin.elapsed()
    }

    /// The phases that have ended, each with its duration.
    #[must_use]
    pub fn phases(&self) -> Vec<(&'static str, Duration)> {
        self.phases.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, phase: &'static str, begin: Instant) {
        self.phases.lock().unwrap_or_else(PoisonError::into_inner).push((phase, begin.elapsed()));
    }
}
