//! A folder of a commit as an input tree, read from git's objects. Start with [`CommitTree`].
//!
//! A build of a commit sees the bytes that git stores: line endings, encodings and `$Id$` are not converted. Files of
//! Git LFS are sent from the store of fetched contents, submodules from their own objects. [`CommitTree::snapshot`]
//! fails where such a content was not fetched, and where a checkout would run another filter.

use std::borrow::Cow;
use std::cell::{OnceCell, Ref, RefCell};
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_content::snapshot::{Snapshot, SnapshotEntry};
use dtbuild_content::tree::{self, ContentId, Filter, Identified, Kind, Node, Remembered, Tree};

use super::checkout_filters::CheckoutFilters;
use super::contents::{CommitContents, Origin};
use super::lookup::{self, Location};
use crate::git::attributes::Drivers;
use crate::git::lfs::{self, Pointer, Stored};
use crate::git::objects::Objects;
use crate::git::path::{self, join, rest};
use crate::git::submodules::{Expanded, Submodules};
use crate::git::{CommitId, GitError, Repository};

/// A folder of a commit. The folder is listed from tree objects alone, which hold the id of every file.
pub struct CommitTree<'a> {
    repository: Cow<'a, Repository>,
    /// The commit's own tree.
    top: ContentId,
    /// The folder's tree.
    root: ContentId,
    /// The folder's path in the commit.
    folder: BString,
    /// The path of a submodule's repository in the outermost repository, for messages; empty for the outermost one.
    prefix: BString,
    /// The configured filters that change files on checkout, read when they are first needed.
    drivers: OnceCell<Drivers>,
    filters: RefCell<Option<CheckoutFilters>>,
    submodules: Submodules<CommitTree<'static>>,
}

impl Repository {
    /// The folder at `folder` of the commit, empty for the whole commit; none where there is no such folder.
    /// Links are followed as long as they stay in the repository. The folder may be in a submodule.
    ///
    /// # Errors
    /// When an object or a submodule's commit is missing, or a link leads out of the repository.
    pub fn commit_tree(&self, commit: CommitId, folder: &BStr) -> Result<Option<CommitTree<'_>>, GitError> {
        CommitTree::open(Cow::Borrowed(self), commit, folder, BStr::new(""))
    }
}

impl<'a> CommitTree<'a> {
    fn open(
        repository: Cow<'a, Repository>,
        commit: CommitId,
        folder: &BStr,
        prefix: &BStr,
    ) -> Result<Option<Self>, GitError> {
        let top = repository.tree_of(commit)?;
        let root = match lookup::locate(repository.objects(), top, folder)? {
            Location::Found(Kind::Folder, root) => root,
            Location::Inside(gitlink) => {
                let (path, commit) = (gitlink.path.as_bstr(), gitlink.commit);
                let repository = Cow::Owned(repository.submodule(top, path, commit, prefix)?);
                let prefix = join(prefix, path);
                return Self::open(repository, CommitId(commit), gitlink.rest.as_bstr(), prefix.as_bstr());
            }
            Location::Found(..) | Location::Nowhere => return Ok(None),
        };
        Ok(Some(Self {
            repository,
            top,
            root,
            folder: path::clean(folder),
            prefix: prefix.to_owned(),
            drivers: OnceCell::new(),
            filters: RefCell::default(),
            submodules: Submodules::default(),
        }))
    }

    fn objects(&self) -> &Objects {
        self.repository.objects()
    }

    /// The configured filters that change files on checkout.
    fn drivers(&self) -> &Drivers {
        self.drivers.get_or_init(|| Drivers::of(&self.repository.inner))
    }

    /// The id of the folder's whole tree.
    #[must_use]
    pub fn id(&self) -> ContentId {
        self.root
    }

    /// The id of the tree of all paths that `filter` lets in. The
    /// [`WorkingTree::digest`](crate::git::WorkingTree::digest) of equal files is equal.
    ///
    /// # Errors
    /// When an object is missing.
    pub fn digest<F: Filter>(&self, filter: &F) -> Result<ContentId, GitError> {
        Ok(tree::digest(self, filter)?)
    }

    /// The [`digest`](Self::digest), taken from the memo for folders whose digests earlier runs took.
    ///
    /// # Errors
    /// When an object is missing.
    pub fn remembered_digest<F: Identified>(&self, filter: &F) -> Result<ContentId, GitError> {
        let remembered = Remembered::new(self.objects().memo(), filter);
        Ok(tree::digest_with(self, filter, Some(&remembered))?)
    }

