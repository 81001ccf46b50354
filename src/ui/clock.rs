//! The time since the start of a run: [`Clock`]. Tests have clocks that they set themselves.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The clock of a run, which tells the time since the run's start.
#[derive(Clone)]
pub(super) struct Clock(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Clock {
    /// Starts a clock now.
    pub(super) fn start() -> Self {
        let start = Instant::now();
        Self(Arc::new(move || start.elapsed()))
    }

    /// The time since the clock's start.
    pub(super) fn now(&self) -> Duration {
        (self.0)()
    }

    /// A clock for tests that moves on by `step` each time it is read.
    #[cfg(test)]
    pub(super) fn stepping(step: Duration) -> Self {
        let looks = std::sync::atomic::AtomicU32::new(0);
        Self(Arc::new(move || step * looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed)))
    }

    /// A clock for tests that shows the value of `millis`, in milliseconds.
    #[cfg(test)]
    pub(super) fn showing(millis: Arc<std::sync::atomic::AtomicU64>) -> Self {
        Self(Arc::new(move || Duration::from_millis(millis.load(std::sync::atomic::Ordering::Relaxed))))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Clock({:?})", self.now())
    }
}
