//! A folder of a commit, read from git's objects and never from the disk.
//!
//! A build of a commit sees what git stores: line endings and `$Id$` are not converted. Where a checkout
//! would hold something else altogether (LFS, encryption), [`CommitTree::snapshot`] refuses.

use std::io::{self, Cursor, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bstr::{BStr, BString, ByteSlice as _};
use dtbuild_cache::snapshot::{Contents, Snapshot, SnapshotEntry};
use dtbuild_cache::tree::{self, ContentId, Filter, Kind, Node, Tree};

use super::attributes::{CheckoutFilters, Drivers};
use super::diff::join;
use super::objects::Objects;
use super::snapshot::{is_pointer_size, lfs_pointer};
use super::{CommitId, GitError, Repository, paths};

/// A folder of a commit. Every id in it is known; only tree objects are read to list it.
pub struct CommitTree {
    objects: Objects,
    /// The commit's own tree.
    top: ContentId,
    /// The folder's tree.
    root: ContentId,
    /// The folder's path in the commit.
    folder: BString,
    drivers: Drivers,
}

impl Repository {
    /// The folder at `folder` of the commit, empty for all of it; none where there is no such folder.
    /// Links are followed as long as they stay in the repository.
    ///
    /// # Errors
    /// When an object is missing, or a link leads out of the repository.
    pub fn commit_tree(&self, commit: CommitId, folder: &BStr) -> Result<Option<CommitTree>, GitError> {
        let (objects, top) = (self.objects(), self.tree_of(commit)?);
        let Some((Kind::Folder, root)) = paths::find(&objects, top, folder)? else { return Ok(None) };
        let drivers = Drivers::of(&self.inner);
        Ok(Some(CommitTree { objects, top, root, folder: paths::clean(folder), drivers }))
    }
}

impl CommitTree {
    /// The id of the folder's whole tree, as git has it.
    #[must_use]
    pub fn id(&self) -> ContentId {
        self.root
    }

    /// The id of what `filter` lets through: of the same files, [`WorkingTree::digest`](super::WorkingTree::digest)
    /// gives the same.
    ///
    /// # Errors
    /// When an object is missing.
    pub fn digest<F: Filter>(&self, filter: &F) -> Result<ContentId, GitError> {
        Ok(tree::digest(self, filter)?)
    }

    /// The files of the folder that `filter` lets through, as a build is to see them.
    ///
    /// # Errors
    /// When an object is missing, or when a file cannot be had from git's objects: a submodule, an LFS
    /// pointer, a file behind a filter.
    pub fn snapshot<F: Filter>(&self, filter: &F) -> Result<Snapshot, GitError> {
        let mut filters =
            CheckoutFilters::read(&self.drivers, &self.objects, self.top, self.folder.as_bstr())?;
        let mut entries = Vec::new();
        tree::walk(self, filter, |path, node| {
            let place = join(self.folder.as_bstr(), path);
            match &mut filters {
                Some(filters) if is_file(node.kind) => filters.check(place.as_bstr())?,
                _ => {}
            }
            let null = ContentId::null(self.objects.hash());
            let id = if node.kind == Kind::Folder { null } else { self.identify(path, node)? };
            entries.push(self.entry(path, place.as_bstr(), node.kind, id)?);
            Ok(())
        })?;
        let contents = Arc::new(ObjectContents { objects: Mutex::new(self.objects.clone()) });
        Ok(Snapshot { entries: entries.into(), contents })
    }

    /// The entry of `path`, which is at `place` in the commit.
    fn entry(&self, path: &BStr, place: &BStr, kind: Kind, id: ContentId) -> Result<SnapshotEntry, GitError> {
        let (mut size, mut link, mut buffer) = (0, None, Vec::new());
        match kind {
            Kind::Folder => {}
            Kind::Submodule => return Err(GitError::Submodule { path: place.to_owned() }),
            Kind::Symlink => {
                let text = self.objects.read(&id, gix::objs::Kind::Blob, place, &mut buffer)?;
                size = text.len() as u64;
                link = Some(BString::from(text));
            }
            Kind::File | Kind::Executable => {
                size = self.objects.size(&id, place)?;
                if is_pointer_size(size)
                    && lfs_pointer(self.objects.read(&id, gix::objs::Kind::Blob, place, &mut buffer)?)
                {
                    return Err(GitError::LfsPointer { path: place.to_owned() });
                }
            }
        }
        Ok(SnapshotEntry { path: path.to_owned(), kind, id, size, link })
    }
}

impl Tree for CommitTree {
    type Error = GitError;

    fn hash_kind(&self) -> gix::hash::Kind {
        self.objects.hash()
    }

    fn list(&self, path: &BStr, id: Option<ContentId>) -> Result<Vec<Node>, GitError> {
        let place = join(self.folder.as_bstr(), path);
        let id = match id {
            Some(id) => id,
            None if path.is_empty() => self.root,
            None => match paths::find(&self.objects, self.root, path)? {
                Some((Kind::Folder, id)) => id,
                _ => return Ok(Vec::new()),
            },
        };
        paths::nodes(&self.objects, id, place.as_bstr())
    }

    fn identify(&self, path: &BStr, node: &Node) -> Result<ContentId, GitError> {
        let known = match node.id {
            Some(id) => Some(id),
            None => paths::find(&self.objects, self.root, path)?.map(|(_, id)| id),
        };
        let null = ContentId::null(self.objects.hash());
        known.ok_or_else(|| GitError::MissingObject { id: null, path: join(self.folder.as_bstr(), path) })
    }

    fn link(&self, path: &BStr, node: &Node) -> Result<BString, GitError> {
        let (id, place) = (self.identify(path, node)?, join(self.folder.as_bstr(), path));
        let mut buffer = Vec::new();
        Ok(self.objects.read(&id, gix::objs::Kind::Blob, place.as_bstr(), &mut buffer)?.into())
    }
}

fn is_file(kind: Kind) -> bool {
    matches!(kind, Kind::File | Kind::Executable)
}

/// The contents of a commit's files.
struct ObjectContents {
    /// Cloned by every reader: a handle is made for one thread.
    objects: Mutex<Objects>,
}

impl Contents for ObjectContents {
    fn open(&self, entry: &SnapshotEntry) -> io::Result<Box<dyn Read + Send>> {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut content = Vec::new();
        objects
            .read(&entry.id, gix::objs::Kind::Blob, entry.path.as_bstr(), &mut content)
            .map_err(io::Error::other)?;
        Ok(Box::new(Cursor::new(content)))
    }
}
