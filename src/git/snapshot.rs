//! What the snapshots of a commit and of the working tree have in common.

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::tree::{ContentId, Filter, Kind, Node, Tree, Verdict};

use super::diff::join;

/// A tree in which the submodules that can be looked into are folders, as builds see them.
pub(super) struct Expanded<'a, T>(pub(super) &'a T);

impl<T: Tree> Tree for Expanded<'_, T> {
    type Error = T::Error;

    fn hash_kind(&self) -> gix::hash::Kind {
        self.0.hash_kind()
    }

    fn list(&self, path: &BStr, id: Option<ContentId>) -> Result<Vec<Node>, Self::Error> {
        let mut nodes = self.0.list(path, id)?;
        for node in nodes.iter_mut().filter(|node| node.kind == Kind::Submodule) {
            // One that cannot be looked into matters only if it is built, which is told then.
            if self.0.opens(join(path, node.name.as_bstr()).as_bstr()).unwrap_or(false) {
                (node.kind, node.id) = (Kind::Folder, None);
            }
        }
        Ok(nodes)
    }

    fn stays(&self, path: &BStr) -> Result<bool, Self::Error> {
        self.0.stays(path)
    }

    fn identify(&self, path: &BStr, node: &Node) -> Result<ContentId, Self::Error> {
        self.0.identify(path, node)
    }

    fn link(&self, path: &BStr, node: &Node) -> Result<BString, Self::Error> {
        self.0.link(path, node)
    }
}

/// What a filter says of a folder, as a filter of that folder alone.
pub(super) struct Within<'a, F: Filter> {
    filter: &'a F,
    folder: BString,
    root: F::State,
}

impl<'a, F: Filter> Within<'a, F> {
    /// The folder's path is empty for the root.
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
