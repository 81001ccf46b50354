//! The records of environments over a storage: [`Records`].

use std::sync::Arc;

use super::RecordError;
use super::document::{self, Record};
use super::lease::{self, Lease};
use super::storage::{Address, Change, Put, Revision, Storage};
use crate::config::EnvironmentName;

/// What an artifact with a record is.
const MEDIA_TYPE: &str = "application/vnd.dtbuild.record.v1+json";

/// The records of a project's environments, and the leases on changing them. Clones share the storage.
#[derive(Clone, Debug)]
pub struct Records {
    pub(super) storage: Arc<dyn Storage>,
}

/// A record as it was read.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The record; an empty one for an environment without deployments.
    pub record: Record,
    /// The revision that was read: a write names it, so that no update is lost unseen.
    pub revision: Revision,
}

impl Records {
    /// The records in this storage.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage }
    }

    /// Finds out whether records can be written, by trying; for use before any work.
    pub async fn check_writable(&self) -> Result<(), RecordError> {
        self.storage.check_writable().await
    }

    /// Reads an environment's record; an empty one where there is none.
    pub async fn read(&self, environment: &EnvironmentName) -> Result<Stored, RecordError> {
        let address = address(environment);
        let document = self.storage.get(&address).await?;
        let record = match &document.content {
            None => Record::new(environment.clone()),
            Some(bytes) => Record::decode(bytes, environment, &self.storage.place(&address))?,
        };
        Ok(Stored { record, revision: document.revision() })
    }

    /// Reads an environment's record without the deployments before the one that the environment runs: for who
    /// asks what that is, and writes nothing.
    pub async fn read_newest(&self, environment: &EnvironmentName) -> Result<Record, RecordError> {
        let address = address(environment);
        // A file is read faster than a thread is started to wait for it.
        let storage = self.storage.on_this_thread().unwrap_or_else(|| Arc::clone(&self.storage));
        match storage.get(&address).await?.content {
            None => Ok(Record::new(environment.clone())),
            Some(bytes) => Record::decode_newest(&bytes, environment, &storage.place(&address)),
        }
    }

    /// Writes a record, if the lease is held still and `read` is the stored revision.
    ///
    /// The lease is looked at before and after: a run that lost it while it wrote goes no further, and its
    /// successor finds that the record has changed.
    pub async fn write(
        &self,
        record: &Record,
        read: &Revision,
        lease: &Lease,
    ) -> Result<Revision, RecordError> {
        let address = address(record.environment());
        let place = self.storage.place(&address);
        let bytes = record.encode(&place)?;
        lease::check_held(&*self.storage, lease).await?;
        let Put::Done(written) = self.storage.put(&address, Change::Write(&bytes), read).await? else {
            return Err(RecordError::Conflict { place });
        };
        lease::check_held(&*self.storage, lease).await?;
        Ok(written)
    }
}

fn address(environment: &EnvironmentName) -> Address {
    Address::new("", environment, MEDIA_TYPE, document::SIZE_LIMIT)
}
