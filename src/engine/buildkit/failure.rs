//! The explanation of a failed build, for the author of the Dockerfile. Start with [`explain`].

use bollard_buildkit_proto::google::rpc;
use bstr::BStr;
use prost::Message;
use serde::Deserialize;
use tonic::{Code, Status};

use super::progress::{Progress, fetches, is_numbered};
use super::secrets::Secrets;
use super::source::{line_of_base, line_of_step};
use crate::engine::BuildFailure;
use crate::engine::transient::is_transient;
use crate::inert;

/// The longest message, in characters; the engine repeats a failed command, however long the command is.
const MESSAGE_LIMIT: usize = 600;

/// The longest command in a message, in characters; a command can be a whole script, and the step names it in
/// full.
const COMMAND_LIMIT: usize = 100;

/// The beginnings of BuildKit's error texts, before the texts come to the point.
const PREFIXES: [&str; 6] = [
    "rpc error: code = Unknown desc = ",
    "failed to solve with frontend dockerfile.v0: ",
    "failed to solve: ",
    "failed to create LLB definition: ",
    "failed to build LLB: ",
    "executor failed running ",
];

/// The Dockerfile's path as messages name it, and the Dockerfile's text.
pub(super) struct Dockerfile<'a> {
    pub(super) path: &'a BStr,
    pub(super) text: &'a [u8],
}

/// The details that the engine attached to an error: BuildKit's `errdefs`, as JSON.
#[derive(Default)]
struct Details {
    vertex: Option<String>,
    line: Option<usize>,
}

#[derive(Deserialize)]
struct VertexDetail {
    digest: String,
}

#[derive(Deserialize)]
struct SourceDetail {
    #[serde(default)]
    ranges: Vec<Range>,
}

#[derive(Deserialize)]
struct Range {
    start: Option<Position>,
}

#[derive(Deserialize)]
struct Position {
    #[serde(default)]
    line: usize,
}

/// True if `status` says that the connection or the engine broke, rather than the build.
pub(super) fn is_lost(status: &Status) -> bool {
    // Only errors of our own side of the connection have a source.
    std::error::Error::source(status).is_some()
        || matches!(status.code(), Code::Unavailable | Code::Cancelled)
}

/// True if `status` says that the frontend has no named contexts.
pub(super) fn is_without_contexts(status: &Status) -> bool {
    status.message().contains("unsupported frontend capability moby.buildkit.frontend.contexts")
}

/// The reason of a lost connection, cause by cause: gRPC's own message is "transport error".
pub(in crate::engine) fn lost_reason(status: &Status) -> String {
    let mut reason = status.message().to_owned();
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        let text = error.to_string();
        if !reason.contains(&text) {
            reason = format!("{reason}: {text}");
        }
        source = error.source();
    }
    reason
}

/// The failure of a build: the failed step, its line in the Dockerfile, and advice.
pub(super) fn explain(
    status: &Status,
    progress: &Progress,
    dockerfile: &Dockerfile<'_>,
    secrets: &Secrets,
) -> BuildFailure {
    let details = details(status);
    let step = progress.failed(details.vertex.as_deref(), status.message());
    let text = cause(status.message());
    let name = step.map(|step| step.name.as_str()).unwrap_or_default();
    let exit_code = exit_code(&text).or_else(|| exit_code(&step?.error));
    let linted = progress.warnings().failed(&text);
    let of_rule = || linted.as_ref().and_then(|(_, line)| *line);
    let line =
        details.line.or_else(of_rule).or_else(|| match name.strip_prefix("[internal] load metadata for ") {
            Some(image) => line_of_base(dockerfile.text, image),
            None => line_of_step(dockerfile.text, name).or_else(|| parse_error_line(&text)),
        });
    let what = if let Some((rules, _)) = &linted {
        format!("`# check=error=true` makes errors of the linter's warnings: {}", rules.join("; "))
    } else if let Some(image) = name.strip_prefix("[internal] load metadata for ") {
        base_message(image, &text)
    } else if is_numbered(name) {
        step_message(name, exit_code, &text)
    } else {
        // The message's place has the line already.
        text.split_once("parse error ")
            .and_then(|(_, rest)| rest.split_once(": "))
            .map_or(text.clone(), |(_, what)| what.to_owned())
    };
    let place = match line {
        Some(line) => format!("{}:{line}", dockerfile.path),
        None => dockerfile.path.to_string(),
    };
    let message: String = inert::plain(&format!("{place}: {what}")).chars().take(MESSAGE_LIMIT).collect();
    BuildFailure {
        message: secrets.redact(message),
        step: step.map(|step| step.name.clone()),
        line,
        exit_code,
        log: step.map(super::progress::Step::log).unwrap_or_default(),
        passing: (fetches(name) && is_transient(&text)) || lost_a_layer(&text),
    }
}

/// True if containerd removed a layer that it was about to build upon: images that another client removes at
/// that moment can have the same layer. The next attempt makes the layer again.
fn lost_a_layer(text: &str) -> bool {
    text.contains("failed to prepare extraction snapshot") && text.contains("does not exist: not found")
}

/// The engine's text in one line, without the beginnings that only say where in BuildKit it came from.
pub(super) fn cause(text: &str) -> String {
    let mut text = text.lines().collect::<Vec<_>>().join(" ");
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        text = rest.to_owned();
    }
    text
}

