//! Directives, which are comments with a meaning at the top of a file: `# syntax=`, `# escape=`, `# check=`. Start
//! with [`Directives`].
//!
//! The rules, quirks included, are those of BuildKit's `frontend/dockerfile/parser/directives.go`: the first line
//! that is no directive ends the directives, and the syntax is looked for in more formats than the escape.

use std::collections::BTreeSet;

use super::error::ParseReason;
use super::frontend::{Change, Frontend};

const NAMES: [&str; 3] = ["syntax", "escape", "check"];

/// The directives that are seen while the lines are read.
#[derive(Clone, Debug)]
pub(crate) struct Directives {
    /// The character that escapes characters and continues lines.
    pub escape: char,
    frontend: Frontend,
    seen: BTreeSet<String>,
    ended: bool,
}

impl Directives {
    pub(crate) fn new(frontend: Frontend) -> Self {
        Self { escape: '\\', frontend, seen: BTreeSet::new(), ended: false }
    }

    /// Reads `line`, which is a directive or ends the directives.
    pub(crate) fn read(&mut self, line: &str) -> Result<(), ParseReason> {
        if self.ended {
            return Ok(());
        }
        let known = |(name, _): &(String, &str)| name != "check" || self.frontend.has(Change::Check);
        let Some((name, value)) = directive(line, "#").filter(known) else {
            self.ended = true;
            return Ok(());
        };
        if name == "escape" {
            self.escape = match value {
                "\\" => '\\',
                "`" => '`',
                other => return Err(ParseReason::Escape(other.to_owned())),
            };
        }
        if self.seen.insert(name.clone()) { Ok(()) } else { Err(ParseReason::RepeatedDirective(name)) }
    }
}

/// The frontend that the file asks for, by `# syntax=`, `// syntax=` or `{"syntax": ...}`.
pub(crate) fn syntax(text: &str) -> Option<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = match text.split_once('\n') {
        Some((first, rest)) if first.starts_with("#!") => rest,
        _ => text,
    };
    let commented = |marker| {
        text.lines()
            .map_while(|line| directive(line, marker))
            .find(|(name, _)| name == "syntax")
            .and_then(|(_, value)| value.split(' ').next().map(str::to_owned))
    };
    commented("#").or_else(|| commented("//")).or_else(|| {
        let json: serde_json::Value = serde_json::from_str(text).ok()?;
        json.get("syntax")?.as_str().map(str::to_owned)
    })
}

/// True if `reference` is the Dockerfile frontend itself, whose rules are known here: by the name of its image, or by
/// the name of the frontend within the engine.
pub(crate) fn is_dockerfile_frontend(reference: &str) -> bool {
    let name = reference.strip_prefix("docker.io/").unwrap_or(reference);
    let name = name.split(['@', ':']).next().unwrap_or_default();
    matches!(name, "docker/dockerfile" | "docker/dockerfile-upstream" | "dockerfile.v0")
}

fn directive<'a>(line: &'a str, marker: &str) -> Option<(String, &'a str)> {
    let spaces: &[char] = &['\t', '\n', '\x0c', '\r', ' '];
    let (name, value) = line.strip_prefix(marker)?.trim_start().split_once('=')?;
    let name = name.trim_end_matches(spaces).to_ascii_lowercase();
    if value.is_empty() || !NAMES.contains(&name.as_str()) {
        return None;
    }
    Some((name, value.trim_matches(spaces)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_syntax_is_found_where_buildkit_finds_it() {
        let table = [
            ("# syntax=docker/dockerfile:1\nFROM a", Some("docker/dockerfile:1")),
            ("#syntax = a/b:1 --flag\n", Some("a/b:1")),
            ("# escape=`\n# SYNTAX=a\n", Some("a")),
            ("\u{feff}# syntax=a\r\n", Some("a")),
            ("#!/usr/bin/env x\n# syntax=a\n", Some("a")),
            ("// syntax=a\n", Some("a")),
            ("{\"syntax\": \"a\"}", Some("a")),
            ("# a comment\n# syntax=a\n", None),
            ("\n# syntax=a\n", None),
            ("# unknown=1\n# syntax=a\n", None),
            ("FROM a\n# syntax=b\n", None),
            ("# syntax=\nFROM a\n", None),
        ];
        for (text, expected) in table {
            assert_eq!(syntax(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn only_dockers_own_frontend_is_known() {
        for known in [
            "docker/dockerfile",
            "docker/dockerfile:1.7-labs",
            "docker.io/docker/dockerfile:1",
            "dockerfile.v0",
        ] {
            assert!(is_dockerfile_frontend(known), "{known}");
        }
        for foreign in ["example.com/docker/dockerfile:1", "docker/dockerfiles", "me/dockerfile"] {
            assert!(!is_dockerfile_frontend(foreign), "{foreign}");
        }
        assert!(is_dockerfile_frontend("docker/dockerfile-upstream:master"));
    }
}
