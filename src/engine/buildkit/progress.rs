//! The status stream of BuildKit, told as events. Start with [`Progress`].

use std::collections::BTreeMap;

use bollard_buildkit_proto::moby::buildkit::v1::{StatusResponse, Vertex, VertexLog};

use super::secrets::Secrets;
use super::warnings::Warnings;
use crate::config::ImageName;
use crate::engine::StepCount;
use crate::engine::lines::Lines;
use crate::engine::telling::{NAME_LIMIT, Tail, Teller};
use crate::events::{EventSink, StepState};
use crate::inert;

/// The progress of one build, followed message by message.
pub(super) struct Progress {
    teller: Teller,
    secrets: Secrets,
    steps: BTreeMap<String, Step>,
    warnings: Warnings,
    /// The digests of the steps that failed, in the order of their failures.
    failed: Vec<String>,
}

/// A step of a build: one vertex of the build's graph.
#[derive(Default)]
pub(super) struct Step {
    /// The name that the engine gave the step.
    pub(super) name: String,
    /// The engine's message, if the step failed.
    pub(super) error: String,
    state: Option<StepState>,
    /// True once the engine said that the step's result is in a cache. Where its layers are unpacked then, the engine
    /// tells the step's start and end again, and does not say it.
    cached: bool,
    lines: BTreeMap<i64, Lines>,
    tail: Tail,
}

impl Progress {
    /// The progress of a build that has not begun.
    pub(super) fn new(image: ImageName, events: EventSink, secrets: Secrets) -> Self {
        let teller = Teller::new(image, events);
        let (steps, warnings) = (BTreeMap::new(), Warnings::default());
        Self { teller, secrets, steps, warnings, failed: Vec::new() }
    }

    /// Takes a message of the engine.
    ///
    /// One message can hold a step's start, all its output and its end; the events are told in this order.
    pub(super) fn update(&mut self, status: &StatusResponse) {
        for vertex in &status.vertexes {
            self.begin(vertex);
        }
        for log in &status.logs {
            self.log(log);
        }
        for vertex in &status.vertexes {
            self.end(vertex);
        }
        for warning in &status.warnings {
            if let Some(warning) = self.warnings.take(warning, &self.secrets) {
                self.teller.warning(warning.clone());
            }
        }
    }

    /// Ends the lines that the build left without a line end.
    pub(super) fn finish(&mut self) {
        let digests: Vec<String> = self.steps.keys().cloned().collect();
        for digest in digests {
            self.end_lines(&digest);
        }
    }

    /// The count of the Dockerfile's steps, without those that the frontend and the exporter do around them.
    pub(super) fn count(&self) -> StepCount {
        let steps = self.steps.values().filter(|step| is_numbered(&step.name) && step.state.is_some());
        let is_cached = |step: &Step| step.cached && step.state != Some(StepState::Failed);
        let (total, cached) =
            steps.fold((0, 0), |(total, cached), step| (total + 1, cached + usize::from(is_cached(step))));
        StepCount { total, cached }
    }

    /// The step that made the build fail with `text`; if the engine named a step, the one with this digest.
    ///
    /// Several steps can fail before the others are stopped. `text` is the error of one of them with more
    /// text before it; if two steps have the same error, the first one counts.
    pub(super) fn failed(&self, digest: Option<&str>, text: &str) -> Option<&Step> {
        let named = digest.and_then(|digest| self.steps.get(digest));
        let failed = || self.failed.iter().filter_map(|digest| self.steps.get(digest));
        let told = |step: &&Step| !step.error.is_empty() && text.contains(&step.error);
        // `max_by_key` takes the last of equals, so the steps go from the last to the first.
        let told = || failed().rev().filter(told).max_by_key(|step| step.error.len());
        named.or_else(told).or_else(|| failed().next())
    }

    /// The warnings of the build so far.
    pub(super) fn warnings(&self) -> &Warnings {
        &self.warnings
    }

    /// True if steps are running and all of them carry bytes from or to a registry, which never takes long in
    /// silence.
    pub(super) fn is_transferring(&self) -> bool {
        let mut running = self.running().peekable();
        running.peek().is_some() && running.all(|step| fetches(step) || exports(step))
    }

    /// The names of the steps that are running.
    pub(super) fn running(&self) -> impl Iterator<Item = &str> {
        self.steps.values().filter(|step| step.state == Some(StepState::Started)).map(|step| &*step.name)
    }

    fn begin(&mut self, vertex: &Vertex) {
        let step = self.steps.entry(vertex.digest.clone()).or_default();
        if step.name.is_empty() {
            step.name = inert::plain(&vertex.name).chars().take(NAME_LIMIT).collect();
        }
        step.cached |= vertex.cached;
        if vertex.started.is_some() && !step.cached && step.state.is_none() {
            self.change(&vertex.digest, StepState::Started);
        }
    }

