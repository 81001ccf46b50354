//! Submodules: where their repositories are, and the ones that a tree has opened. Start with [`Submodules`].
//!
//! To a key a submodule is its commit. To a build it is a folder, read from the submodule's own objects:
//! those of `.git/modules/NAME`, which stay when the submodule is not checked out, or of its checkout.

use std::cell::{Ref, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::tree::{ContentId, Kind};

use super::diff::join;
use super::{CommitId, GitError, Presence, Repository, paths};

/// The file that names submodules.
const FILE: &str = ".gitmodules";

/// The submodules of a tree by their path from its root; each is opened when it is first looked into.
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
    /// Takes note of the submodule at `path`.
    pub(super) fn note(&self, path: BString, commit: ContentId) {
        self.commits.borrow_mut().insert(path, commit);
    }

    /// Where in `path` the path of the submodule ends that it is in, or that it is.
    pub(super) fn at_or_above(&self, path: &BStr) -> Option<usize> {
        let commits = self.commits.borrow();
        if commits.is_empty() {
            return None;
        }
        path.find_iter("/").chain([path.len()]).find(|end| commits.contains_key(path[..*end].as_bstr()))
    }

    /// Where in `path` the path of the submodule ends that it is in.
    pub(super) fn above(&self, path: &BStr) -> Option<usize> {
        self.at_or_above(path).filter(|end| *end < path.len())
    }

    /// The submodule at `path`, opened by `open` unless it is already. No other is opened while it is held.
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

/// What is below the end `end` of a part of `path`.
pub(super) fn rest(path: &BStr, end: usize) -> &BStr {
    path.get(end + 1..).unwrap_or_default().as_bstr()
}

impl Repository {
    /// The repository of the submodule at `path` of a commit with the tree `top`, which has its `commit`.
    ///
    /// `prefix` is the path of this repository in the one that contains it, for what is told to the user.
    pub(super) fn submodule(
        &self,
        top: ContentId,
        path: &BStr,
        commit: ContentId,
        prefix: &BStr,
    ) -> Result<Self, GitError> {
        let (mut cloned, mut failure) = (false, None);
        for place in self.submodule_places(top, path)? {
            match Self::at_git_folder(&place) {
                Ok(found) => {
                    cloned = true;
                    if found.has_commit(CommitId(commit)).is_ok_and(|found| found == Presence::Known) {
                        return Ok(found);
                    }
                }
                Err(error) => failure = Some(error),
            }
        }
        let (path, repository) = (join(prefix, path), prefix.to_owned());
        Err(failure.unwrap_or(GitError::Submodule { path, repository, commit, cloned }))
    }

    /// The places that there are where a submodule's repository can be.
    fn submodule_places(&self, top: ContentId, path: &BStr) -> Result<Vec<PathBuf>, GitError> {
        let mut places = Vec::new();
        if let Some(name) = self.submodule_name(top, path)? {
            let name = name.to_path_lossy();
            // A linked work tree has submodules of its own.
            let folders = [self.inner.git_dir(), self.inner.common_dir()];
            places.extend(folders.map(|folder| folder.join("modules").join(&name)));
        }
        places.retain(|place| place.join("HEAD").is_file());
        let checkout = self.root().ok().map(|root| root.join(path.to_path_lossy()));
        places.extend(checkout.filter(|place| place.join(".git").exists()));
        Ok(places)
    }

    /// The name of the submodule at `path` of a commit with the tree `top`.
    fn submodule_name(&self, top: ContentId, path: &BStr) -> Result<Option<BString>, GitError> {
        let (objects, file, mut buffer) = (self.objects(), BStr::new(FILE), Vec::new());
        let Some((Kind::File | Kind::Executable, id)) = paths::find_exact(objects, top, file)? else {
            return Ok(None);
        };
        let text = objects.read(&id, gix::objs::Kind::Blob, file, &mut buffer)?;
        let config = self.inner.config_snapshot();
        let named = gix::submodule::File::from_bytes(text, None, config.plumbing())
            .map_err(|source| super::objects::broken(&id, file, source))?;
        let name = named.name_by_path(path).map(ToOwned::to_owned);
        // Git refuses names that lead out of the folder of submodules, too.
        let inside = |name: &BString| name.split_str("/").all(|part| !matches!(part, b"" | b"." | b".."));
        Ok(name.filter(inside))
    }
}
