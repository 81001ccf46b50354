//! A context with its `.dockerignore` and Dockerfile. Start with [`Case`].
//!
//! Paths are from the context's root. `@` in a Dockerfile's texts stands for the case's name, so that many cases
//! can stand in one Dockerfile: [`Case::dockerfile`] writes it for a context that is the build's own, or for one
//! that is a folder of it.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use dtbuild_content::tree::Kind;

/// A file or link: its kind, and its content or text.
pub(super) type Leaf = (Kind, String);

/// What is built.
#[derive(Clone)]
pub(super) struct Case {
    /// Its name among others, such as `k7`.
    pub(super) name: String,
    /// What no other build's instructions hold: the engine cannot know a step of it from another case.
    pub(super) salt: String,
    /// The files and links of the context.
    pub(super) tree: BTreeMap<String, Leaf>,
    /// The lines of its `.dockerignore`.
    pub(super) ignore: Vec<String>,
    /// Whether that is `{Dockerfile}.dockerignore`, not a file of the context.
    pub(super) ignore_beside: bool,
    /// Whether the Dockerfile is a file of the context.
    pub(super) dockerfile_inside: bool,
    /// The lines before the first stage.
    pub(super) globals: Vec<String>,
    /// The stages, the last of them the target unless another one is.
    pub(super) stages: Vec<Stage>,
    /// The target's number.
    pub(super) target: Option<usize>,
    /// The build arguments that are given.
    pub(super) arguments: BTreeMap<String, String>,
}

/// A stage of a Dockerfile.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) base: Base,
    pub(super) instructions: Vec<Instruction>,
}

/// What a stage stands on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    Scratch,
    Image,
    /// The same, with a variable in its name.
    Tagged,
    Stage(usize),
}

