//! Git, seen from a build: what changed, what a commit holds, what the working tree holds.
//!
//! Start with [`Repository`]; what flows out of it:
//!
//! - [`Repository::changed_paths`] compares the trees of two commits, [`Repository::changed_in_working_tree`]
//!   the disk with a commit. Both only *explain*: what is rebuilt is decided by keys;
//!   [`Repository::fetched_changes`] fetches a commit that is missing, by the `git` program, which nothing else runs;
//! - [`CommitTree`] and [`WorkingTree`] are the two sources of an input tree: they list a folder for its
//!   digest, and turn it into the [`Snapshot`](dtbuild_content::snapshot::Snapshot) that a build is sent.
//!
//! The same content has the same ids in both: a clean checkout has the digest of its commit. A file that Git LFS
//! keeps has the id of its pointer, a submodule that of its commit.

mod advice;
mod attributes;
mod changes;
mod clean;
mod commit_contents;
mod commit_tree;
mod diff;
mod disk;
mod disk_contents;
mod disk_submodules;
mod error;
mod fetch;
mod folder;
mod index;
mod lfs;
mod listing;
mod objects;
mod open;
mod paths;
mod reading;
mod remembering;
mod remote;
mod resolve;
mod shared;
mod sizes;
mod snapshot;
mod submodules;
mod survey;
mod tracking;
mod working_tree;

pub use commit_tree::CommitTree;
pub use error::{GitError, MissingReason};
pub use fetch::FetchError;
pub use open::Repository;
pub use resolve::{CommitId, Head, Presence};
pub use working_tree::WorkingTree;
