//! The git repository of a build: commits, the working tree, and what differs between them. Start with [`Repository`].
//!
//! - `commit` reads a commit from git's objects: [`CommitTree`] is a folder of a commit as an input tree, and
//!   [`Repository::changed_paths`] lists the paths that differ between two commits.
//! - `disk` reads the working tree: [`WorkingTree`] is a folder of the disk as an input tree, and
//!   [`Repository::changed_in_working_tree`] lists the paths by which the disk differs from HEAD.
//! - The files beside them serve both: the opened repository, its objects, revisions, paths, errors.
//!
//! Both input trees give a digest for the key and a [`Snapshot`](dtbuild_content::snapshot::Snapshot) for the build.
//! Equal content has equal ids in both, so that a clean checkout has the digest of its commit: a file of Git LFS has
//! the id of its pointer, a submodule the id of its commit. Changed paths only explain a decision; the keys decide.
//! [`Repository::fetched_changes`] fetches a missing commit, and [`Repository::remote_tip`] asks for a branch's newest, with the
//! `git` program (`program`).

mod advice;
mod ancestry;
mod attributes;
mod commit;
mod disk;
mod environment;
mod error;
mod fetch;
mod lfs;
mod memory;
mod objects;
mod open;
mod path;
pub(crate) mod program;
mod remote;
mod repository;
mod revision;
mod submodules;
mod trust;

pub use ancestry::Ancestry;
pub use commit::CommitTree;
pub use disk::WorkingTree;
pub use error::{GitError, MissingReason, SubmoduleMapping};
pub use fetch::FetchError;
pub use repository::Repository;
pub use revision::{CommitId, Head, Presence};
