//! Engines, which build images. Start with [`Engine`]; [`BuildRequest`] is all that an engine gets for a
//! build.
//!
//! The context of a build is a [`Snapshot`], fixed when the key was computed, so an engine never reads the
//! repository. Engines report their progress as [`Event`](crate::events::Event)s.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bstr::BString;
use dtbuild_content::snapshot::Snapshot;

pub use self::contexts::{ContextFolder, Contexts, NamedContext};
use crate::config::{BuildOptions, ImageName, Platform, SecretSource};
use crate::dockerfile::{Entitlement, EntitlementKind};
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
pub(crate) mod entitlements;
#[cfg(test)]
pub(crate) mod fake;
mod held;
mod late;
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
pub(crate) use self::late::LateEngine;
pub use self::patience::SILENCE_LIMIT;

/// The request to build one image.
#[derive(Clone)]
pub struct BuildRequest {
    /// The image's name in `build.toml`, which events carry.
    pub image: ImageName,
    /// The files of the context, with `.dockerignore` applied.
    pub context: Snapshot,
    /// The name of the context and of the part of the context that is read. The context is sent once to
    /// builds that run at the same time and have the same context name. None for a context that no other
    /// image has.
    pub context_name: Option<String>,
    /// The bytes of the Dockerfile as it is built, with pinned base images.
    pub dockerfile: Arc<[u8]>,
    /// The Dockerfile's path as the user knows it, for messages.
    pub dockerfile_path: BString,
    /// The stage to build; none for the last stage.
    pub target: Option<String>,
    /// The build arguments, by name.
    pub args: BTreeMap<String, String>,
    /// The platforms to build for; empty for the engine's own platform.
    pub platforms: Vec<Platform>,
    /// The labels of the image, by name.
    pub labels: BTreeMap<String, String>,
    /// The secrets that `RUN --mount=type=secret` may ask for.
    pub secrets: Vec<SecretSource>,
    /// The ssh agents, network, caches and attestations of the build.
    pub options: BuildOptions,
    /// The permissions that steps of the Dockerfile need, by line.
    pub entitlements: Vec<Entitlement>,
    /// The time of the build in the image, in seconds since 1970; none for the engine's clock, or for the time that the
    /// argument `SOURCE_DATE_EPOCH` gives.
    pub source_date_epoch: Option<i64>,
    /// True if the frontend tells the exporter the layers of the base image, so that the exporter can leave them alone
    /// where it changes the times of files.
    pub tells_base_layers: bool,
    /// The switch that runs every step again, without the engine's cache.
    pub no_cache: bool,
    /// The names that the image gets.
    pub names: Vec<Reference>,
    /// The destination of the image.
    pub output: Output,
    /// The contexts besides the main one that the Dockerfile may use.
    pub contexts: Contexts,
}

/// The destination of a built image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// The engine's image store, under the request's names.
    Load,
    /// The registry, under the request's names.
    Push,
    /// A file.
    File(Archive),
    /// The engine's image store, under the request's names, or the build cache of an engine without a store.
    Stay,
}

/// A file that holds an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// The format of the file.
    pub kind: ArchiveKind,
    /// The path of the file, which appears there when it is complete.
    pub path: PathBuf,
}

/// The format of a file that holds an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveKind {
    /// A tar of an OCI image layout.
    Oci,
    /// A tar that `docker load` reads.
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
    /// The digest of the manifest at the registry, if the engine pushed the image in the same step as the
    /// build. Otherwise [`Engine::push`] pushes the image.
    pub pushed: Option<Digest>,
    /// The number of steps, and the number of those that came from the engine's cache.
    pub steps: StepCount,
}

/// An engine that builds images, and keeps them if it has a store.
pub trait Engine: Send + Sync + 'static {
    /// Builds one image, and reports steps and logs to `events`.
    fn build(
        &self,
        request: &BuildRequest,
        events: &EventSink,
    ) -> impl Future<Output = Result<Built, EngineError>> + Send;

    /// Pushes the image `reference` of the store under this name; returns the digest at the registry.
    fn push(
        &self,
        image: &ImageName,
        reference: &Reference,
        events: &EventSink,
    ) -> impl Future<Output = Result<Digest, EngineError>> + Send;

    /// Asks the engine whether it is there.
    fn answers(&self) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// All names of the image that the store holds as `reference`, as the store writes them; none if the
    /// store has no such image.
    fn names(
        &self,
        reference: &Reference,
    ) -> impl Future<Output = Result<Option<Vec<String>>, EngineError>> + Send;

    /// True if the store holds an image named `reference`.
    fn holds(&self, reference: &Reference) -> impl Future<Output = Result<bool, EngineError>> + Send {
        async { Ok(self.names(reference).await?.is_some()) }
    }

    /// Gives the image `source` of the store the further name `name`.
    fn tag(
        &self,
        source: &Reference,
        name: &Reference,
    ) -> impl Future<Output = Result<(), EngineError>> + Send;
}