    /// The files of the folder that `filter` lets in, as a build sees them.
    ///
    /// # Errors
    /// When an object is missing, or when the content of a file cannot be had: a submodule or a file of Git LFS that
    /// was not fetched, a file behind another filter.
    pub fn snapshot<F: Filter>(&self, filter: &F) -> Result<Snapshot, GitError> {
        self.snapshot_reading(filter, |_| true)
    }

    /// The [`snapshot`](Self::snapshot) for a build that reads only the paths for which `reads` is true. Other paths
    /// are left out if their content cannot be had.
    ///
    /// # Errors
    /// As for [`CommitTree::snapshot`], for the paths that are read.
    pub fn snapshot_reading<F: Filter>(
        &self,
        filter: &F,
        reads: impl Fn(&BStr) -> bool,
    ) -> Result<Snapshot, GitError> {
        let (mut entries, mut contents) = (Vec::new(), CommitContents::default());
        tree::walk(&Expanded(self), filter, |path, node| {
            match self.entry(path, node) {
                Ok((entry, origin)) => {
                    if is_file(entry.kind) {
                        contents.add(&entry.path, origin, |repository| self.objects_of(repository.as_bstr()));
                    }
                    entries.push(entry);
                }
                Err(error) if error.is_of_content() && !reads(path) => {}
                Err(error) => return Err(error),
            }
            Ok(())
        })?;
        Ok(Snapshot { entries: entries.into(), contents: Arc::new(contents) })
    }

    /// The entry of `path`, and the place of its content.
    fn entry(&self, path: &BStr, node: &Node) -> Result<(SnapshotEntry, Origin), GitError> {
        if let Some(end) = self.submodules.above(path) {
            let (submodule, folder) = (self.opened(path[..end].as_bstr())?, path[..end].as_bstr());
            let (mut entry, mut origin) = submodule.entry(rest(path, end), node)?;
            entry.path = path.to_owned();
            origin.repository = if origin.repository.is_empty() {
                folder.to_owned()
            } else {
                join(folder, origin.repository.as_bstr())
            };
            return Ok((entry, origin));
        }
        let place = self.place(path);
        let (mut size, mut link, mut lfs, mut buffer) = (0, None, None, Vec::new());
        let id = match node.kind {
            Kind::Folder => ContentId::null(self.objects().hash()),
            _ => self.identify(path, node)?,
        };
        match node.kind {
            Kind::Folder => {}
            Kind::Submodule => return Err(self.unopened(path)),
            Kind::Symlink => {
                let text = self.objects().read(&id, gix::objs::Kind::Blob, place.as_bstr(), &mut buffer)?;
                size = text.len() as u64;
                link = Some(BString::from(text));
            }
            Kind::File | Kind::Executable => {
                size = self.objects().size(&id, place.as_bstr())?;
                lfs = self.kept_by_lfs(path, id, size)?;
                size = lfs.as_ref().map_or(size, |stored| stored.pointer.size);
            }
        }
        let entry = SnapshotEntry { path: path.to_owned(), kind: node.kind, id, size, link };
        Ok((entry, Origin { repository: BString::default(), lfs }))
    }

    /// The stored content of the file at `path`, whose blob `id` has `size` bytes; none where Git LFS does not keep
    /// the file. Fails if a checkout would have another content than git stores, and that content cannot be had.
    fn kept_by_lfs(&self, path: &BStr, id: ContentId, size: u64) -> Result<Option<Stored>, GitError> {
        let (place, mut buffer) = (self.place(path), Vec::new());
        let pointer = if Pointer::may_have(size) {
            Pointer::parse(self.objects().read(&id, gix::objs::Kind::Blob, place.as_bstr(), &mut buffer)?)
        } else {
            None
        };
        if pointer.is_none() && self.drivers().is_empty() {
            return Ok(None);
        }
        let filter = self.filter_of(path)?;
        let Some(pointer) = pointer else {
            return match filter {
                Some(filter) if self.drivers().contains(&filter) => {
                    Err(GitError::Filtered { path: place, filter })
                }
                _ => Ok(None),
            };
        };
        match filter {
            Some(filter) if filter == lfs::FILTER && pointer.extended => {
                return Err(GitError::Filtered { path: place, filter });
            }
            Some(filter) if filter == lfs::FILTER => {}
            Some(filter) if self.drivers().contains(&filter) => {
                return Err(GitError::Filtered { path: place, filter });
            }
            _ => return Err(GitError::StrayPointer { path: place }),
        }
        let file = lfs::Store::of(&self.repository.inner).file(&pointer);
        let complete = file.metadata().is_ok_and(|found| found.is_file() && found.len() == pointer.size);
        if pointer.size > 0 && !complete {
            return Err(GitError::LfsMissing { path: place, repository: self.prefix.clone() });
        }
        Ok(Some(Stored { pointer, file }))
    }

