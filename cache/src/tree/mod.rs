//! The input tree: the files of a folder that enter a key, and that are sent to a build.
//!
//! A folder is seen as git sees it: names, kinds and content ids. [`Tree`] is the source (a commit's objects,
//! the working tree); [`Filter`] says which paths count. Start with [`digest`], which folds both into one id.
//!
//! The digest of a filtered folder *is* the git tree id that the folder would have if only the included paths
//! were committed. So if a filter takes all of a folder, the id that git already knows stands for the folder
//! and nothing below the folder is read; and a rule that matches nothing changes no key.
//!
//! A filter leaves of a folder:
//!
//! - an included folder, if need be as an empty one, since a build sees it so;
//! - an excluded folder only if something below it is included;
//! - no path that the filter [forgets](Filter::forgotten): a forgotten path is treated as if it had never
//!   been listed, so a folder that holds nothing else is not there either.

mod digest;
mod filters;
#[cfg(test)]
pub(crate) mod memory;
mod remembered;
mod walk;

use bstr::{BStr, BString};
pub use gix_hash::ObjectId as ContentId;

pub use self::digest::{digest, digest_with};
pub use self::filters::{Both, Everything};
pub use self::remembered::{Identified, Remembered};
pub use self::walk::walk;

/// The kind of a path, as far as git and a build can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A regular file without the executable bit; sent as mode 0644.
    File,
    /// A regular file with the executable bit; sent as mode 0755.
    Executable,
    /// A symbolic link; the link's text is its content.
    Symlink,
    /// A folder; sent as mode 0755.
    Folder,
    /// A submodule; the commit that it is pinned to is its id.
    Submodule,
}

impl Kind {
    /// The number that stands for the kind in hashed text; the numbers never change.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::File => 1,
            Self::Executable => 2,
            Self::Symlink => 3,
            Self::Folder => 4,
            Self::Submodule => 5,
        }
    }
}

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The last component of the path; bytes, as paths are.
    pub name: BString,
    /// The kind of the path.
    pub kind: Kind,
    /// The content id, if the source knows it without reading: always in a commit, and for clean files in a
    /// working tree. A folder's id is the id of its whole, unfiltered tree.
    pub id: Option<ContentId>,
}

/// A folder tree that can be listed, and whose contents can be identified.
///
/// Implemented by the tree of a commit and by the working tree.
pub trait Tree {
    /// The error of a tree that cannot be read.
    type Error;

    /// The hash function of this tree's ids: the repository's object format.
    fn hash_kind(&self) -> gix_hash::Kind;

    /// The names directly in the folder at `path` (empty for the root), in any order.
    ///
    /// `id` is the folder's id, if the caller learned it from the folder's parent.
    ///
    /// # Errors
    /// Fails if the folder cannot be read.
    fn list(&self, path: &BStr, id: Option<ContentId>) -> Result<Vec<Node>, Self::Error>;

    /// True if the submodule at `path` can be looked into: [`list`](Self::list) then takes the submodule's
    /// path and the paths in it, as if the submodule were a folder.
    ///
    /// # Errors
    /// Fails if the tree cannot tell.
    fn opens(&self, path: &BStr) -> Result<bool, Self::Error> {
        let _ = path;
        Ok(false)
    }

    /// The content id of the file, link or submodule `node` at `path`; the content is read if need be.
    ///
    /// # Errors
    /// Fails if the content cannot be read.
    fn identify(&self, path: &BStr, node: &Node) -> Result<ContentId, Self::Error>;

    /// The text of the symbolic link `node` at `path`.
    ///
    /// # Errors
    /// Fails if the link cannot be read.
    fn link(&self, path: &BStr, node: &Node) -> Result<BString, Self::Error>;
}

/// A filter: it says which paths of a tree count, component by component on the way down, to several threads
/// at once.
pub trait Filter: Sync {
    /// The filter's memory of the folders above a path.
    type State: Clone + Send + Sync;

    /// The state at the root of the tree.
    fn root(&self) -> Self::State;

    /// The verdict on `path`, which is directly in a folder with the state `state`; and, if `path` is a
    /// folder, the state for the paths below it.
    fn enter(&self, state: &Self::State, path: &BStr, kind: Kind) -> (Verdict, Self::State);

    /// `Some(true)` if everything below a folder with the state `state` counts, `Some(false)` if nothing
    /// below it counts, `None` if the paths below it must be looked at.
    fn below(&self, state: &Self::State) -> Option<bool>;

    /// True if an excluded path, for which `enter` gave `state`, is to be treated as if the tree did not hold
    /// it. A folder that is emptied by forgetting is forgotten, as git forgets empty folders; a folder that
    /// is emptied by exclusion alone stays, as it does for BuildKit.
    fn forgotten(&self, state: &Self::State) -> bool {
        let _ = state;
        false
    }
}

/// The answer of a [`Filter`] about one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The path counts.
    Included,
    /// The path does not count; a folder may still hold something that does.
    Excluded,
}

/// The error of a tree that cannot be folded or walked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error<E> {
    /// The source of the tree failed, or the visitor of a walk did.
    #[error("failed to read `{}` of the input tree", shown(path))]
    Read {
        /// The path from the tree's root; empty for the root.
        path: BString,
        /// The error of the source or of the visitor.
        source: E,
    },
    /// A folder lists a name that no file can have, or one name twice.
    #[error(
        "the input tree lists `{}`, which is not a name that a file can have there; check the repository with `git fsck`",
        shown(path)
    )]
    Name {
        /// The folder's path with the name.
        path: BString,
    },
    /// The hash function failed on a folder, so the folder's id cannot be trusted.
    #[error("failed to hash the folder `{}` of the input tree: {reason}", shown(path))]
    Hash {
        /// The path of the folder.
        path: BString,
        /// The message of the hash function.
        reason: String,
    },
}

fn shown(path: &BString) -> &BStr {
    if path.is_empty() { BStr::new(".") } else { BStr::new(path) }
}

/// The names in the folder at `path`, in the order of their bytes. A name that no file can have is an error.
pub(crate) fn list<T: Tree>(
    tree: &T,
    path: &BStr,
    id: Option<ContentId>,
) -> Result<Vec<Node>, Error<T::Error>> {
    let mut nodes = tree.list(path, id).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    nodes.sort_unstable_by(|left, right| left.name.cmp(&right.name));
    let mut before: &[u8] = b"";
    for Node { name, .. } in &nodes {
        let special =
            matches!(&***name, b"" | b"." | b"..") || name.iter().any(|byte| matches!(byte, b'/' | 0));
        if special || **name == *before {
            let mut path = path.to_owned();
            let end = path.len();
            enter(&mut path, end, name.as_ref());
            return Err(Error::Name { path });
        }
        before = name;
    }
    Ok(nodes)
}

/// Makes `path`, whose first `end` bytes are the path of a folder, the path of `name` in that folder.
fn enter(path: &mut BString, end: usize, name: &BStr) {
    path.truncate(end);
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}

/// True if `node`, which is not a folder, counts.
///
/// Rules can reach into a submodule, whose commit stands for all that is in it: a submodule counts if a part
/// of it may.
fn counts<F: Filter>(filter: &F, node: &Node, verdict: Verdict, state: &F::State) -> bool {
    verdict == Verdict::Included || (node.kind == Kind::Submodule && filter.below(state) != Some(false))
}

#[cfg(test)]
mod tests;
