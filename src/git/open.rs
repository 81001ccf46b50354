//! Finding a repository and opening it, with the checks of trust and format. Start with [`Repository::discover`].

use std::cell::OnceCell;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dtbuild_content::fingerprint::Fingerprint;
use gix::ThreadSafeRepository;
use gix::discover::upwards;
use gix::sec::Trust;
use gix::sec::trust::{DefaultForLevel as _, Mapping};

use super::memory::Memory;
use super::trust::{self, Found};
use super::{GitError, Repository, environment};

/// The folder in which [`environment::joined`] makes folders of objects, from the git folder that linked work trees
/// share.
const JOINED: &str = "dtbuild/objects";

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
    /// Opens the repository that holds the folder `dir`, as the `git` program run there would find it: the variables of
    /// the environment count, `safe.directory` and `safe.bareRepository` too. A bare repository inside of a checkout
    /// must be named by `GIT_DIR`. The memory of earlier runs counts if their fingerprint of the code was `code`.
    ///
    /// # Errors
    /// When no repository holds the folder, when git would refuse the repository, or when its format cannot be read.
    pub fn discover(dir: &Path, code: Fingerprint) -> Result<Self, GitError> {
        let dir = dir.canonicalize().map_err(|source| GitError::unreadable(dir, source))?;
        if env::var_os("GIT_DIR").is_some() {
            // Git trusts a repository that is named.
            let options = || options().with(Trust::Full);
            let trust = Mapping { full: options(), reduced: options() };
            let opened = ThreadSafeRepository::open_with_environment_overrides(&dir, trust);
            return Self::of_environment(opened.map_err(|source| opening_error(dir, source))?, code);
        }
        let found = find(&dir, false)?;
        let place = found.place();
        let opened = ThreadSafeRepository::open_opts(&place, options().open_path_as_is(true));
        let opened = Self::of_environment(opened.map_err(|source| opening_error(place, source))?, code)?;
        found.check(&opened.inner)?;
        opened.check_bare(&found)?;
        Ok(opened)
    }

    /// Refuses a bare repository that may have come with a checkout, or that the configuration says must be named.
    fn check_bare(&self, found: &Found) -> Result<(), GitError> {
        if !found.is_bare() {
            return Ok(());
        }
        let around = found.git_dir.parent().and_then(|above| find(above, true).ok());
        let checkout = around.and_then(|around| around.checkout);
        if checkout.is_some() || trust::only_named(&self.inner) {
            return Err(GitError::BareRepository { path: found.git_dir.clone(), checkout });
        }
        Ok(())
    }

    /// Opens a submodule: `dir` is its checkout, or its git folder for its objects alone. Variables of the environment
    /// that are about the repository around the submodule do not count.
    pub(super) fn of_submodule(dir: &Path, code: Fingerprint) -> Result<Self, GitError> {
        let link = dir.join(".git");
        let checkout = link.symlink_metadata().is_ok().then(|| dir.to_owned());
        let place = if checkout.is_some() { link } else { dir.to_owned() };
        let inner = ThreadSafeRepository::open_opts(&place, options().open_path_as_is(true))
            .map_err(|source| opening_error(place, source))?
            .to_thread_local();
        let found = Found { git_dir: inner.git_dir().to_owned(), checkout };
        found.check(&inner)?;
        check_format(&inner)?;
        let root = found.checkout.and_then(|root| root.canonicalize().ok());
        let memory = Arc::new(Memory::new(inner.common_dir(), code));
        let index = found.git_dir.join("index");
        Ok(Self { inner, root, index, memory, objects: OnceCell::new() })
    }

    /// The opened repository, with its objects read from the folders that the environment names, if it names any.
    fn of_environment(mut opened: ThreadSafeRepository, code: Fingerprint) -> Result<Self, GitError> {
        if let Some(folders) = environment::object_folders(opened.objects.path()) {
            let (usual, hash) = (&opened.objects, opened.objects.object_hash());
            let failed = |source| GitError::unreadable(usual.path(), source);
            let place = usual.path().with_file_name(JOINED);
            let joined = environment::joined(&folders, &place, hash).map_err(failed)?;
            let options = gix::odb::store::init::Options::default();
            let store = gix::odb::Store::at_opts(joined, hash, &mut usual.replacements(), options);
            opened.objects = store.map_err(failed)?.into();
        }
        let inner = opened.to_thread_local();
        check_format(&inner)?;
        let root = match inner.workdir() {
            Some(root) => Some(root.canonicalize().map_err(|source| GitError::unreadable(root, source))?),
            None => None,
        };
        let memory = Arc::new(Memory::new(inner.common_dir(), code));
        let index = inner.index_path().clone();
        Ok(Self { inner, root, index, memory, objects: OnceCell::new() })
    }
}

/// The options for a repository whose trust is checked here, and not by gix.
fn options() -> gix::open::Options {
    gix::open::Options::default_for_level(Trust::Full)
        .filter_config_section(|_| true)
        .lossy_config(true)
        .config_overrides(["gitoxide.objects.allocLimitIfReducedTrust=0"])
        .cli_overrides(environment::command_config())
}

/// Searches the repository of the folder `dir` from `dir` upwards; `dir` is free of links. With `dot_git_only`, the
/// search passes by bare repositories.
fn find(dir: &Path, dot_git_only: bool) -> Result<Found, GitError> {
    let across = env::var_os("GIT_DISCOVERY_ACROSS_FILESYSTEM");
    let across = across.and_then(|value| gix::config::Boolean::try_from(value).ok());
    let options = upwards::Options {
        trust: upwards::TrustPolicy::Assume(Trust::Full),
        // Git ignores a ceiling that does not contain the folder.
        match_ceiling_dir_or_error: false,
        cross_fs: across.is_some_and(|across| across.0),
        dot_git_only,
        ..Default::default()
    }
    .apply_environment();
    let ceilings = options.ceiling_dirs.clone();
    let (found, _) =
        gix::discover::upwards_opts(dir, options).map_err(|source| opening_error(dir.to_owned(), source))?;
    let found = Found::new(found, dir);
    // Gix still looks into the ceiling itself, git does not.
    let place = found.checkout.as_ref().unwrap_or(&found.git_dir);
    let ends_below =
        |ceiling: &PathBuf| ceiling != dir && dir.starts_with(ceiling) && ceiling.starts_with(place);
    if place != dir && ceilings.iter().any(ends_below) {
        return Err(GitError::NotARepository { path: dir.to_owned() });
    }
    Ok(found)
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
