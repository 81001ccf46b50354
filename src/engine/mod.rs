//! Engines build images. Start with [`Engine`]; [`BuildRequest`] is all that an engine is told.
//!
//! What a build is sent is a [`Snapshot`], fixed when the key was taken, so an engine never reads
//! the repository. Engines report what happens as [`Event`](crate::events::Event)s.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bstr::BString;
use dtbuild_content::snapshot::Snapshot;

pub use self::contexts::{ContextFolder, Contexts, NamedContext};
use crate::config::{BuildOptions, ImageName, Platform, SecretSource};
use crate::events::EventSink;
pub use crate::events::{BuildFailure, StepCount};
use crate::reference::{Digest, Reference};

mod abilities;
mod advice;
mod any;
mod buildkit;
pub mod buildkitd;
mod contexts;
pub mod docker;
pub mod endpoint;
#[cfg(test)]
pub(crate) mod fake;
mod held;
mod lines;
mod patience;
pub(crate) mod proxies;
mod refusal;
mod telling;
mod transient;

pub(crate) use self::abilities::{Feature, Needs};
pub use self::any::AnyEngine;
pub(crate) use self::any::Description;
pub(crate) use self::held::HeldImage;
pub use self::patience::SILENCE_LIMIT;

/// One image to build.
#[derive(Clone)]
pub struct BuildRequest {
    /// The image's name in `build.toml`; events carry it.
    pub image: ImageName,
    /// The files of the context, `.dockerignore` applied.
    pub context: Snapshot,
    /// What names the context and what of it is read. Builds with the same name that run at one time are sent it once.
    /// None for a context that no other image has.
    pub context_name: Option<String>,
    /// The bytes of the Dockerfile as it is to be built: base images pinned.
    pub dockerfile: Arc<[u8]>,
    /// The Dockerfile's path as the user knows it, for messages.
    pub dockerfile_path: BString,
    /// The stage to build; none for the last.
    pub target: Option<String>,
    /// The build arguments.
    pub args: BTreeMap<String, String>,
    /// The platforms; empty for the engine's own.
    pub platforms: Vec<Platform>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Secrets that `RUN --mount=type=secret` may ask for.
    pub secrets: Vec<SecretSource>,
    /// Agents, network, caches and attestations.
    pub options: BuildOptions,
    /// Seconds since 1970 that stand for the time of the build in the image; none for the engine's clock.
    pub source_date_epoch: Option<i64>,
    /// Whether to run every step again.
    pub no_cache: bool,
    /// The names that the image gets.
    pub names: Vec<Reference>,
    /// Where the image goes.
    pub output: Output,
    /// The further contexts that the Dockerfile may use.
    pub contexts: Contexts,
}

/// Where a built image goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Into the engine's image store, under the request's names.
    Load,
    /// To the registry, under the request's names.
    Push,
    /// Into a file.
    File(Archive),
}

/// A file that holds an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// What it is written as.
    pub kind: ArchiveKind,
    /// Where it is put, when it is whole.
    pub path: PathBuf,
}

/// How an image is written into a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveKind {
    /// A tar of an OCI image layout.
    Oci,
    /// What `docker load` takes.
    Docker,
}

impl Archive {
    fn unwritable(&self, error: &std::io::Error) -> EngineError {
        EngineError::File { path: self.path.clone(), reason: error.to_string() }
    }
}

/// A build that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The digest of the manifest at the registry, when the engine pushed it in the same step.
    /// Otherwise [`Engine::push`] brings it there.
    pub pushed: Option<Digest>,
    /// How many steps there were, and how many of them came from the engine's cache.
    pub steps: StepCount,
}

