//! The names of failures for programs. Start with [`Code`]; `docs/errors.md` lists all codes.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::Kind;

/// The stable name of a failure, in kebab-case; each has one exit code.
///
/// A name keeps its meaning once it is published. New ones may come, so a reader treats a name that it does not know
/// by the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[cfg_attr(test, derive(serde::Deserialize))]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// An image could not be built; the events of the run tell which step failed.
    BuildFailed,
    /// A deployment of images that were not built and pushed before.
    ImageNotBuilt,
    /// A file of the context changed after its key was taken; nothing was built under that key.
    ContextChanged,
    /// The command line asks for what cannot be done.
    Usage,
    /// The repository has no `build.toml`.
    ConfigMissing,
    /// `build.toml` or `build.lock` is wrong, or names a file or folder that is not there.
    ConfigInvalid,
    /// `build.toml` declares no image or environment of the name that was given.
    NotDeclared,
    /// An environment does not run, or never ran, the release that a rollback or promotion asks for.
    NotDeployed,
    /// No environment was named, and none follows the branch.
    EnvironmentNotNamed,
    /// A Dockerfile is wrong, or names a base image in a way that cannot be pinned.
    DockerfileInvalid,
    /// A file that a Dockerfile copies is not in its context, or an ignore file is wrong.
    ContextInvalid,
    /// Images are built from each other in a circle.
    ImageCycle,
    /// A release would lack an image.
    ReleaseIncomplete,
    /// A text is not the name of a repository, tag or digest.
    ReferenceInvalid,
    /// The machine refused something, such as memory or threads.
    System,
    /// The result, an image's file or a cache could not be written.
    OutputUnwritable,
    /// A base image cannot be had, so that the key of an image is not known.
    BaseUnknown,
    /// Somebody has to be asked, and `--offline` was given.
    Offline,
    /// The folder is in no git repository.
    RepositoryMissing,
    /// The git repository cannot be read.
    RepositoryUnusable,
    /// A revision names no commit.
    RevisionUnknown,
    /// A commit, or an object of a commit, is not in this clone.
    CommitMissing,
    /// A path leads out of the repository, never ends, or is not the file that it has to be.
    PathInvalid,
    /// A build cannot be sent a file as it is checked out: Git LFS, a filter or a submodule stands in between.
    ContentUnavailable,
    /// A file of the working tree cannot be read, or changes while it is read.
    FileUnreadable,
    /// No engine answers.
    EngineUnreachable,
    /// The engine, or what it waits for, stopped answering.
    EngineLost,
    /// The engine cannot do what `build.toml` or the command line asks for.
    EngineUnsupported,
    /// A secret or an ssh agent that a build needs is not there.
    SecretMissing,
    /// The registry did not take a push.
    PushFailed,
    /// A registry does not answer.
    RegistryUnreachable,
    /// A registry asks for credentials, or refuses those that it gets.
    RegistryDenied,
    /// A registry limits how often it may be asked.
    RegistryRateLimited,
    /// A registry cannot be asked, failed, or answered what cannot be used.
    RegistryFailed,
    /// A registry does not have what was asked for.
    RegistryNotFound,
    /// A registry serves another image under a key than the one that was pushed.
    RegistryMismatch,
    /// The record of an environment cannot be read or written.
    RecordUnusable,
    /// The record at this place is another project's.
    RecordForeign,
    /// `build.toml` declares a deployment that cannot be started.
    DeployInvalid,
    /// The program that deploys failed.
    DeployFailed,
    /// Another run deploys to the environment.
    LeaseHeld,
    /// Another run took the environment's lease over.
    LeaseLost,
    /// The environment is on hold: it stays as it is until something newer comes.
    OnHold,
    /// The user ended the run.
    Interrupted,
    /// A fault of dtbuild itself.
    Defect,
}

impl Code {
    /// The kind of failure, which has the exit code.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::BuildFailed | Self::ImageNotBuilt | Self::ContextChanged => Kind::Image,
            Self::Usage
            | Self::ConfigMissing
            | Self::ConfigInvalid
            | Self::NotDeclared
            | Self::NotDeployed
            | Self::EnvironmentNotNamed
            | Self::DockerfileInvalid
            | Self::ContextInvalid
            | Self::ImageCycle
            | Self::ReleaseIncomplete
            | Self::ReferenceInvalid => Kind::Usage,
            Self::System
            | Self::OutputUnwritable
            | Self::BaseUnknown
            | Self::Offline
            | Self::RepositoryMissing
            | Self::RepositoryUnusable
            | Self::RevisionUnknown
            | Self::CommitMissing
            | Self::PathInvalid
            | Self::ContentUnavailable
            | Self::FileUnreadable
            | Self::EngineUnreachable
            | Self::EngineLost
            | Self::EngineUnsupported
            | Self::SecretMissing
            | Self::PushFailed
            | Self::RegistryUnreachable
            | Self::RegistryDenied
            | Self::RegistryRateLimited
            | Self::RegistryFailed
            | Self::RegistryNotFound
            | Self::RegistryMismatch
            | Self::RecordUnusable
            | Self::RecordForeign
            | Self::Defect => Kind::Environment,
            Self::DeployInvalid | Self::DeployFailed => Kind::Deployment,
            Self::LeaseHeld | Self::LeaseLost | Self::OnHold => Kind::LeaseHeld,
            Self::Interrupted => Kind::Interrupted,
        }
    }
}

/// The code of a failure of which only the kind is known.
impl From<Kind> for Code {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Image => Self::BuildFailed,
            Kind::Usage => Self::Usage,
            Kind::Environment => Self::System,
            Kind::Deployment => Self::DeployFailed,
            Kind::LeaseHeld => Self::LeaseHeld,
            Kind::Interrupted => Self::Interrupted,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the table in `docs/errors.md`: code, exit code, meaning.
    fn rows() -> Vec<String> {
        let schema = serde_json::to_value(schemars::schema_for!(Code)).unwrap();
        let variants = schema["oneOf"].as_array().unwrap().iter();
        let row = |variant: &serde_json::Value| {
            let code: Code = serde_json::from_value(variant["const"].clone()).unwrap();
            let meaning = variant["description"].as_str().unwrap().replace('\n', " ");
            format!("| `{code}` | {} | {} |", code.kind() as u8, meaning.trim_end_matches('.'))
        };
        variants.map(row).collect()
    }

    #[test]
    fn the_page_lists_every_code() {
        const HEADING: &str = "\n| `code` | exit code | what failed |\n| --- | --- | --- |\n";
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md");
        let page = std::fs::read_to_string(path).unwrap();
        let (text, _) = page.split_once(HEADING).unwrap();
        let expected = format!("{text}{HEADING}{}\n", rows().join("\n"));
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, &expected).unwrap();
        }
        assert!(
            std::fs::read_to_string(path).unwrap() == expected,
            "run `UPDATE_DOCS=1 cargo test --lib error::code` and commit docs/errors.md"
        );
    }

    #[test]
    fn a_kind_has_a_code_of_its_own_exit_code() {
        for kind in [
            Kind::Image,
            Kind::Usage,
            Kind::Environment,
            Kind::Deployment,
            Kind::LeaseHeld,
            Kind::Interrupted,
        ] {
            assert_eq!(Code::from(kind).kind(), kind);
        }
    }
}
