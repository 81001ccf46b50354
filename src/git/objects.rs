//! Reading git's objects, with errors that name the path they belong to.

use bstr::BStr;
use dtbuild_content::memo::Memo;
use dtbuild_content::tree::ContentId;
use gix::objs::{Find as _, Kind, TreeRefIter};

use std::sync::Arc;

use super::shared::{Names, Shared};
use super::{GitError, Repository, paths};

/// A handle to the object database: cheap to clone, and to send to another thread.
#[derive(Clone)]
pub(super) struct Objects {
    database: gix::OdbHandle,
    hash: gix::hash::Kind,
    shared: Arc<Shared>,
}

impl Objects {
    pub(super) fn of(repository: &Repository) -> Self {
        let (inner, shared) = (&repository.inner, Arc::clone(&repository.shared));
        Self { database: inner.objects.clone(), hash: inner.object_hash(), shared }
    }

    pub(super) fn hash(&self) -> gix::hash::Kind {
        self.hash
    }

    /// The entries of the tree `id`, the folder at `path`.
    pub(super) fn tree<'a>(
        &self,
        id: &ContentId,
        path: &BStr,
        buffer: &'a mut Vec<u8>,
    ) -> Result<TreeRefIter<'a>, GitError> {
        Ok(TreeRefIter::from_bytes(self.body(id, path, buffer)?, self.hash))
    }

    /// [`tree`](Self::tree), for one that is read again soon.
    pub(super) fn tree_to_keep<'a>(
        &self,
        id: &ContentId,
        path: &BStr,
        buffer: &'a mut Vec<u8>,
    ) -> Result<TreeRefIter<'a>, GitError> {
        let body = self.body(id, path, buffer)?;
        self.shared.keep_body(*id, body);
        Ok(TreeRefIter::from_bytes(body, self.hash))
    }

    /// The tree `id` as git has it.
    fn body<'a>(&self, id: &ContentId, path: &BStr, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], GitError> {
        // Git never stores the empty tree; everybody knows it.
        if id.is_empty_tree() {
            return Ok(&[]);
        }
        if let Some(body) = self.shared.take_body(id) {
            *buffer = body;
            return Ok(buffer);
        }
        self.read(id, Kind::Tree, path, buffer)
    }

    /// The names in the tree `id`, sorted and read once in a run; `path` is what it is read for.
    pub(super) fn names(&self, id: ContentId, path: &BStr) -> Result<Names, GitError> {
        if let Some(names) = self.shared.names(&id) {
            return Ok(names);
        }
        let mut nodes = paths::nodes(self, id, path)?;
        nodes.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        let names: Names = nodes.into();
        self.shared.note(id, &names);
        Ok(names)
    }

    /// The same, where it was read in this run.
    pub(super) fn known_names(&self, id: &ContentId) -> Option<Names> {
        self.shared.names(id)
    }

    /// What earlier runs found out about trees.
    pub(super) fn memo(&self) -> &Memo {
        self.shared.memo()
    }

    /// The bytes of the object `id`, which must be a `kind`; `path` is what it belongs to.
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

    /// The number of bytes of the object `id`, without reading it; `path` is what it belongs to.
    pub(super) fn size(&self, id: &ContentId, path: &BStr) -> Result<u64, GitError> {
        use gix::odb::Header as _;

        match self.database.try_header(id) {
            Ok(Some(header)) => Ok(header.size()),
            Ok(None) => Err(GitError::MissingObject { id: *id, path: path.to_owned() }),
            Err(source) => Err(broken(id, path, source)),
        }
    }
}

pub(super) fn broken(id: &ContentId, path: &BStr, source: impl Into<super::error::Cause>) -> GitError {
    GitError::BrokenObject { id: *id, path: path.to_owned(), source: source.into() }
}
