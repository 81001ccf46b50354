//! The time by which leases are taken and lost: [`Clock`].

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use time::OffsetDateTime;

use crate::process::since_boot;

/// The clock of one machine.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time since some instant before the process began. It never goes back, and goes on while the machine
    /// sleeps. Only this time decides anything.
    fn elapsed(&self) -> Duration;

    /// The date and time for people to read.
    fn now(&self) -> OffsetDateTime;

    /// Waits.
    fn sleep(&self, pause: Duration) -> BoxFuture<'static, ()>;
}

/// The clock of this machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn elapsed(&self) -> Duration {
        since_boot()
    }

    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn sleep(&self, pause: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(pause))
    }
}
