//! The commits of a repository, read from git's objects and never from the disk. Start with [`CommitTree`].

mod checkout_filters;
mod contents;
mod diff;
pub(super) mod lookup;
mod submodule;
mod tree;

pub use tree::CommitTree;
