//! The id of a filtered tree. Start with [`digest`].
//!
//! The hashed format is git's tree object: per entry the mode, a space, the name, a zero byte and the id, in
//! the order of the names, where a folder's name counts as if it ended in a slash.

use std::cmp::Ordering;

use bstr::{BStr, BString};

use super::remembered::Remembered;
use super::{ContentId, Error, Filter, Kind, Node, Tree, Verdict, counts, enter, list};

/// The git tree id of the part of `tree` that `filter` leaves; the empty tree's id if nothing is left.
///
/// A folder of which `filter` takes all is not read if its id is known. The depth of the tree is not limited:
/// nothing here recurses.
pub fn digest<T: Tree, F: Filter>(tree: &T, filter: &F) -> Result<ContentId, Error<T::Error>> {
    digest_with(tree, filter, None)
}

/// [`digest`], which also keeps in `memory` the filtered ids of folders whose id is known.
pub fn digest_with<T: Tree, F: Filter>(
    tree: &T,
    filter: &F,
    memory: Option<&Remembered<'_>>,
) -> Result<ContentId, Error<T::Error>> {
    let hash_kind = tree.hash_kind();
    let mut path = BString::default();
    let root = Node { name: BString::default(), kind: Kind::Folder, id: None };
    let mut level = Level::open(tree, root, Verdict::Included, filter.root(), path.as_ref())?;
    let mut above = Vec::new();
    loop {
        if let Some(node) = level.nodes.next() {
            enter(&mut path, level.end, node.name.as_ref());
            let (verdict, state) = filter.enter(&level.state, path.as_ref(), node.kind);
            if let Some(left) = without_reading(filter, &node, verdict, &state, hash_kind) {
                level.take(node, left);
            } else if let Some(left) = memory.and_then(|memory| memory.recall(path.as_ref(), &node)) {
                level.take(node, left);
            } else if node.kind == Kind::Folder {
                let below = Level::open(tree, node, verdict, state, path.as_ref())?;
                above.push(std::mem::replace(&mut level, below));
            } else {
                let id = tree.identify(path.as_ref(), &node);
                let id = id.map_err(|source| Error::Read { path: path.clone(), source })?;
                level.take(node, Left::Content(id));
            }
            continue;
        }
        path.truncate(level.end);
        let left = level.close(hash_kind).map_err(|reason| Error::Hash { path: path.clone(), reason })?;
        let Some(parent) = above.pop() else {
            return Ok(match left {
                Left::Content(id) => id,
                Left::Excluded | Left::Forgotten => ContentId::empty_tree(hash_kind),
            });
        };
        let Level { folder, nested, .. } = std::mem::replace(&mut level, parent);
        // A folder of files alone is read as fast as it is recalled, and there are ten such folders for each
        // other one.
        if let Some(memory) = memory
            && nested
        {
            memory.note(path.as_ref(), &folder, left);
        }
        level.take(folder, left);
    }
}

/// The part of a node that a filter leaves.
#[derive(Clone, Copy)]
pub(super) enum Left {
    /// Content with this id.
    Content(ContentId),
    /// Nothing, though the node is in the tree.
    Excluded,
    /// Nothing, as if the node were not in the tree.
    Forgotten,
}

/// The part of `node` that is left, if it is known without asking the tree.
fn without_reading<F: Filter>(
    filter: &F,
    node: &Node,
    verdict: Verdict,
    state: &F::State,
    hash_kind: gix_hash::Kind,
) -> Option<Left> {
    let nothing = || if filter.forgotten(state) { Left::Forgotten } else { Left::Excluded };
    if node.kind != Kind::Folder {
        let counts = counts(filter, node, verdict, state);
        return if counts { node.id.map(Left::Content) } else { Some(nothing()) };
    }
    match (filter.below(state), verdict) {
        (Some(true), _) => node.id.map(Left::Content),
        (Some(false), Verdict::Included) => Some(Left::Content(ContentId::empty_tree(hash_kind))),
        (Some(false), Verdict::Excluded) => Some(nothing()),
        (None, _) => None,
    }
}

