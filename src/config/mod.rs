//! `build.toml`, read and validated. Start with [`Config`]; every path in it stays inside the repository.

use std::collections::{BTreeMap, BTreeSet};

use bstr::BString;

use crate::reference::Repository;

mod builders;
mod contexts;
mod error;
pub mod file;
mod globs;
pub mod lock;
mod lock_change;
pub mod name;
mod options;
#[cfg(test)]
mod tests;
mod validate;

pub use builders::Builder;
pub use contexts::{ContextOrigin, NamedContext, NamedContexts};
pub use error::ConfigError;
pub use globs::DeclaredGlobs;

pub use lock::Lock;
pub use lock_change::LockChange;
pub use name::{EnvironmentName, ImageName, NameError};
pub use options::{BuildOptions, CacheEntry, Network, Provenance, SshAgent};

/// The name of the file at the repository's root.
pub const FILE_NAME: &str = "build.toml";

/// A validated `build.toml`.
#[derive(Clone, Debug)]
pub struct Config {
    /// The project's name: letters of a compose project, part of records.
    pub project: String,
    /// How base images without an entry in `build.lock` become digests.
    pub bases: BasePolicy,
    /// Where records are kept.
    pub records: RecordStore,
    /// The folders of the repository that runs write: records and caches. They are part of no context.
    pub written: BTreeSet<std::path::PathBuf>,
    /// The images by name.
    pub images: BTreeMap<ImageName, Image>,
    /// The environments by name.
    pub environments: BTreeMap<EnvironmentName, Environment>,
    /// The engines that build what is published; the machine's own when there are none.
    pub builders: Vec<Builder>,
}

/// How the digest of a base image is found that `build.lock` does not name.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum BasePolicy {
    /// Ask the registry; the answer counts for an hour.
    #[default]
    Resolve,
    /// Take the name alone: a base that moves rebuilds nothing.
    Name,
}

/// Where the deployments of an environment are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordStore {
    /// A folder, from the repository's root.
    Folder(std::path::PathBuf),
    /// An OCI artifact per environment in this repository.
    Registry(Repository),
}

/// A declared image.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its name.
    pub name: ImageName,
    /// The name that it had before, under which an environment may run it.
    pub renamed_from: Option<ImageName>,
    /// The repository that its builds are pushed to.
    pub repository: Repository,
    /// The context's folder from the repository's root; empty for the root itself.
    pub context: BString,
    /// The Dockerfile's path from the repository's root.
    pub dockerfile: BString,
    /// Further contexts, by the names that the Dockerfile has for them.
    pub contexts: NamedContexts,
    /// The stage to build; none for the last.
    pub target: Option<String>,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// The platforms, sorted and without doubles; empty for the engine's own.
    pub platforms: Vec<Platform>,
    /// Inputs besides the context: globs from the repository's root.
    pub paths: Option<DeclaredGlobs>,
    /// What of the context must not cause a rebuild: globs from the repository's root.
    pub ignore: Option<DeclaredGlobs>,
    /// Secrets for `RUN --mount=type=secret`.
    pub secrets: Vec<SecretSource>,
    /// Agents, network, caches and attestations.
    pub options: BuildOptions,
    /// Whether the files come from the commit or from the disk.
    pub source: Source,
    /// The line of `build.toml` that names the context.
    pub context_line: usize,
    /// The line of `build.toml` that names the Dockerfile, or else the context.
    pub dockerfile_line: usize,
}

/// Where the files of an image's context come from when a commit is built.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// From git's objects.
    #[default]
    Commit,
    /// From the disk: for files that git does not hold.
    Worktree,
}

/// A platform such as `linux/amd64` or `linux/arm/v7`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Platform(pub(crate) String);

/// Where the value of a build's secret is found; the value itself is read when a build asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretSource {
    /// The id that `RUN --mount=type=secret,id=...` names.
    pub id: String,
    /// Where the value is.
    pub value: SecretValue,
    /// A version that enters the key, so that a new secret can cause a rebuild.
    pub version: Option<String>,
}

/// Where a secret's value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretValue {
    /// In this variable of dtbuild's environment.
    Env(String),
    /// In this file.
    File(std::path::PathBuf),
}

/// An environment.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Its name.
    pub name: EnvironmentName,
    /// The branch whose pushes it follows.
    pub branch: Option<String>,
    /// Its images.
    pub images: Vec<ImageName>,
    /// The tag that names what it runs.
    pub tag: String,
    /// What brings a release to it; none to only move the tags.
    pub deploy: Option<Deploy>,
}

/// How a release is brought to an environment.
#[derive(Clone, Debug)]
pub struct Deploy {
    /// What is run.
    pub trigger: Trigger,
    /// Globs from the repository's root: a change here deploys again and builds nothing.
    pub paths: Option<DeclaredGlobs>,
}

/// What is run to deploy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A program with its arguments.
    Command {
        /// The argument vector, the program first.
        argv: Vec<String>,
    },
    /// `ansible-playbook`.
    Ansible {
        /// The playbook, from the repository's root.
        playbook: std::path::PathBuf,
        /// The inventory, from the repository's root.
        inventory: Option<std::path::PathBuf>,
        /// More arguments, after dtbuild's own.
        args: Vec<String>,
    },
}

impl Config {
    /// Reads the text of a `build.toml`.
    ///
    /// `registry` stands in for `[project] registry`, so that a fork or a test pushes elsewhere.
    ///
    /// # Errors
    /// When the text is not TOML, has unknown keys or names something that cannot be.
    pub fn parse(text: &str, registry: Option<&str>) -> Result<Self, ConfigError> {
        let file: file::File =
            toml::from_str(text).map_err(|error| ConfigError::from_toml(FILE_NAME, text, &error))?;
        validate::Validator { file: FILE_NAME, lines: error::Lines::of(text), registry }.config(file)
    }

    /// The environment that follows `branch`.
    #[must_use]
    pub fn environment_of_branch(&self, branch: &str) -> Option<&Environment> {
        self.environments.values().find(|environment| environment.branch.as_deref() == Some(branch))
    }
}

impl Platform {
    /// The text, as Docker writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Trigger {
    /// The kind of trigger, as events and records name it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Command { .. } => "command",
            Self::Ansible { .. } => "ansible",
        }
    }
}
