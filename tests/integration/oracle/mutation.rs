//! One change of a case. Start with [`Mutation`].

use std::fmt;

use dtbuild_content::tree::Kind;

use super::case::{Case, EPOCH, Leaf};
use super::generate::path;
use super::random::Random;

/// What is changed, so that it can be applied to a smaller case too.
#[derive(Clone, Debug)]
pub(super) enum Mutation {
    /// A file has this content, or a link this text.
    Content { kind: &'static str, path: String, content: String },
    /// A file's executable bit comes or goes.
    Mode { path: String },
    /// A path becomes a file or link, whatever it was.
    Becomes { kind: &'static str, path: String, leaf: Leaf },
    /// A new file or link.
    Added { kind: &'static str, path: String, leaf: Leaf },
    /// A file that is gone.
    Removed { path: String },
    /// A file of another name.
    Renamed { from: String, to: String },
    /// Another line in the `.dockerignore`, at this place.
    Ignored { place: usize, line: String },
    /// A line of the `.dockerignore` that is gone.
    Unignored { line: String },
    /// A build argument of another value, or given no longer.
    Argument { name: &'static str, value: Option<String> },
}

#[derive(Clone, Copy)]
enum Choice {
    Content,
    SameSize,
    Mode,
    Link,
    Becomes,
    Add,
    AddEmpty,
    Unrelated,
    Remove,
    Rename,
    Ignore,
    Unignore,
    Used,
    Unused,
    Undeclared,
    Global,
    Epoch,
}

const CHOICES: [(usize, Choice); 17] = [
    (12, Choice::Content),
    (10, Choice::SameSize),
    (9, Choice::Mode),
    (10, Choice::Link),
    (4, Choice::Becomes),
    (14, Choice::Add),
    (6, Choice::AddEmpty),
    (4, Choice::Unrelated),
    (10, Choice::Remove),
    (12, Choice::Rename),
    (10, Choice::Ignore),
    (4, Choice::Unignore),
    (4, Choice::Used),
    (1, Choice::Unused),
    (2, Choice::Undeclared),
    (3, Choice::Global),
    (1, Choice::Epoch),
];

impl Mutation {
    /// A change of `case`, and the case after it; none where what was drawn changes nothing, or cannot be.
    pub(super) fn draw(case: &Case, random: &mut Random) -> Option<(Self, Case)> {
        let mutation = Self::of(case, random)?;
        let after = mutation.applied(case)?;
        Some((mutation, after))
    }

    fn of(case: &Case, random: &mut Random) -> Option<Self> {
        let paths: Vec<&String> = case.tree.keys().collect();
        let own = paths[random.below(paths.len())].clone();
        let (kind, content) = case.tree[&own].clone();
        let is_link = kind == Kind::Symlink;
        Some(match random.weighted(&CHOICES) {
            Choice::Content | Choice::SameSize | Choice::Mode if is_link => return None,
            Choice::Link if !is_link => return None,
            Choice::Content => {
                Self::Content { kind: "content", path: own, content: format!("{content}, changed") }
            }
            Choice::SameSize => {
                let content = content.replace("file", "FILE");
                Self::Content { kind: "content of the same size", path: own, content }
            }
            Choice::Mode => Self::Mode { path: own },
            Choice::Link => {
                let content = case.link_text(&own, random);
                Self::Content { kind: "target of a link", path: own, content }
            }
            Choice::Becomes if is_link => {
                Self::Becomes { kind: "link made a file", path: own, leaf: (Kind::File, "no link".into()) }
            }
            Choice::Becomes => {
                let leaf = (Kind::Symlink, case.link_text(&own, random));
                Self::Becomes { kind: "file made a link", path: own, leaf }
            }
            Choice::Add => {
                Self::Added { kind: "new file", path: path(random), leaf: (Kind::File, "new".into()) }
            }
            Choice::AddEmpty => {
                Self::Added { kind: "new empty file", path: path(random), leaf: (Kind::File, String::new()) }
            }
            Choice::Unrelated => {
                let path = random.of(&["README.md", "z/unrelated", "test/z"]).to_owned();
                Self::Added { kind: "unrelated file", path, leaf: (Kind::File, "new".into()) }
            }
            Choice::Remove => Self::Removed { path: own },
            Choice::Rename => Self::Renamed { from: own, to: path(random) },
            Choice::Ignore => {
                Self::Ignored { place: random.below(case.ignore.len() + 1), line: case.ignore_line(random) }
            }
            Choice::Unignore if case.ignore.is_empty() => return None,
            Choice::Unignore => {
                Self::Unignored { line: case.ignore[random.below(case.ignore.len())].clone() }
            }
            Choice::Used => {
                let value = (!random.chance(20)).then(|| case.any_path(random).replace('[', "[[]"));
                Self::Argument { name: "V", value }
            }
            Choice::Unused => Self::Argument { name: "W", value: Some("2".into()) },
            Choice::Global if case.globals.iter().any(|line| line.starts_with("ARG G@")) => {
                let value = (!random.chance(20)).then(|| case.any_path(random).replace('[', "[[]"));
                Self::Argument { name: "G", value }
            }
            Choice::Epoch if case.arguments.contains_key(EPOCH) => {
                Self::Argument { name: EPOCH, value: Some((2 + random.below(1000)).to_string()) }
            }
            Choice::Global | Choice::Epoch => return None,
            Choice::Undeclared => Self::Argument { name: "U", value: Some("2".into()) },
        })
    }

    /// `case` after the change; none where it changes nothing, or cannot be.
    pub(super) fn applied(&self, case: &Case) -> Option<Case> {
        let mut after = case.clone();
        match self {
            Self::Content { path, content, .. } => {
                let (_, old) = after.tree.get_mut(path)?;
                if old == content {
                    return None;
                }
                old.clone_from(content);
            }
            Self::Mode { path } => {
                let (kind, _) = after.tree.get_mut(path)?;
                *kind = match kind {
                    Kind::File => Kind::Executable,
                    Kind::Executable => Kind::File,
                    _ => return None,
                };
            }
            Self::Becomes { path, leaf, .. } => *after.tree.get_mut(path)? = leaf.clone(),
            Self::Added { path, leaf, .. } => {
                if after.tree.contains_key(path) || !after.put(path, leaf.clone()) {
                    return None;
                }
            }
            Self::Removed { path } => drop(after.tree.remove(path)?),
            Self::Renamed { from, to } => {
                let leaf = after.tree.remove(from)?;
                if from == to || after.tree.contains_key(to) || !after.put(to, leaf) {
                    return None;
                }
            }
            Self::Ignored { place, line } => {
                after.ignore.insert((*place).min(case.ignore.len()), line.clone());
            }
            Self::Unignored { line } => {
                let place = after.ignore.iter().position(|own| own == line)?;
                after.ignore.remove(place);
            }
            Self::Argument { name, value } => {
                let old = match value {
                    Some(value) => after.arguments.insert((*name).to_owned(), value.clone()),
                    None => after.arguments.remove(*name),
                };
                if old == *value {
                    return None;
                }
            }
        }
        (!after.tree.is_empty()).then_some(after)
    }

    /// What kind of change it is, for the figures.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Content { kind, .. } | Self::Becomes { kind, .. } | Self::Added { kind, .. } => kind,
            Self::Mode { .. } => "mode",
            Self::Removed { .. } => "deleted file",
            Self::Renamed { .. } => "rename",
            Self::Ignored { .. } => "new line in .dockerignore",
            Self::Unignored { .. } => "line gone from .dockerignore",
            Self::Argument { name: "U", .. } => "undeclared argument",
            Self::Argument { name: "G", .. } => "global argument",
            Self::Argument { name: EPOCH, .. } => "SOURCE_DATE_EPOCH",
            Self::Argument { .. } => "declared argument",
        }
    }
}

impl fmt::Display for Mutation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {self:?}", self.kind())
    }
}
