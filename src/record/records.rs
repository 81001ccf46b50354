//! The records of environments over a storage: [`Records`].

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::try_join_all;
use time::OffsetDateTime;

use super::clock::{Clock, SystemClock};
use super::document::{Deployment, Older, Outcome, Past, Record};
use super::storage::{Address, Part, Put, Revision, Storage};
use super::{RecordError, holder::Holder};
use crate::config::EnvironmentName;
use crate::random;
use crate::reference::Repository;

/// The records of a project's environments, and the leases on changing them. Clones share the storage.
#[derive(Clone, Debug)]
pub struct Records {
    storage: Arc<dyn Storage>,
    project: Arc<str>,
    pub(super) clock: Arc<dyn Clock>,
    older: Option<Arc<OlderRecords>>,
}

/// The place of records of format 1.
#[derive(Debug)]
struct OlderRecords {
    storage: Arc<dyn Storage>,
    /// The repositories of the project's images: older records do not name their project.
    repositories: BTreeSet<Repository>,
}

/// A record as it was read.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The record; an empty one for an environment without deployments.
    pub record: Record,
    /// The revision of the record that was read. A write names this revision, so that no update of another run
    /// is lost.
    pub(super) revision: Revision,
    /// The place of the older record that the deployments are carried over from; none once the record is stored.
    pub carried_over: Option<String>,
}

/// The result of a [`Records::swap`] that did not fail.
pub(super) enum Swap {
    Done(Revision),
    /// Another record is stored than the one that was read.
    Changed(Box<Stored>),
}

