//! The submodules that a tree has opened, for trees of commits and of the disk. Start with [`Submodules`].
//!
//! The key holds a submodule's commit. A build gets a folder: the files of the submodule's own repository.

use std::cell::{Ref, RefCell};
use std::collections::{BTreeMap, HashMap};

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::tree::{ContentId, Kind, Node, Tree};

use super::path::join;
use super::{GitError, Repository, SubmoduleMapping};

/// The file that names submodules.
pub(super) const FILE: &str = ".gitmodules";

/// The submodules of a tree by their path from its root; each is opened when it is first needed.
pub(super) struct Submodules<T> {
    commits: RefCell<BTreeMap<BString, ContentId>>,
    opened: RefCell<HashMap<BString, T>>,
}

impl<T> Default for Submodules<T> {
    fn default() -> Self {
        Self { commits: RefCell::default(), opened: RefCell::default() }
    }
}

impl<T> Submodules<T> {
    /// Adds the submodule at `path`, pinned to `commit`.
    pub(super) fn note(&self, path: BString, commit: ContentId) {
        self.commits.borrow_mut().insert(path, commit);
    }

    /// The length of the leading part of `path` that is a submodule's path, all of `path` included.
    pub(super) fn at_or_above(&self, path: &BStr) -> Option<usize> {
        let commits = self.commits.borrow();
        if commits.is_empty() {
            return None;
        }
        path.find_iter("/").chain([path.len()]).find(|end| commits.contains_key(path[..*end].as_bstr()))
    }

    /// The length of the leading part of `path` that is the path of a submodule that holds `path`.
    pub(super) fn above(&self, path: &BStr) -> Option<usize> {
        self.at_or_above(path).filter(|end| *end < path.len())
    }

    /// The submodule at `path`, opened by `open` unless the submodule is open already. While the result is held, no
    /// other submodule can be opened.
    pub(super) fn get(
        &self,
        path: &BStr,
        open: impl FnOnce(Option<ContentId>) -> Result<T, GitError>,
    ) -> Result<Ref<'_, T>, GitError> {
        let held = || Ref::filter_map(self.opened.borrow(), |opened| opened.get(path)).ok();
        if let Some(opened) = held() {
            return Ok(opened);
        }
        let commit = self.commits.borrow().get(path).copied();
        let opened = open(commit)?;
        self.opened.borrow_mut().insert(path.to_owned(), opened);
        held().ok_or_else(|| GitError::Changed { path: path.to_owned() })
    }
}

/// A tree in which every submodule that can be opened is a folder, as builds see submodules.
pub(super) struct Expanded<'a, T>(pub(super) &'a T);

impl<T: Tree> Tree for Expanded<'_, T> {
    type Error = T::Error;

    fn hash_kind(&self) -> gix::hash::Kind {
        self.0.hash_kind()
    }

    fn list(&self, path: &BStr, id: Option<ContentId>) -> Result<Vec<Node>, Self::Error> {
        let mut nodes = self.0.list(path, id)?;
        for node in nodes.iter_mut().filter(|node| node.kind == Kind::Submodule) {
            // A submodule that cannot be opened matters only if it is built; the build reports it.
            if self.0.opens(join(path, node.name.as_bstr()).as_bstr()).unwrap_or(false) {
                (node.kind, node.id) = (Kind::Folder, None);
            }
        }
        Ok(nodes)
    }

    fn identify(&self, path: &BStr, node: &Node) -> Result<ContentId, Self::Error> {
        self.0.identify(path, node)
    }

    fn link(&self, path: &BStr, node: &Node) -> Result<BString, Self::Error> {
        self.0.link(path, node)
    }
}

/// The submodules that a `.gitmodules` file names.
pub(super) struct Modules(gix::submodule::File);

impl Modules {
    /// Parses the file's text; the configuration of `repository` overrides the file, as with git.
    pub(super) fn parse(text: &[u8], repository: &Repository) -> Result<Self, gix::Error> {
        let config = repository.inner.config_snapshot();
        Ok(Self(gix::submodule::File::from_bytes(text, None, config.plumbing())?))
    }

    /// The name of the submodule at `path`.
    pub(super) fn name(&self, path: &BStr) -> Option<BString> {
        let name = self.0.name_by_path(path).map(ToOwned::to_owned);
        // Git refuses names that lead out of the folder of submodules, too.
        let inside = |name: &BString| name.split_str("/").all(|part| !matches!(part, b"" | b"." | b".."));
        name.filter(inside)
    }

    /// The entry of the submodule at `path` in the text of `.gitmodules`; `text` is none where there is no file.
    pub(super) fn mapping(text: Option<&[u8]>, repository: &Repository, path: &BStr) -> SubmoduleMapping {
        let modules = text.and_then(|text| Self::parse(text, repository).ok());
        let found = modules.and_then(|modules| Some((modules.name(path)?, modules.0)));
        match found {
            Some((name, file)) if file.url(name.as_bstr()).is_ok() => match file.update(name.as_bstr()) {
                Ok(Some(gix::submodule::config::Update::None)) => SubmoduleMapping::Skipped,
                _ => SubmoduleMapping::Address,
            },
            _ => SubmoduleMapping::Missing,
        }
    }
}