/// The error of an engine that did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No engine answers at the endpoint.
    #[error("cannot reach the engine at `{endpoint}`: {reason}")]
    Unreachable {
        /// The engine's socket or address.
        endpoint: String,
        /// The message of the failed attempt to connect.
        reason: String,
    },
    /// The address of the engine, or the setting that should hold it, cannot be used.
    #[error("`{address}` does not lead to an engine: {reason}")]
    Address {
        /// The address, or the setting or file that should hold it.
        address: String,
        /// The fault of the address or setting.
        reason: String,
    },
    /// A step of the build failed.
    #[error("{}", .0.message)]
    Failed(Box<BuildFailure>),
    /// The engine cannot do something that the request needs.
    #[error("{feature} is not supported by {engine}")]
    Unsupported {
        /// The feature that was asked for.
        feature: String,
        /// The engine and its version.
        engine: String,
        /// The advice for the user.
        hint: String,
    },
    /// The engine's configuration does not allow what the build needs.
    #[error("{what} needs the entitlement `{}`, which {engine} does not allow", entitlement.name())]
    NotAllowed {
        /// The part of the Dockerfile or of `build.toml` that needs the entitlement.
        what: String,
        /// The entitlement.
        entitlement: EntitlementKind,
        /// The engine and its version.
        engine: String,
        /// The advice for the user.
        hint: String,
    },
    /// The engine's frontend has no named contexts; a build that needs none may succeed.
    #[error("named contexts are not supported by {engine}")]
    NoContexts {
        /// The engine and its version.
        engine: String,
    },
    /// The value of a secret cannot be read from the place that `build.toml` names.
    #[error("cannot read the secret `{id}`: {reason}")]
    Secret {
        /// The secret's id.
        id: String,
        /// The reason of the failure; never the value.
        reason: String,
    },
    /// The file of an image cannot be written.
    #[error("cannot write `{}`: {reason}", path.display())]
    File {
        /// The path of the file.
        path: PathBuf,
        /// The reason of the failure.
        reason: String,
    },
    /// The folder of a cache cannot be used.
    #[error("cannot keep a cache in `{}`: {reason}", folder.display())]
    Cache {
        /// The path of the folder.
        folder: PathBuf,
        /// The reason of the failure.
        reason: String,
    },
    /// No ssh agent can be forwarded to the build.
    #[error("cannot forward the ssh agent `{id}`: {reason}")]
    SshAgent {
        /// The agent's id.
        id: String,
        /// The reason of the failure: no agent's socket is set, or none answers.
        reason: String,
    },
    /// The context changed or could not be read while it was sent.
    #[error("cannot send the context: {0}")]
    Context(String),
    /// The push of an image failed.
    #[error("failed to push `{reference}`: {reason}")]
    Push {
        /// The name that was pushed.
        reference: Reference,
        /// The engine's message.
        reason: String,
        /// The advice for the user, if there is any.
        hint: Option<String>,
        /// True if the same push may succeed a moment later.
        transient: bool,
    },
    /// Nothing was heard of the engine or a registry for the time that `--silence-limit` sets.
    #[error("nothing was heard of {what} for {time}")]
    Silent {
        /// The silent party: the engine, or a step or push that a registry takes part in.
        what: String,
        /// The length of the silence, in words.
        time: String,
        /// The advice for the user.
        hint: &'static str,
    },
    /// The connection to the engine was lost, or the engine's answer made no sense.
    #[error("the engine stopped answering: {0}")]
    Lost(String),
    /// A defect of dtbuild itself.
    #[error("dtbuild failed inside ({0})")]
    Defect(String),
}

impl EngineError {
    /// True if the same request may succeed a moment later. A failed command is never transient.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Lost(_) | Self::Push { transient: true, .. } => true,
            Self::Failed(failure) => failure.passing,
            _ => false,
        }
    }

    /// True if the engine is gone, so that only another engine can help.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Silent { .. } | Self::Lost(_))
    }

    /// True if the engine refused the build, so that another engine may take it.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Unsupported { .. } | Self::NotAllowed { .. })
    }

    /// True if the engine or the registry is at fault, not the image.
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
                | Self::NotAllowed { .. }
                | Self::NoContexts { .. }
        )
    }
}
