//! The repository and its `build.toml`, opened for a commit or for the files on the disk. Start with [`Workspace`].

use std::path::PathBuf;
use std::sync::Arc;

use bstr::{BStr, ByteSlice as _};
use dtbuild_content::fingerprint::Fingerprint;

use crate::config::{self, Config, Environment, EnvironmentName, ImageName, Lock};
use crate::error::{Code, Error, Result};
use crate::git::{CommitId, Repository};
use crate::suggestion::nearest;

mod files;

pub use files::Files;
pub(crate) use files::Folder;

/// The place of a repository, the registry that replaces the one in the `build.toml`, and the code whose earlier
/// findings count.
#[derive(Clone, Debug)]
pub struct Location {
    /// A folder of the repository.
    pub directory: PathBuf,
    /// The registry that replaces `[project] registry`; an empty name counts as none.
    pub registry: Option<String>,
    /// The fingerprint of the code: the findings of earlier runs count only if those runs were of this code.
    pub code: Fingerprint,
}

/// A repository with its `build.toml` and `build.lock`, from which every command starts.
pub struct Workspace {
    /// The repository.
    pub repository: Repository,
    /// The source of the files: the commit or the disk.
    pub files: Files,
    /// The `build.toml` of `files`.
    pub config: Arc<Config>,
    /// The `build.lock` of `files`; empty where there is none.
    pub lock: Arc<Lock>,
    settings: Settings,
}

/// The texts of `build.toml` and `build.lock`, and the registry that replaces the one in `build.toml`.
#[derive(PartialEq, Eq)]
struct Settings {
    config: String,
    lock: Option<String>,
    registry: Option<String>,
}

impl Workspace {
    /// Opens the commit that `revision` names.
    ///
    /// # Errors
    /// Fails when there is no such repository or commit, or its `build.toml` is missing or wrong.
    pub fn at_commit(location: &Location, revision: &str) -> Result<Self> {
        let repository = Repository::discover(&location.directory, location.code)?;
        let files = Files::Commit(named(&repository, revision)?);
        Self::load(repository, files, location)
    }

    /// Opens the files on the disk.
    ///
    /// # Errors
    /// Fails when there is no repository, or its `build.toml` is missing or wrong.
    pub fn on_disk(location: &Location) -> Result<Self> {
        Self::load(Repository::discover(&location.directory, location.code)?, Files::Disk, location)
    }

    /// Opens another state of the same repository: the commit that `revision` names, or without a revision the
    /// files on the disk. The two share what was read of the repository, and settings that are the same.
    ///
    /// # Errors
    /// Fails when there is no such commit, or its `build.toml` is missing or wrong.
    pub fn other(&self, revision: Option<&str>) -> Result<Self> {
        let repository = self.repository.clone();
        let files = match revision {
            Some(revision) => Files::Commit(named(&repository, revision)?),
            None => Files::Disk,
        };
        let settings = Settings::read(&repository, files, self.settings.registry.as_deref())?;
        if settings == self.settings {
            let (config, lock) = (Arc::clone(&self.config), Arc::clone(&self.lock));
            return Ok(Self { repository, files, config, lock, settings });
        }
        Self::of(repository, files, settings)
    }

    /// Opens the commit at which HEAD left a branch.
    ///
    /// # Errors
    /// Fails when there is no such branch, the clone does not reach back to the commit where the two parted, or
    /// that commit's `build.toml` is missing or wrong.
    pub fn branched_off(location: &Location, branch: &str) -> Result<Self> {
        let repository = Repository::discover(&location.directory, location.code)?;
        let parted = repository.merge_base(head(&repository)?, repository.resolve(branch)?)?;
        Self::load(repository, Files::Commit(parted), location)
    }

    fn load(repository: Repository, files: Files, location: &Location) -> Result<Self> {
        let settings = Settings::read(&repository, files, location.registry.as_deref())?;
        Self::of(repository, files, settings)
    }

    fn of(repository: Repository, files: Files, settings: Settings) -> Result<Self> {
        let config = Arc::new(Config::parse(&settings.config, settings.registry.as_deref())?);
        let lock = settings.lock.as_deref().map_or_else(|| Ok(Lock::default()), Lock::parse)?;
        Ok(Self { repository, files, config, lock: Arc::new(lock), settings })
    }

