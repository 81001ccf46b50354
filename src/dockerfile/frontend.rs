//! The versions of Docker's own frontend, as far as they read one file in different ways. Start with [`Change`].
//!
//! An engine brings a version along (Docker 20.10: 1.2), and `# syntax=` may name another one. The versions and the
//! texts of the errors come from the tags `dockerfile/1.*` of BuildKit's repository.

/// A change of the way in which the frontend reads a file that older versions read as well, the newest first.
///
/// A feature that only newer versions can read is no such change: an older version refuses it, and builds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// Flags are unescaped by the file's own escape character.
    FlagEscapes,
    /// `TARGETOSVERSION` and `BUILDOSVERSION` are known.
    OsVersions,
    /// Two faults of 1.11 and 1.12 are mended: a base image's ONBUILD was replayed again in the stages that stand on one that
    /// stands on it, and no context took the place of a stage that stands on another.
    Inheritance,
    /// `TARGETSTAGE` is known.
    TargetStage,
    /// A global ARG without a default leaves the value that the name has.
    BlankGlobals,
    /// A list in brackets is a list only if nothing follows it.
    ListEnds,
    /// An ARG sees the arguments before it in the same instruction.
    ArgumentOrder,
    /// A global default that cannot be expanded is an error.
    GlobalErrors,
    /// `# check=` is a directive.
    Check,
    /// `/./` divides a source of `COPY --parents`.
    Pivot,
    /// `${name#pattern}`, `%` and `/` are substitutions.
    Patterns,
    /// `${name-word}` and `+`, without a colon, are substitutions.
    BareModifiers,
    /// ADD takes git repositories.
    GitAddresses,
    /// Two arguments about scanning are no variables.
    ScanArguments,
    /// Heredocs are known.
    Heredocs,
    /// Mounts are expanded.
    MountVariables,
    /// The last of ARG and ENV wins, and stages inherit arguments.
    LastWins,
}

/// The minor version that Docker 20.10 brings along. No engine that dtbuild knows has an older one, so a build has an
/// older version only if the file names it.
const OLDEST: u32 = 2;

/// The versions of the frontend as which a file is read: the newest, or the versions before a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frontend(Option<Change>);

/// The frontend that a build asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The minor version, if the frontend is one version for sure.
    version: Option<u32>,
    /// True if the frontend may have the features of the labs channel.
    labs: bool,
    /// True if the frontend may be older than the frontends of all engines that dtbuild knows.
    ancient: bool,
}

impl Change {
    pub(super) const ALL: [Self; 17] = [
        Self::FlagEscapes,
        Self::OsVersions,
        Self::Inheritance,
        Self::TargetStage,
        Self::BlankGlobals,
        Self::ListEnds,
        Self::ArgumentOrder,
        Self::GlobalErrors,
        Self::Check,
        Self::Pivot,
        Self::Patterns,
        Self::BareModifiers,
        Self::GitAddresses,
        Self::ScanArguments,
        Self::Heredocs,
        Self::MountVariables,
        Self::LastWins,
    ];

    /// The minor version that brought the change: 11 stands for 1.11.
    pub(super) fn version(self) -> u32 {
        match self {
            Self::FlagEscapes => 15,
            Self::OsVersions | Self::Inheritance => 13,
            Self::TargetStage | Self::BlankGlobals => 11,
            Self::ListEnds => 9,
            Self::ArgumentOrder | Self::GlobalErrors | Self::Check | Self::Pivot => 8,
            Self::Patterns => 7,
            Self::BareModifiers | Self::GitAddresses => 6,
            Self::ScanArguments => 5,
            Self::Heredocs => 4,
            Self::MountVariables => 3,
            Self::LastWins => 2,
        }
    }

    /// The behaviour of older versions, as the end of a sentence about them.
    pub(super) fn before(self) -> &'static str {
        match self {
            Self::FlagEscapes => "they take a backslash for the escape character of flags",
            Self::OsVersions => "they do not know `TARGETOSVERSION` and `BUILDOSVERSION`",
            Self::Inheritance => {
                "1.11 and 1.12 replay ONBUILD once more, and use no context for a stage that stands on another"
            }
            Self::TargetStage => "they do not know `TARGETSTAGE`",
            Self::BlankGlobals => "an ARG without a default before the first FROM empties the name",
            Self::ListEnds => "they leave out what follows a list in brackets",
            Self::ArgumentOrder => "an ARG does not see those before it in its instruction",
            Self::GlobalErrors | Self::Patterns | Self::BareModifiers => {
                "an ARG before the first FROM whose default they cannot expand is empty"
            }
            Self::Check => "`# check=` ends the directives, so `# escape=` is a comment",
            Self::Pivot => "`/./` does not divide a source of `--parents`",
            Self::GitAddresses => "an address of git is a path",
            Self::ScanArguments => "arguments about scanning are variables",
            Self::Heredocs => "they do not know heredocs, and read on in them",
            Self::MountVariables => "they do not expand mounts",
            Self::LastWins => "ENV wins over ARG, the first ARG wins, and no stage inherits arguments",
        }
    }

    /// True if older versions read a name that hardly any file has, such as `$DIR` as it stands.
    pub(super) fn is_far_fetched(self) -> bool {
        matches!(self, Self::GitAddresses | Self::Heredocs | Self::MountVariables)
    }

    /// True if the change divides the text into other instructions and words, and does not only give them another
    /// meaning.
    pub(super) fn divides(self) -> bool {
        matches!(self, Self::FlagEscapes | Self::ListEnds | Self::Check | Self::Heredocs)
    }
}