/// An instruction. Where it puts what it copies is made from its place.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Instruction {
    /// `ARG`.
    Argument { name: String, default: Option<String> },
    /// `ENV`.
    Variable { name: String, value: String },
    /// A line as it is written.
    Line(&'static str),
    /// `COPY` or `ADD` out of the context.
    Copy { keyword: &'static str, flags: Vec<String>, sources: Vec<String>, folder: bool },
    /// `COPY --from=` another stage.
    CopyStage { stage: usize },
    /// `COPY <<file`.
    Heredoc { flags: Vec<String> },
    /// `RUN` with bind mounts; one without a source is the whole context.
    Run { mounts: Vec<(Option<String>, bool)> },
}

/// The line that declares the argument that holds the name of the target.
pub(super) const TARGET: &str = "ARG TARGETSTAGE";

/// An argument of all of a build.
pub(super) const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// The base image, which the program of `RUN` is from as well: one that `./dev engine up` makes.
const BASE: &str = "busybox:1.36";

impl Case {
    /// The stage that is built, as the Dockerfile names it.
    pub(super) fn target_name(&self) -> String {
        self.stage_name(self.target.unwrap_or(self.stages.len() - 1))
    }

    fn stage_name(&self, number: usize) -> String {
        format!("{}s{number}", self.name)
    }

    /// Whether a build together with other cases cannot tell what this one is.
    pub(super) fn stands_alone(&self) -> bool {
        let names_target =
            |instruction: &Instruction| matches!(instruction, Instruction::Line(line) if *line == TARGET);
        self.arguments.contains_key(EPOCH)
            || self.stages.iter().flat_map(|stage| &stage.instructions).any(names_target)
    }

    /// The Dockerfile of a build whose context this is.
    pub(super) fn dockerfile(&self) -> String {
        self.globals() + &self.stages("")
    }

    /// The lines before the first stage.
    pub(super) fn globals(&self) -> String {
        self.globals.iter().map(|line| line.replace('@', &self.name) + "\n").collect()
    }

    /// The stages, where the context is the folder `folder` of the build's: empty or ending in a slash.
    pub(super) fn stages(&self, folder: &str) -> String {
        let mut text = String::new();
        for (number, stage) in self.stages.iter().enumerate() {
            let base = match stage.base {
                Base::Scratch => "scratch".to_owned(),
                Base::Image => BASE.to_owned(),
                Base::Tagged => "busybox:${B@}".to_owned(),
                Base::Stage(stage) => self.stage_name(stage),
            };
            writeln!(text, "FROM {base} AS {}", self.stage_name(number)).unwrap();
            for (index, instruction) in stage.instructions.iter().enumerate() {
                let place = format!("/{}/s{number}i{index}", self.salt);
                writeln!(text, "{}", self.instruction(instruction, folder, &place)).unwrap();
            }
        }
        text.replace('@', &self.name)
    }

    fn instruction(&self, instruction: &Instruction, folder: &str, place: &str) -> String {
        let flags = |flags: &[String]| flags.iter().fold(String::new(), |text, flag| text + flag + " ");
        match instruction {
            Instruction::Argument { name, default: None } => format!("ARG {name}@"),
            Instruction::Argument { name, default: Some(default) } => format!("ARG {name}@=\"{default}\""),
            Instruction::Variable { name, value } => format!("ENV {name}@=\"{value}\""),
            // Among others, the target is another one.
            Instruction::Line(line) if *line == TARGET && !folder.is_empty() => {
                format!("{line}={}", self.target_name())
            }
            Instruction::Line(line) => (*line).to_owned(),
            Instruction::Copy { keyword, flags: given, sources, folder: into } => {
                let slash = if *into { "/" } else { "" };
                let words: Vec<String> = sources
                    .iter()
                    .map(|source| format!("{folder}{source}"))
                    .chain([format!("{place}{slash}")])
                    .collect();
                let words = if words.iter().any(|word| word.contains(' ')) {
                    serde_json::to_string(&words).unwrap()
                } else {
                    words.join(" ")
                };
                format!("{keyword} {}{words}", flags(given))
            }
            Instruction::CopyStage { stage } => {
                format!("COPY --from={} / {place}/", self.stage_name(*stage).to_uppercase())
            }
            Instruction::Heredoc { flags: given } => {
                format!("COPY {}<<one <<two {place}/\n1\none\n2\ntwo", flags(given))
            }
            Instruction::Run { mounts } => {
                let mut text = format!("RUN --mount=type=bind,from={BASE},source=/bin,target=/bin");
                for (number, (source, writable)) in mounts.iter().enumerate() {
                    let whole = folder.trim_end_matches('/');
                    let source = match source {
                        Some(source) => format!(",source={folder}{source}"),
                        None if whole.is_empty() => String::new(),
                        None => format!(",source={whole}"),
                    };
                    let writable = if *writable { ",rw" } else { "" };
                    write!(text, " --mount=type=bind{source},target={place}/m{number}{writable}").unwrap();
                }
                format!("{text} [\"/bin/busybox\", \"true\", \"{place}\"]")
            }
        }
    }

    /// Where the Dockerfile is, from the folder above the context.
    pub(super) fn dockerfile_path(&self) -> String {
        let separator = if self.dockerfile_inside { '/' } else { '.' };
        format!("{}{separator}Dockerfile", self.name)
    }

    /// All files, from the folder above the context: the tree, the Dockerfile, what is ignored.
    pub(super) fn files(&self) -> BTreeMap<String, Leaf> {
        let mut files: BTreeMap<String, Leaf> =
            self.tree.iter().map(|(path, leaf)| (format!("{}/{path}", self.name), leaf.clone())).collect();
        files.insert(self.dockerfile_path(), (Kind::File, self.dockerfile()));
        if let Some(text) = self.ignore_text() {
            let beside = format!("{}.dockerignore", self.dockerfile_path());
            let path = if self.ignore_beside { beside } else { format!("{}/.dockerignore", self.name) };
            files.insert(path, (Kind::File, text));
        }
        files
    }

    /// The text of the `.dockerignore`; none where there is no such file.
    pub(super) fn ignore_text(&self) -> Option<String> {
        (!self.ignore.is_empty()).then(|| self.ignore.join("\n") + "\n")
    }

    /// The build arguments as the Dockerfile names them.
    pub(super) fn named_arguments(&self) -> BTreeMap<String, String> {
        let named = |(name, value): (&String, &String)| {
            let own = if name == EPOCH { name.clone() } else { format!("{name}{}", self.name) };
            (own, value.clone())
        };
        self.arguments.iter().map(named).collect()
    }

    /// The same case, as no engine has seen it.
    pub(super) fn salted(&self, salt: &str) -> Self {
        Self { salt: salt.to_owned(), ..self.clone() }
    }
}

/// For who reads of a failure.
impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, (kind, content)) in self.files() {
            match kind {
                Kind::Symlink => writeln!(formatter, "  {path} -> {content}")?,
                Kind::Executable => writeln!(formatter, "  {path}, executable: {content:?}")?,
                _ if content.contains('\n') => {
                    writeln!(formatter, "  {path}:")?;
                    content.lines().try_for_each(|line| writeln!(formatter, "    {line}"))?;
                }
                _ => writeln!(formatter, "  {path}: {content:?}")?,
            }
        }
        let target = self.target.map(|_| self.target_name());
        writeln!(formatter, "  target {target:?}, arguments {:?}", self.named_arguments())
    }
}