/// A folder that is being read, with the part of it that is left so far.
struct Level<S> {
    folder: Node,
    verdict: Verdict,
    /// The filter's state for the paths in the folder.
    state: S,
    /// The length of the folder's path in bytes.
    end: usize,
    /// The nodes that are still to be looked at.
    nodes: std::vec::IntoIter<Node>,
    /// The nodes that are left so far, with their ids.
    entries: Vec<(Node, ContentId)>,
    /// True if something in the folder was excluded.
    excluded: bool,
    /// True if something in the folder was forgotten.
    forgotten: bool,
    /// True if the folder has folders in it.
    nested: bool,
}

impl<S> Level<S> {
    fn open<T: Tree>(
        tree: &T,
        folder: Node,
        verdict: Verdict,
        state: S,
        path: &BStr,
    ) -> Result<Self, Error<T::Error>> {
        let nodes = list(tree, path, folder.id)?;
        let (end, entries) = (path.len(), Vec::with_capacity(nodes.len()));
        Ok(Self {
            folder,
            verdict,
            state,
            end,
            nodes: nodes.into_iter(),
            entries,
            excluded: false,
            forgotten: false,
            nested: false,
        })
    }

    fn take(&mut self, node: Node, left: Left) {
        self.nested |= node.kind == Kind::Folder;
        match left {
            Left::Content(id) => self.entries.push((node, id)),
            Left::Excluded => self.excluded = true,
            Left::Forgotten => self.forgotten = true,
        }
    }

    /// True if all of the folder is left, with the ids that it was listed with.
    fn is_whole(&self) -> bool {
        let as_found = |(node, id): &(Node, ContentId)| node.id == Some(*id);
        !self.excluded && !self.forgotten && self.entries.iter().all(as_found)
    }

    fn close(&mut self, hash_kind: gix_hash::Kind) -> Result<Left, String> {
        if self.entries.is_empty() {
            if self.forgotten && !self.excluded {
                return Ok(Left::Forgotten);
            }
            if self.verdict == Verdict::Excluded {
                return Ok(Left::Excluded);
            }
        }
        match self.folder.id {
            Some(id) if self.is_whole() => Ok(Left::Content(id)),
            _ => hash(&mut self.entries, hash_kind).map(Left::Content),
        }
    }
}

/// The id of the git tree of `entries`.
fn hash(entries: &mut [(Node, ContentId)], hash_kind: gix_hash::Kind) -> Result<ContentId, String> {
    entries.sort_unstable_by(|(left, _), (right, _)| git_order(left, right));
    let mut body = Vec::with_capacity(entries.len() * 48);
    for (node, id) in entries {
        body.extend_from_slice(mode(node.kind));
        body.push(b' ');
        body.extend_from_slice(&node.name);
        body.push(0);
        body.extend_from_slice(id.as_bytes());
    }
    let mut hasher = gix_hash::hasher(hash_kind);
    hasher.update(format!("tree {}\0", body.len()).as_bytes());
    hasher.update(&body);
    hasher.try_finalize().map_err(|error| error.to_string())
}

/// The mode of `kind` in git's tree objects.
fn mode(kind: Kind) -> &'static [u8] {
    match kind {
        Kind::File => b"100644",
        Kind::Executable => b"100755",
        Kind::Symlink => b"120000",
        Kind::Folder => b"40000",
        Kind::Submodule => b"160000",
    }
}

/// The order of nodes in git's tree objects. A submodule is compared like a file.
fn git_order(left: &Node, right: &Node) -> Ordering {
    let end = |node: &Node| (node.kind == Kind::Folder).then_some(b'/');
    let bytes = |node: &Node| node.name.iter().copied().chain(end(node)).collect::<Vec<u8>>();
    let shared = left.name.len().min(right.name.len());
    // Most names differ before either of them ends.
    left.name[..shared].cmp(&right.name[..shared]).then_with(|| bytes(left).cmp(&bytes(right)))
}
