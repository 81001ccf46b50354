//! What a build of one target needs to know of its Dockerfile: [`Options`] in, an [`Analysis`] out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use serde::Serialize;

use super::configs::{BaseConfig, Configs, PlatformImage};
use super::error::ParseReason;
use super::inputs::Inputs;
use super::remote::Remote;
use super::text::ExpandError;

/// What is built, and what is known of the surroundings.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The stage to build; the last one if none is given.
    pub target: Option<&'a str>,
    /// The build arguments.
    pub args: &'a BTreeMap<String, String>,
    /// The platform that is built for, such as `linux/amd64`.
    pub platform: &'a str,
    /// The platform that builds.
    pub build_platform: &'a str,
    /// The images that can be built before this one: a name among them is a dependency. The image's own name
    /// must not be among them, else an image `redis` that is built `FROM redis` would depend on itself.
    pub images: &'a dyn ImageNames,
    /// The further contexts by their names, in the form that [`familiar`](super::familiar) gives.
    pub contexts: &'a BTreeMap<String, NamedContext>,
    /// What is known of images from elsewhere. What is not here is taken for unknown, not for empty.
    pub bases: &'a Configs,
    /// What is known of `images`.
    pub built: &'a Configs,
}

/// Names of images.
pub trait ImageNames: fmt::Debug {
    /// Whether `name` is one of them.
    fn contains(&self, name: &str) -> bool;
}

impl ImageNames for BTreeSet<String> {
    fn contains(&self, name: &str) -> bool {
        self.contains(name)
    }
}

/// What a named context stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedContext {
    /// Files: a folder, or what is fetched.
    Files,
    /// One of [`Options::images`].
    Image(String),
    /// An image from elsewhere.
    External(String),
}

/// What a build needs to know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Analysis {
    /// The stages that the target needs, in the order of the file.
    pub stages: Vec<ReachedStage>,
    /// The given arguments that can alter the image, and so belong into its key: those that a reached stage
    /// declares or that choose its image or platform, and those that BuildKit itself obeys (`BUILDKIT_*`,
    /// `SOURCE_DATE_EPOCH`). The proxy arguments (`HTTP_PROXY`, `no_proxy`, ...) are among them only where an
    /// ARG declares them, because BuildKit keeps them out of its cache otherwise.
    pub declared_args: BTreeSet<String>,
    /// The given arguments that the file declares nowhere: most likely a mistake.
    pub undeclared_args: BTreeSet<String>,
    /// The images from elsewhere that the reached stages use.
    pub bases: Vec<Base>,
    /// The images built together with this one that the reached stages use.
    pub dependencies: Vec<Dependency>,
    /// What is read of the main context.
    pub inputs: Inputs,
    /// What is read of the further contexts that are files, those that are used.
    pub contexts: BTreeMap<String, Inputs>,
    /// Whether it cannot be told which contexts are used, nor where: then all of them are.
    pub obscure: bool,
    /// What is fetched by ADD.
    pub remotes: Vec<Remote>,
    /// What the engine has to allow.
    pub entitlements: Vec<Entitlement>,
    /// What could not be known exactly, or counts as a whole, by line.
    pub notes: Vec<Note>,
    /// The images from elsewhere whose configuration, or more of it, would make this more exact.
    pub unread: BTreeSet<PlatformImage>,
    /// What the image that is built tells of the builds that stand on it; none where it cannot be told.
    #[serde(skip)]
    pub config: Option<BaseConfig>,
    /// Where the names of images stand in the file.
    #[serde(skip)]
    pub(super) words: Vec<ImageWord>,
}

/// What a RUN needs beyond what every build may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entitlement {
    /// The line of the RUN.
    pub line: usize,
    /// What it needs.
    pub kind: EntitlementKind,
}

/// What an engine allows or does not, by the names that BuildKit has for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum EntitlementKind {
    /// `RUN --network=host`.
    #[serde(rename = "network.host")]
    NetworkHost,
    /// `RUN --security=insecure`.
    #[serde(rename = "security.insecure")]
    SecurityInsecure,
}

/// A stage that the target needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReachedStage {
    /// Its number, from 0.
    pub number: usize,
    /// Its name, in lower case.
    pub name: Option<String>,
    /// The line of its FROM.
    pub line: usize,
}

/// An image from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Base {
    /// Its name as the file has it, expanded.
    pub name: String,
    /// The platform that FROM asks for, expanded; the one that is built for if none.
    pub platform: Option<String>,
    /// The lines that name it.
    pub lines: Vec<usize>,
}

/// An image that is built before this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dependency {
    /// Its name among the given images.
    pub name: String,
    /// The lines that name it.
    pub lines: Vec<usize>,
}

/// The name of an image, where it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ImageWord {
    /// The parts of the word: one more than it has continuations; none if it cannot be replaced.
    pub place: Vec<Range<usize>>,
    /// The name, expanded; of a context, its [`context_word`].
    pub name: String,
    /// The line of the instruction.
    pub line: usize,
    /// Whether it names a stage to the newest frontend and something else to an older one, so that it is replaced by the
    /// stage's name.
    pub settled: bool,
}

