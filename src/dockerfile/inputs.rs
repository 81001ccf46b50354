//! The files that a build reads of a context. Start with [`Inputs`].

use serde::Serialize;

use super::instruction::Instruction;

/// The files of one context that a build can read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Inputs {
    /// True if every file of the context counts; the notes of the analysis give the reason.
    pub whole: bool,
    /// The sources that are copied or mounted, as far as they could be told; complete unless every file counts.
    pub sources: Vec<Source>,
}

/// One source of a COPY, an ADD or a bind mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The path from the context's root, cleaned; `.` is the root itself. A folder stands for all below it.
    pub path: String,
    /// The way in which wildcards in the path are read.
    pub kind: SourceKind,
    /// The patterns of files that are left out, as `--exclude` gives them. BuildKit matches the patterns against the
    /// path below the source, and does not expand variables in them.
    pub excludes: Vec<String>,
    /// The line of the instruction.
    pub line: usize,
    /// The text of the instruction, for messages.
    pub instruction: String,
    /// The minor version of the frontend, such as 11 for 1.11, before which alone the source is read; none where every
    /// version reads the source. A source with such a version need not exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u32>,
}

/// The way in which wildcards in a source's path are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// Wildcards per path component: `*`, `?`, `[...]` and `\`, as Go's `filepath.Match` has them.
    Copy,
    /// Wildcards as in `.dockerignore`, `**` included: `COPY --parents`.
    Parents,
    /// No wildcards: a bind mount's source is a path.
    Mount,
}

impl Inputs {
    /// Every file of a context.
    #[must_use]
    pub fn whole() -> Self {
        Self { whole: true, sources: Vec::new() }
    }

    /// Adds a source; true if the source makes every file count.
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

/// The path from the root, without `.`, `..` and doubled slashes, as Go's `path.Join("/", path)` has it.
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
