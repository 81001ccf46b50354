//! What the snapshots of a commit and of the working tree have in common.

use std::collections::HashSet;

use bstr::{BStr, BString};
use dtbuild_cache::tree::{Filter, Kind, Verdict};

/// A filter that also leaves out the given folders.
///
/// A build shows a folder that a filter empties; a commit has it only if git has something in it. For the same
/// files to have the same digest, the working tree leaves out the folders that a commit would not have.
pub(super) struct Kept<'a, F> {
    filter: &'a F,
    left_out: HashSet<BString>,
}

impl<'a, F: Filter> Kept<'a, F> {
    pub(super) fn new(filter: &'a F, left_out: HashSet<BString>) -> Self {
        Self { filter, left_out }
    }
}

impl<F: Filter> Filter for Kept<'_, F> {
    type State = F::State;

    fn root(&self) -> Self::State {
        self.filter.root()
    }

    fn enter(&self, state: &Self::State, path: &BStr, kind: Kind) -> (Verdict, Self::State) {
        let (verdict, below) = self.filter.enter(state, path, kind);
        let left_out = kind == Kind::Folder && self.left_out.contains(path);
        (if left_out { Verdict::Excluded } else { verdict }, below)
    }

    fn below(&self, state: &Self::State) -> Option<bool> {
        self.filter.below(state)
    }

    fn forgotten(&self, state: &Self::State) -> bool {
        self.filter.forgotten(state)
    }
}

/// Whether a file of this many bytes can be an LFS pointer; the format allows less than 1024.
pub(super) fn is_pointer_size(size: u64) -> bool {
    (100..1024).contains(&size)
}

/// Whether this is the text that Git LFS stores in place of a file.
pub(super) fn lfs_pointer(content: &[u8]) -> bool {
    content.starts_with(b"version https://git-lfs.github.com/spec/v1")
}
