//! The time since the machine was started: [`since_boot`].

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Linux's clock that goes on while the machine sleeps; elsewhere the monotonic clock does as well.
#[cfg(target_os = "linux")]
const STEADY: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const STEADY: ClockId = ClockId::Monotonic;

/// The time since some instant before the process began. It never goes back, and goes on while the machine sleeps.
pub(crate) fn since_boot() -> Duration {
    Duration::try_from(clock_gettime(STEADY)).unwrap_or_default()
}
