//! An opened repository: its root, its objects and its memory. Start with [`Repository`].

use std::cell::OnceCell;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bstr::{BString, ByteVec as _};
use dtbuild_content::fingerprint::Fingerprint;
use dtbuild_content::memo::Memo;

use super::GitError;
use super::memory::Memory;
use super::objects::Objects;

/// An opened git repository: a checkout, a linked work tree, or a bare one.
///
/// Opening reads the configuration and HEAD, and takes about half a millisecond; everything else is read when it is
/// needed. A clone is cheap, and shares what was read.
#[derive(Clone)]
pub struct Repository {
    pub(super) inner: gix::Repository,
    /// The canonical root of the work tree.
    pub(super) root: Option<PathBuf>,
    /// The path of the repository's git index.
    pub(super) index: PathBuf,
    pub(super) memory: Arc<Memory>,
    /// The handle to the objects, made when it is first needed: making one takes longer than reading one tree.
    pub(super) objects: OnceCell<Objects>,
}

/// The largest file that [`Repository::read_file`] and [`Repository::read_from_disk`] read, in bytes.
pub(super) const FILE_LIMIT: u64 = 16 * 1024 * 1024;

impl Repository {
    /// The fingerprint of the running code: results that earlier runs stored count only under the same fingerprint.
    pub(crate) fn code(&self) -> Fingerprint {
        self.memory.code
    }

    /// The root of the work tree: absolute, without symbolic links.
    ///
    /// # Errors
    /// When the repository is bare.
    pub fn root(&self) -> Result<&Path, GitError> {
        self.root.as_deref().ok_or_else(|| GitError::NoWorkTree { path: self.inner.git_dir().to_owned() })
    }

    /// The path of `folder` from the root of the work tree, empty for the root itself. The folder need not exist.
    ///
    /// # Errors
    /// When the folder is outside of the work tree, or when the repository is bare.
    pub fn prefix(&self, folder: &Path) -> Result<BString, GitError> {
        let root = self.root()?;
        let absolute = std::path::absolute(folder).map_err(|source| GitError::unreadable(folder, source))?;
        // The folder itself may be a link in a commit: only links in the path above the folder are resolved.
        let inside = [Some(lexical(&absolute)), resolve_parent(&absolute)]
            .into_iter()
            .flatten()
            .find_map(|path| path.strip_prefix(root).ok().map(Path::to_owned));
        let inside = inside
            .ok_or_else(|| GitError::OutsideRepository { path: folder.to_owned(), root: root.to_owned() })?;
        let parts: Vec<_> =
            inside.components().map(|part| Vec::from_path_lossy(part.as_os_str().as_ref())).collect();
        Ok(BString::from(parts.iter().map(AsRef::as_ref).collect::<Vec<&[u8]>>().join(&b'/')))
    }

    /// True if the clone is shallow: its history does not go back to the first commit.
    #[must_use]
    pub fn is_shallow(&self) -> bool {
        self.inner.is_shallow().unwrap_or(false)
    }

    /// The hash that the repository names its objects with.
    #[must_use]
    pub fn object_hash(&self) -> gix::hash::Kind {
        self.inner.object_hash()
    }

    /// A handle for another thread, so that neither thread waits for the other.
    #[must_use]
    pub fn for_thread(&self) -> Self {
        self.clone()
    }

    /// The memo: results about commits that earlier runs stored.
    #[must_use]
    pub fn memo(&self) -> &Memo {
        self.memory.memo()
    }

    /// Stores the memo and the stat cache of this run for the next run.
    pub fn remember(&self) {
        self.memory.save();
    }

    pub(super) fn objects(&self) -> &Objects {
        self.objects.get_or_init(|| Objects::of(self))
    }
}

/// The path without `.` and `..`, by its text alone.
fn lexical(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut clean, part| {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            other => clean.push(other),
        }
        clean
    })
}

/// The path with the links of its deepest existing parent resolved.
fn resolve_parent(path: &Path) -> Option<PathBuf> {
    path.ancestors().find_map(|ancestor| {
        let real = ancestor.canonicalize().ok()?;
        Some(lexical(&real.join(path.strip_prefix(ancestor).ok()?)))
    })
}
