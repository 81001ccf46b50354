//! The storage of records in a registry. It connects `record` and `registry`, which do not know each other.
//! Start with [`RegistryStorage`].
//!
//! The documents are OCI artifacts in one repository, each with its project, environment and generation as the tag.
//!
//! Registries have no compare-and-swap: the last PUT of a tag wins. A document is changed only while its tag
//! names the revision that was read, and the tag is read back, so that a change that was overwritten at once is
//! reported as not made. One gap remains: a writer that stalls between its look at the tag and its PUT. A
//! writer that needs to be sure looks again after [`Storage::settle`]. If that is not good enough, keep the
//! records in a folder, or let CI run one deployment at a time.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::config::EnvironmentName;
use crate::record::{Address, Document, Part, Put, RecordError, Revision, Storage};
use crate::reference::{Reference, Repository};
use crate::registry::{Kind, Registry, RegistryError};

/// The time that a change must stay in place before it counts: several round trips to a far registry.
const SETTLE: Duration = Duration::from_millis(400);

/// A storage that keeps documents as artifacts in one repository of a registry.
#[derive(Clone, Debug)]
pub struct RegistryStorage {
    registry: Registry,
    repository: Repository,
}

impl RegistryStorage {
    /// The storage of documents in this repository.
    #[must_use]
    pub fn new(registry: Registry, repository: Repository) -> Self {
        Self { registry, repository }
    }

    fn reference(&self, address: &Address) -> Result<Reference, RecordError> {
        let invalid = |error: crate::reference::ReferenceError| {
            RegistryError::new(
                format!("name a record in `{}`", self.repository),
                Kind::Name(error.to_string()),
            )
        };
        self.repository.tagged(&tag(address)).map_err(|error| failed(invalid(error)))
    }

    async fn pull(&self, address: &Address) -> Result<Document, RecordError> {
        let place = self.reference(address)?;
        let found = self
            .registry
            .pull_artifact(&place, address.part.media_type(), address.part.size_limit())
            .await
            .map_err(failed)?;
        Ok(match found {
            None => Document::of(None),
            Some(artifact) => Document::tagged(artifact.content, artifact.digest.to_string()),
        })
    }

    async fn push(&self, address: &Address, content: &[u8], read: &Revision) -> Result<Put, RecordError> {
        let place = self.reference(address)?;
        if self.revision(&place).await? != *read {
            return Ok(Put::Changed);
        }
        let written =
            self.registry.push_artifact(&place, address.part.media_type(), content).await.map_err(failed)?;
        let written = Revision::tagged(written.to_string());
        let is_there = self.revision(&place).await? == written;
        Ok(if is_there { Put::Done(written) } else { Put::Changed })
    }

    async fn revision(&self, place: &Reference) -> Result<Revision, RecordError> {
        let digest = self.registry.digest(place).await.map_err(failed)?;
        Ok(digest.map_or(Revision::of(None), |digest| Revision::tagged(digest.to_string())))
    }
}

impl Storage for RegistryStorage {
    fn check_writable(&self) -> BoxFuture<'_, Result<(), RecordError>> {
        Box::pin(async { self.registry.check_push(&self.repository).await.map_err(failed) })
    }

    fn get<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Document, RecordError>> {
        Box::pin(self.pull(address))
    }

    fn put<'a>(
        &'a self,
        address: &'a Address,
        content: &'a [u8],
        read: &'a Revision,
    ) -> BoxFuture<'a, Result<Put, RecordError>> {
        Box::pin(self.push(address, content, read))
    }

    fn past<'a>(
        &'a self,
        project: &'a str,
        environment: &'a EnvironmentName,
    ) -> BoxFuture<'a, Result<Vec<u64>, RecordError>> {
        Box::pin(async move {
            let prefix = past_prefix(project, environment);
            let tags = self.registry.tags(&self.repository).await.map_err(failed)?;
            Ok(tags.iter().filter_map(|tag| tag.strip_prefix(&prefix)?.parse().ok()).collect())
        })
    }

    fn place(&self, address: &Address) -> String {
        format!("{}:{}", self.repository, tag(address))
    }

    fn settle(&self) -> Option<Duration> {
        Some(SETTLE)
    }
}

/// The tag of a document. Two projects whose tags are the same (`a.b` and `c`, `a` and `b.c`) find each other's name in
/// the document.
fn tag(Address { project, environment, part }: &Address) -> String {
    match part {
        Part::Record => format!("{project}.{environment}"),
        Part::Past(generation) => format!("{}{generation}", past_prefix(project, environment)),
        Part::Older => environment.to_string(),
    }
}

/// The beginning of the tags of past deployments. No project's name begins with `_`.
fn past_prefix(project: &str, environment: &EnvironmentName) -> String {
    format!("_{project}.{environment}.")
}

fn failed(error: RegistryError) -> RecordError {
    RecordError::Storage(Box::new(error))
}
