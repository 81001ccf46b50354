//! What the snapshots of a commit and of the working tree have in common.

use std::collections::HashSet;

use bstr::{BStr, BString};
use dtbuild_cache::tree::{ContentId, Filter, Kind, Node, Tree, Verdict};

use super::diff::join;

/// Visits what `filter` lets through, parents before children, the names of a folder in the order of their bytes.
///
/// An excluded folder is visited only where something below it is included.
pub(super) fn walk<T: Tree, F: Filter>(
    tree: &T,
    filter: &F,
    visit: &mut impl FnMut(&BStr, &Node) -> Result<(), T::Error>,
) -> Result<(), T::Error> {
    folder(tree, filter, BStr::new(""), None, &filter.root(), &mut Vec::new(), visit)
}

/// Visits the contents of the folder at `path`; `excluded` are the folders above that nobody has seen yet.
fn folder<T: Tree, F: Filter>(
    tree: &T,
    filter: &F,
    path: &BStr,
    id: Option<ContentId>,
    state: &F::State,
    excluded: &mut Vec<(BString, Node)>,
    visit: &mut impl FnMut(&BStr, &Node) -> Result<(), T::Error>,
) -> Result<(), T::Error> {
    let mut nodes = tree.list(path, id)?;
    nodes.sort_unstable_by(|left, right| left.name.cmp(&right.name));
    for node in nodes {
        let place = join(path, node.name.as_ref());
        let (verdict, below) = filter.enter(state, place.as_ref(), node.kind);
        if verdict == Verdict::Included {
            for (path, folder) in excluded.drain(..) {
                visit(path.as_ref(), &folder)?;
            }
            visit(place.as_ref(), &node)?;
        }
        if node.kind == Kind::Folder && (verdict == Verdict::Included || filter.below(&below) != Some(false))
        {
            let unseen = excluded.len();
            let id = node.id;
            if verdict == Verdict::Excluded {
                excluded.push((place.clone(), node));
            }
            folder(tree, filter, place.as_ref(), id, &below, excluded, visit)?;
            excluded.truncate(unseen);
        }
    }
    Ok(())
}

/// A filter that also leaves out the given folders.
///
/// A build shows a folder that a filter empties; a commit has it only if git has something in it. For the same
/// files to have the same digest, the working tree leaves out the folders that a commit would not have.
pub struct Kept<'a, F> {
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
}

/// Whether a file of this many bytes can be an LFS pointer; the format allows less than 1024.
pub(super) fn is_pointer_size(size: u64) -> bool {
    (100..1024).contains(&size)
}

/// Whether this is the text that Git LFS stores in place of a file.
pub(super) fn lfs_pointer(content: &[u8]) -> bool {
    content.starts_with(b"version https://git-lfs.github.com/spec/v1")
}