    fn end(&mut self, vertex: &Vertex) {
        let cached = self.steps.get(&vertex.digest).is_some_and(|step| step.cached);
        let state = match vertex.error.as_str() {
            _ if vertex.completed.is_none() => return,
            "" if cached => StepState::Cached,
            "" => StepState::Done,
            // Another step's failure stopped this step, which has no failure of its own.
            error if error.ends_with("context canceled") => return,
            _ => StepState::Failed,
        };
        if state == StepState::Failed && !self.failed.contains(&vertex.digest) {
            self.failed.push(vertex.digest.clone());
        }
        self.end_lines(&vertex.digest);
        if let Some(step) = self.steps.get_mut(&vertex.digest) {
            step.error.clone_from(&vertex.error);
        }
        self.change(&vertex.digest, state);
    }

    /// Tells a step's state, unless the step has ended: a step that several others need is reported for each
    /// of them.
    fn change(&mut self, digest: &str, state: StepState) {
        let Some(step) = self.steps.get_mut(digest) else { return };
        if step.state.is_none_or(|before| before == StepState::Started && before != state) {
            step.state = Some(state);
            self.teller.step(&step.name, state);
        }
    }

    fn log(&mut self, log: &VertexLog) {
        let step = self.steps.entry(log.vertex.clone()).or_default();
        let mut done = Vec::new();
        step.lines.entry(log.stream).or_default().push(&log.msg, |line| done.push(line));
        self.emit(&log.vertex, done);
    }

    fn end_lines(&mut self, digest: &str) {
        let Some(step) = self.steps.get_mut(digest) else { return };
        let mut done = Vec::new();
        for lines in step.lines.values_mut() {
            lines.finish(|line| done.push(line));
        }
        self.emit(digest, done);
    }

    fn emit(&mut self, digest: &str, lines: Vec<String>) {
        let Some(step) = self.steps.get_mut(digest) else { return };
        for line in lines {
            let line = self.secrets.redact(line);
            step.tail.push(line.clone());
            self.teller.line(&step.name, line);
        }
    }
}

impl Step {
    /// The last lines that the step printed.
    pub(super) fn log(&self) -> Vec<String> {
        self.tail.lines()
    }
}

/// True if `name` is the name of an instruction's step: `[2/3] RUN ...`, `[build 2/3] RUN ...`.
pub(super) fn is_numbered(name: &str) -> bool {
    let inside = name.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(inside, _)| inside);
    let number = inside.and_then(|inside| inside.rsplit(' ').next()?.split_once('/'));
    number.is_some_and(|(index, total)| index.parse::<usize>().is_ok() && total.parse::<usize>().is_ok())
}

/// True if the step with this name fetches a base image.
pub(super) fn fetches(name: &str) -> bool {
    let pulls = |rest: &str| rest.starts_with("FROM ");
    name.starts_with("[internal] load metadata for ")
        || is_numbered(name) && name.split_once("] ").is_some_and(|(_, instruction)| pulls(instruction))
}