impl Frontend {
    /// The versions before `change`.
    pub(super) fn before(change: Change) -> Self {
        Self(Some(change))
    }

    /// True for the versions 1.11 and 1.12, in which stages inherit too much.
    pub(super) fn inherits_too_much(self) -> bool {
        !self.has(Change::Inheritance) && self.has(Change::TargetStage)
    }

    /// True if these versions read files as the frontend does since `change`.
    pub(super) fn has(self, change: Change) -> bool {
        self.0.is_none_or(|before| change > before)
    }
}

impl Asked {
    /// Reads the name of a frontend, such as `docker/dockerfile:1.7-labs`; no name stands for the engine's own
    /// frontend.
    pub(super) fn of(syntax: Option<&str>) -> Self {
        let tag = syntax.map(tag).unwrap_or_default();
        let (tag, channel) = tag.split_once('-').unwrap_or((tag, ""));
        let mut numbers = tag.split('.');
        let version = numbers.next().filter(|major| *major == "1").and_then(|_| numbers.next()?.parse().ok());
        let experimental = tag == "experimental";
        Self {
            version,
            labs: !channel.is_empty() || experimental || matches!(tag, "labs" | "master"),
            ancient: experimental || version.is_some_and(|version| version < OLDEST),
        }
    }

    /// True if a version before `change` can be the one that reads the file.
    pub(super) fn may_be_before(self, change: Change) -> bool {
        let possible = match change {
            // Outside of the labs, `--parents` is newer.
            Change::Pivot => self.labs,
            _ => change.version() > OLDEST || self.ancient,
        };
        possible && self.version.is_none_or(|version| version < change.version())
    }
}

/// True if the frontend with this name tells the exporter the layers of the base image, as Docker's does since 1.7. A tag
/// without a minor number moves with the newest version; a digest may be that of any.
pub(super) fn tells_base_layers(syntax: &str) -> bool {
    match Asked::of(Some(syntax)).version {
        Some(minor) => minor >= 7,
        None => !syntax.contains('@') && matches!(tag(syntax), "" | "1" | "1-labs" | "latest" | "labs"),
    }
}

/// The tag of a frontend's image, if the tag decides which image is taken; else an empty text.
fn tag(reference: &str) -> &str {
    match reference.rsplit_once(':') {
        Some((name, tag)) if !name.contains('@') && !tag.contains('/') => tag,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_stand_in_order() {
        assert!(Change::ALL.is_sorted());
        let versions: Vec<u32> = Change::ALL.into_iter().map(Change::version).rev().collect();
        assert!(versions.is_sorted(), "{versions:?}");
        let frontend = Frontend::before(Change::GlobalErrors);
        assert!(!frontend.has(Change::TargetStage) && !frontend.has(Change::GlobalErrors));
        assert!(frontend.has(Change::Patterns) && Frontend::default().has(Change::FlagEscapes));
    }

    #[test]
    fn frontends_since_1_7_tell_the_layers_of_the_base() {
        let name = |tag: &str| format!("docker/dockerfile{tag}");
        for newer in ["", ":1", ":1-labs", ":latest", ":1.7", ":1.20.1-labs"] {
            assert!(tells_base_layers(&name(newer)), "{newer}");
        }
        for unsure in [":1.6", ":1.4.3", ":experimental", ":1@sha256:00", "@sha256:00"] {
            assert!(!tells_base_layers(&name(unsure)), "{unsure}");
        }
        assert!(tells_base_layers("dockerfile.v0"), "the engine's own");
    }

    #[test]
    fn a_version_that_is_named_is_the_one_that_reads() {
        let older = |syntax| Asked::of(syntax).may_be_before(Change::TargetStage);
        for sure in
            ["docker/dockerfile:1.11", "docker/dockerfile:1.20.1", "docker.io/docker/dockerfile:1.11-labs"]
        {
            assert!(!older(Some(sure)), "{sure}");
        }
        for unsure in [
            "docker/dockerfile",
            "docker/dockerfile:1",
            "docker/dockerfile:1.10",
            "docker/dockerfile:1.4.3-labs",
            "docker/dockerfile:latest",
            "docker/dockerfile:experimental",
            "docker/dockerfile-upstream:master",
            "dockerfile.v0",
            // The tag is not what is taken.
            "docker/dockerfile:1.20@sha256:0",
        ] {
            assert!(older(Some(unsure)), "{unsure}");
        }
        assert!(older(None));
        let ancient = |syntax| Asked::of(syntax).may_be_before(Change::LastWins);
        assert!(
            ancient(Some("docker/dockerfile:1.0-experimental")) && ancient(Some("docker/dockerfile:1.1.7"))
        );
        assert!(
            !ancient(None)
                && !ancient(Some("docker/dockerfile:1"))
                && !ancient(Some("docker/dockerfile:1.2"))
        );
        assert!(!Asked::of(None).may_be_before(Change::Pivot));
        assert!(Asked::of(Some("docker/dockerfile:1-labs")).may_be_before(Change::Pivot));
    }
}
