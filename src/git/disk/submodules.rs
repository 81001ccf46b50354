//! The submodules of the working tree, and their content ids. Start with [`WorkingTree::identify_submodule`].
//!
//! A submodule that is checked out without changes has the id of its commit, as in a commit of the repository around
//! the submodule. A submodule with changed files has the id of the tree that a build gets.

use std::cell::Ref;
use std::fs;

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::tree::{ContentId, Filter, Kind, Node, Tree, Verdict};

use super::WorkingTree;
use crate::git::path::join;
use crate::git::submodules::{FILE, Modules};
use crate::git::{GitError, Repository};

impl WorkingTree {
    /// The working tree of the submodule at `path`.
    pub(super) fn submodule(&self, path: &BStr) -> Result<Ref<'_, Self>, GitError> {
        self.submodules.get(path, |_| {
            let folder = self.disk.disk_path(path);
            let shown = self.disk.shown(path);
            if folder.join(".git").symlink_metadata().is_err() {
                return Err(self.unopened(path));
            }
            let opened = Repository::of_submodule(&folder, self.repository.code())?
                .working_tree_in(BStr::new(""), shown.as_bstr())?;
            opened.ok_or(GitError::Changed { path: shown })
        })
    }

    /// The error that the submodule at `path` is not checked out.
    fn unopened(&self, path: &BStr) -> GitError {
        let commit = match self.pinned(path) {
            Ok(Some(commit)) => commit,
            Ok(None) => return GitError::Changed { path: self.disk.shown(path) },
            Err(error) => return error,
        };
        let text = self.repository.root().ok().and_then(|root| fs::read(root.join(FILE)).ok());
        let mapping = Modules::mapping(text.as_deref(), &self.repository, self.disk.place(path).as_bstr());
        let (path, repository) = (self.disk.shown(path), self.disk.prefix.clone());
        GitError::Submodule { path, repository, commit, cloned: false, mapping }
    }

    /// The commit that the index pins the submodule at `path` to.
    fn pinned(&self, path: &BStr) -> Result<Option<ContentId>, GitError> {
        Ok(self.disk.index.get()?.submodule(self.disk.place(path).as_bstr()))
    }

    /// The content id of the submodule at `path`, of which `filter` lets something in. `folder` is the path of this
    /// repository in the tree that `filter` is for.
    pub(super) fn identify_submodule<F: Filter>(
        &self,
        path: &BStr,
        filter: &F,
        folder: &BStr,
    ) -> Result<ContentId, GitError> {
        let submodule = match self.submodule(path) {
            Ok(submodule) => submodule,
            // The key is the key of a checkout; the build fails, and its error names the submodule.
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

/// A working tree in which a submodule's content id covers only the files that a filter lets in.
pub(super) struct Identified<'a, F> {
    pub(super) tree: &'a WorkingTree,
    pub(super) filter: &'a F,
    /// The path of `tree` in the tree that `filter` is for.
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

/// A filter of a whole tree, applied to the tree of one of its folders.
pub(super) struct Within<'a, F: Filter> {
    filter: &'a F,
    folder: BString,
    root: F::State,
}

impl<'a, F: Filter> Within<'a, F> {
    /// `filter`, applied to the tree at `folder`, which is empty for the root.
    pub(super) fn new(filter: &'a F, folder: &BStr) -> Self {
        let ends = folder.find_iter("/").chain((!folder.is_empty()).then_some(folder.len()));
        let root = ends
            .fold(filter.root(), |state, end| filter.enter(&state, folder[..end].as_bstr(), Kind::Folder).1);
        Self { filter, folder: folder.to_owned(), root }
    }
}

impl<F: Filter> Filter for Within<'_, F> {
    type State = F::State;

    fn root(&self) -> Self::State {
        self.root.clone()
    }

    fn enter(&self, state: &Self::State, path: &BStr, kind: Kind) -> (Verdict, Self::State) {
        if self.folder.is_empty() {
            return self.filter.enter(state, path, kind);
        }
        self.filter.enter(state, join(self.folder.as_bstr(), path).as_bstr(), kind)
    }

    fn below(&self, state: &Self::State) -> Option<bool> {
        self.filter.below(state)
    }

    fn forgotten(&self, state: &Self::State) -> bool {
        self.filter.forgotten(state)
    }
}
