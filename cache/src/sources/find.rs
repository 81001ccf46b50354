//! The walk through a tree to the paths that a source reads. Start with [`Finder::find`].

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice};

use super::pattern::{Component, Pattern};
use super::{Reads, Source, Widening};
use crate::path::join;
use crate::tree::{self, ContentId, Error, Kind, Node, Tree};

/// The largest number of names that links may put before a path.
const MAX_NAMES: usize = 255;

/// The finder of sources in one tree, which lists each folder at most once.
pub(super) struct Finder<'a, T> {
    tree: &'a T,
    folders: HashMap<BString, Arc<[Node]>>,
}

/// A folder to look into, with the rest of the path from there.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Way {
    folder: BString,
    /// The names that a link's text put before the rest of the pattern.
    names: Vec<BString>,
    /// The number of the pattern's component with which the rest begins.
    next: usize,
    /// The links that led to the folder; they are read if the rest of the path is there.
    links: BTreeSet<BString>,
}

/// The search for one source.
struct Search {
    reads: Reads,
    open: Vec<(Way, Option<ContentId>)>,
    seen: HashSet<Way>,
}

impl<'a, T: Tree> Finder<'a, T> {
    pub(super) fn new(tree: &'a T) -> Self {
        Self { tree, folders: HashMap::new() }
    }

    /// Finds the paths that `source` reads.
    pub(super) fn find(&mut self, source: &Source) -> Result<Reads, Error<T::Error>> {
        let pattern = Pattern::new(source);
        let reads = Reads {
            pattern,
            whole: false,
            taken: BTreeSet::new(),
            found: false,
            entered: false,
            widened: None,
        };
        let mut search = Search { reads, open: Vec::new(), seen: HashSet::new() };
        search
            .go(Way { folder: BString::default(), names: Vec::new(), next: 0, links: BTreeSet::new() }, None);
        while let Some((way, id)) = search.open.pop() {
            if search.reads.whole {
                break;
            }
            self.step(&mut search, way, id)?;
        }
        Ok(search.reads)
    }

    /// Looks into one folder.
    fn step(&mut self, search: &mut Search, way: Way, id: Option<ContentId>) -> Result<(), Error<T::Error>> {
        let Some(component) = search.component(&way) else {
            search.take_folder(way);
            return Ok(());
        };
        match &component {
            Component::Unknown => {
                search.reads.widened = search.reads.widened.or(Some(Widening::Pattern));
                search.take_folder(way);
                return Ok(());
            }
            Component::Any => match search.component(&way.after()) {
                None => {
                    search.take_folder(way);
                    return Ok(());
                }
                Some(_) => search.go(way.after(), id),
            },
            Component::Name(_) | Component::Wildcard(..) => {}
        }
        // The reader may treat a link or a file on the way in another way than this.
        search.reads.entered |= !matches!(component, Component::Name(_));
        let nodes = self.list(&way.folder, id)?;
        for node in nodes.iter().filter(|node| component.matches(node.name.as_bstr())) {
            let path = join(way.folder.as_bstr(), node.name.as_bstr());
            let inside = |way: Way| Way { folder: path.clone(), ..way };
            search.reads.entered |= node.kind != Kind::Folder;
            match (node.kind, &component) {
                (Kind::Folder, Component::Any) => search.go(inside(way.clone()), node.id),
                (Kind::Submodule, Component::Any) => self.enter(search, inside(way.clone()))?,
                (Kind::Submodule, _) => self.enter(search, inside(way.after()))?,
                // A path below a link is not below the folder that the link is in.
                (_, Component::Any) => {}
                (Kind::Folder, _) => search.go(inside(way.after()), node.id),
                (Kind::Symlink, _) => {
                    let text = self.tree.link(path.as_bstr(), node);
                    let text = text.map_err(|source| Error::Read { path: path.clone(), source })?;
                    search.follow(path, text.as_bstr(), &way.after());
                }
                (Kind::File | Kind::Executable, _) => {
                    if search.component(&way.after()).is_none() {
                        search.take(path, &way.links);
                    }
                }
            }
        }
        Ok(())
    }

