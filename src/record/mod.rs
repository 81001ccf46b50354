//! Records: one document per environment, with its lease, its hold and its newest deployments.
//!
//! Start with [`Record`]. [`Records`] reads the records and takes the leases. The logic of records and leases stands
//! once, above a thin [`Storage`] that keeps named documents and changes them by compare-and-swap: a [`Folder`],
//! git's remote (`clients::GitStorage`), a repository of a registry (`clients::RegistryStorage`), or [`Memory`] in tests. A further storage implements
//! [`Storage`] and nothing else.
//!
//! The record is all that runs share. Every change of it, the lease included, is one compare-and-swap against the
//! revision that was read, and is made under a [`Lease`]:
//!
//! 1. [`Records::check_writable`], before any work whose result has to be recorded;
//! 2. [`Records::take`], then [`Lease::hold`] around the work, which renews the lease while it goes on;
//! 3. [`Lease::add`], which begins the entry of the deployment before anything moves that the environment sees;
//! 4. [`Lease::finish`], which completes the entry and gives the lease back in one write.

mod clock;
mod document;
mod error;
mod folder;
mod holder;
mod lease;
mod memory;
mod records;
#[cfg(test)]
mod simulation;
mod storage;
mod taking;

pub use clock::{Clock, SystemClock};
pub use document::{DeployedImage, Deployment, Hold, Outcome, Record};
pub use error::RecordError;
pub use folder::Folder;
pub use holder::Holder;
pub use lease::Lease;
pub use memory::Memory;
pub use records::{Records, Stored};
pub use storage::{Address, Document, Part, Put, Revision, Storage};
