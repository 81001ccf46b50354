//! Records: the deployments of each environment, and the lease, which is the right to deploy to an environment.
//!
//! Start with [`Record`]. [`Records`] reads and writes the records, and takes the leases. The logic of records and
//! leases stands once, above a thin [`Storage`] that keeps named documents and changes them by compare-and-swap: a
//! [`Folder`], a repository of a registry (`clients::RegistryStorage`), or [`Memory`] in tests. A further storage
//! implements [`Storage`] and nothing else.
//!
//! An environment has two documents: its record under its name, and the lease under `_lease.` and its name.
//! A record is written only under a [`Lease`]:
//!
//! 1. [`Records::check_writable`], before any work whose result has to be recorded;
//! 2. [`Records::acquire`], then [`hold`] around the work, which renews the lease while it goes on;
//! 3. [`Records::read`], [`Record::add`], [`Records::write`] with the revision of the record that was read;
//! 4. [`Records::release`].

mod document;
mod error;
mod folder;
mod lease;
mod memory;
mod records;
mod storage;

pub use document::{DeployedImage, Deployment, Outcome, Record};
pub use error::RecordError;
pub use folder::Folder;
pub use lease::{Lease, Owner, hold};
pub use memory::Memory;
pub use records::{Records, Stored};
pub use storage::{Address, Change, Document, Put, Revision, Storage};