/// What builds images and holds them.
pub trait Engine: Send + Sync + 'static {
    /// Builds one image, reporting steps and logs to `events`.
    fn build(
        &self,
        request: &BuildRequest,
        events: &EventSink,
    ) -> impl Future<Output = Result<Built, EngineError>> + Send;

    /// Pushes an image of the store under its own name; the digest is the registry's.
    fn push(
        &self,
        image: &ImageName,
        reference: &Reference,
        events: &EventSink,
    ) -> impl Future<Output = Result<Digest, EngineError>> + Send;

    /// All names of the image that the store holds under this one, as it writes them; none where it holds none.
    fn names(
        &self,
        reference: &Reference,
    ) -> impl Future<Output = Result<Option<Vec<String>>, EngineError>> + Send;

    /// Whether the store holds an image under this name.
    fn holds(&self, reference: &Reference) -> impl Future<Output = Result<bool, EngineError>> + Send {
        async { Ok(self.names(reference).await?.is_some()) }
    }

    /// Gives an image of the store another name.
    fn tag(
        &self,
        source: &Reference,
        name: &Reference,
    ) -> impl Future<Output = Result<(), EngineError>> + Send;
}

/// Why an engine did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No engine answers.
    #[error("cannot reach the engine at `{endpoint}`: {reason}")]
    Unreachable {
        /// The socket or address.
        endpoint: String,
        /// What the attempt to connect said.
        reason: String,
    },
    /// What says where the engine is cannot be used.
    #[error("`{address}` does not lead to an engine: {reason}")]
    Address {
        /// An address, or what should hold one.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A step of the build failed.
    #[error("{}", .0.message)]
    Failed(Box<BuildFailure>),
    /// The engine cannot do something that the request needs.
    #[error("{feature} is not supported by {engine}")]
    Unsupported {
        /// What was asked for.
        feature: String,
        /// The engine and its version.
        engine: String,
        /// What to do.
        hint: String,
    },
    /// The frontend has no named contexts; a build that needs none may succeed.
    #[error("named contexts are not supported by {engine}")]
    NoContexts {
        /// The engine and its version.
        engine: String,
    },
    /// A secret's value is not where `build.toml` says.
    #[error("cannot read the secret `{id}`: {reason}")]
    Secret {
        /// The secret's id.
        id: String,
        /// What is missing; never the value.
        reason: String,
    },
    /// The image cannot be put where it is to go.
    #[error("cannot write `{}`: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A cache's folder cannot be used.
    #[error("cannot keep a cache in `{}`: {reason}", folder.display())]
    Cache {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        reason: String,
    },
    /// There is no ssh agent to forward.
    #[error("cannot forward the ssh agent `{id}`: {reason}")]
    SshAgent {
        /// The agent's id.
        id: String,
        /// What is missing.
        reason: String,
    },
    /// The context changed or could not be read while it was sent.
    #[error("cannot send the context: {0}")]
    Context(String),
    /// The registry refused the push.
    #[error("failed to push `{reference}`: {reason}")]
    Push {
        /// What was pushed.
        reference: Reference,
        /// What the engine said.
        reason: String,
        /// What to do, where that can be told.
        hint: Option<String>,
        /// Whether the same push may succeed a moment later.
        transient: bool,
    },
    /// Nothing was heard for as long as `--silence-limit` says.
    #[error("nothing was heard of {what} for {time}")]
    Silent {
        /// Of the engine, or of a step that goes to a registry.
        what: String,
        /// How long, in words.
        time: String,
        /// What to look at.
        hint: &'static str,
    },
    /// The connection was lost or the engine answered nonsense.
    #[error("the engine stopped answering: {0}")]
    Lost(String),
    /// dtbuild itself is at fault.
    #[error("dtbuild failed inside ({0})")]
    Defect(String),
}

impl EngineError {
    /// Whether the same request may succeed a moment later. A failed command never is.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Lost(_) | Self::Push { transient: true, .. } => true,
            Self::Failed(failure) => failure.passing,
            _ => false,
        }
    }

    /// Whether the engine is gone, so that only another one can help.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Silent { .. } | Self::Lost(_))
    }

    /// Whether the engine or the registry is at fault, not the image.
    #[must_use]
    pub fn is_unusable(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Address { .. }
                | Self::Push { .. }
                | Self::Silent { .. }
                | Self::Lost(_)
                | Self::Unsupported { .. }
                | Self::NoContexts { .. }
        )
    }
}
