//! The opened repository of a folder: its root, format and owner. Start with [`Repository`].

use std::cell::OnceCell;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bstr::{BString, ByteVec as _};
use dtbuild_content::fingerprint::Fingerprint;
use dtbuild_content::memo::Memo;
use gix::sec::trust::Mapping;

use super::GitError;
use super::memory::Memory;
use super::objects::Objects;

/// An opened git repository: a checkout, a linked work tree, or a bare one.
///
/// Opening reads the configuration and HEAD, and takes about half a millisecond; everything else is read when it is needed.
/// A clone is cheap, and shares what was read.
#[derive(Clone)]
pub struct Repository {
    pub(super) inner: gix::Repository,
    /// The canonical root of the work tree.
    root: Option<PathBuf>,
    pub(super) memory: Arc<Memory>,
    /// Made when it is first needed: a handle costs more than the reading of one tree.
    objects: OnceCell<Objects>,
}

/// The largest file that [`Repository::read_file`] and [`Repository::read_from_disk`] read, in bytes.
pub(super) const FILE_LIMIT: u64 = 16 * 1024 * 1024;

/// The extensions of a repository's format that do not concern a reader, or that gix can read.
const KNOWN_EXTENSIONS: &[&str] = &[
    "compatobjectformat",
    "noop",
    "noop-v1",
    "objectformat",
    "partialclone",
    "preciousobjects",
    "refstorage",
    "relativeworktrees",
    "submodulepathconfig",
    "worktreeconfig",
];

impl Repository {
    /// Opens the repository that holds the folder `dir`, as the `git` program run there would find it:
    /// `GIT_DIR`, `GIT_WORK_TREE` and `safe.directory` count. What earlier runs of the same `code` found out counts as well.
    ///
    /// # Errors
    /// When no repository holds the folder, when git would refuse the repository, or when its format cannot be read.
    pub fn discover(dir: &Path, code: Fingerprint) -> Result<Self, GitError> {
        let dir = dir.canonicalize().map_err(|source| GitError::unreadable(dir, source))?;
        let mut trust = Mapping::<gix::open::Options>::default();
        trust.full = trust.full.bail_if_untrusted(true).lossy_config(true);
        trust.reduced = trust.reduced.bail_if_untrusted(true).lossy_config(true);
        // A ceiling that does not contain the folder is git's to ignore, and ours.
        let upwards =
            gix::discover::upwards::Options { match_ceiling_dir_or_error: false, ..Default::default() };
        let inner = gix::ThreadSafeRepository::discover_with_environment_overrides_opts(&dir, upwards, trust)
            .map_err(|source| opening_error(dir, source))?
            .to_thread_local();
        check_format(&inner)?;
        let root = match inner.workdir() {
            Some(root) => Some(root.canonicalize().map_err(|source| GitError::unreadable(root, source))?),
            None => None,
        };
        let memory = Arc::new(Memory::new(inner.common_dir(), code));
        Ok(Self { inner, root, memory, objects: OnceCell::new() })
    }

    /// Opens the repository whose checkout or git folder `dir` is, on the terms of [`Repository::discover`].
    pub(super) fn at(dir: &Path, code: Fingerprint) -> Result<Self, GitError> {
        Self::open(dir, code, gix::open::Options::default(), true)
    }

    /// Opens the git folder `dir` for its objects alone: its work tree may be missing, or belong to another user.
    pub(super) fn at_git_folder(dir: &Path, code: Fingerprint) -> Result<Self, GitError> {
        Self::at(dir, code).or_else(|error| {
            // A missing work tree counts as foreign; the owner of the git folder is what matters here.
            let owned = gix::sec::identity::is_path_owned_by_current_user(dir).unwrap_or(false);
            if !owned || !matches!(error, GitError::ForeignOwner { .. }) {
                return Err(error);
            }
            // Trusted for objects alone, large ones included.
            let unlimited = ["gitoxide.objects.allocLimitIfReducedTrust=0"];
            Self::open(dir, code, gix::open::Options::default().config_overrides(unlimited), false)
        })
    }

    fn open(
        dir: &Path,
        code: Fingerprint,
        options: gix::open::Options,
        strict: bool,
    ) -> Result<Self, GitError> {
        let options = options.bail_if_untrusted(strict).lossy_config(true);
        let inner = gix::ThreadSafeRepository::open_opts(dir, options)
            .map_err(|source| opening_error(dir.to_owned(), source))?
            .to_thread_local();
        check_format(&inner)?;
        // A submodule that is not checked out has no work tree.
        let root = inner.workdir().and_then(|root| root.canonicalize().ok());
        let memory = Arc::new(Memory::new(inner.common_dir(), code));
        Ok(Self { inner, root, memory, objects: OnceCell::new() })
    }

    /// The code that earlier runs have to be of, for what they found out to count.
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
        // The folder itself may be a link in a commit: only the folders above it are resolved.
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

    /// Whether the clone's history ends before its first commit.
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

    /// The memo of what earlier runs found out about commits.
    #[must_use]
    pub fn memo(&self) -> &Memo {
        self.memory.memo()
    }

    /// Stores what this run found out, for the next run.
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

fn opening_error(path: PathBuf, source: gix::Error) -> GitError {
    use gix::discover::upwards::Error as Discovery;

    if source
        .downcast_any_ref::<Discovery>()
        .is_some_and(|error| !matches!(error, Discovery::NoTrustedGitRepository { .. }))
    {
        return GitError::NotARepository { path };
    }
    let denied_by_the_system = source.iter_errors().any(<dyn std::error::Error>::is::<std::io::Error>);
    if source.is_permission_denied() && !denied_by_the_system {
        return GitError::ForeignOwner { path };
    }
    GitError::Open { path, source: source.into() }
}

/// Refuses formats that gix would misread: gix takes unknown formats for the usual one.
fn check_format(repository: &gix::Repository) -> Result<(), GitError> {
    let config = repository.config_snapshot();
    let unsupported = |what: String, hint| GitError::UnsupportedFormat {
        path: repository.git_dir().to_owned(),
        what,
        hint,
    };
    let storage = config.string("extensions.refStorage").unwrap_or_else(|| "files".into());
    if storage != "files" {
        return Err(unsupported(
            format!("the reference storage `{storage}`"),
            "convert it with `git refs migrate --ref-format=files`",
        ));
    }
    let version = config.integer("core.repositoryFormatVersion").unwrap_or(0);
    if version > 1 {
        return Err(unsupported(format!("format version {version}"), "use a clone in format version 1"));
    }
    let extensions = config.plumbing().sections_by_name("extensions").into_iter().flatten();
    let unknown = extensions
        .flat_map(|section| section.value_names().collect::<Vec<_>>())
        .find(|name| !KNOWN_EXTENSIONS.contains(&name.to_ascii_lowercase().as_str()));
    match unknown {
        Some(name) if version == 1 => {
            Err(unsupported(format!("the extension `{name}`"), "use a clone without it"))
        }
        _ => Ok(()),
    }
}