fn step_message(name: &str, exit_code: Option<i32>, text: &str) -> String {
    let command = name.split_once("] ").map_or(name, |(_, command)| command);
    let cut = command.char_indices().nth(COMMAND_LIMIT);
    let command = cut.map_or(command.to_owned(), |(end, _)| format!("{}…", &command[..end]));
    if let Some(code) = exit_code {
        return format!("`{command}` exited with code {code}");
    }
    // A file that is copied is looked for when its checksum is taken.
    let missing = text.contains("failed to c") && text.contains("cache key") && text.ends_with(": not found");
    let from = command.split_whitespace().find_map(|word| word.strip_prefix("--from="));
    let hint = match from {
        _ if !missing => String::new(),
        Some(from) => format!("; is it in `{from}`, which `--from` names?"),
        None => "; is it in the context, and not in `.dockerignore`?".to_owned(),
    };
    format!("`{command}` failed: {text}{hint}")
}

fn base_message(image: &str, text: &str) -> String {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let hint = if says(&["denied", "unauthorized", "insufficient_scope", "401", "403"]) {
        "is the name right, and are you logged in (`docker login`)?"
    } else if says(&["not found", "manifest unknown", "404"]) {
        "there is no such image; check its name and tag"
    } else {
        "can the engine reach the registry?"
    };
    format!("cannot get the base image `{image}`: {text}; {hint}")
}

/// The number after `exit code: `, as BuildKit's executors write it.
fn exit_code(text: &str) -> Option<i32> {
    let (_, after) = text.rsplit_once("exit code: ")?;
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    after[..end].parse().ok()
}

/// The line in `dockerfile parse error line 3: unknown instruction: RUM`.
fn parse_error_line(text: &str) -> Option<usize> {
    let (_, after) = text.split_once("parse error ")?;
    let after = after.strip_prefix("on ").unwrap_or(after).strip_prefix("line ")?;
    after.split(':').next()?.trim().parse().ok()
}

fn details(status: &Status) -> Details {
    let mut found = Details::default();
    let Ok(status) = rpc::Status::decode(status.details()) else { return found };
    for detail in status.details {
        if detail.type_url.ends_with("errdefs.Vertex+json") {
            let vertex = serde_json::from_slice::<VertexDetail>(&detail.value);
            found.vertex = found.vertex.or(vertex.ok().map(|vertex| vertex.digest));
        } else if detail.type_url.ends_with("errdefs.Source+json") {
            let source = serde_json::from_slice::<SourceDetail>(&detail.value).ok();
            let start = source.and_then(|source| source.ranges.into_iter().next()?.start);
            found.line = found.line.or(start.map(|start| start.line).filter(|line| *line > 0));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use bollard_buildkit_proto::google::protobuf::Any;
    use tonic::Code;

    use super::*;
    use crate::events::EventSink;

    fn explained(status: &Status, text: &[u8]) -> BuildFailure {
        let progress = Progress::new("api".parse().unwrap(), EventSink::channel().0, Secrets::default());
        let dockerfile = Dockerfile { path: "api/Dockerfile".into(), text };
        explain(status, &progress, &dockerfile, &Secrets::default())
    }

    #[test]
    fn exit_codes_are_read_from_both_wordings() {
        assert_eq!(
            exit_code("process \"/bin/sh -c x\" did not complete successfully: exit code: 127"),
            Some(127)
        );
        assert_eq!(exit_code("executor failed running [/bin/sh -c exit code: 1]: exit code: 3"), Some(3));
        assert_eq!(exit_code("no such file"), None);
    }

    #[test]
    fn a_parse_error_names_its_line() {
        for text in [
            "dockerfile parse error line 2: unknown instruction: RUM",
            "failed to solve: dockerfile parse error on line 2: unknown instruction: RUM",
        ] {
            let failure = explained(&Status::unknown(text), b"FROM scratch\nRUM x\n");
            assert_eq!(failure.line, Some(2));
            assert_eq!(failure.message, "api/Dockerfile:2: unknown instruction: RUM");
        }
    }

    #[test]
    fn only_what_fetches_a_base_image_is_tried_again() {
        for (step, fetching) in [
            ("[internal] load metadata for docker.io/library/node:22", true),
            ("[build 1/5] FROM docker.io/library/node:22@sha256:ab", true),
            ("[1/2] FROM busybox", true),
            ("[2/5] RUN curl https://example.com", false),
            ("[internal] load build context", false),
            ("FROM", false),
        ] {
            assert_eq!(fetches(step), fetching, "{step}");
        }
    }

    #[test]
    fn a_layer_that_was_swept_away_is_made_again() {
        let lost = "failed to prepare extraction snapshot \"extract-8-Fu sha256:9b\": parent snapshot sha256:84 does not \
                    exist: not found";
        assert!(explained(&Status::unknown(lost), b"").passing);
        assert!(!explained(&Status::unknown("failed to compute cache key: \"/a\": not found"), b"").passing);
    }

    #[test]
    fn the_engines_own_line_wins() {
        let source = Any {
            type_url: "github.com/moby/buildkit/errdefs.Source+json".to_owned(),
            value: br#"{"info":{"filename":"Dockerfile"},"ranges":[{"start":{"line":7},"end":{"line":8}}]}"#
                .to_vec(),
        };
        let details = rpc::Status { code: 2, message: "x".to_owned(), details: vec![source] }.encode_to_vec();
        let status = Status::with_details(Code::Unknown, "failed to solve: x", details.into());
        assert_eq!(explained(&status, b"").line, Some(7));
    }
}
