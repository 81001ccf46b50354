//! The records of environments over a storage: [`Records`].

use std::sync::Arc;

use super::RecordError;
use super::document::{self, Record};
use super::lease::{self, Lease};
use super::storage::{Address, Change, Put, Revision, Storage};
use crate::config::EnvironmentName;

/// The artifact type of a record at a registry.
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
    /// The revision of the record that was read. A write names this revision, so that no update of another run
    /// is lost.
    pub revision: Revision,
}

impl Records {
    /// The records in a storage.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage }
    }

    /// Tries to write to the storage, so that a storage that cannot be written is found before any work.
    pub async fn check_writable(&self) -> Result<(), RecordError> {
        self.storage.check_writable().await
    }

    /// Reads an environment's record; an empty record where none is stored.
    pub async fn read(&self, environment: &EnvironmentName) -> Result<Stored, RecordError> {
        let address = address(environment);
        let document = self.storage.get(&address).await?;
        let record = match &document.content {
            None => Record::new(environment.clone()),
            Some(bytes) => Record::decode(bytes, environment, &self.storage.place(&address))?,
        };
        Ok(Stored { record, revision: document.revision() })
    }

    /// Reads an environment's record down to the deployment that the environment runs; older deployments are
    /// left out. For callers that ask what the environment runs and write nothing.
    pub async fn read_newest(&self, environment: &EnvironmentName) -> Result<Record, RecordError> {
        let address = address(environment);
        // Reading a file takes less time than starting a thread that waits for the file.
        let storage = self.storage.on_this_thread().unwrap_or_else(|| Arc::clone(&self.storage));
        match storage.get(&address).await?.content {
            None => Ok(Record::new(environment.clone())),
            Some(bytes) => Record::decode_newest(&bytes, environment, &storage.place(&address)),
        }
    }

    /// Writes a record, if `lease` is still held and `read` is the stored revision.
    ///
    /// The lease is checked before and after the write: a run that lost the lease while it wrote goes no
    /// further, and its successor finds that the record has changed.
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