    /// The filter that the commit's `.gitattributes` give the file at `path`.
    fn filter_of(&self, path: &BStr) -> Result<Option<String>, GitError> {
        let mut filters = self.filters.borrow_mut();
        let known = match filters.take() {
            Some(known) => known,
            None => CheckoutFilters::read(self.objects(), self.top, self.folder.as_bstr())?,
        };
        Ok(filters.insert(known).of_file(join(self.folder.as_bstr(), path).as_bstr()))
    }

    /// The path, in the outermost repository, of `path` in this folder; for messages.
    fn place(&self, path: &BStr) -> BString {
        join(self.prefix.as_bstr(), join(self.folder.as_bstr(), path).as_bstr())
    }

    /// The tree of the submodule at `path`, which must have been listed before.
    fn opened(&self, path: &BStr) -> Result<Ref<'_, CommitTree<'static>>, GitError> {
        self.submodules.get(path, |commit| {
            let gone =
                || GitError::MissingObject { id: ContentId::null(self.hash_kind()), path: self.place(path) };
            let commit = commit.ok_or_else(gone)?;
            let link = join(self.folder.as_bstr(), path);
            let repository =
                self.repository.submodule(self.top, link.as_bstr(), commit, self.prefix.as_bstr())?;
            let prefix = self.place(path);
            let (repository, root) = (Cow::Owned(repository), BStr::new(""));
            let opened = CommitTree::open(repository, CommitId(commit), root, prefix.as_bstr())?;
            opened.ok_or_else(gone)
        })
    }

    /// The error for the submodule at `path`, which cannot be opened.
    fn unopened(&self, path: &BStr) -> GitError {
        match self.opened(path) {
            Err(error) => error,
            Ok(_) => GitError::Changed { path: self.place(path) },
        }
    }

    /// The objects of the submodule at `path`, which may be in another submodule; the repository's own objects for an
    /// empty path.
    fn objects_of(&self, path: &BStr) -> Objects {
        let opened = self.submodules.at_or_above(path).and_then(|end| {
            let submodule = self.opened(path[..end].as_bstr()).ok()?;
            Some(submodule.objects_of(rest(path, end)))
        });
        opened.unwrap_or_else(|| self.objects().clone())
    }
}

impl Tree for CommitTree<'_> {
    type Error = GitError;

    fn hash_kind(&self) -> gix::hash::Kind {
        self.objects().hash()
    }

    fn list(&self, path: &BStr, id: Option<ContentId>) -> Result<Vec<Node>, GitError> {
        if let Some(end) = self.submodules.at_or_above(path) {
            return self.opened(path[..end].as_bstr())?.list(rest(path, end), id);
        }
        let id = match id {
            Some(id) => id,
            None if path.is_empty() => self.root,
            None => match lookup::find(self.objects(), self.root, path)? {
                Some((Kind::Folder, id)) => id,
                _ => return Ok(Vec::new()),
            },
        };
        let nodes = match self.objects().known_names(&id) {
            Some(names) => names.to_vec(),
            None => self.objects().nodes(id, self.place(path).as_bstr())?,
        };
        for node in nodes.iter().filter(|node| node.kind == Kind::Submodule) {
            if let Some(commit) = node.id {
                self.submodules.note(join(path, node.name.as_bstr()), commit);
            }
        }
        Ok(nodes)
    }

    fn opens(&self, path: &BStr) -> Result<bool, GitError> {
        if let Some(end) = self.submodules.above(path) {
            return self.opened(path[..end].as_bstr())?.opens(rest(path, end));
        }
        match self.opened(path) {
            Ok(_) => Ok(true),
            Err(GitError::Submodule { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn identify(&self, path: &BStr, node: &Node) -> Result<ContentId, GitError> {
        let known = match node.id {
            Some(id) => Some(id),
            None => lookup::find(self.objects(), self.root, path)?.map(|(_, id)| id),
        };
        let null = ContentId::null(self.objects().hash());
        known.ok_or_else(|| GitError::MissingObject { id: null, path: self.place(path) })
    }

    fn link(&self, path: &BStr, node: &Node) -> Result<BString, GitError> {
        if let Some(end) = self.submodules.above(path) {
            return self.opened(path[..end].as_bstr())?.link(rest(path, end), node);
        }
        let (id, place) = (self.identify(path, node)?, self.place(path));
        let mut buffer = Vec::new();
        Ok(self.objects().read(&id, gix::objs::Kind::Blob, place.as_bstr(), &mut buffer)?.into())
    }
}

fn is_file(kind: Kind) -> bool {
    matches!(kind, Kind::File | Kind::Executable)
}