/// True if the step with this name brings the image to its destination.
pub(super) fn exports(name: &str) -> bool {
    ["exporting to ", "pushing "].iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use bollard_buildkit_proto::google::protobuf::Timestamp;

    use super::*;
    use crate::events::Event;

    fn vertex(name: &str, state: StepState) -> Vertex {
        let time = Some(Timestamp::default());
        Vertex {
            digest: format!("digest of {name}"),
            name: name.to_owned(),
            started: time,
            completed: time.filter(|_| state != StepState::Started),
            cached: state == StepState::Cached,
            error: if state == StepState::Failed { "exit code: 1" } else { "" }.to_owned(),
            ..Vertex::default()
        }
    }

    fn log(name: &str, stream: i64, text: &str) -> VertexLog {
        VertexLog {
            vertex: format!("digest of {name}"),
            stream,
            msg: text.as_bytes().to_vec(),
            ..VertexLog::default()
        }
    }

    /// The events of these messages, one word per event.
    fn told(messages: Vec<(Vec<Vertex>, Vec<VertexLog>)>) -> (Vec<String>, Progress) {
        let (sink, mut events) = EventSink::channel();
        let mut progress = Progress::new("api".parse().unwrap(), sink, Secrets::default());
        for (vertexes, logs) in messages {
            progress.update(&StatusResponse { vertexes, logs, ..StatusResponse::default() });
        }
        progress.finish();
        let mut told = Vec::new();
        while let Ok(event) = events.try_recv() {
            told.push(match event {
                Event::ImageStep { step, state, .. } => format!("{step} {state:?}"),
                Event::ImageLog { step, line, .. } => format!("{step}> {line}"),
                other => format!("{other:?}"),
            });
        }
        (told, progress)
    }

    #[test]
    fn a_step_starts_prints_and_ends_in_this_order() {
        let (run, copy) = ("[2/2] RUN x", "[1/2] COPY a");
        let (told, progress) = told(vec![
            (vec![vertex(copy, StepState::Cached), vertex("[internal] load", StepState::Done)], vec![]),
            (vec![vertex(run, StepState::Started)], vec![log(run, 1, "a"), log(run, 2, "err\n")]),
            (vec![vertex(run, StepState::Done)], vec![log(run, 1, "b\nrest")]),
            (vec![vertex(run, StepState::Done)], vec![]),
        ]);
        let expected = [
            "[internal] load Started",
            "[1/2] COPY a Cached",
            "[internal] load Done",
            "[2/2] RUN x Started",
            "[2/2] RUN x> err",
            "[2/2] RUN x> ab",
            "[2/2] RUN x> rest",
            "[2/2] RUN x Done",
        ];
        assert_eq!(told, expected);
        assert_eq!(progress.count(), StepCount { total: 2, cached: 1 });
    }

    /// As BuildKit tells a step of an imported cache whose layers are unpacked: `LoadCache` in `solver/jobs.go` says that
    /// it is cached, and `util/progress/controller` tells the same vertex again.
    #[test]
    fn a_cached_step_that_is_unpacked_is_cached() {
        let run = "[2/2] RUN x";
        let found = Vertex { cached: true, ..vertex(run, StepState::Started) };
        let (told, progress) = told(vec![
            (vec![found], vec![]),
            (vec![vertex(run, StepState::Started)], vec![]),
            (vec![vertex(run, StepState::Done)], vec![]),
            (vec![vertex(run, StepState::Cached)], vec![]),
            (vec![vertex(run, StepState::Started), vertex(run, StepState::Done)], vec![]),
        ]);
        assert_eq!(told, ["[2/2] RUN x Cached"]);
        assert_eq!(progress.count(), StepCount { total: 1, cached: 1 });
    }

    #[test]
    fn a_step_that_another_one_stopped_did_not_fail() {
        let stopped = Vertex {
            error: "process did not complete: context canceled".to_owned(),
            ..vertex("[1/2] RUN a", StepState::Failed)
        };
        let failed = vertex("[2/2] RUN b", StepState::Failed);
        let (told, progress) = told(vec![(vec![stopped, failed], vec![])]);
        assert_eq!(told, ["[1/2] RUN a Started", "[2/2] RUN b Started", "[2/2] RUN b Failed"]);
        assert_eq!(progress.failed(None, "").unwrap().name, "[2/2] RUN b");
    }

    #[test]
    fn of_several_failed_steps_the_one_that_the_engine_quotes_is_blamed() {
        let failing =
            |name: &str, error: &str| Vertex { error: error.to_owned(), ..vertex(name, StepState::Failed) };
        let steps = [
            failing("[b 1/1] RUN b", "executor failed running [b]: exit code: 1"),
            failing("[c 1/1] RUN c", "executor failed running [c]: exit code: 137"),
            failing("[a 1/1] RUN b", "executor failed running [b]: exit code: 1"),
        ];
        let (_, progress) = told(steps.into_iter().map(|step| (vec![step], vec![])).collect());
        let blamed = |text: &str| &progress.failed(None, text).unwrap().name;
        assert_eq!(blamed("failed to solve: executor failed running [c]: exit code: 137"), "[c 1/1] RUN c");
        assert_eq!(blamed("failed to solve: executor failed running [b]: exit code: 1"), "[b 1/1] RUN b");
        assert_eq!(blamed("something else"), "[b 1/1] RUN b", "the first");
        assert_eq!(progress.failed(Some("digest of [a 1/1] RUN b"), "").unwrap().name, "[a 1/1] RUN b");
    }

    #[test]
    fn only_bytes_on_their_way_are_never_silent_for_long() {
        for (running, transferring) in [
            (&["exporting to image"][..], true),
            (&["[internal] load metadata for docker.io/library/a:1", "[1/2] FROM a"], true),
            (&["exporting to image", "[2/2] RUN make"], false),
            (&["[internal] load build context"], false),
            (&[], false),
        ] {
            let steps = running.iter().map(|name| vertex(name, StepState::Started)).collect();
            let (_, progress) = told(vec![(steps, vec![])]);
            assert_eq!(progress.is_transferring(), transferring, "{running:?}");
        }
    }

    #[test]
    fn a_failed_step_keeps_its_last_lines() {
        let lines: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let lines = lines.join("\n");
        let run = "[1/1] RUN x";
        let (_, progress) = told(vec![(vec![vertex(run, StepState::Failed)], vec![log(run, 1, &lines)])]);
        let tail = progress.failed(Some("digest of [1/1] RUN x"), "").unwrap().log();
        assert_eq!((tail.len(), tail[0].as_str()), (20, "80"));
    }

    #[test]
    fn only_instructions_are_counted() {
        for (name, counted) in [
            ("[1/3] FROM docker.io/library/alpine", true),
            ("[linux/amd64 build 12/13] RUN x", true),
            ("[internal] load build context", false),
            ("[auth] library/alpine:pull token for registry-1.docker.io", false),
            ("exporting to image", false),
            ("resolve image config for docker-image://docker.io/docker/dockerfile:1", false),
        ] {
            assert_eq!(is_numbered(name), counted, "{name}");
        }
    }
}