/// What stands for the context `name` among the names that can be replaced. No image has such a name.
#[must_use]
pub fn context_word(name: &str) -> String {
    format!("the context {name}")
}

/// A remark for `explain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The line; 0 for what does not stand in the file.
    pub line: usize,
    /// What it is about.
    pub kind: NoteKind,
    /// What it says, the instruction included.
    pub text: String,
}

/// What a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// The file reads the whole context.
    WholeContext,
    /// A source that cannot be told, so the whole context counts.
    Unresolved,
    /// An instruction that is not known, so everything counts.
    UnknownInstruction,
    /// A flag that is not known, so everything counts.
    UnknownFlag,
    /// A frontend that is not known, so everything counts.
    ForeignSyntax,
    /// An image whose ONBUILD instructions are not known.
    UnknownTriggers,
    /// A source from the network whose content nothing fixes.
    StaleRemote,
    /// What older versions of the frontend read otherwise, so both count.
    OlderFrontend,
}

impl NoteKind {
    /// Whether it cannot be told what the file reads.
    #[must_use]
    pub fn widens(self) -> bool {
        self.is_language() || matches!(self, Self::Unresolved)
    }

    /// Whether the file holds more of the language than is known here.
    #[must_use]
    pub(super) fn is_language(self) -> bool {
        matches!(self, Self::UnknownInstruction | Self::UnknownFlag | Self::ForeignSyntax)
    }
}

/// A Dockerfile that cannot be built as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnalysisError {
    /// No stage has the target's name.
    #[error("the target stage `{target}` does not exist; {hint}")]
    UnknownTarget {
        /// The name.
        target: String,
        /// The stages there are, and the most similar one.
        hint: String,
    },
    /// A target that a context stands for: there is nothing to build.
    #[error(
        "line {line}: the stage `{stage}` is the target, and the context of that name takes its place; rename one of them"
    )]
    ReplacedTarget {
        /// The line.
        line: usize,
        /// The stage.
        stage: String,
    },
    /// Not a platform.
    #[error("`{0}` is not a platform; write it as `linux/amd64` or `linux/arm/v7`")]
    Platform(String),
    /// A stage's platform that is not one.
    #[error("line {line}: `{word}` is `{platform}`, which is not a platform; write it as `linux/amd64`")]
    StagePlatform {
        /// The line.
        line: usize,
        /// The platform, expanded.
        platform: String,
        /// The platform, as it is written.
        word: String,
    },
    /// A stage without an image.
    #[error(
        "line {line}: the image `{word}` is empty; declare its ARG before the first FROM, with a default"
    )]
    BlankImage {
        /// The line.
        line: usize,
        /// The word.
        word: String,
    },
    /// A stage's name in another case where an image is named.
    #[error("line {line}: an image's name is in lower case; write `FROM {stage}` for the stage of that name")]
    StageCase {
        /// The line.
        line: usize,
        /// The stage.
        stage: String,
    },
    /// A word that cannot be expanded.
    #[error("line {line}: {reason}")]
    Expand {
        /// The line.
        line: usize,
        /// Why.
        reason: ExpandError,
    },
    /// A variable where BuildKit has none.
    #[error(
        "line {line}: `{from}` cannot hold variables; name a stage, `FROM {from} AS <name>`, and copy from it"
    )]
    FromVariable {
        /// The line.
        line: usize,
        /// The value.
        from: String,
    },
    /// A stage's number that is too high, or too low.
    #[error("line {line}: there is no stage number {number}; the file has {stages}, counted from 0")]
    StageNumber {
        /// The line.
        line: usize,
        /// The number.
        number: i64,
        /// How many stages there are.
        stages: usize,
    },
    /// An address where only ADD takes one.
    #[error("line {line}: COPY cannot fetch `{url}`; use ADD")]
    CopyUrl {
        /// The line.
        line: usize,
        /// The address.
        url: String,
    },
    /// An ONBUILD that a stage replays and that cannot be read.
    #[error("line {line}: {reason}")]
    Replayed {
        /// The line.
        line: usize,
        /// Why.
        reason: ParseReason,
    },
    /// An image's ONBUILD that cannot be read.
    #[error("an ONBUILD instruction of the image `{image}` cannot be read: {reason}")]
    Trigger {
        /// The image.
        image: String,
        /// Why.
        reason: ParseReason,
    },
}

impl Analysis {
    /// The names of images as they stand in the file, expanded.
    pub fn written_names(&self) -> impl Iterator<Item = &str> {
        self.words.iter().filter(|word| !word.settled).map(|word| word.name.as_str())
    }

    /// Whether an image that a stage stands on may replay instructions that are not known: then any file and
    /// any argument may count.
    #[must_use]
    pub fn has_unknown_triggers(&self) -> bool {
        self.notes.iter().any(|note| note.kind == NoteKind::UnknownTriggers)
    }
}
