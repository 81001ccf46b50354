//! The taking of the lease for a run. Start with [`Leasing`].

use std::path::PathBuf;
use std::time::Duration;

use super::Observer;
use crate::clients::{Clients, state_folder};
use crate::config::EnvironmentName;
use crate::deploy::Guard;
use crate::error::{Code, Error, Result};
use crate::process::supervisor::wait_until_free;
use crate::record::{Holder, Lease, Records};

/// The life of a lease after its last renewal: the longest time for which a run that was killed on another machine
/// blocks the environment, and for which a run observes a lease that is held.
const LIFE: Duration = Duration::from_mins(2);

/// The lease that a run asks for.
pub(super) struct Leasing<'a> {
    pub(super) clients: &'a Clients,
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
        let mut lease = observer.unless_cancelled(taking).await?;
        self.wait_for_triggers(&mut lease).await?;
        Ok(lease)
    }

    /// Waits until no trigger of an earlier run is at work on this machine: the supervisor of a run that was killed
    /// ends the run's trigger.
    async fn wait_for_triggers(&self, lease: &mut Lease) -> Result<()> {
        let Some(lock) = self.lock() else { return Ok(()) };
        let environment = self.environment;
        lease.hold(wait_until_free(&lock)).await?.map_err(|error| {
            let message =
                format!("cannot deploy to `{environment}` after an earlier run on this machine: {error}");
            let hint = "see what of it still runs, such as with `ps -ef --forest`, and end it";
            Error::new(Code::LeaseHeld, message).hint(hint)
        })
    }

    /// The guard of a trigger that runs under this lease; none where no program supervises.
    pub(super) fn guard(&self, lease: &Lease) -> Option<Guard> {
        let supervisor = self.clients.supervisor()?.to_owned();
        Some(Guard { supervisor, lock: self.lock(), patience: lease.patience(), renewals: lease.renewals() })
    }

    /// The file that is locked while a trigger of the environment runs on this machine, by the place of the
    /// environment's record.
    fn lock(&self) -> Option<PathBuf> {
        let name = blake3::hash(self.store.place(self.environment).as_bytes()).to_hex();
        Some(state_folder()?.join("triggers").join(format!("{}.lock", &name[..32])))
    }
}
