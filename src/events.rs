//! What a run tells while it goes: one stream of [`Event`]s to one consumer.
//!
//! Renderers and the run's report read the same events. In JSON (`--progress rawjson`) every event is one
//! line, `{"event": "...", ...}`; durations are in milliseconds.

use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::mpsc;

use dtbuild_content::key::ImageKey;

use crate::config::{EnvironmentName, ImageName};
use crate::plan::{Decision, Reason};
use crate::reference::{Digest, Reference};

/// Something that happened in a run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The plan is decided and its execution begins.
    RunStarted {
        /// Where the release is to go.
        environment: Option<EnvironmentName>,
        /// The commit, or none for the working tree.
        commit: Option<String>,
        /// The images in the order of the plan.
        images: Vec<ImageOutline>,
    },
    /// An image's build begins.
    ImageStarted {
        /// Which image.
        image: ImageName,
        /// On which builder, where the run has several.
        builder: Option<String>,
    },
    /// A step of an image's build begins, ends or is found in the engine's cache.
    ImageStep {
        /// Which image.
        image: ImageName,
        /// The step as the engine names it.
        step: String,
        /// What became of it.
        state: StepState,
    },
    /// A line that a step of an image's build printed.
    ImageLog {
        /// Which image.
        image: ImageName,
        /// The step as the engine names it.
        step: String,
        /// The line, without its end.
        line: String,
    },
    /// An image is done with: built, reused, kept, failed or skipped.
    ImageFinished {
        /// Which image.
        image: ImageName,
        /// What became of it.
        outcome: ImageOutcome,
        /// How long its build took.
        milliseconds: u64,
    },
    /// A push begins.
    PushStarted {
        /// Which image.
        image: ImageName,
        /// To where.
        reference: Reference,
    },
    /// A push progresses: bytes of layers that the registry did not have.
    PushProgress {
        /// Which image.
        image: ImageName,
        /// Bytes sent so far.
        sent: u64,
        /// Bytes to send as far as known.
        total: u64,
    },
    /// A push ended well.
    PushFinished {
        /// Which image.
        image: ImageName,
        /// The digest at the registry.
        digest: Digest,
        /// How long it took.
        milliseconds: u64,
    },
    /// What was built could not be pushed.
    PushFailed {
        /// Which image.
        image: ImageName,
        /// What failed, why, and what to do.
        error: String,
    },
    /// A builder stopped answering: what it was building is built elsewhere.
    BuilderLost {
        /// Its name.
        builder: String,
        /// What it last said, or did not.
        reason: String,
    },
    /// An action is tried again after a transient failure.
    Retrying {
        /// Which image.
        image: ImageName,
        /// Why.
        reason: String,
        /// Which attempt comes next, from 2.
        attempt: u32,
    },
    /// Something about the run that its reader is to know; said once.
    Notice {
        /// What, in one line.
        text: String,
    },
    /// An environment's tag was moved to an image of the release.
    TagMoved {
        /// Which image.
        image: ImageName,
        /// The tag's name.
        reference: Reference,
        /// The digest it names now.
        digest: Digest,
    },
    /// The deployment begins.
    DeployStarted {
        /// To where.
        environment: EnvironmentName,
        /// The kind of trigger, such as `ansible`.
        trigger: String,
    },
    /// A line that the deployment printed.
    DeployLog {
        /// The line, without its end.
        line: String,
    },
    /// The deployment ended.
    DeployFinished {
        /// Why it failed, or none.
        error: Option<String>,
        /// How long it took.
        milliseconds: u64,
    },
    /// The run ended.
    RunFinished {
        /// The process's exit code.
        exit_code: u8,
        /// How long the run took.
        milliseconds: u64,
    },
}

/// An image as the run's first event shows it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ImageOutline {
    /// Which image.
    pub image: ImageName,
    /// What is to be done.
    pub decision: Decision,
    /// Its content key.
    pub key: ImageKey,
    /// Why it is built; empty for what is not, and for builds that are not released.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// It runs.
    Started,
    /// The engine had its result.
    Cached,
    /// It ran and ended well.
    Done,
    /// It failed.
    Failed,
}

/// What became of an image.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum ImageOutcome {
    /// It was built.
    Built {
        /// The build's steps.
        steps: StepCount,
    },
    /// The cache had it.
    Reused,
    /// The environment runs it already.
    Kept,
    /// It could not be built or pushed.
    Failed {
        /// What failed, why, and what to do.
        error: String,
        /// Where in the Dockerfile, when a step failed.
        failure: Option<BuildFailure>,
    },
    /// Something it needs failed, or the run stopped before it.
    Skipped {
        /// Why.
        reason: String,
    },
}

/// The steps of a build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StepCount {
    /// All steps.
    pub total: usize,
    /// Those that the engine had in its cache.
    pub cached: usize,
}

/// What a failed build tells its author.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BuildFailure {
    /// One line: what failed and why.
    pub message: String,
    /// The failing step as the engine names it, such as `[build 3/5] RUN npm ci`.
    pub step: Option<String>,
    /// The line of the Dockerfile, from 1.
    pub line: Option<usize>,
    /// The exit code of the failing command.
    pub exit_code: Option<i32>,
    /// The failing step's last lines.
    pub log: Vec<String>,
    /// Whether the same build may succeed a moment later: a base image could not be fetched, or the engine
    /// lost a layer. What a command of the Dockerfile does is never tried again.
    #[serde(skip)]
    pub passing: bool,
}

/// Where events go. Cheap to clone; sending never waits and never fails.
#[derive(Clone, Debug)]
pub struct EventSink(mpsc::UnboundedSender<Event>);

impl EventSink {
    /// A sink and the stream of what is sent to it.
    #[must_use]
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Sends `event`. A consumer that has gone away misses it, which is its affair.
    pub fn send(&self, event: Event) {
        let _ = self.0.send(event);
    }
}
