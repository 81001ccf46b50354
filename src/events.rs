//! The events of a run while it is under way: one stream to one consumer. Start with [`Event`].
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

/// One thing that happened in a run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The plan is decided and its execution begins.
    RunStarted {
        /// The environment of the release; none for a build that is not released.
        environment: Option<EnvironmentName>,
        /// The commit's id; none for the working tree.
        commit: Option<String>,
        /// The images of the plan, in the plan's order.
        images: Vec<ImageOutline>,
    },
    /// An image's build begins.
    ImageStarted {
        /// The image's name.
        image: ImageName,
        /// The builder's name, where the run has several builders.
        builder: Option<String>,
    },
    /// A step of an image's build begins, ends or is found in the engine's cache.
    ImageStep {
        /// The image's name.
        image: ImageName,
        /// The step's name, as the engine gives it.
        step: String,
        /// The step's state.
        state: StepState,
    },
    /// A line that a step of an image's build printed.
    ImageLog {
        /// The image's name.
        image: ImageName,
        /// The step's name, as the engine gives it.
        step: String,
        /// The line's text, without the line break.
        line: String,
    },
    /// The engine warns of something about an image's build, sent once for each warning.
    ImageWarning {
        /// The image's name.
        image: ImageName,
        /// The warning.
        #[serde(flatten)]
        warning: BuildWarning,
    },
    /// An image is finished: built, reused, kept, failed or skipped.
    ImageFinished {
        /// The image's name.
        image: ImageName,
        /// The image's outcome.
        outcome: ImageOutcome,
        /// The duration of the image's build, in milliseconds.
        milliseconds: u64,
    },
    /// A push begins.
    PushStarted {
        /// The image's name.
        image: ImageName,
        /// The reference that the image is pushed to.
        reference: Reference,
    },
    /// A push progresses. The bytes counted are those of layers that the registry did not have.
    PushProgress {
        /// The image's name.
        image: ImageName,
        /// The number of bytes sent so far.
        sent: u64,
        /// The number of bytes to send in all, as far as known.
        total: u64,
    },
    /// A push succeeded.
    PushFinished {
        /// The image's name.
        image: ImageName,
        /// The image's digest at the registry.
        digest: Digest,
        /// The duration of the push, in milliseconds.
        milliseconds: u64,
    },
    /// An image was built, but could not be pushed.
    PushFailed {
        /// The image's name.
        image: ImageName,
        /// The failure: what failed, why, and what to do.
        error: String,
    },
    /// A builder does not answer: the images that it was building are built elsewhere.
    BuilderLost {
        /// The builder's name.
        builder: String,
        /// The reason of the loss: the builder's last error, or its silence.
        reason: String,
    },
    /// A lost builder answers again, and builds again.
    BuilderBack {
        /// The builder's name.
        builder: String,
    },
    /// An action is tried again after a transient failure.
    Retrying {
        /// The image's name.
        image: ImageName,
        /// The reason of the retry.
        reason: String,
        /// The number of the next attempt, from 2.
        attempt: u32,
    },
    /// A remark on the run for its reader, sent once.
    Notice {
        /// The remark, in one line.
        text: String,
    },
    /// An environment's tag was moved to an image of the release.
    TagMoved {
        /// The image's name.
        image: ImageName,
        /// The reference with the tag.
        reference: Reference,
        /// The digest that the tag names now.
        digest: Digest,
    },
    /// The deployment begins.
    DeployStarted {
        /// The name of the environment that is deployed to.
        environment: EnvironmentName,
        /// The kind of trigger, such as `ansible`.
        trigger: String,
    },
    /// A line that the deployment printed.
    DeployLog {
        /// The line's text, without the line break.
        line: String,
    },
    /// The deployment ended.
    DeployFinished {
        /// The reason of the failure; none if the deployment succeeded.
        error: Option<String>,
        /// The duration of the deployment, in milliseconds.
        milliseconds: u64,
    },
    /// The run ended.
    RunFinished {
        /// The process's exit code.
        exit_code: u8,
        /// The duration of the run, in milliseconds.
        milliseconds: u64,
    },
}

/// An image of the plan, as the run's first event shows it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ImageOutline {
    /// The image's name.
    pub image: ImageName,
    /// The plan's decision for the image.
    pub decision: Decision,
    /// The image's content key.
    pub key: ImageKey,
    /// The reasons of the image's build; empty for images that are not built, and for builds that are not released.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
}

/// The state of a build's step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// The step runs.
    Started,
    /// The engine had the step's result in its cache.
    Cached,
    /// The step ran and succeeded.
    Done,
    /// The step failed.
    Failed,
}

/// The outcome of a run for one image.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum ImageOutcome {
    /// The image was built.
    Built {
        /// The number of the build's steps.
        steps: StepCount,
    },
    /// The cache had the image.
    Reused,
    /// The environment runs the image already.
    Kept,
    /// The image could not be built or pushed.
    Failed {
        /// The failure: what failed, why, and what to do.
        error: String,
        /// The failing step and its place in the Dockerfile, if a step failed.
        failure: Option<BuildFailure>,
    },
    /// An image that this image needs failed, or the run stopped before this image.
    Skipped {
        /// The reason of the skip.
        reason: String,
    },
}

/// The number of a build's steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StepCount {
    /// The number of all steps.
    pub total: usize,
    /// The number of steps that the engine had in its cache.
    pub cached: usize,
}

/// The description of a failed build for its author.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BuildFailure {
    /// The failure in one line: what failed and why.
    pub message: String,
    /// The failing step as the engine names it, such as `[build 3/5] RUN npm ci`.
    pub step: Option<String>,
    /// The failing step's line in the Dockerfile, from 1.
    pub line: Option<usize>,
    /// The exit code of the failing command.
    pub exit_code: Option<i32>,
    /// The last lines that the failing step printed.
    pub log: Vec<String>,
    /// True if the same build may succeed a moment later: a base image could not be fetched, or the engine
    /// lost a layer. A failing command of the Dockerfile is never tried again.
    #[serde(skip)]
    pub passing: bool,
}

/// A warning of the engine about a build: a rule of BuildKit's linter that the Dockerfile breaks, or another remark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BuildWarning {
    /// The name of the linter's rule, such as `FromAsCasing`; none for other remarks.
    pub rule: Option<String>,
    /// The warning in one line.
    pub message: String,
    /// The further lines of the warning, such as the rule in general.
    pub detail: Vec<String>,
    /// The line in the Dockerfile, from 1.
    pub line: Option<usize>,
    /// The address of the page about the rule.
    pub url: Option<String>,
}

/// The sending end of a run's events. Cheap to clone; sending never waits and never fails.
#[derive(Clone, Debug)]
pub struct EventSink(mpsc::UnboundedSender<Event>);

impl EventSink {
    /// A sink, and the stream of the events that are sent to the sink.
    #[must_use]
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Sends `event`. The event is lost if the consumer has gone away.
    pub fn send(&self, event: Event) {
        let _ = self.0.send(event);
    }
}
