//! The analysis of a Dockerfile for the build of one target: [`Options`] in, an [`Analysis`] out. Start with
//! [`Analysis`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use serde::Serialize;

use super::configs::{BaseConfig, Configs, PlatformImage};
use super::error::ParseReason;
use super::inputs::Inputs;
use super::remote::Remote;
use super::text::ExpandError;

/// The options of an analysis: the target, and all that is known of the build's surroundings.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The name of the stage to build; none for the last stage.
    pub target: Option<&'a str>,
    /// The build arguments.
    pub args: &'a BTreeMap<String, String>,
    /// The platform that is built for, such as `linux/amd64`.
    pub platform: &'a str,
    /// The platform on which the build runs.
    pub build_platform: &'a str,
    /// The images that can be built before this one: a name among them is a dependency. The image's own name
    /// must not be among them, else an image `redis` that is built `FROM redis` would depend on itself.
    pub images: &'a dyn ImageNames,
    /// The further contexts by their names, in the form that [`familiar`](super::familiar) gives.
    pub contexts: &'a BTreeMap<String, NamedContext>,
    /// The known configurations of images from elsewhere. An image that is missing here is taken for unknown, not for
    /// empty.
    pub bases: &'a Configs,
    /// The known configurations of `images`.
    pub built: &'a Configs,
}

/// A set of images' names.
pub trait ImageNames: fmt::Debug {
    /// True if `name` is in the set.
    fn contains(&self, name: &str) -> bool;
}

impl ImageNames for BTreeSet<String> {
    fn contains(&self, name: &str) -> bool {
        self.contains(name)
    }
}

/// The meaning of a named context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedContext {
    /// Files: a folder, or files that are fetched.
    Files,
    /// The image of this name among [`Options::images`].
    Image(String),
    /// The image from elsewhere with this name.
    External(String),
}

/// The result of an analysis: all that a build needs to know of its Dockerfile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Analysis {
    /// The stages that the target needs, in the order of the file.
    pub stages: Vec<ReachedStage>,
    /// The given arguments that can alter the image, and so belong into its key: arguments that a reached stage
    /// declares or that choose the stage's image or platform, and arguments that BuildKit itself obeys
    /// (`BUILDKIT_*`, `SOURCE_DATE_EPOCH`). A proxy argument (`HTTP_PROXY`, `no_proxy`, ...) is among them only where
    /// an ARG declares it, because BuildKit keeps the proxy arguments out of its cache otherwise.
    pub declared_args: BTreeSet<String>,
    /// The given arguments that the file declares nowhere: most likely a mistake.
    pub undeclared_args: BTreeSet<String>,
    /// The images from elsewhere that the reached stages use.
    pub bases: Vec<Base>,
    /// The images built together with this one that the reached stages use.
    pub dependencies: Vec<Dependency>,
    /// The files that are read of the main context.
    pub inputs: Inputs,
    /// The files that are read of the further contexts, by the context's name: contexts that are files and are used.
    pub contexts: BTreeMap<String, Inputs>,
    /// True if it cannot be told which contexts are used, nor where: then all contexts count as used.
    pub obscure: bool,
    /// The sources that ADD fetches from the network.
    pub remotes: Vec<Remote>,
    /// The entitlements that the engine has to allow.
    pub entitlements: Vec<Entitlement>,
    /// The remarks on reads that could not be known exactly, or that count as a whole, by line.
    pub notes: Vec<Note>,
    /// The images from elsewhere whose configuration, or more of it, would make the analysis more exact.
    pub unread: BTreeSet<PlatformImage>,
    /// The configuration of the built image, for builds that stand on the image; none where it cannot be told.
    #[serde(skip)]
    pub config: Option<BaseConfig>,
    /// The names of images, with their places in the file.
    #[serde(skip)]
    pub(super) words: Vec<ImageWord>,
}

/// A permission that a RUN needs beyond the permissions of every build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entitlement {
    /// The line of the RUN.
    pub line: usize,
    /// The kind of the permission.
    pub kind: EntitlementKind,
}

/// The permissions that an engine allows or does not, by BuildKit's names for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum EntitlementKind {
    /// `RUN --network=host`.
    #[serde(rename = "network.host")]
    NetworkHost,
    /// `RUN --security=insecure`.
    #[serde(rename = "security.insecure")]
    SecurityInsecure,
}

impl EntitlementKind {
    /// All kinds.
    pub(crate) const ALL: [Self; 2] = [Self::NetworkHost, Self::SecurityInsecure];

    /// BuildKit's name for the permission.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NetworkHost => "network.host",
            Self::SecurityInsecure => "security.insecure",
        }
    }

    /// The flag of a RUN that needs the permission.
    #[must_use]
    pub fn flag(self) -> &'static str {
        match self {
            Self::NetworkHost => "--network=host",
            Self::SecurityInsecure => "--security=insecure",
        }
    }
}

/// A stage that the target needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReachedStage {
    /// The stage's number, from 0.
    pub number: usize,
    /// The stage's name, in lower case.
    pub name: Option<String>,
    /// The line of the stage's FROM.
    pub line: usize,
}

/// An image from elsewhere that the build uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Base {
    /// The image's name as the file has it, expanded.
    pub name: String,
    /// The platform that FROM asks for, expanded; none for the platform that is built for.
    pub platform: Option<String>,
    /// The lines that name the image.
    pub lines: Vec<usize>,
}

