//! Submodules of the working tree: what of them is checked out, and what a key says of it.
//!
//! A submodule whose files are those of the commit that it is at is identified by that commit, as in a commit of
//! the repository around it; one with other files by the tree of what a build gets of it.

use std::cell::Ref;

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::tree::{ContentId, Filter, Kind, Node, Tree};

use super::diff::join;
use super::snapshot::Within;
use super::{GitError, Repository, WorkingTree};

impl WorkingTree {
    /// The submodule at `path` of this repository.
    pub(super) fn submodule(&self, path: &BStr) -> Result<Ref<'_, Self>, GitError> {
        self.submodules.get(path, |_| {
            let folder = self.listing.disk_path(path);
            let shown = self.listing.shown(path);
            if folder.join(".git").symlink_metadata().is_err() {
                return Err(self.unopened(path));
            }
            let opened = Repository::at(&folder)?.working_tree_in(BStr::new(""), shown.as_bstr())?;
            opened.ok_or(GitError::Changed { path: shown })
        })
    }

    /// Says that the submodule at `path` is not checked out.
    fn unopened(&self, path: &BStr) -> GitError {
        let commit = match self.pinned(path) {
            Ok(Some(commit)) => commit,
            Ok(None) => return GitError::Changed { path: self.listing.shown(path) },
            Err(error) => return error,
        };
        let (path, repository) = (self.listing.shown(path), self.listing.prefix.clone());
        GitError::Submodule { path, repository, commit, cloned: false }
    }

    /// The commit that the index has for the submodule at `path`.
    fn pinned(&self, path: &BStr) -> Result<Option<ContentId>, GitError> {
        Ok(self.listing.index.get()?.submodule(self.listing.place(path).as_bstr()))
    }

    /// What identifies the submodule at `path`, of which `filter` lets something through; `folder` is where this
    /// repository is in the tree that `filter` is for.
    pub(super) fn identify_submodule<F: Filter>(
        &self,
        path: &BStr,
        filter: &F,
        folder: &BStr,
    ) -> Result<ContentId, GitError> {
        let submodule = match self.submodule(path) {
            Ok(submodule) => submodule,
            // The same key as where it is checked out; no build can be made of it.
            Err(error @ GitError::Submodule { .. }) => return self.pinned(path)?.ok_or(error),
            Err(error) => return Err(error),
        };
        let place = join(folder, path);
        let disk = submodule.digest_within(filter, place.as_bstr())?;
        let Some(head) = submodule.repository.head()? else { return Ok(disk) };
        let commit = submodule.repository.commit_tree(head.commit, BStr::new(""))?;
        let committed = commit.map(|tree| tree.digest(&Within::new(filter, place.as_bstr()))).transpose()?;
        Ok(if committed == Some(disk) { head.commit.0 } else { disk })
    }
}

/// A working tree of whose submodules it is known what is let in.
pub(super) struct Identified<'a, F> {
    pub(super) tree: &'a WorkingTree,
    /// What lets things in, and where the tree is in what it is for.
    pub(super) filter: &'a F,
    pub(super) folder: &'a BStr,
}

impl<F: Filter> Tree for Identified<'_, F> {
    type Error = GitError;

    fn hash_kind(&self) -> gix::hash::Kind {
        self.tree.hash_kind()
    }

    fn list(&self, path: &BStr, id: Option<ContentId>) -> Result<Vec<Node>, GitError> {
        self.tree.list(path, id)
    }

    fn stays(&self, path: &BStr) -> Result<bool, GitError> {
        self.tree.stays(path)
    }

    fn identify(&self, path: &BStr, node: &Node) -> Result<ContentId, GitError> {
        if node.kind == Kind::Submodule {
            return self.tree.identify_submodule(path, self.filter, self.folder);
        }
        self.tree.identify(path, node)
    }

    fn link(&self, path: &BStr, node: &Node) -> Result<BString, GitError> {
        self.tree.link(path, node)
    }
}
