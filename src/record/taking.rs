//! The taking of a lease. Start with [`Records::take`].

use std::time::Duration;

use super::RecordError;
use super::document::Record;
use super::holder::Holder;
use super::lease::Lease;
use super::records::{Records, Stored, Swap};
use crate::config::EnvironmentName;

/// A record of a held lease, as an observer saw it.
struct Seen {
    nonce: String,
    /// The time on the observer's clock at which the record was seen first.
    at: Duration,
}

impl Records {
    /// Takes the lease on an environment; the lease lasts for `life` from its last renewal. A minute or two is a good
    /// life: a run that is killed on another machine blocks the environment for so long.
    ///
    /// A lease that is held is observed: it is taken when its holder gave it back, is known to have ended (on this
    /// machine), or did not renew it for the whole life. A renewal ends the observation with an error once `wait` is over.
    /// `observing` is told of each holder that is waited for.
    pub async fn take(
        &self,
        environment: &EnvironmentName,
        life: Duration,
        wait: Duration,
        observing: impl Fn(&Holder),
    ) -> Result<Lease, RecordError> {
        let until = self.clock.elapsed() + wait;
        let mut seen: Option<Seen> = None;
        loop {
            let begun = self.clock.elapsed();
            let stored = self.read(environment).await?;
            if let Some(holder) = live_holder(&stored.record, (begun, life), seen.as_ref()) {
                let is_same = seen.as_ref().is_some_and(|seen| seen.nonce == stored.record.nonce);
                if !is_same {
                    if seen.is_some() && self.clock.elapsed() >= until {
                        return Err(held(environment, holder));
                    }
                    if seen.is_none() {
                        observing(holder);
                    }
                    seen = Some(Seen { nonce: stored.record.nonce.clone(), at: self.clock.elapsed() });
                }
                self.clock.sleep(holder.life().max(life) / 40).await;
                continue;
            }
            if let Some(lease) = self.try_take(stored, life).await? {
                return Ok(lease);
            }
        }
    }

    /// Writes this run into the record as its holder; none when another run changed the record first.
    async fn try_take(&self, stored: Stored, life: Duration) -> Result<Option<Lease>, RecordError> {
        let Stored { mut record, revision, carried_over } = stored;
        record.generation += 1;
        record.holder = Some(Holder::this_process(life, self.clock.now()));
        let begun = self.clock.elapsed();
        let mut stored = match self.swap(&mut record, &revision).await? {
            Swap::Done(revision) => Stored { record, revision, carried_over },
            Swap::Changed(_) => return Ok(None),
        };
        if let Some(settle) = self.settle() {
            self.clock.sleep(settle).await;
            let now = self.read(stored.record.environment()).await?;
            if now.record.nonce != stored.record.nonce {
                return Ok(None);
            }
            stored.revision = now.revision;
        }
        Ok(Some(Lease::taken(self.clone(), stored, life, begun)))
    }
}

/// The holder of the lease; none where nobody holds it, or its holder is gone: ended on this machine, or silent for
/// the whole life when the record was read, which began at `begun`.
fn live_holder<'r>(
    record: &'r Record,
    (begun, life): (Duration, Duration),
    seen: Option<&Seen>,
) -> Option<&'r Holder> {
    let holder = record.holder()?;
    let life = holder.life().max(life);
    let is_silent = seen.is_some_and(|seen| seen.nonce == record.nonce && begun >= seen.at + life);
    (!is_silent && !holder.is_gone()).then_some(holder)
}

fn held(environment: &EnvironmentName, holder: &Holder) -> RecordError {
    RecordError::LeaseHeld { environment: environment.clone(), holder: Box::new(holder.clone()) }
}
