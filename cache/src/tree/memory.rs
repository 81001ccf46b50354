//! A tree in memory, for tests. Start with [`Memory`].

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;

use bstr::{BStr, BString, ByteSlice};
use proptest::prelude::*;

use super::{ContentId, Everything, Filter, Kind, Node, Tree, Verdict, digest, walk};

/// A file, link or submodule (a leaf with its content), or a folder.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Leaf(Kind, Vec<u8>),
    Folder(BTreeMap<BString, Item>),
}

/// A tree in memory that notes which folders are listed.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) root: Item,
    pub(crate) hash_kind: gix_hash::Kind,
    /// True if the tree lists ids, as a commit does.
    pub(crate) knows_ids: bool,
    /// True if the tree lists names backwards.
    pub(crate) backwards: bool,
    /// The paths of the folders that were listed.
    pub(crate) listed: RefCell<Vec<BString>>,
}

impl Memory {
    pub(crate) fn new(root: Item) -> Self {
        Self {
            root,
            hash_kind: gix_hash::Kind::Sha1,
            knows_ids: false,
            backwards: false,
            listed: RefCell::default(),
        }
    }

    /// A tree of files that hold their own path; a path that ends in a slash is an empty folder.
    pub(crate) fn of(paths: &[&str]) -> Self {
        let mut root = Item::Folder(BTreeMap::new());
        for path in paths {
            let mut item = &mut root;
            for name in path.trim_end_matches('/').split('/') {
                let Item::Folder(items) = item else { panic!("{path} is below a file") };
                item = items.entry(name.into()).or_insert_with(|| Item::Folder(BTreeMap::new()));
            }
            if !path.ends_with('/') {
                *item = Item::Leaf(Kind::File, path.as_bytes().to_vec());
            }
        }
        Self::new(root)
    }

    pub(crate) fn with_ids(self) -> Self {
        Self { knows_ids: true, ..self }
    }

    fn id(&self, item: &Item) -> ContentId {
        match item {
            Item::Leaf(Kind::Submodule, content) => {
                let mut id = ContentId::null(self.hash_kind);
                let length = content.len().min(20);
                id.as_mut_slice()[..length].copy_from_slice(&content[..length]);
                id
            }
            Item::Leaf(_, content) => blob(content, self.hash_kind),
            Item::Folder(_) => {
                let tree = Self { hash_kind: self.hash_kind, ..Self::new(item.clone()) };
                digest(&tree, &Everything).unwrap()
            }
        }
    }

    fn at(&self, path: &BStr) -> &Item {
        path.split_str("/").filter(|name| !name.is_empty()).fold(&self.root, |item, name| match item {
            Item::Folder(items) => &items[name.as_bstr()],
            Item::Leaf(..) => panic!("{path} is below a file"),
        })
    }

    /// The part of the tree that `filter` leaves, by the definition; none if nothing is left.
    pub(crate) fn filtered<F: Filter>(&self, filter: &F) -> Option<Self> {
        let root = filtered(filter, &self.root, &BString::default(), Verdict::Included, &filter.root());
        root.ok().map(|root| Self { hash_kind: self.hash_kind, ..Self::new(root) })
    }

    /// The paths that a walk visits, folders with a slash at the end.
    pub(crate) fn walked<F: Filter>(&self, filter: &F) -> Vec<String> {
        let mut paths = Vec::new();
        walk(self, filter, |path, node| {
            paths.push(format!("{path}{}", if node.kind == Kind::Folder { "/" } else { "" }));
            Ok(())
        })
        .unwrap();
        paths
    }
}

/// The part of `item` that is left; if nothing is left, `Err(true)` if the item is forgotten.
fn filtered<F: Filter>(
    filter: &F,
    item: &Item,
    path: &BString,
    verdict: Verdict,
    state: &F::State,
) -> Result<Item, bool> {
    let Item::Folder(items) = item else {
        return if verdict == Verdict::Included { Ok(item.clone()) } else { Err(filter.forgotten(state)) };
    };
    let mut left = BTreeMap::new();
    let (mut excluded, mut forgotten) = (false, filter.forgotten(state));
    for (name, item) in items {
        let path: BString =
            if path.is_empty() { name.clone() } else { [&***path, b"/", &***name].concat().into() };
        let (verdict, state) = filter.enter(state, path.as_ref(), kind(item));
        match filtered(filter, item, &path, verdict, &state) {
            Ok(item) => drop(left.insert(name.clone(), item)),
            Err(true) => forgotten = true,
            Err(false) => excluded = true,
        }
    }
    let is_there = !left.is_empty() || (verdict == Verdict::Included && (excluded || !forgotten));
    if is_there { Ok(Item::Folder(left)) } else { Err(forgotten && !excluded) }
}

fn kind(item: &Item) -> Kind {
    match item {
        Item::Leaf(kind, _) => *kind,
        Item::Folder(_) => Kind::Folder,
    }
}

/// The git blob id of `content`.
pub(crate) fn blob(content: &[u8], hash_kind: gix_hash::Kind) -> ContentId {
    let mut hasher = gix_hash::hasher(hash_kind);
    hasher.update(format!("blob {}\0", content.len()).as_bytes());
    hasher.update(content);
    hasher.try_finalize().unwrap()
}

impl Tree for Memory {
    type Error = Infallible;

    fn hash_kind(&self) -> gix_hash::Kind {
        self.hash_kind
    }

    fn list(&self, path: &BStr, _id: Option<ContentId>) -> Result<Vec<Node>, Infallible> {
        self.listed.borrow_mut().push(path.to_owned());
        let Item::Folder(items) = self.at(path) else { panic!("{path} is not a folder") };
        let node = |(name, item): (&BString, &Item)| Node {
            name: name.clone(),
            kind: kind(item),
            id: self.knows_ids.then(|| self.id(item)),
        };
        let mut nodes: Vec<Node> = items.iter().map(node).collect();
        if self.backwards {
            nodes.reverse();
        }
        Ok(nodes)
    }

    fn identify(&self, path: &BStr, node: &Node) -> Result<ContentId, Infallible> {
        assert_ne!(node.kind, Kind::Folder);
        Ok(self.id(self.at(path)))
    }

    fn link(&self, path: &BStr, _node: &Node) -> Result<BString, Infallible> {
        let Item::Leaf(Kind::Symlink, text) = self.at(path) else { panic!("{path} is not a link") };
        Ok(text.as_slice().into())
    }
}

/// Names that sort around the slash, are not UTF-8, or look like something else.
fn name() -> impl Strategy<Value = BString> {
    const NAMES: &[&[u8]] =
        &[b"a", b"a.b", b"a-b", b"a0", b"ab", b"a\xFF", b"b", b"a b", b"\xC3\xA9", b"\t", b".a", b"a\n"];
    prop::sample::select(NAMES).prop_map(BString::from)
}

/// Trees of nested folders, none of them empty.
pub(crate) fn folders() -> impl Strategy<Value = Memory> {
    let kinds = prop::sample::select(vec![Kind::File, Kind::Executable, Kind::Symlink]);
    let leaf = (kinds, "[xy]{0,2}").prop_map(|(kind, content)| Item::Leaf(kind, content.into_bytes()));
    let item = leaf.prop_recursive(4, 24, 4, |item| {
        prop::collection::btree_map(name(), item, 1..4).prop_map(Item::Folder)
    });
    prop::collection::btree_map(name(), item, 0..4).prop_map(|items| Memory::new(Item::Folder(items)))
}