impl Records {
    /// The records of a project in a storage.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>, project: &str) -> Self {
        Self { storage, project: project.into(), clock: Arc::new(SystemClock), older: None }
    }

    /// The same records, with those of format 1 in `storage` for environments that have no record yet, as far as
    /// images in them are of these repositories.
    #[must_use]
    pub fn with_older(self, storage: Arc<dyn Storage>, repositories: BTreeSet<Repository>) -> Self {
        Self { older: Some(Arc::new(OlderRecords { storage, repositories })), ..self }
    }

    /// The same records by another clock.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// The remark for every run on what the storage cannot promise; none where it promises all.
    #[must_use]
    pub fn warning(&self) -> Option<&'static str> {
        self.storage.settle().map(|_| {
            "records at a registry are advisory: a registry has no compare-and-swap, so of two runs at one time one can \
             overwrite the other's record, and both can deploy; `[records] store = \"git\"` has no such gap, or let CI \
             run one deployment at a time"
        })
    }

    /// Tries to write to the storage, so that a storage that cannot be written is found before any work.
    pub async fn check_writable(&self) -> Result<(), RecordError> {
        self.storage.check_writable().await
    }

    /// Reads an environment's record; an empty record where none is stored.
    pub async fn read(&self, environment: &EnvironmentName) -> Result<Stored, RecordError> {
        self.read_from(&self.storage, environment, Record::decode).await
    }

    /// Reads an environment's record down to the deployment that the environment runs; older deployments are
    /// left out. For callers that ask what the environment runs and write nothing.
    pub async fn read_newest(&self, environment: &EnvironmentName) -> Result<Record, RecordError> {
        // Reading a file takes less time than starting a thread that waits for the file.
        let storage = self.storage.on_this_thread().unwrap_or_else(|| Arc::clone(&self.storage));
        Ok(self.read_from(&storage, environment, Record::decode_newest).await?.record)
    }

    async fn read_from(
        &self,
        storage: &Arc<dyn Storage>,
        environment: &EnvironmentName,
        decode: impl Fn(&[u8], (&str, &EnvironmentName), &str) -> Result<Record, RecordError>,
    ) -> Result<Stored, RecordError> {
        let address = self.address(environment, Part::Record);
        let document = storage.get(&address).await?;
        let revision = document.revision();
        if let Some(bytes) = &document.content {
            let record = decode(bytes, (&self.project, environment), &storage.place(&address))?;
            return Ok(Stored { record, revision, carried_over: None });
        }
        if let Some((record, place)) = self.carry_over(environment).await? {
            return Ok(Stored { record, revision, carried_over: Some(place) });
        }
        let record = Record::new(&self.project, environment.clone());
        Ok(Stored { record, revision, carried_over: None })
    }

    /// The record of format 1, in the form of today, with its place.
    async fn carry_over(
        &self,
        environment: &EnvironmentName,
    ) -> Result<Option<(Record, String)>, RecordError> {
        let Some(older) = &self.older else { return Ok(None) };
        let address = self.address(environment, Part::Older);
        let storage = older.storage.on_this_thread().unwrap_or_else(|| Arc::clone(&older.storage));
        let Some(bytes) = storage.get(&address).await?.content else { return Ok(None) };
        let place = storage.place(&address);
        let of = (&*self.project, environment);
        let record = Older::carry_over(&bytes, of, &older.repositories, &place)?;
        Ok(record.map(|record| (record, place)))
    }

    /// Writes a record under a new nonce, if `read` is the stored revision. A write whose answer is lost, or says that
    /// another write came first, may have been made all the same: the record that is stored then tells.
    ///
    /// Deployments that the record has no room for become documents of their own first.
    pub(super) async fn swap(&self, record: &mut Record, read: &Revision) -> Result<Swap, RecordError> {
        let address = self.address(record.environment(), Part::Record);
        record.nonce = random::id();
        let (bytes, past) = record.encode(&self.storage.place(&address))?;
        try_join_all(past.iter().map(|deployment| self.keep(record.environment(), deployment))).await?;
        let answer = self.storage.put(&address, &bytes, read).await;
        if let Ok(Put::Done(revision)) = answer {
            return Ok(Swap::Done(revision));
        }
        match (answer, self.read(record.environment()).await) {
            (_, Ok(stored)) if stored.record.nonce == record.nonce => Ok(Swap::Done(stored.revision)),
            (Ok(_), stored) => Ok(Swap::Changed(Box::new(stored?))),
            (Err(error), _) => Err(error),
        }
    }

    /// Stores a deployment as a document of its own, which never changes: one that is there already is the same.
    async fn keep(&self, environment: &EnvironmentName, deployment: &Deployment) -> Result<(), RecordError> {
        let address = self.address(environment, Part::Past(deployment.generation));
        let place = self.storage.place(&address);
        let bytes = Past::encode((&self.project, environment), deployment, &place)?;
        let (Put::Done(_) | Put::Changed) = self.storage.put(&address, &bytes, &Revision::absent()).await?;
        Ok(())
    }

    /// All deployments of an environment, the newest first: those of the record, and those that it has no room for.
    pub async fn history(&self, environment: &EnvironmentName) -> Result<Vec<Deployment>, RecordError> {
        let mut deployments = self.read(environment).await?.record.deployments().to_vec();
        let mut past = self.storage.past(&self.project, environment).await?;
        past.retain(|generation| deployments.iter().all(|known| known.generation != *generation));
        past.sort_unstable_by(|one, other| other.cmp(one));
        for generation in past {
            let address = self.address(environment, Part::Past(generation));
            let Some(bytes) = self.storage.get(&address).await?.content else { continue };
            let place = self.storage.place(&address);
            deployments.push(Past::decode(&bytes, (&self.project, environment), &place)?);
        }
        deployments.sort_by_key(|deployment| std::cmp::Reverse(deployment.generation));
        Ok(deployments)
    }

    /// Takes the lease away from its holder, for a reason that the history keeps. The holder writes nothing any more.
    /// Returns who held the lease; none where nobody did, and nothing is changed.
    pub async fn unlock(
        &self,
        environment: &EnvironmentName,
        reason: &str,
    ) -> Result<Option<Holder>, RecordError> {
        let mut stored = self.read(environment).await?;
        loop {
            let mut record = stored.record;
            record.generation += 1;
            let Some(holder) = record.holder.take() else { return Ok(None) };
            record.add(unlocking(self.clock.now(), reason, &holder));
            match self.swap(&mut record, &stored.revision).await? {
                Swap::Done(_) => return Ok(Some(holder)),
                Swap::Changed(changed) => stored = *changed,
            }
        }
    }

    /// The place of an environment's record, for people to read.
    pub(crate) fn place(&self, environment: &EnvironmentName) -> String {
        self.storage.place(&self.address(environment, Part::Record))
    }

    pub(super) fn address(&self, environment: &EnvironmentName, part: Part) -> Address {
        Address { project: self.project.to_string(), environment: environment.clone(), part }
    }

    /// The time within which a change may still be overwritten; none where compare-and-swap is atomic.
    pub(super) fn settle(&self) -> Option<std::time::Duration> {
        self.storage.settle()
    }

    /// The records in the same storage for callers without a runtime; none where answers come over a network.
    pub(super) fn on_this_thread(&self) -> Option<Self> {
        Some(Self { storage: self.storage.on_this_thread()?, ..self.clone() })
    }
}

/// The entry by which the history keeps an unlocking.
fn unlocking(now: OffsetDateTime, reason: &str, holder: &Holder) -> Deployment {
    Deployment {
        id: Deployment::name(now),
        generation: 0,
        commit: None,
        started: now,
        finished: Some(now),
        outcome: Outcome::Unlocked { reason: reason.to_owned(), holder: holder.to_string() },
        images: std::collections::BTreeMap::new(),
        deploy: None,
        deploy_inputs: None,
        deploy_settings: None,
        again: None,
        by: env!("CARGO_PKG_VERSION").to_owned(),
    }
}
