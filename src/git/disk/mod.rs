//! The working tree of a repository, read from the disk. Start with [`WorkingTree`].
//!
//! `walk` lists the folders that a filter lets in, `identify` finds the content ids of their files: from the stat
//! cache, from git's index where `trusted_index` vouches for it, otherwise by hashing their bytes.

mod attributes;
mod blob_sizes;
mod changes;
mod content_id;
mod contents;
mod folder;
mod folders;
mod identify;
mod index;
mod lookup;
mod memory;
mod remembered_digest;
mod submodules;
mod system;
mod trusted_index;
mod walk;
mod working_tree;

pub(super) use memory::DiskMemory;
pub use working_tree::WorkingTree;