    /// The environment called `name`, or without a name the environment that follows the current branch.
    pub(crate) fn environment(&self, name: Option<&EnvironmentName>) -> Result<&Environment> {
        let Some(name) = name else { return self.environment_of_branch() };
        let found = self.config.environments.get(name);
        found.ok_or_else(|| Self::unknown("environment", name.as_str(), self.environments()))
    }

    fn environment_of_branch(&self) -> Result<&Environment> {
        let branch = self.repository.head()?.and_then(|head| head.branch);
        let found = branch.as_deref().and_then(|branch| self.config.environment_of_branch(branch));
        found.ok_or_else(|| {
            let at = match branch {
                Some(branch) => format!("no environment follows the branch `{branch}`"),
                None => "HEAD is detached, so no environment follows it".to_owned(),
            };
            let names: Vec<&str> = self.environments().collect();
            let hint = match names[..] {
                [] => "declare one as `[environments.NAME]` in build.toml, or use `dtbuild build`".to_owned(),
                _ => format!("name one with `--env`: {}", names.join(", ")),
            };
            Error::new(Code::EnvironmentNotNamed, at).hint(hint)
        })
    }

    fn environments(&self) -> impl Iterator<Item = &str> {
        self.config.environments.keys().map(EnvironmentName::as_str)
    }

    /// Checks that the images named on the command line are declared in `build.toml`.
    pub(crate) fn check_images<'a>(&self, names: impl IntoIterator<Item = &'a ImageName>) -> Result<()> {
        match names.into_iter().find(|name| !self.config.images.contains_key(*name)) {
            None => Ok(()),
            Some(name) => {
                Err(Self::unknown("image", name.as_str(), self.config.images.keys().map(ImageName::as_str)))
            }
        }
    }

    fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Error {
        let known: Vec<&str> = known.collect();
        let error = Error::new(Code::NotDeclared, format!("build.toml declares no {what} `{name}`"));
        match nearest(name, known.iter().copied()) {
            Some(meant) => error.hint(format!("did you mean `{meant}`?")),
            None => error.hint(format!("it declares: {}", known.join(", "))),
        }
    }
}

impl Settings {
    fn read(repository: &Repository, files: Files, registry: Option<&str>) -> Result<Self> {
        let config = read_text(repository, &files, config::FILE_NAME)?;
        Ok(Self {
            config: config.ok_or_else(|| missing_config(repository, &files))?,
            lock: read_text(repository, &files, config::lock::FILE_NAME)?,
            // CI systems set a variable that nobody defined to an empty text.
            registry: registry.filter(|registry| !registry.is_empty()).map(str::to_owned),
        })
    }
}

/// The commit that a revision names.
fn named(repository: &Repository, revision: &str) -> Result<CommitId> {
    if revision == "HEAD" { head(repository) } else { Ok(repository.resolve(revision)?) }
}

fn head(repository: &Repository) -> Result<CommitId> {
    match repository.head()? {
        Some(head) => Ok(head.commit),
        None => Err(Error::new(Code::CommitMissing, "the repository has no commits yet")
            .hint("commit first; `dtbuild build` builds what is on the disk without one")),
    }
}

fn read_text(repository: &Repository, files: &Files, name: &str) -> Result<Option<String>> {
    let Some(bytes) = files.read(repository, BStr::new(name))? else { return Ok(None) };
    match bytes.to_str() {
        Ok(text) => Ok(Some(text.to_owned())),
        Err(_) => Err(Error::new(Code::ConfigInvalid, format!("{name}: not UTF-8")).hint("save it as UTF-8")),
    }
}

fn missing_config(repository: &Repository, files: &Files) -> Error {
    let error = Error::new(Code::ConfigMissing, format!("there is no {} in {files}", config::FILE_NAME));
    let on_disk = repository.root().is_ok_and(|root| root.join(config::FILE_NAME).is_file());
    match files {
        Files::Commit(_) if on_disk => error.hint("it is on the disk: commit it, or use `dtbuild build`"),
        _ => error.hint("write one at the repository's root; docs/configuration.md shows the keys"),
    }
}
