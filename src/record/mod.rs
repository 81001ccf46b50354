//! Records: what each environment runs and has run, and the lease on changing it.
//!
//! Start with [`Record`]. A [`Store`] keeps the records: in a [`Folder`], or as artifacts in a registry
//! ([`Artifacts`]). Nothing is written but under a [`Lease`]:
//!
//! 1. [`Store::check_writable`], before any work whose result would have to be kept;
//! 2. [`Store::acquire`], then [`hold`] around the work, which renews the lease while it goes on;
//! 3. [`Store::read`], [`Record::add`], [`Store::write`] with the revision that was read;
//! 4. [`Store::release`].

use std::path::Path;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::config::{EnvironmentName, RecordStore};
use crate::registry::Registry;

mod artifacts;
mod document;
mod error;
mod folder;
mod lease;

pub use artifacts::Artifacts;
pub use document::{DeployedImage, Deployment, Outcome, Record};
pub use error::RecordError;
pub use folder::Folder;
pub use lease::{Lease, Owner, hold};

/// A state of a stored record: writing names the one that was read, so that no update is lost unseen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision(Option<String>);

/// A record as it was read.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The record; an empty one for an environment without deployments.
    pub record: Record,
    /// The state that it was read in.
    pub revision: Revision,
}

/// Where the records of environments are kept.
pub trait Store: Send + Sync {
    /// Finds out whether records can be written, by trying; for use before any work.
    fn check_writable(&self) -> BoxFuture<'_, Result<(), RecordError>>;

    /// Reads an environment's record.
    fn read<'a>(&'a self, environment: &'a EnvironmentName) -> BoxFuture<'a, Result<Stored, RecordError>>;

    /// Writes a record, if the lease is held still and the stored state is the `revision` that was read.
    fn write<'a>(
        &'a self,
        record: &'a Record,
        revision: &'a Revision,
        lease: &'a Lease,
    ) -> BoxFuture<'a, Result<Revision, RecordError>>;

    /// Takes the lease on an environment for `life`, from its last renewal on. Half a minute to some minutes
    /// is a good life: a run that is killed blocks the environment for so long.
    fn acquire<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        life: Duration,
    ) -> BoxFuture<'a, Result<Lease, RecordError>>;

    /// Makes the lease last for its life from now on; an error when another run has it.
    fn renew<'a>(&'a self, lease: &'a mut Lease) -> BoxFuture<'a, Result<(), RecordError>>;

    /// Gives the lease back. A lease that is dropped instead is given back as far as that is possible.
    fn release(&self, lease: Lease) -> BoxFuture<'_, Result<(), RecordError>>;
}

/// The store that `build.toml` names; a folder is taken from `root`, the repository's.
#[must_use]
pub fn open(configured: &RecordStore, root: &Path, registry: &Registry) -> Box<dyn Store> {
    match configured {
        RecordStore::Folder(folder) => Box::new(Folder::new(root.join(folder))),
        RecordStore::Registry(repository) => Box::new(Artifacts::new(registry.clone(), repository.clone())),
    }
}
