//! `build.toml`, read and validated. Start with [`Config`]; every path in it stays inside the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bstr::BString;

use crate::reference::Repository;

mod builders;
mod contexts;
mod distinct;
mod duration;
mod error;
pub mod file;
mod globs;
pub mod lock;
mod lock_change;
pub mod name;
mod options;
mod tag;
#[cfg(test)]
mod tests;
mod validate;

pub use builders::Builder;
pub use contexts::{ContextOrigin, NamedContext, NamedContexts};
pub(crate) use duration::duration;
pub use error::ConfigError;
pub use globs::DeclaredGlobs;

pub use lock::Lock;
pub use lock_change::LockChange;
pub use name::{EnvironmentName, ImageName, NameError};
pub use options::{BuildOptions, CacheEntry, Network, Provenance, SshAgent};
pub use tag::EnvironmentTag;

/// The name of the configuration's file, at the repository's root.
pub const FILE_NAME: &str = "build.toml";

/// The folder of a checkout in which versions before kept records, from the repository's root.
pub const OLDER_RECORDS: &str = ".dtbuild/records";

/// A validated `build.toml`.
#[derive(Clone, Debug)]
pub struct Config {
    /// The project's name, in the form of an image's name. Deployments are told this name.
    pub project: String,
    /// The policy by which base images without an entry in `build.lock` become digests.
    pub bases: BasePolicy,
    /// The storage of the records.
    pub records: RecordStore,
    /// The folders that runs write, from the repository's root: records and caches. They are part of no
    /// context.
    pub written: BTreeSet<std::path::PathBuf>,
    /// The images by name.
    pub images: BTreeMap<ImageName, Image>,
    /// The environments by name.
    pub environments: BTreeMap<EnvironmentName, Environment>,
    /// The engines that build published images; empty for the machine's own engine.
    pub builders: Vec<Builder>,
}

/// The policy by which a base image that `build.lock` does not name becomes a digest.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum BasePolicy {
    /// The registry is asked for the digest; its answer counts for an hour.
    #[default]
    Resolve,
    /// The name is taken alone, without a digest: a base image that moves rebuilds nothing.
    Name,
}

/// The storage that the deployments of the environments are recorded in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordStore {
    /// The machine's folder of records, which all checkouts share; the path below it is the registry's, which the
    /// project's name follows.
    Machine(std::path::PathBuf),
    /// A folder, as a path from the repository's root.
    Folder(std::path::PathBuf),
    /// A repository at a registry, with an OCI artifact per environment.
    Registry(Repository),
    /// References of git's remote; the one that the current branch is fetched from, unless one is named.
    Git(Option<String>),
}

/// An image that `build.toml` declares.
#[derive(Clone, Debug)]
pub struct Image {
    /// The image's name.
    pub name: ImageName,
    /// The image's earlier name, under which an environment may still run the image.
    pub renamed_from: Option<ImageName>,
    /// The repository that builds of the image are pushed to.
    pub repository: Repository,
    /// The repository of the image at the registry that `build.toml` names; none unless another registry stands in for it.
    pub written_repository: Option<String>,
    /// The folder of the main context, from the repository's root; empty for the root itself.
    pub context: BString,
    /// The Dockerfile's path from the repository's root.
    pub dockerfile: BString,
    /// The named contexts: further contexts, by the names that the Dockerfile has for them.
    pub contexts: NamedContexts,
    /// The stage to build; none for the last stage.
    pub target: Option<String>,
    /// The build arguments by name.
    pub args: BTreeMap<String, String>,
    /// The platforms to build for, sorted and without doubles; empty for the engine's own platform.
    pub platforms: Vec<Platform>,
    /// Inputs of the image besides the context: globs from the repository's root.
    pub paths: Option<DeclaredGlobs>,
    /// The files of the context that must not cause a rebuild: globs from the repository's root.
    pub ignore: Option<DeclaredGlobs>,
    /// The secrets for `RUN --mount=type=secret`.
    pub secrets: Vec<SecretSource>,
    /// The options for ssh agents, network, caches and attestations.
    pub options: BuildOptions,
    /// The source of the context's files: the commit or the disk.
    pub source: Source,
    /// The line of `build.toml` that names the context, from 1.
    pub context_line: usize,
    /// The line of `build.toml` that names the Dockerfile, or else the context, from 1.
    pub dockerfile_line: usize,
}

/// The source of the files of an image's context when a commit is built.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Git's objects.
    #[default]
    Commit,
    /// The disk: for files that git does not hold.
    Worktree,
}

/// A platform such as `linux/amd64` or `linux/arm/v7`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Platform(pub(crate) String);

/// The source of a build's secret. The value itself is read when a build asks for the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretSource {
    /// The secret's id, which `RUN --mount=type=secret,id=...` names.
    pub id: String,
    /// The place of the secret's value.
    pub value: SecretValue,
    /// The secret's version, which enters the key, so that a new secret can cause a rebuild.
    pub version: Option<String>,
}

/// The place of a secret's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretValue {
    /// The variable of dtbuild's environment that holds the value.
    Env(String),
    /// The file that holds the value.
    File(std::path::PathBuf),
}

/// An environment that `build.toml` declares.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The environment's name.
    pub name: EnvironmentName,
    /// The branch whose pushes the environment follows.
    pub branch: Option<String>,
    /// The environment's images, sorted.
    pub images: Vec<ImageName>,
    /// The tag that names the images that the environment runs.
    pub tag: EnvironmentTag,
    /// The deployment of a release to the environment; none to only move the tags.
    pub deploy: Option<Deploy>,
}

/// The deployment of a release to an environment, as `build.toml` declares it.
#[derive(Clone, Debug)]
pub struct Deploy {
    /// The program that is run to deploy.
    pub trigger: Trigger,
    /// The longest time that the program may take.
    pub timeout: Duration,
    /// Inputs of the deployment itself: globs from the repository's root. A change here deploys again and
    /// builds nothing.
    pub paths: Option<DeclaredGlobs>,
}

/// A program that is run to deploy.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Trigger {
    /// A program of the user's own, with its arguments.
    Command {
        /// The argument vector, the program first.
        argv: Vec<String>,
    },
    /// The program `ansible-playbook`.
    Ansible {
        /// The playbook's path from the repository's root.
        playbook: std::path::PathBuf,
        /// The inventory's path from the repository's root; none for Ansible's own default.
        inventory: Option<std::path::PathBuf>,
        /// More arguments for `ansible-playbook`, after dtbuild's own.
        args: Vec<String>,
    },
}

impl Config {
    /// Reads the text of a `build.toml`.
    ///
    /// `registry` stands in for `[project] registry`, so that a fork or a test pushes elsewhere.
    ///
    /// # Errors
    /// Fails when the text is not TOML, has unknown keys or names something that cannot be.
    pub fn parse(text: &str, registry: Option<&str>) -> Result<Self, ConfigError> {
        let file: file::File =
            toml::from_str(text).map_err(|error| ConfigError::from_toml(FILE_NAME, text, &error))?;
        validate::Validator { file: FILE_NAME, lines: error::Lines::of(text), registry }.config(file)
    }

    /// The environment that follows `branch`; none where no environment does.
    #[must_use]
    pub fn environment_of_branch(&self, branch: &str) -> Option<&Environment> {
        self.environments.values().find(|environment| environment.branch.as_deref() == Some(branch))
    }
}

impl Platform {
    /// The platform's text, as Docker writes it.
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
