//! The object database of a repository, with errors that name the path an object belongs to. Start with [`Objects`].

use std::sync::Arc;

use bstr::BStr;
use dtbuild_content::memo::Memo;
use dtbuild_content::tree::{self, ContentId, Node};
use gix::objs::tree::EntryKind;
use gix::objs::{Find as _, Kind, TreeRefIter};

use super::error::Cause;
use super::memory::{Memory, Names};
use super::{GitError, Repository};

/// A handle to the object database; cheap to clone and to send to another thread.
#[derive(Clone)]
pub(super) struct Objects {
    database: gix::OdbHandle,
    hash: gix::hash::Kind,
    memory: Arc<Memory>,
}

impl Objects {
    pub(super) fn of(repository: &Repository) -> Self {
        let (inner, memory) = (&repository.inner, Arc::clone(&repository.memory));
        Self { database: inner.objects.clone(), hash: inner.object_hash(), memory }
    }

    pub(super) fn hash(&self) -> gix::hash::Kind {
        self.hash
    }

    /// The entries of the tree `id` of the folder at `path`.
    pub(super) fn tree<'a>(
        &self,
        id: &ContentId,
        path: &BStr,
        buffer: &'a mut Vec<u8>,
    ) -> Result<TreeRefIter<'a>, GitError> {
        Ok(TreeRefIter::from_bytes(self.body(id, path, buffer)?, self.hash))
    }

    /// [`tree`](Self::tree) of a folder whose tree is kept in memory for its next reader.
    pub(super) fn tree_to_keep<'a>(
        &self,
        id: &ContentId,
        path: &BStr,
        buffer: &'a mut Vec<u8>,
    ) -> Result<TreeRefIter<'a>, GitError> {
        let body = self.body(id, path, buffer)?;
        self.memory.keep_body(*id, body);
        Ok(TreeRefIter::from_bytes(body, self.hash))
    }

    /// The bytes of the tree `id`.
    fn body<'a>(&self, id: &ContentId, path: &BStr, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], GitError> {
        // Git does not store the empty tree.
        if id.is_empty_tree() {
            return Ok(&[]);
        }
        if let Some(body) = self.memory.take_body(id) {
            *buffer = body;
            return Ok(buffer);
        }
        self.read(id, Kind::Tree, path, buffer)
    }

    /// The entries of the tree `id`, sorted by name. A run reads a tree once. Errors name `path`.
    pub(super) fn names(&self, id: ContentId, path: &BStr) -> Result<Names, GitError> {
        if let Some(names) = self.memory.names(&id) {
            return Ok(names);
        }
        let mut nodes = self.nodes(id, path)?;
        nodes.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        let names: Names = nodes.into();
        self.memory.note(id, &names);
        Ok(names)
    }

    /// [`names`](Self::names) of a tree that was read in this run already.
    pub(super) fn known_names(&self, id: &ContentId) -> Option<Names> {
        self.memory.names(id)
    }

    /// All entries of the tree `id` of the folder at `path`, in git's order.
    pub(super) fn nodes(&self, id: ContentId, path: &BStr) -> Result<Vec<Node>, GitError> {
        let mut buffer = Vec::new();
        // Most folders have fewer entries.
        let mut nodes = Vec::with_capacity(16);
        for entry in self.tree(&id, path, &mut buffer)? {
            let entry = entry.map_err(|source| broken(&id, path, source))?;
            let (name, kind) = (entry.filename.to_owned(), kind(entry.mode.kind()));
            nodes.push(Node { name, kind, id: Some(entry.oid.to_owned()) });
        }
        Ok(nodes)
    }

    /// The memo of digests that earlier runs took of trees.
    pub(super) fn memo(&self) -> &Memo {
        self.memory.memo()
    }

    /// The bytes of the object `id`, which must be of `kind`; `path` is the path that the object belongs to, for
    /// errors.
    pub(super) fn read<'a>(
        &self,
        id: &ContentId,
        kind: Kind,
        path: &BStr,
        buffer: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], GitError> {
        match self.database.try_find(id, buffer) {
            Ok(Some(object)) if object.kind == kind => Ok(object.data),
            Ok(Some(object)) => {
                let found = object.kind;
                Err(broken(id, path, format!("it is a {found}, not a {kind}")))
            }
            Ok(None) => Err(GitError::MissingObject { id: *id, path: path.to_owned() }),
            Err(source) => Err(broken(id, path, source)),
        }
    }

    /// The size of the object `id` in bytes, read from the object's header alone; `path` is the path that the object
    /// belongs to, for errors.
    pub(super) fn size(&self, id: &ContentId, path: &BStr) -> Result<u64, GitError> {
        use gix::odb::Header as _;

        match self.database.try_header(id) {
            Ok(Some(header)) => Ok(header.size()),
            Ok(None) => Err(GitError::MissingObject { id: *id, path: path.to_owned() }),
            Err(source) => Err(broken(id, path, source)),
        }
    }
}

fn kind(entry: EntryKind) -> tree::Kind {
    match entry {
        EntryKind::Tree => tree::Kind::Folder,
        EntryKind::Blob => tree::Kind::File,
        EntryKind::BlobExecutable => tree::Kind::Executable,
        EntryKind::Link => tree::Kind::Symlink,
        EntryKind::Commit => tree::Kind::Submodule,
    }
}

/// The error that the object `id`, which belongs to `path`, cannot be decoded.
pub(super) fn broken(id: &ContentId, path: &BStr, source: impl Into<Cause>) -> GitError {
    GitError::BrokenObject { id: *id, path: path.to_owned(), source: source.into() }
}
