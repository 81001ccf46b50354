//! What a build reads of a context: [`Inputs`].

use serde::Serialize;

use super::instruction::Instruction;

/// The files of one context that a build can read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Inputs {
    /// Whether every file counts; the notes of the analysis say why.
    pub whole: bool,
    /// What is copied or mounted, as far as it could be told; complete unless everything counts.
    pub sources: Vec<Source>,
}

/// One source of a COPY, an ADD or a bind mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The path from the context's root, cleaned; `.` is the root itself. A folder stands for all below it.
    pub path: String,
    /// How wildcards in the path are read.
    pub kind: SourceKind,
    /// Patterns of what is left out, as `--exclude` gives them. BuildKit matches them against the path below
    /// the source, and does not expand variables in them.
    pub excludes: Vec<String>,
    /// The line of the instruction.
    pub line: usize,
    /// The instruction, for messages.
    pub instruction: String,
    /// The minor version of the frontend, such as 11 for 1.11, before which alone it is read; none where every version
    /// reads it. It need not be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u32>,
}

/// How wildcards in a source's path are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// Per path component: `*`, `?`, `[...]` and `\`, as Go's `filepath.Match` has them.
    Copy,
    /// As in `.dockerignore`, `**` included: `COPY --parents`.
    Parents,
    /// Not at all: a bind mount's source is a path.
    Mount,
}

impl Inputs {
    /// Everything.
    #[must_use]
    pub fn whole() -> Self {
        Self { whole: true, sources: Vec::new() }
    }

    /// Adds a source; whether it made everything count.
    pub(crate) fn add(&mut self, source: Source) -> bool {
        let all = source.is_everything();
        self.whole |= all;
        self.sources.push(source);
        all
    }

    /// The paths that BuildKit's newest frontend asks a client for (`followpaths`), sorted; none when it asks for
    /// everything.
    #[must_use]
    pub fn follow_paths(&self) -> Option<Vec<&str>> {
        let sources = || self.sources.iter().filter(|source| source.before.is_none());
        if self.whole || sources().any(|source| source.path == ".") {
            return None;
        }
        let mut paths: Vec<&str> = sources().map(|source| source.path.as_str()).collect();
        paths.sort_unstable();
        paths.dedup();
        Some(paths)
    }
}

impl Source {
    pub(crate) fn new(path: &str, kind: SourceKind, instruction: &Instruction) -> Self {
        let excludes = instruction.flags.values("exclude").map(super::flags::Value::text).collect();
        Self {
            path: clean(path),
            kind,
            excludes,
            line: instruction.line,
            instruction: instruction.excerpt(),
            before: None,
        }
    }

    fn is_everything(&self) -> bool {
        self.path == "." && self.excludes.is_empty()
    }
}

/// `path` from the root, without `.`, `..` and doubled slashes, as Go's `path.Join("/", path)` has it.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_from_the_root() {
        let table = [
            ("a", "a"),
            ("/a/b/", "a/b"),
            ("./a//b/./c", "a/b/c"),
            ("a/../b", "b"),
            ("../../a", "a"),
            (".", "."),
            ("/", "."),
            ("", "."),
            ("a/..", "."),
            ("src/./*.rs", "src/*.rs"),
            ("..a/.b", "..a/.b"),
        ];
        for (path, expected) in table {
            assert_eq!(clean(path), expected, "{path}");
        }
    }
}
