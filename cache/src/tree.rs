//! The input tree: what of a folder enters a key, and what of it is sent to a build.
//!
//! A folder is seen as git sees it: names, kinds and content ids. [`Tree`] is the
//! source (a commit's objects, the working tree); [`Filter`] says which paths count.
//! Start with [`digest`], which folds both into one id.
//!
//! The digest of a filtered folder *is* the git tree id that the folder would have if
//! only the included paths were committed. So where a filter takes all of a folder, the
//! id that git already knows stands for it, nothing below it is read, and a rule that
//! matches nothing changes no key.

use bstr::{BStr, BString};
pub use gix_hash::ObjectId as ContentId;

/// What a path is, as far as git and a build can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A regular file without the executable bit; sent as mode 0644.
    File,
    /// A regular file with the executable bit; sent as mode 0755.
    Executable,
    /// A symbolic link; its content is the link's text.
    Symlink,
    /// A folder; sent as mode 0755.
    Folder,
    /// A submodule; its id is the commit it is pinned to.
    Submodule,
}

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The last component of the path; bytes, as paths are.
    pub name: BString,
    /// What it is.
    pub kind: Kind,
    /// The id, where the source knows it without reading: always in a commit, for clean
    /// files in a working tree. A folder's id is the id of its whole, unfiltered tree.
    pub id: Option<ContentId>,
}

/// A folder tree that can be listed, and whose contents can be identified.
///
/// Two things implement it: the tree of a commit and the working tree.
pub trait Tree {
    /// Why the tree cannot be read.
    type Error;

    /// The hash that the ids of this tree are made with: the repository's object format.
    fn hash_kind(&self) -> gix_hash::Kind;

    /// The names directly in the folder at `path` (empty for the root), in any order.
    ///
    /// `id` is the folder's id when the caller learned it from its parent.
    ///
    /// # Errors
    /// When the folder cannot be read.
    fn list(&self, path: &BStr, id: Option<ContentId>) -> Result<Vec<Node>, Self::Error>;

    /// The content id of the file, link or submodule `node` at `path`, reading it if that is needed.
    ///
    /// # Errors
    /// When the content cannot be read.
    fn identify(&self, path: &BStr, node: &Node) -> Result<ContentId, Self::Error>;
}

/// Which paths of a tree count, decided component by component on the way down.
pub trait Filter {
    /// What the filter remembers of the folders above.
    type State: Clone;

    /// The state at the root of the tree.
    fn root(&self) -> Self::State;

    /// Whether `path` (whose last component was reached from a folder in `state`) counts,
    /// and the state for what lies below it when it is a folder.
    fn enter(&self, state: &Self::State, path: &BStr, kind: Kind) -> (Verdict, Self::State);

    /// `Some(true)` when everything below a folder in `state` counts, `Some(false)` when
    /// nothing does, `None` when it must be looked at.
    fn below(&self, state: &Self::State) -> Option<bool>;
}

/// What a [`Filter`] says of one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The path counts.
    Included,
    /// The path does not count; a folder may still hold something that does.
    Excluded,
}
