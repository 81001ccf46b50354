//! The paths that a filter lets through. Start with [`walk`].

use bstr::{BStr, BString};

use super::{Error, Filter, Kind, Node, Tree, Verdict, counts, enter, list};

/// Visits the paths of `tree` that `filter` leaves: a folder directly before the paths in it, the names of a
/// folder in the order of their bytes.
///
/// The visited paths are exactly the paths of the tree that [`digest`](super::digest()) gives the id of. So
/// an excluded folder is visited only if something below it is included, and right before that. An error of
/// `visit` ends the walk, with the path added. The depth of the tree is not limited.
pub fn walk<T: Tree, F: Filter>(
    tree: &T,
    filter: &F,
    visit: impl FnMut(&BStr, &Node) -> Result<(), T::Error>,
) -> Result<(), Error<T::Error>> {
    let mut path = BString::default();
    let mut way = Way { levels: Vec::new(), visit };
    let mut nodes = list(tree, BStr::new(""), None)?.into_iter();
    let mut state = filter.root();
    loop {
        let Some(node) = nodes.next() else {
            path.truncate(way.end());
            let Some(level) = way.leave(path.as_ref())? else { return Ok(()) };
            (nodes, state) = level;
            continue;
        };
        enter(&mut path, way.end(), node.name.as_ref());
        let (verdict, inside) = filter.enter(&state, path.as_ref(), node.kind);
        if node.kind == Kind::Folder && filter.below(&inside) != Some(false) {
            let above = (nodes, std::mem::replace(&mut state, inside));
            nodes = list(tree, path.as_ref(), node.id)?.into_iter();
            way.levels.push(Level::new(node, verdict, path.len(), above));
            continue;
        }
        if counts(filter, &node, verdict, &inside) {
            way.show(path.as_ref())?;
            way.visit(path.as_ref(), &node)?;
        } else {
            way.lose(filter.forgotten(&inside));
        }
    }
}

/// The names of a folder that are still to be visited, and the filter's state for them.
type Above<S> = (std::vec::IntoIter<Node>, S);

/// A folder on the way from the root to the place of the walk.
struct Level<S> {
    folder: Node,
    verdict: Verdict,
    /// The length of the folder's path in bytes.
    end: usize,
    /// The rest of the parent folder, to go on with after this folder.
    above: Above<S>,
    /// True if the folder was visited.
    seen: bool,
    /// True if something in the folder was excluded.
    excluded: bool,
    /// True if something in the folder was forgotten.
    forgotten: bool,
}

impl<S> Level<S> {
    fn new(folder: Node, verdict: Verdict, end: usize, above: Above<S>) -> Self {
        Self { folder, verdict, end, above, seen: false, excluded: false, forgotten: false }
    }
}

/// The folders from the root, which is not among them, to the place of the walk.
struct Way<S, V> {
    levels: Vec<Level<S>>,
    visit: V,
}

impl<S, V> Way<S, V> {
    fn end(&self) -> usize {
        self.levels.last().map_or(0, |level| level.end)
    }

    fn visit<E>(&mut self, path: &BStr, node: &Node) -> Result<(), Error<E>>
    where
        V: FnMut(&BStr, &Node) -> Result<(), E>,
    {
        (self.visit)(path, node).map_err(|source| Error::Read { path: path.to_owned(), source })
    }

    /// Visits the folders on the way to `path` that were not visited yet.
    fn show<E>(&mut self, path: &BStr) -> Result<(), Error<E>>
    where
        V: FnMut(&BStr, &Node) -> Result<(), E>,
    {
        let unseen = self.levels.iter().rposition(|level| level.seen).map_or(0, |last| last + 1);
        for level in &mut self.levels[unseen..] {
            let path = BStr::new(&path[..level.end]);
            (self.visit)(path, &level.folder)
                .map_err(|source| Error::Read { path: path.to_owned(), source })?;
            level.seen = true;
        }
        Ok(())
    }

    /// Notes that nothing is left of a path in the folder that the walk is in.
    fn lose(&mut self, forgotten: bool) {
        if let Some(level) = self.levels.last_mut() {
            level.forgotten |= forgotten;
            level.excluded |= !forgotten;
        }
    }

    /// Goes up from the folder at `path` and returns the rest of its parent; none at the root.
    fn leave<E>(&mut self, path: &BStr) -> Result<Option<Above<S>>, Error<E>>
    where
        V: FnMut(&BStr, &Node) -> Result<(), E>,
    {
        // A path that is excluded and not forgotten shows that its folder is there.
        if let Some(Level { seen: false, verdict, forgotten, excluded, .. }) = self.levels.last()
            && (*excluded || !forgotten)
            && *verdict == Verdict::Included
        {
            self.show(path)?;
        }
        let Some(level) = self.levels.pop() else { return Ok(None) };
        if !level.seen {
            self.lose(level.forgotten && !level.excluded);
        }
        Ok(Some(level.above))
    }
}