/// An image that is built before this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dependency {
    /// The image's name among the given images.
    pub name: String,
    /// The lines that name the image.
    pub lines: Vec<usize>,
}

/// The name of an image, where it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ImageWord {
    /// The parts of the word in the file: one more than the word has continuations; no part if it cannot be replaced.
    pub place: Vec<Range<usize>>,
    /// The image's name, expanded; for a context, its [`context_word`].
    pub name: String,
    /// The line of the instruction.
    pub line: usize,
    /// True if the word names a stage to the newest frontend and something else to an older one, so that the stage's
    /// name replaces the word.
    pub settled: bool,
}

/// The text that stands for the context `name` among the names that can be replaced. No image has such a name.
#[must_use]
pub fn context_word(name: &str) -> String {
    format!("the context {name}")
}

/// A remark for `explain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The line of the file, from 1; 0 for a remark on something outside of the file.
    pub line: usize,
    /// The subject of the remark.
    pub kind: NoteKind,
    /// The text of the remark, the instruction included.
    pub text: String,
}

/// The subject of a note.
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
    /// A text that older versions of the frontend read otherwise, so both readings count.
    OlderFrontend,
}

impl NoteKind {
    /// True if the note says that the file's reads cannot be told.
    #[must_use]
    pub fn widens(self) -> bool {
        self.is_language() || matches!(self, Self::Unresolved)
    }

    /// True if the note says that the file holds more of the language than is known here.
    #[must_use]
    pub(super) fn is_language(self) -> bool {
        matches!(self, Self::UnknownInstruction | Self::UnknownFlag | Self::ForeignSyntax)
    }
}

/// The error for a Dockerfile that cannot be built as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnalysisError {
    /// No stage has the target's name.
    #[error("the target stage `{target}` does not exist; {hint}")]
    UnknownTarget {
        /// The target's name.
        target: String,
        /// The stages of the file, and the most similar one.
        hint: String,
    },
    /// The target is a stage that a context stands for: there is nothing to build.
    #[error(
        "line {line}: the stage `{stage}` is the target, and the context of that name takes its place; rename one of them"
    )]
    ReplacedTarget {
        /// The line of the instruction.
        line: usize,
        /// The stage's name.
        stage: String,
    },
    /// The text is no platform.
    #[error("`{0}` is not a platform; write it as `linux/amd64` or `linux/arm/v7`")]
    Platform(String),
    /// The platform of a stage is none.
    #[error("line {line}: `{word}` is `{platform}`, which is not a platform; write it as `linux/amd64`")]
    StagePlatform {
        /// The line of the instruction.
        line: usize,
        /// The platform, expanded.
        platform: String,
        /// The platform, as the file has it.
        word: String,
    },
    /// The name of a stage's image is empty.
    #[error(
        "line {line}: the image `{word}` is empty; declare its ARG before the first FROM, with a default"
    )]
    BlankImage {
        /// The line of the instruction.
        line: usize,
        /// The word for the image, as the file has it.
        word: String,
    },
    /// The name of a stage is written in another case where an image is named.
    #[error("line {line}: an image's name is in lower case; write `FROM {stage}` for the stage of that name")]
    StageCase {
        /// The line of the instruction.
        line: usize,
        /// The stage's name.
        stage: String,
    },
    /// A word cannot be expanded.
    #[error("line {line}: {reason}")]
    Expand {
        /// The line of the instruction.
        line: usize,
        /// The reason of the failure.
        reason: ExpandError,
    },
    /// A variable stands where BuildKit expands none.
    #[error(
        "line {line}: `{from}` cannot hold variables; name a stage, `FROM {from} AS <name>`, and copy from it"
    )]
    FromVariable {
        /// The line of the instruction.
        line: usize,
        /// The value with the variable.
        from: String,
    },
    /// The number of a stage is too high, or too low.
    #[error("line {line}: there is no stage number {number}; the file has {stages}, counted from 0")]
    StageNumber {
        /// The line of the instruction.
        line: usize,
        /// The stage's number.
        number: i64,
        /// The number of stages in the file.
        stages: usize,
    },
    /// An address stands where only ADD takes one.
    #[error("line {line}: COPY cannot fetch `{url}`; use ADD")]
    CopyUrl {
        /// The line of the instruction.
        line: usize,
        /// The address.
        url: String,
    },
    /// An ONBUILD that a stage replays cannot be read.
    #[error("line {line}: {reason}")]
    Replayed {
        /// The line of the instruction.
        line: usize,
        /// The reason of the failure.
        reason: ParseReason,
    },
    /// An ONBUILD of an image cannot be read.
    #[error("an ONBUILD instruction of the image `{image}` cannot be read: {reason}")]
    Trigger {
        /// The image's name.
        image: String,
        /// The reason of the failure.
        reason: ParseReason,
    },
}

impl Analysis {
    /// The names of images as they stand in the file, expanded.
    pub fn written_names(&self) -> impl Iterator<Item = &str> {
        self.words.iter().filter(|word| !word.settled).map(|word| word.name.as_str())
    }

    /// True if an image that a stage stands on may replay instructions that are not known: then any file and
    /// any argument may count.
    #[must_use]
    pub fn has_unknown_triggers(&self) -> bool {
        self.notes.iter().any(|note| note.kind == NoteKind::UnknownTriggers)
    }
}
