//! The taking of the lease for a run. Start with [`Leasing`].

use std::time::Duration;

use super::Observer;
use crate::config::EnvironmentName;
use crate::error::Result;
use crate::record::{Holder, Lease, Records};

/// The life of a lease after its last renewal: the longest time for which a run that was killed on another machine
/// blocks the environment, and for which a run observes a lease that is held.
const LIFE: Duration = Duration::from_mins(2);

/// The lease that a run asks for.
pub(super) struct Leasing<'a> {
    pub(super) store: &'a Records,
    pub(super) environment: &'a EnvironmentName,
    /// The time for which the run waits for another run that deploys to the environment.
    pub(super) wait: Duration,
}

impl Leasing<'_> {
    /// Takes the lease; the observer is told what the storage cannot promise, and for whom the run waits.
    pub(super) async fn take(&self, observer: &Observer) -> Result<Lease> {
        if let Some(text) = self.store.warning() {
            observer.notice(text);
        }
        let observing = |holder: &Holder| {
            let wait = if self.wait.is_zero() { "whether it is still at work" } else { "its end" };
            observer
                .notice(format!("`{}` is being deployed by {holder}: looking for {wait}", self.environment));
        };
        let taking = async { Ok(self.store.take(self.environment, LIFE, self.wait, observing).await?) };
        observer.unless_cancelled(taking).await
    }
}
