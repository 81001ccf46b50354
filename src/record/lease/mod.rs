//! The lease: the time-limited, fenced right to deploy to an environment. Start with [`Lease`].
//!
//! The times of a lease are read from the machines' clocks, so the clocks must agree to some seconds. A record is
//! written only while the stored lease has this run's token, and only over the revision that this run has read: a run
//! that lost its lease (its machine slept, say) cannot overwrite the record that its successor wrote.
//!
//! The stored lease changes by compare-and-swap alone. Where the storage's compare-and-swap is not atomic, a lease
//! counts only after a pause and a second read that still finds this lease: of two runs that take a lease at the same
//! time, the run whose lease was overwritten steps back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use time::OffsetDateTime;

use super::storage::{Change, Put, Revision, Storage};
use super::{RecordError, Records};
use crate::config::EnvironmentName;
use document::LeaseDocument;

mod document;

pub use document::Owner;

/// The right to deploy to an environment. Dropping the lease gives it back.
pub struct Lease {
    document: LeaseDocument,
    life: Duration,
    /// The storage in which a drop ends the lease; none when the lease was given back, or is another run's
    /// lease.
    storage: Option<Arc<dyn Storage>>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(storage) = self.storage.take() else { return };
        let ours = self.document.clone();
        // A drop cannot report a failure and may have no runtime: the lease then ends by itself.
        if let Some(storage) = storage.on_this_thread() {
            let _ = end(&*storage, &ours).now_or_never();
        } else if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { end(&*storage, &ours).await });
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Lease").field("document", &self.document).finish_non_exhaustive()
    }
}

impl Records {
    /// Takes the lease on an environment; the lease lasts for `life` from its last renewal. Half a minute to
    /// some minutes is a good life: a run that is killed blocks the environment for so long.
    pub async fn acquire(&self, environment: &EnvironmentName, life: Duration) -> Result<Lease, RecordError> {
        let ours = LeaseDocument::new(environment.clone(), life);
        let address = LeaseDocument::address(environment);
        let bytes = encode(&*self.storage, &ours)?;
        loop {
            let (stored, revision) = read(&*self.storage, environment).await?;
            match stored {
                // An earlier attempt of this call arrived although the storage answered that it did not.
                Some(stored) if stored.is_taking(&ours) => break,
                Some(theirs) if theirs.is_live() => return Err(theirs.held()),
                _ => {}
            }
            match self.storage.put(&address, Change::Write(&bytes), &revision).await? {
                Put::Done(_) => break,
                Put::Changed => {}
            }
        }
        if let Some(settle) = self.storage.settle() {
            tokio::time::sleep(settle).await;
            match read(&*self.storage, environment).await?.0 {
                Some(stored) if stored.is_taking(&ours) => {}
                Some(theirs) => return Err(theirs.held()),
                None => return Err(ours.lost()),
            }
        }
        Ok(Lease { document: ours, life, storage: Some(Arc::clone(&self.storage)) })
    }

    /// Makes the lease last for its life from now on; an error when another run has the lease.
    pub async fn renew(&self, lease: &mut Lease) -> Result<(), RecordError> {
        let renewed = lease.document.lasting(lease.life);
        let bytes = encode(&*self.storage, &renewed)?;
        if !change(&*self.storage, &renewed, Change::Write(&bytes)).await? {
            lease.storage = None;
            return Err(renewed.lost());
        }
        lease.document = renewed;
        Ok(())
    }

    /// Gives the lease back. Dropping a lease instead gives it back as far as that is possible.
    pub async fn release(&self, mut lease: Lease) -> Result<(), RecordError> {
        lease.storage = None;
        end(&*self.storage, &lease.document).await
    }
}

/// Fails where the stored lease is not of one taking with this lease.
pub(super) async fn check_held(storage: &dyn Storage, lease: &Lease) -> Result<(), RecordError> {
    held(storage, &lease.document).await?.map(|_| ()).ok_or_else(|| lease.document.lost())
}

/// Ends a lease that is still held: removes its document, or writes a lease that has ended.
async fn end(storage: &dyn Storage, ours: &LeaseDocument) -> Result<(), RecordError> {
    let ended = encode(storage, &ours.lasting(Duration::ZERO))?;
    change(storage, ours, Change::Remove { tombstone: &ended }).await?;
    Ok(())
}

fn encode(storage: &dyn Storage, document: &LeaseDocument) -> Result<Vec<u8>, RecordError> {
    document.encode(&storage.place(&LeaseDocument::address(&document.environment)))
}

/// Changes the stored lease while it is of one taking with `ours`; false when it is of another taking.
async fn change(
    storage: &dyn Storage,
    ours: &LeaseDocument,
    change: Change<'_>,
) -> Result<bool, RecordError> {
    let address = LeaseDocument::address(&ours.environment);
    while let Some(revision) = held(storage, ours).await? {
        if let Put::Done(_) = storage.put(&address, change, &revision).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The revision of the stored lease; none when the stored lease is of another taking than `ours`.
async fn held(storage: &dyn Storage, ours: &LeaseDocument) -> Result<Option<Revision>, RecordError> {
    let (stored, revision) = read(storage, &ours.environment).await?;
    Ok(stored.filter(|stored| stored.is_taking(ours)).map(|_| revision))
}

/// The stored lease on an environment, or none, and the revision of the lease's document.
async fn read(
    storage: &dyn Storage,
    environment: &EnvironmentName,
) -> Result<(Option<LeaseDocument>, Revision), RecordError> {
    let address = LeaseDocument::address(environment);
    let document = storage.get(&address).await?;
    let revision = document.revision();
    let decode = |bytes: Vec<u8>| LeaseDocument::decode(&bytes, &storage.place(&address));
    Ok((document.content.map(decode).transpose()?, revision))
}

/// Does some work while renewing the lease at every third of its life.
///
/// The work is dropped, which cancels it, when the lease is lost, or when the lease could not be renewed before
/// its end. A failed renewal in between is passed over: the next attempt comes before the lease's end.
pub async fn hold<T>(
    records: &Records,
    lease: &mut Lease,
    work: impl Future<Output = T>,
) -> Result<T, RecordError> {
    let pause = lease.life / 3;
    let renewing = async {
        loop {
            tokio::time::sleep(pause).await;
            match records.renew(lease).await {
                Err(error)
                    if error.is_lease() || OffsetDateTime::now_utc() + pause > lease.document.until =>
                {
                    return error;
                }
                _ => {}
            }
        }
    };
    tokio::select! {
        biased;
        done = work => Ok(done),
        error = renewing => Err(error),
    }
}
