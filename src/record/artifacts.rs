//! Records in a registry: an OCI artifact `<repository>:<environment>`, and the lease as `_lease.<environment>`.
//!
//! Registries have no compare-and-swap: the last PUT of a tag wins. Three things narrow the gap. A lease
//! counts only after a pause and a read-back that finds it still there, so of two runs that take it at the
//! same time the one that was overwritten steps back. A record is written only while the lease is ours and
//! the tag names what was read. It is read back, and an overwritten one is told as a conflict. What stays
//! open is a writer that stalls for longer than the pause between its last look and its PUT; where that is
//! not good enough, keep the records in a folder, or let CI run one deployment at a time.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::lease::{self, LeaseDocument};
use super::{Lease, Record, RecordError, Revision, Store, Stored, document};
use crate::config::EnvironmentName;
use crate::reference::{Reference, Repository};
use crate::registry::{Kind, Registry, RegistryError};

/// What the artifacts are.
const RECORD_TYPE: &str = "application/vnd.dtbuild.record.v1+json";
const LEASE_TYPE: &str = "application/vnd.dtbuild.lease.v1+json";

/// How long a lease must stay in place before it counts: several round trips to a far registry.
const SETTLE: Duration = Duration::from_millis(400);

/// Records as artifacts in one repository of a registry.
#[derive(Clone, Debug)]
pub struct Artifacts {
    registry: Registry,
    repository: Repository,
}

impl Artifacts {
    /// The records in this repository.
    #[must_use]
    pub fn new(registry: Registry, repository: Repository) -> Self {
        Self { registry, repository }
    }

    fn reference(&self, tag: &str) -> Result<Reference, RecordError> {
        let invalid = |error: crate::reference::ReferenceError| {
            RegistryError::new(
                format!("name a record in `{}`", self.repository),
                Kind::Name(error.to_string()),
            )
        };
        Ok(self.repository.tagged(tag).map_err(invalid)?)
    }

    fn record_reference(&self, environment: &EnvironmentName) -> Result<Reference, RecordError> {
        self.reference(environment.as_str())
    }

    fn lease_reference(&self, environment: &EnvironmentName) -> Result<Reference, RecordError> {
        self.reference(&format!("_lease.{environment}"))
    }

    async fn read_record(&self, environment: &EnvironmentName) -> Result<Stored, RecordError> {
        let place = self.record_reference(environment)?;
        let found = self.registry.pull_artifact(&place, RECORD_TYPE, document::SIZE_LIMIT).await?;
        Ok(match found {
            None => Stored { record: Record::new(environment.clone()), revision: Revision(None) },
            Some(artifact) => Stored {
                record: Record::decode(&artifact.content, environment, &place.to_string())?,
                revision: Revision(Some(artifact.digest.to_string())),
            },
        })
    }

    async fn write_record(
        &self,
        record: &Record,
        read: &Revision,
        ours: &LeaseDocument,
    ) -> Result<Revision, RecordError> {
        let place = self.record_reference(record.environment())?;
        let bytes = record.encode(&place.to_string())?;
        let conflict = || RecordError::Conflict { place: place.to_string() };
        if !self.is_held(ours).await? {
            return Err(RecordError::LeaseLost { environment: ours.environment.clone() });
        }
        let there = self.registry.digest(&place).await?.map(|digest| digest.to_string());
        if there != read.0 {
            return Err(conflict());
        }
        let written = self.registry.push_artifact(&place, RECORD_TYPE, &bytes).await?;
        if self.registry.digest(&place).await?.as_ref() != Some(&written) {
            return Err(conflict());
        }
        Ok(Revision(Some(written.to_string())))
    }

    async fn take_lease(&self, ours: &LeaseDocument) -> Result<(), RecordError> {
        if let Some(theirs) = self.stored_lease(&ours.environment).await?
            && theirs.is_live()
        {
            return Err(theirs.held());
        }
        self.write_lease(ours).await?;
        tokio::time::sleep(SETTLE).await;
        match self.stored_lease(&ours.environment).await? {
            Some(stored) if stored.token == ours.token => Ok(()),
            Some(theirs) => Err(theirs.held()),
            None => Err(RecordError::LeaseLost { environment: ours.environment.clone() }),
        }
    }

    /// Ends a lease by one that has ended: registries need not allow deletions, and many do not.
    async fn end_lease(&self, ours: &LeaseDocument) -> Result<(), RecordError> {
        if !self.is_held(ours).await? {
            return Ok(());
        }
        self.write_lease(&ours.lasting(Duration::ZERO)).await
    }

    async fn is_held(&self, ours: &LeaseDocument) -> Result<bool, RecordError> {
        let stored = self.stored_lease(&ours.environment).await?;
        Ok(stored.is_some_and(|stored| stored.token == ours.token))
    }

    async fn stored_lease(
        &self,
        environment: &EnvironmentName,
    ) -> Result<Option<LeaseDocument>, RecordError> {
        let place = self.lease_reference(environment)?;
        let found = self.registry.pull_artifact(&place, LEASE_TYPE, lease::SIZE_LIMIT).await?;
        found.map(|artifact| LeaseDocument::decode(&artifact.content, &place.to_string())).transpose()
    }

    async fn write_lease(&self, ours: &LeaseDocument) -> Result<(), RecordError> {
        let place = self.lease_reference(&ours.environment)?;
        let bytes = ours.encode(&place.to_string())?;
        self.registry.push_artifact(&place, LEASE_TYPE, &bytes).await?;
        Ok(())
    }
}

impl Store for Artifacts {
    fn check_writable(&self) -> BoxFuture<'_, Result<(), RecordError>> {
        Box::pin(async { Ok(self.registry.check_push(&self.repository).await?) })
    }

    fn read<'a>(&'a self, environment: &'a EnvironmentName) -> BoxFuture<'a, Result<Stored, RecordError>> {
        Box::pin(self.read_record(environment))
    }

    fn write<'a>(
        &'a self,
        record: &'a Record,
        revision: &'a Revision,
        lease: &'a Lease,
    ) -> BoxFuture<'a, Result<Revision, RecordError>> {
        Box::pin(self.write_record(record, revision, &lease.document))
    }

    fn acquire<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        life: Duration,
    ) -> BoxFuture<'a, Result<Lease, RecordError>> {
        Box::pin(async move {
            let ours = LeaseDocument::new(environment.clone(), life);
            self.take_lease(&ours).await?;
            let store = self.clone();
            let end = move |ours: LeaseDocument| {
                // Best effort: where no runtime is left to send it, the lease ends by itself.
                if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                    runtime.spawn(async move { store.end_lease(&ours).await });
                }
            };
            Ok(Lease { document: ours, life, end: Some(Box::new(end)) })
        })
    }

    fn renew<'a>(&'a self, lease: &'a mut Lease) -> BoxFuture<'a, Result<(), RecordError>> {
        Box::pin(async move {
            let renewed = lease.document.lasting(lease.life);
            if !self.is_held(&renewed).await? {
                lease.disarm();
                return Err(lease.lost());
            }
            self.write_lease(&renewed).await?;
            lease.document = renewed;
            Ok(())
        })
    }

    fn release(&self, mut lease: Lease) -> BoxFuture<'_, Result<(), RecordError>> {
        lease.disarm();
        Box::pin(async move { self.end_lease(&lease.document).await })
    }
}