    /// Looks into the submodule that is the folder of `way`.
    ///
    /// The submodule's commit stands for all that is in it, so that a machine on which the submodule is not
    /// checked out has an equal key; but if the submodule can be looked into, it is known if the source is
    /// there, and where links lead.
    fn enter(&self, search: &mut Search, way: Way) -> Result<(), Error<T::Error>> {
        let path = way.folder.clone();
        let opens = self.tree.opens(path.as_bstr());
        let opens = opens.map_err(|source| Error::Read { path: path.clone(), source })?;
        search.reads.taken.extend(way.links.iter().cloned().chain([path]));
        let inside = search.component(&way).is_some();
        if inside {
            search.reads.widened = search.reads.widened.or(Some(Widening::Submodule));
        }
        if inside && opens {
            search.go(way, None);
        } else {
            search.reads.found = true;
        }
        Ok(())
    }

    fn list(&mut self, folder: &BString, id: Option<ContentId>) -> Result<Arc<[Node]>, Error<T::Error>> {
        if let Some(nodes) = self.folders.get(folder) {
            return Ok(Arc::clone(nodes));
        }
        let nodes: Arc<[Node]> = tree::list(self.tree, folder.as_bstr(), id)?.into();
        self.folders.insert(folder.clone(), Arc::clone(&nodes));
        Ok(nodes)
    }
}

impl Way {
    /// The rest of the way after the next component.
    fn after(&self) -> Self {
        let mut way = self.clone();
        if way.names.is_empty() {
            way.next += 1;
        } else {
            way.names.remove(0);
        }
        way
    }
}

impl Search {
    /// The next component of `way`; none at the end of `way`.
    fn component(&self, way: &Way) -> Option<Component> {
        let name = way.names.first().map(|name| Component::Name(name.clone()));
        name.or_else(|| self.reads.pattern.components.get(way.next).cloned())
    }

    fn go(&mut self, way: Way, id: Option<ContentId>) {
        if self.seen.insert(way.clone()) {
            self.open.push((way, id));
        }
    }

    fn take(&mut self, path: BString, links: &BTreeSet<BString>) {
        self.reads.taken.extend(links.iter().cloned().chain([path]));
        self.reads.found = true;
    }

    fn take_folder(&mut self, way: Way) {
        if way.folder.is_empty() {
            self.reads.whole = true;
        } else {
            self.take(way.folder, &way.links);
        }
    }

    fn widen(&mut self, widening: Widening) {
        self.reads.widened = self.reads.widened.or(Some(widening));
        self.reads.whole = true;
    }

    /// Follows the link at `path`, from which the way goes on with `rest`. The root of the context is the
    /// root of links.
    fn follow(&mut self, path: BString, text: &BStr, rest: &Way) {
        let parents = path.split_str("/").count() - 1;
        let mut names: Vec<BString> = path.split_str("/").take(parents).map(BString::from).collect();
        if text.starts_with(b"/") {
            names.clear();
        }
        let mut down = false;
        for name in text.split_str("/").map(BStr::new) {
            match &**name {
                b"" | b"." => {}
                // A name may lead to a link itself, whose parent is elsewhere.
                b".." if down => return self.widen(Widening::Winding),
                b".." => drop(names.pop()),
                _ => {
                    down = true;
                    names.push(name.into());
                }
            }
        }
        names.extend(rest.names.iter().cloned());
        if names.len() > MAX_NAMES {
            return self.widen(Widening::Links);
        }
        let mut links = rest.links.clone();
        links.insert(path.clone());
        if self.component(rest).is_none() {
            self.take(path, &links);
        }
        let way = Way { folder: BString::default(), names, next: rest.next, links };
        if self.component(&way).is_none() {
            return self.widen(Widening::Root);
        }
        self.go(way, None);
    }
}
