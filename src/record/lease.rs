//! The lease: the time-limited, fenced right to deploy to an environment. Start with [`Lease`].
//!
//! A lease is the record's `holder`, with a generation that every taking raises. Whoever holds it writes only a record of
//! that generation: a run that lost its lease (its machine slept, say) cannot overwrite what its successor wrote.
//!
//! No machine's date decides anything. A run renews its lease, and counts it as lost when two thirds of the lease's life
//! went by on its own clock since the last renewal began; no write is begun later. Another run takes the lease after it has
//! seen the record unchanged for the whole life on its own clock (`taking.rs`).

use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::watch;

use super::document::Record;
use super::records::{Records, Stored, Swap};
use super::{Deployment, RecordError};
use crate::config::EnvironmentName;

/// The number of times that a write is tried whose answer is lost and which the record shows as not made.
const ATTEMPTS: u32 = 3;

/// The pause before a write is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// The right to deploy to an environment. Dropping the lease gives it back.
#[derive(Debug)]
pub struct Lease {
    records: Records,
    /// The record as it was last read or written.
    stored: Stored,
    generation: u64,
    life: Duration,
    /// The time on the own clock before the last write that is known to be made.
    confirmed: Duration,
    renewals: watch::Sender<()>,
    given_back: bool,
}

impl Lease {
    /// The lease of a run that wrote itself into the record as its holder. The write was begun at `confirmed`.
    pub(super) fn taken(records: Records, stored: Stored, life: Duration, confirmed: Duration) -> Self {
        let generation = stored.record.generation;
        let renewals = watch::Sender::new(());
        Self { records, stored, generation, life, confirmed, renewals, given_back: false }
    }

    /// The record as it was last read or written.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.stored.record
    }

    /// The number that this taking of the lease raised.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The renewals of the lease.
    #[must_use]
    pub fn renewals(&self) -> watch::Receiver<()> {
        self.renewals.subscribe()
    }

    /// The longest time between two renewals; after it, nothing is done under this lease.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.life * 2 / 3
    }

    /// Makes the lease last for its life from now on; an error when another run has the lease, or may have.
    pub async fn renew(&mut self) -> Result<(), RecordError> {
        self.write(|_| ()).await
    }

    /// Adds a deployment to the record, or completes its entry.
    pub async fn add(&mut self, deployment: &Deployment) -> Result<(), RecordError> {
        self.write(|record| record.add(deployment.clone())).await
    }

    /// Changes the record for the last time, and gives the lease back in the same write.
    pub async fn finish(&mut self, change: impl Fn(&mut Record)) -> Result<(), RecordError> {
        self.write(|record| {
            change(record);
            record.holder = None;
        })
        .await?;
        self.given_back = true;
        Ok(())
    }

    /// Gives the lease back. Dropping a lease instead gives it back as far as that is possible.
    pub async fn release(mut self) -> Result<(), RecordError> {
        if self.given_back {
            return Ok(());
        }
        match self.finish(|_| ()).await {
            Err(error) if error.is_lease() => {
                self.given_back = true;
                Ok(())
            }
            other => other,
        }
    }

    /// Writes a change of the record, which renews the lease; an error when the lease was lost. Nothing is written
    /// unless the write can end before two thirds of the lease's life are over.
    async fn write(&mut self, change: impl Fn(&mut Record)) -> Result<(), RecordError> {
        let mut attempt = 1;
        loop {
            let begun = self.records.clock.elapsed();
            let left = (self.deadline().checked_sub(begun)).filter(|_| !self.given_back);
            let left = left.filter(|left| !left.is_zero()).ok_or_else(|| self.lost())?;
            let mut record = self.stored.record.clone();
            if let Some(holder) = &mut record.holder {
                holder.renewed = self.records.clock.now();
            }
            change(&mut record);
            let swap = self.records.swap(&mut record, &self.stored.revision);
            let late = self.records.clock.sleep(left);
            // After a stall the time counts before the answer, which could ask for a pause before another attempt.
            let swapped = tokio::select! {
                biased;
                () = late => return Err(self.lost()),
                swapped = swap => swapped,
            };
            match swapped {
                Ok(Swap::Done(revision)) => {
                    self.stored = Stored { record, revision, carried_over: None };
                    self.confirmed = begun;
                    self.renewals.send_replace(());
                    return Ok(());
                }
                // An earlier write of this run, whose answer was lost.
                Ok(Swap::Changed(stored)) if stored.record.generation == self.generation => {
                    self.stored = *stored;
                }
                Ok(Swap::Changed(_)) => {
                    self.given_back = true;
                    return Err(self.lost());
                }
                Err(error) if attempt == ATTEMPTS => return Err(error),
                Err(_) => {
                    attempt += 1;
                    self.records.clock.sleep(PAUSE).await;
                }
            }
        }
    }

    /// The time on the own clock after which nothing is written or done under this lease: two thirds of its life.
    fn deadline(&self) -> Duration {
        self.confirmed + self.patience()
    }

    fn environment(&self) -> &EnvironmentName {
        self.stored.record.environment()
    }

    fn lost(&self) -> RecordError {
        RecordError::LeaseLost { environment: self.environment().clone() }
    }

    /// Does some work while renewing the lease at every sixth of its life.
    ///
    /// The work is dropped, which cancels it, when the lease is lost, or when it was not renewed for two thirds of its
    /// life. A failed renewal in between is passed over: the next attempt comes soon.
    pub async fn hold<T>(&mut self, work: impl Future<Output = T>) -> Result<T, RecordError> {
        let renewing = async {
            loop {
                let (now, deadline) = (self.records.clock.elapsed(), self.deadline());
                if now >= deadline {
                    return self.lost();
                }
                let next = self.confirmed + self.life / 6;
                let pause = next.saturating_sub(now).max(PAUSE).min(deadline.saturating_sub(now));
                self.records.clock.sleep(pause).await;
                match self.renew().await {
                    Err(error) if error.is_lease() => return error,
                    _ => {}
                }
            }
        };
        // After a stall the lease is looked at before any more work is done.
        tokio::select! {
            biased;
            error = renewing => Err(error),
            done = work => Ok(done),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.given_back || self.records.clock.elapsed() >= self.deadline() {
            return;
        }
        let (mut record, revision) = (self.stored.record.clone(), self.stored.revision.clone());
        record.holder = None;
        // A drop cannot report a failure and may have no runtime: the lease then ends by itself.
        if let Some(records) = self.records.on_this_thread() {
            let _ = records.swap(&mut record, &revision).now_or_never();
        } else if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let records = self.records.clone();
            runtime.spawn(async move { drop(records.swap(&mut record, &revision).await) });
        }
    }
}
